//! Thrift's strict binary protocol, as far as whole messages in a small buffer go.
//! Source: docs/impala.md, "Message framing". All numbers are big-endian; a message has
//! no length in front, so its end is found by walking the struct.
//!
//! The [`Reader`] never allocates and refuses what would pass its [`Limits`] as soon as a length
//! says so, before the bytes arrive.

use std::fmt;

#[cfg(test)]
mod tests;

/// First two bytes of a strict message header.
pub const VERSION_STRICT: u16 = 0x8001;
/// `TApplicationException.type` of a server that does not have the method.
pub const UNKNOWN_METHOD: i32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageKind {
    Call = 1,
    Reply = 2,
    Exception = 3,
    Oneway = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    Bool = 2,
    Byte = 3,
    Double = 4,
    I16 = 6,
    I32 = 8,
    I64 = 10,
    String = 11,
    Struct = 12,
    Map = 13,
    Set = 14,
    List = 15,
}

impl Type {
    fn from_byte(byte: u8) -> Result<Self, ReadError> {
        Ok(match byte {
            2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::Double,
            6 => Self::I16,
            8 => Self::I32,
            10 => Self::I64,
            11 => Self::String,
            12 => Self::Struct,
            13 => Self::Map,
            14 => Self::Set,
            15 => Self::List,
            other => return Err(Fault::Type(other).into()),
        })
    }

    fn fixed_size(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Byte => Some(1),
            Self::I16 => Some(2),
            Self::I32 => Some(4),
            Self::I64 | Self::Double => Some(8),
            Self::String | Self::Struct | Self::Map | Self::Set | Self::List => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Structs and containers within each other.
    pub depth_max: usize,
    /// The whole message.
    pub message_bytes_max: usize,
}

/// Why a read stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// Fine so far, but the bytes end too early.
    Incomplete,
    Fault(Fault),
}

/// What is wrong with the bytes; no further bytes can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    NotStrict,
    MessageKind(u8),
    Type(u8),
    NegativeLength(i32),
    MessageTooLong {
        max: usize,
    },
    TooDeep {
        max: usize,
    },
    /// The reply names another method than the call.
    MethodName,
    /// A field that the answer cannot do without.
    FieldMissing(&'static str),
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStrict => f.write_str("not a strict binary Thrift message"),
            Self::MessageKind(kind) => write!(f, "unknown Thrift message type {kind}"),
            Self::Type(byte) => write!(f, "unknown Thrift field type {byte}"),
            Self::NegativeLength(length) => write!(f, "negative Thrift length {length}"),
            Self::MessageTooLong { max } => write!(f, "Thrift message is over {max} bytes"),
            Self::TooDeep { max } => write!(f, "Thrift structs nest deeper than {max}"),
            Self::MethodName => f.write_str("the reply is to another method"),
            Self::FieldMissing(name) => write!(f, "the reply lacks `{name}`"),
        }
    }
}

impl std::error::Error for Fault {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    pub kind: MessageKind,
    pub name: &'a [u8],
    /// The server echoes it; Python clients always send 0, so it is no key.
    pub sequence: i32,
}

/// What a server answers instead of a result when a call could not be run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationException<'a> {
    pub message: &'a [u8],
    pub kind: i32,
}

impl ApplicationException<'_> {
    pub fn is_unknown_method(&self) -> bool {
        self.kind == UNKNOWN_METHOD
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a, T> {
    Result(T),
    Exception(ApplicationException<'a>),
}

/// Reads values one after the other from the front of a message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { bytes, position: 0, limits }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    pub fn header(&mut self) -> Result<Header<'a>, ReadError> {
        // Refuse a wrong first byte at once instead of waiting for the other three.
        let first = self.take(1)?[0];
        if first != (VERSION_STRICT >> 8) as u8 {
            return Err(Fault::NotStrict.into());
        }
        let [low, _, kind] = self.array()?;
        if low != VERSION_STRICT as u8 {
            return Err(Fault::NotStrict.into());
        }
        let kind = match kind {
            1 => MessageKind::Call,
            2 => MessageKind::Reply,
            3 => MessageKind::Exception,
            4 => MessageKind::Oneway,
            other => return Err(Fault::MessageKind(other).into()),
        };
        let name = self.binary()?;
        let sequence = self.i32()?;
        Ok(Header { kind, name, sequence })
    }

    /// The next field's type and id; `None` at the struct's end.
    pub fn field(&mut self) -> Result<Option<(Type, i16)>, ReadError> {
        match self.byte()? {
            0 => Ok(None),
            byte => {
                let kind = Type::from_byte(byte)?;
                Ok(Some((kind, i16::from_be_bytes(self.array()?))))
            }
        }
    }

    pub fn byte(&mut self) -> Result<u8, ReadError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn i32(&mut self) -> Result<i32, ReadError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, ReadError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn binary(&mut self) -> Result<&'a [u8], ReadError> {
        let length = self.length()?;
        self.take(length)
    }

    /// Passes over a value of any shape.
    pub fn skip(&mut self, kind: Type) -> Result<(), ReadError> {
        self.skip_within(kind, 0)
    }

    fn skip_within(&mut self, kind: Type, depth: usize) -> Result<(), ReadError> {
        if let Some(size) = kind.fixed_size() {
            return self.take(size).map(drop);
        }
        if kind == Type::String {
            return self.binary().map(drop);
        }
        if depth >= self.limits.depth_max {
            return Err(Fault::TooDeep { max: self.limits.depth_max }.into());
        }
        match kind {
            Type::Struct => {
                while let Some((kind, _)) = self.field()? {
                    self.skip_within(kind, depth + 1)?;
                }
                Ok(())
            }
            Type::Map => {
                let [key, value] = self.array()?;
                let count = self.length()?;
                // Some writers put no valid types into an empty map.
                if count == 0 {
                    return Ok(());
                }
                let (key, value) = (Type::from_byte(key)?, Type::from_byte(value)?);
                for _ in 0..count {
                    self.skip_within(key, depth + 1)?;
                    self.skip_within(value, depth + 1)?;
                }
                Ok(())
            }
            _ => {
                let element = self.byte()?;
                let count = self.length()?;
                if count == 0 {
                    return Ok(());
                }
                let element = Type::from_byte(element)?;
                if let Some(size) = element.fixed_size() {
                    return self.take(size.saturating_mul(count)).map(drop);
                }
                // Every element has at least one byte, so the bytes bound the loop.
                for _ in 0..count {
                    self.skip_within(element, depth + 1)?;
                }
                Ok(())
            }
        }
    }

    /// A count or length: never negative.
    fn length(&mut self) -> Result<usize, ReadError> {
        let length = self.i32()?;
        usize::try_from(length).map_err(|_| Fault::NegativeLength(length).into())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let bytes = self.take(N)?;
        // `take` gave exactly N bytes.
        bytes.first_chunk().copied().ok_or(ReadError::Incomplete)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let end = self.position.saturating_add(count);
        if end > self.limits.message_bytes_max {
            return Err(Fault::MessageTooLong { max: self.limits.message_bytes_max }.into());
        }
        let taken = self.bytes.get(self.position..end).ok_or(ReadError::Incomplete)?;
        self.position = end;
        Ok(taken)
    }
}

/// Reads the answer to a call of `method`: `result` reads the struct in field 0.
/// The second value is the message's length.
pub fn read_reply<'a, T>(
    bytes: &'a [u8],
    limits: Limits,
    method: &str,
    mut result: impl FnMut(&mut Reader<'a>) -> Result<T, ReadError>,
) -> Result<(Reply<'a, T>, usize), ReadError> {
    let mut reader = Reader::new(bytes, limits);
    let header = reader.header()?;
    match header.kind {
        MessageKind::Exception => {
            // Not held to the method's name: a server that could not read the call may not know it.
            let exception = application_exception(&mut reader)?;
            return Ok((Reply::Exception(exception), reader.position()));
        }
        MessageKind::Reply => {}
        other => return Err(Fault::MessageKind(other as u8).into()),
    }
    if header.name != method.as_bytes() {
        return Err(Fault::MethodName.into());
    }
    let mut value = None;
    while let Some((kind, id)) = reader.field()? {
        match (kind, id) {
            (Type::Struct, 0) => value = Some(result(&mut reader)?),
            _ => reader.skip(kind)?,
        }
    }
    let value = value.ok_or(Fault::FieldMissing("success"))?;
    Ok((Reply::Result(value), reader.position()))
}

fn application_exception<'a>(
    reader: &mut Reader<'a>,
) -> Result<ApplicationException<'a>, ReadError> {
    let mut exception = ApplicationException { message: b"", kind: 0 };
    while let Some((kind, id)) = reader.field()? {
        match (kind, id) {
            (Type::String, 1) => exception.message = reader.binary()?,
            (Type::I32, 2) => exception.kind = reader.i32()?,
            _ => reader.skip(kind)?,
        }
    }
    Ok(exception)
}

/// Writes one message; structs are closed by [`Writer::stop`].
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts a call. The sequence id is 0, as Python clients send it.
    pub fn call(method: &str) -> Self {
        let mut writer = Self { bytes: Vec::with_capacity(128) };
        writer.bytes.extend_from_slice(&VERSION_STRICT.to_be_bytes());
        writer.bytes.extend_from_slice(&[0, MessageKind::Call as u8]);
        writer.binary(method.as_bytes());
        writer.bytes.extend_from_slice(&0i32.to_be_bytes());
        writer
    }

    /// Starts an answer in the strict form, as servers always write it.
    pub fn answer(kind: MessageKind, method: &[u8], sequence: i32) -> Self {
        let mut writer = Self { bytes: Vec::with_capacity(256) };
        writer.bytes.extend_from_slice(&VERSION_STRICT.to_be_bytes());
        writer.bytes.extend_from_slice(&[0, kind as u8]);
        writer.binary(method);
        writer.bytes.extend_from_slice(&sequence.to_be_bytes());
        writer
    }

    pub fn field_bool(&mut self, id: i16, value: bool) -> &mut Self {
        self.field(Type::Bool, id);
        self.bytes.push(u8::from(value));
        self
    }

    pub fn field_i32(&mut self, id: i16, value: i32) -> &mut Self {
        self.field(Type::I32, id);
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn field_binary(&mut self, id: i16, value: &[u8]) -> &mut Self {
        self.field(Type::String, id);
        self.binary(value);
        self
    }

    /// Opens a struct.
    pub fn field_struct(&mut self, id: i16) -> &mut Self {
        self.field(Type::Struct, id);
        self
    }

    /// Closes the innermost open struct.
    pub fn stop(&mut self) -> &mut Self {
        self.bytes.push(0);
        self
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn field(&mut self, kind: Type, id: i16) {
        self.bytes.push(kind as u8);
        self.bytes.extend_from_slice(&id.to_be_bytes());
    }

    /// Values written here are names and handles: a length over `i32` cannot occur and is cut.
    fn binary(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value.get(..length as usize).unwrap_or(value));
    }
}
