//! The header of a Thrift message, strict or old-style, in pieces of any size.
//!
//! Impala reads both styles and writes the strict one. Which it is shows in the first byte.

use super::{Dialect, Fault, Method};
use crate::thrift::MessageKind;

/// The longest name of a method that any of our services has is 22 bytes; names up to this one are
/// passed on although unknown.
pub const NAME_BYTES_MAX: usize = 64;

/// Strict: version and type, length, name, sequence.
const BYTES_MAX: usize = 12 + NAME_BYTES_MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: MessageKind,
    /// Java counts; Python always sends 0: no key for anything.
    pub sequence: i32,
    pub strict: bool,
    name: [u8; NAME_BYTES_MAX],
    name_length: u8,
}

impl Header {
    pub fn name(&self) -> &[u8] {
        &self.name[..usize::from(self.name_length)]
    }

    pub fn method(&self, dialect: Dialect) -> Method {
        Method::of(self.name(), dialect)
    }
}

/// Collects a header.
#[derive(Debug, Clone)]
pub struct HeaderScanner {
    bytes: [u8; BYTES_MAX],
    length: u8,
}

impl Default for HeaderScanner {
    fn default() -> Self {
        Self { bytes: [0; BYTES_MAX], length: 0 }
    }
}

impl HeaderScanner {
    pub fn reset(&mut self) {
        self.length = 0;
    }

    /// Some byte has come.
    pub fn has_begun(&self) -> bool {
        self.length > 0
    }

    /// Returns how many bytes were used, and the header once it is complete. A wrong byte is a
    /// fault as soon as it is there.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Header>), Fault> {
        let mut used = 0;
        loop {
            let have = usize::from(self.length);
            let wanted = self.wanted()?;
            if have == wanted {
                return Ok((used, Some(self.header()?)));
            }
            let count = (wanted - have).min(bytes.len() - used);
            if count == 0 {
                return Ok((used, None));
            }
            self.bytes[have..have + count].copy_from_slice(&bytes[used..used + count]);
            self.length += count as u8;
            used += count;
        }
    }

    /// Bytes up to the next decision.
    fn wanted(&self) -> Result<usize, Fault> {
        let have = &self.bytes[..usize::from(self.length)];
        let Some(&first) = have.first() else { return Ok(1) };
        let strict = match first {
            0x80 => true,
            0 => false,
            _ => return Err(Fault::NotThrift),
        };
        if strict && have.get(1).is_some_and(|&second| second != 1) {
            return Err(Fault::NotThrift);
        }
        let before_name = if strict { 8 } else { 4 };
        // One at a time until the prefix is judged: a wrong first byte may be the only one to come.
        if have.len() < before_name {
            return Ok(if have.len() < 2 { 2 } else { before_name });
        }
        let name = self.name_length(strict)?;
        // Without the version there is a byte for the type instead.
        Ok(before_name + name + if strict { 4 } else { 5 })
    }

    fn name_length(&self, strict: bool) -> Result<usize, Fault> {
        let at = if strict { 4 } else { 0 };
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| self.bytes[at + i]);
        let length = u32::from_be_bytes([a, b, c, d]);
        if length as usize > NAME_BYTES_MAX {
            return Err(if strict { Fault::NameTooLong(length) } else { Fault::NotThrift });
        }
        Ok(length as usize)
    }

    fn header(&self) -> Result<Header, Fault> {
        let strict = self.bytes[0] == 0x80;
        let name_length = self.name_length(strict)?;
        let begin = if strict { 8 } else { 4 };
        let mut name = [0; NAME_BYTES_MAX];
        name[..name_length].copy_from_slice(&self.bytes[begin..begin + name_length]);
        let behind = begin + name_length;
        let (kind, at) =
            if strict { (self.bytes[3], behind) } else { (self.bytes[behind], behind + 1) };
        let kind = match kind {
            1 => MessageKind::Call,
            2 => MessageKind::Reply,
            3 => MessageKind::Exception,
            4 => MessageKind::Oneway,
            other => return Err(Fault::MessageKind(other)),
        };
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| self.bytes[at + i]);
        let sequence = i32::from_be_bytes([a, b, c, d]);
        Ok(Header { kind, sequence, strict, name, name_length: name_length as u8 })
    }
}
