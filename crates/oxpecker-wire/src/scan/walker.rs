//! Walks one Thrift struct, binary protocol, in pieces of any size.

mod path;
mod value;

use super::Fault;
pub use path::{ELEMENT, Path, path};
use path::{LEVELS, code};
pub use value::Scalar;
use value::{Kind, length, scalar};

/// Structs and containers within each other. Impala's own messages stay below 12; Thrift's
/// libraries refuse beyond 64.
pub const DEPTH_MAX: usize = 64;

/// Told of values as they pass.
pub trait Visitor {
    fn scalar(&mut self, path: Path, value: Scalar);

    /// A string of `length` bytes begins; its length field is `at` bytes behind the struct's begin.
    /// True: [`Visitor::part`] wants its bytes.
    fn string(&mut self, path: Path, length: u32, at: u64) -> bool;

    /// Bytes of a string that was wanted, in order.
    fn part(&mut self, path: Path, bytes: &[u8]);

    /// True: what is inside shall be told too.
    fn container(&mut self, path: Path, count: u32) -> bool;

    /// A string or struct is over. True: stop here for the caller.
    fn ended(&mut self, path: Path) -> bool;
}

/// Passes over everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore;

impl Visitor for Ignore {
    fn scalar(&mut self, _: Path, _: Scalar) {}
    fn string(&mut self, _: Path, _: u32, _: u64) -> bool {
        false
    }
    fn part(&mut self, _: Path, _: &[u8]) {}
    fn container(&mut self, _: Path, _: u32) -> bool {
        false
    }
    fn ended(&mut self, _: Path) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy)]
enum Frame {
    Struct,
    List {
        element: Kind,
        left: u32,
    },
    /// `left` counts keys and values together, so it is odd before a value.
    Map {
        key: Kind,
        value: Kind,
        left: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldType,
    FieldId(Kind),
    Value(Kind),
    /// Left of a string.
    String(u32),
    /// Left of a run of values that nobody wants to hear of.
    Run(u64),
    Done,
}

/// The walk through one struct. Half a kilobyte; make one and reset it.
#[derive(Debug, Clone)]
pub struct Walker {
    state: State,
    frames: [Frame; DEPTH_MAX],
    depth: u8,
    path: Path,
    /// Levels in `path`; deeper ones are only counted.
    level: u8,
    /// Nothing is told above this depth.
    quiet_above: u8,
    wanted: bool,
    partial: [u8; 8],
    partial_length: u8,
    position: u64,
}

impl Default for Walker {
    fn default() -> Self {
        Self::new()
    }
}

impl Walker {
    pub fn new() -> Self {
        Self {
            state: State::FieldType,
            frames: [Frame::Struct; DEPTH_MAX],
            depth: 1,
            path: 0,
            level: 0,
            quiet_above: u8::MAX,
            wanted: false,
            partial: [0; 8],
            partial_length: 0,
            position: 0,
        }
    }

    /// Ready for the next struct.
    pub fn reset(&mut self) {
        self.state = State::FieldType;
        self.depth = 1;
        self.path = 0;
        self.level = 0;
        self.quiet_above = u8::MAX;
        self.partial_length = 0;
        self.position = 0;
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes of the struct so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Walks on; returns how many bytes were used. Fewer than all: the struct is over, or the
    /// visitor wanted to stop.
    pub fn feed(&mut self, bytes: &[u8], visitor: &mut impl Visitor) -> Result<usize, Fault> {
        let begin = self.position;
        let mut rest = bytes;
        let mut stop = false;
        while !stop {
            let before = rest.len();
            let (next, stopped) = match self.step(rest, visitor)? {
                Some(step) => step,
                None => {
                    self.position = begin + bytes.len() as u64;
                    return Ok(bytes.len());
                }
            };
            self.position += (before - next.len()) as u64;
            rest = next;
            stop = stopped || self.state == State::Done;
        }
        Ok(bytes.len() - rest.len())
    }

    /// Does one thing; `None`: all bytes are used up.
    fn step<'a>(
        &mut self,
        bytes: &'a [u8],
        visitor: &mut impl Visitor,
    ) -> Result<Option<(&'a [u8], bool)>, Fault> {
        match self.state {
            State::FieldType => {
                let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
                if kind == 0 {
                    let stop = self.end_struct(visitor);
                    return Ok(Some((rest, stop)));
                }
                self.state = State::FieldId(Kind::of(kind)?);
                Ok(Some((rest, false)))
            }
            State::FieldId(kind) => {
                let Some(([a, b, ..], rest)) = self.take(2, bytes) else { return Ok(None) };
                self.descend(i16::from_be_bytes([a, b]));
                self.state = State::Value(kind);
                Ok(Some((rest, false)))
            }
            State::Value(kind) => self.value(kind, bytes, visitor),
            State::String(left) => {
                if bytes.is_empty() {
                    return Ok(None);
                }
                let count = (left as usize).min(bytes.len());
                let (part, rest) = bytes.split_at(count);
                if self.wanted {
                    visitor.part(self.path, part);
                }
                let left = left - count as u32;
                if left > 0 {
                    self.state = State::String(left);
                    return Ok(Some((rest, false)));
                }
                Ok(Some((rest, self.end_string(visitor))))
            }
            State::Run(left) => {
                if bytes.is_empty() {
                    return Ok(None);
                }
                let count = usize::try_from(left).map_or(bytes.len(), |n| n.min(bytes.len()));
                let left = left - count as u64;
                if left > 0 {
                    self.state = State::Run(left);
                } else {
                    self.next();
                }
                Ok(Some((&bytes[count..], false)))
            }
            State::Done => Ok(Some((bytes, true))),
        }
    }

    fn value<'a>(
        &mut self,
        kind: Kind,
        bytes: &'a [u8],
        visitor: &mut impl Visitor,
    ) -> Result<Option<(&'a [u8], bool)>, Fault> {
        let quiet = self.is_quiet();
        // Where most bytes of a large result are: strings in a list that nobody wants to see.
        if quiet && kind == Kind::String && self.partial_length == 0 {
            return self.strings(bytes);
        }
        if kind == Kind::Struct {
            self.push(Frame::Struct)?;
            self.state = State::FieldType;
            return Ok(Some((bytes, false)));
        }
        let at = self.position - u64::from(self.partial_length);
        let Some((value, rest)) = self.take(kind.size(), bytes) else { return Ok(None) };
        let [a, b, c, d, e, f, ..] = value;
        let stop = match kind {
            Kind::String => {
                let length = length([a, b, c, d])?;
                self.wanted = !quiet && visitor.string(self.path, length, at);
                if length > 0 {
                    self.state = State::String(length);
                    false
                } else {
                    self.end_string(visitor)
                }
            }
            Kind::List => {
                let count = length([b, c, d, e])?;
                self.list(a, count, visitor)?;
                false
            }
            Kind::Map => {
                let count = length([c, d, e, f])?;
                self.map(a, b, count, visitor)?;
                false
            }
            _ => {
                if !quiet {
                    visitor.scalar(self.path, scalar(kind, value));
                }
                self.next();
                false
            }
        };
        Ok(Some((rest, stop)))
    }

    /// Passes over strings as long as they are there in whole.
    fn strings<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(&'a [u8], bool)>, Fault> {
        let mut rest = bytes;
        self.wanted = false;
        loop {
            let Some(prefix) = rest.first_chunk::<4>() else {
                self.keep(rest);
                return Ok(None);
            };
            let size = length(*prefix)?;
            let there = &rest[4..];
            let Some(behind) = there.get(size as usize..) else {
                self.state = State::String(size - there.len() as u32);
                return Ok(None);
            };
            rest = behind;
            match &mut self.frames[usize::from(self.depth) - 1] {
                Frame::List { left, .. } if *left > 0 => *left -= 1,
                _ => {
                    self.next();
                    return Ok(Some((rest, false)));
                }
            }
        }
    }

    fn list(&mut self, element: u8, count: u32, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let visit = !self.is_quiet() && visitor.container(self.path, count);
        // Some writers put no valid type into an empty list.
        if count == 0 {
            self.next();
            return Ok(());
        }
        let element = Kind::of(element)?;
        if !visit && element.is_scalar() {
            self.state = State::Run(u64::from(count) * element.size() as u64);
            return Ok(());
        }
        self.push_container(Frame::List { element, left: count }, visit)
    }

    fn map(
        &mut self,
        key: u8,
        value: u8,
        count: u32,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        let visit = !self.is_quiet() && visitor.container(self.path, count);
        if count == 0 {
            self.next();
            return Ok(());
        }
        let (key, value) = (Kind::of(key)?, Kind::of(value)?);
        self.push_container(Frame::Map { key, value, left: u64::from(count) * 2 }, visit)
    }

    fn push_container(&mut self, frame: Frame, visit: bool) -> Result<(), Fault> {
        if !visit && !self.is_quiet() {
            self.quiet_above = self.depth;
        }
        self.push(frame)?;
        self.descend(ELEMENT);
        self.next();
        Ok(())
    }

    /// Chooses what comes after a value.
    fn next(&mut self) {
        loop {
            match &mut self.frames[usize::from(self.depth) - 1] {
                Frame::Struct => {
                    self.ascend();
                    self.state = State::FieldType;
                    return;
                }
                Frame::List { left: 0, .. } | Frame::Map { left: 0, .. } => {
                    self.ascend();
                    self.pop();
                }
                Frame::List { element, left } => {
                    *left -= 1;
                    self.state = State::Value(*element);
                    return;
                }
                Frame::Map { key, value, left } => {
                    *left -= 1;
                    self.state = State::Value(if *left % 2 == 1 { *key } else { *value });
                    return;
                }
            }
        }
    }

    fn end_string(&mut self, visitor: &mut impl Visitor) -> bool {
        let stop = !self.is_quiet() && visitor.ended(self.path);
        self.next();
        stop
    }

    fn end_struct(&mut self, visitor: &mut impl Visitor) -> bool {
        if self.depth == 1 {
            self.state = State::Done;
            return true;
        }
        self.pop();
        let stop = !self.is_quiet() && visitor.ended(self.path);
        self.next();
        stop
    }

    fn is_quiet(&self) -> bool {
        self.depth > self.quiet_above || self.level > LEVELS
    }

    fn push(&mut self, frame: Frame) -> Result<(), Fault> {
        let slot = self.frames.get_mut(usize::from(self.depth)).ok_or(Fault::TooDeep)?;
        *slot = frame;
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        if self.depth <= self.quiet_above {
            self.quiet_above = u8::MAX;
        }
    }

    /// Into a field, or among the elements of a container.
    fn descend(&mut self, id: i16) {
        if self.level < LEVELS {
            self.path = self.path << 8 | code(id);
        }
        self.level += 1;
    }

    fn ascend(&mut self) {
        self.level -= 1;
        if self.level < LEVELS {
            self.path >>= 8;
        }
    }

    /// Takes `size` bytes, at most eight, that may have come in pieces. `None`: all of `bytes` was
    /// kept until the others come.
    fn take<'a>(&mut self, size: usize, bytes: &'a [u8]) -> Option<([u8; 8], &'a [u8])> {
        let have = usize::from(self.partial_length);
        let Some(rest) = bytes.get(size - have..) else {
            self.keep(bytes);
            return None;
        };
        let mut value = self.partial;
        value[have..size].copy_from_slice(&bytes[..size - have]);
        self.partial_length = 0;
        Some((value, rest))
    }

    /// Remembers the begin of a value whose other bytes have not come.
    fn keep(&mut self, bytes: &[u8]) {
        let have = usize::from(self.partial_length);
        self.partial[have..have + bytes.len()].copy_from_slice(bytes);
        self.partial_length += bytes.len() as u8;
    }
}
