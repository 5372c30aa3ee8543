//! What a value is, and how many bytes it has.

use crate::scan::Fault;

/// Values that are no strings and no containers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    Bool(bool),
    Byte(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Byte,
    Double,
    I16,
    I32,
    I64,
    String,
    Struct,
    Map,
    List,
}

impl Kind {
    pub(super) fn of(byte: u8) -> Result<Self, Fault> {
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
            14 | 15 => Self::List,
            other => return Err(Fault::Type(other)),
        })
    }

    /// Bytes of the value, or of what stands before it.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::Byte => 1,
            Self::I16 => 2,
            Self::I32 | Self::String => 4,
            Self::I64 | Self::Double => 8,
            Self::Struct => 0,
            Self::List => 5,
            Self::Map => 6,
        }
    }

    pub(super) fn is_scalar(self) -> bool {
        !matches!(self, Self::String | Self::Struct | Self::Map | Self::List)
    }
}

pub(super) fn length(bytes: [u8; 4]) -> Result<u32, Fault> {
    let length = i32::from_be_bytes(bytes);
    u32::try_from(length).map_err(|_| Fault::NegativeLength(length))
}

/// Called for scalars only.
pub(super) fn scalar(kind: Kind, value: [u8; 8]) -> Scalar {
    let [a, b, c, d, ..] = value;
    match kind {
        Kind::Bool => Scalar::Bool(a != 0),
        Kind::Byte => Scalar::Byte(a as i8),
        Kind::I16 => Scalar::I16(i16::from_be_bytes([a, b])),
        Kind::I32 => Scalar::I32(i32::from_be_bytes([a, b, c, d])),
        Kind::Double => Scalar::Double(f64::from_be_bytes(value)),
        _ => Scalar::I64(i64::from_be_bytes(value)),
    }
}
