//! Finding messages, and the few facts a gateway needs of them, in streams that arrive in pieces
//! of any size.
//!
//! Nothing here holds a message: a scanner keeps a bounded number of bytes whatever passes through
//! it, and after its first message allocates nothing. Layers stack, each handing the next one the
//! bytes that are its payload:
//!
//! - [`http`]: heads, and bodies by length or in chunks;
//! - [`frames`]: the length-prefixed frames of SASL connections;
//! - [`walker`]: one Thrift struct of any shape, in the binary protocol;
//! - [`call`] and [`reply`]: whole messages of HiveServer2 and Beeswax, both header styles.
//!
//! A message's *head* is what decides where it goes: all up to the handles it names. Scanners stop
//! behind it once, so that the caller can hold back and change it; the rest may be passed on as
//! it is read.

pub mod call;
pub mod frames;
pub mod handle;
pub mod header;
pub mod http;
pub mod method;
pub mod reply;
pub mod text;
pub mod walker;

pub use call::CallScanner;
pub use handle::Handle;
pub use method::{Dialect, Method};
pub use reply::ReplyScanner;

use std::fmt;

/// What is wrong with a stream; no further bytes can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Neither a strict nor an old-style message header.
    NotThrift,
    MessageKind(u8),
    /// A method's name is longer than any service has.
    NameTooLong(u32),
    Type(u8),
    NegativeLength(i32),
    TooDeep,
    /// The length of a SASL frame is beyond what any peer sends.
    FrameTooLong(u32),
    /// Of two handles in one place a reader may take either.
    TwoHandles,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThrift => f.write_str("not a binary Thrift message"),
            Self::MessageKind(kind) => write!(f, "unknown Thrift message type {kind}"),
            Self::NameTooLong(length) => write!(f, "a method's name of {length} bytes"),
            Self::Type(byte) => write!(f, "unknown Thrift field type {byte}"),
            Self::NegativeLength(length) => write!(f, "negative Thrift length {length}"),
            Self::TooDeep => write!(f, "Thrift structs nest deeper than {}", walker::DEPTH_MAX),
            Self::FrameTooLong(length) => write!(f, "a SASL frame of {length} bytes"),
            Self::TwoHandles => f.write_str("two handles where one belongs"),
        }
    }
}

impl std::error::Error for Fault {}

/// How far a scanner has come after a piece of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of the piece was used up and the message goes on.
    More,
    /// Stopped behind the head. Said once for each message, whose end may be here too: ask again,
    /// with an empty piece if need be.
    Head,
    /// Stopped behind the message.
    End,
}
