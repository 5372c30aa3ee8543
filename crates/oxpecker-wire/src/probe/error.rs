//! Why a probe failed, in words an operator can act on. Text from members is cleaned and cut.

use std::fmt;

use super::{BUFFER_BYTES_MAX, Stage};
use crate::http::HttpError;
use crate::sasl::NulInCredentials;
use crate::text::clean;
use crate::thrift::Fault;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeError {
    /// The member closed without an answer.
    Closed {
        during: Stage,
    },
    /// The same before it gave any answer, with no login tried.
    ClosedAtOnce {
        during: Stage,
    },
    /// The caller's time is up. Made by the caller, who has the clock.
    Silent {
        during: Stage,
    },
    /// The member refused the log-in and said why.
    LoginRefused {
        status: crate::sasl::Status,
        text: String,
    },
    /// The log-in's answer fits no step of SASL PLAIN.
    LoginAnswer {
        status: u8,
    },
    Credentials(NulInCredentials),
    /// The port speaks something else than the probe.
    Speaks {
        found: Speaks,
        during: Stage,
    },
    /// The call was understood and refused, with the member's words.
    Refused {
        during: Stage,
        text: String,
    },
    /// The call could not be run at all.
    Exception {
        during: Stage,
        text: String,
    },
    Malformed {
        during: Stage,
        fault: Fault,
    },
    /// A frame or an answer over [`BUFFER_BYTES_MAX`].
    TooLong {
        during: Stage,
    },
    /// More bytes than the one answer due.
    Surplus {
        during: Stage,
    },
    Http {
        during: Stage,
        error: HttpError,
    },
    /// 401 or 403.
    HttpCredentials {
        during: Stage,
        status: u16,
    },
    HttpStatus {
        during: Stage,
        status: u16,
        reason: String,
    },
}

/// What the first bytes of an unexpected answer look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    Sasl {
        text: String,
    },
    Thrift,
    Tls,
    Http,
    /// Nothing known: its first bytes.
    Other {
        start: String,
    },
}

impl Speaks {
    /// Tells by the first bytes (docs/impala.md, "What a port speaks").
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x80, ..] => Self::Thrift,
            // Alert or handshake record, SSL 3.0 to TLS 1.3.
            [0x15 | 0x16, 0x03, ..] | [0x15 | 0x16] => Self::Tls,
            [b'H', b'T', b'T', b'P', ..] => Self::Http,
            // A status byte and the text's length, which is below 16 MiB.
            [1..=5] | [1..=5, 0, ..] => Self::Sasl {
                text: clean(bytes.get(crate::sasl::NEGOTIATION_HEADER_SIZE..).unwrap_or(b"")),
            },
            other => {
                let start = other.get(..16).unwrap_or(other).escape_ascii().to_string();
                Self::Other { start }
            }
        }
    }
}

impl fmt::Display for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sasl { text } if text.is_empty() => f.write_str("SASL: set login = plain"),
            Self::Sasl { text } => write!(f, "SASL (`{text}`): set login = plain"),
            Self::Thrift => f.write_str("Thrift without SASL: set login = none"),
            Self::Tls => f.write_str("TLS: give the pool a TLS profile towards its members"),
            Self::Http => f.write_str("HTTP: is it the hs2-http or the web port?"),
            Self::Other { start } => write!(f, "no known protocol (it begins \"{start}\")"),
        }
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Impala answers wrong credentials by closing, nothing else (docs/impala.md, "SASL").
            Self::Closed { during: Stage::SaslLogin } => f.write_str(
                "the member closed the connection during SASL login, \
                 as Impala does when it refuses the credentials",
            ),
            Self::Closed { during } => {
                write!(f, "the member closed the connection instead of answering {during}")
            }
            Self::ClosedAtOnce { during } => write!(
                f,
                "the member closed the connection instead of answering {during}: \
                 does the port expect SASL (login = plain) or TLS?"
            ),
            // It takes the negotiation for a long method name and waits for the rest (seen with
            // Thrift's own servers).
            Self::Silent { during: Stage::SaslLogin } => f.write_str(
                "no answer to SASL login in time, which is also what a port without SASL gives: \
                 is login = none right?",
            ),
            Self::Silent { during } => write!(f, "no answer to {during} in time"),
            Self::LoginRefused { status, text } if text.is_empty() => {
                write!(f, "the member refused the SASL login with {status}")
            }
            Self::LoginRefused { status, text } => {
                write!(f, "the member refused the SASL login with {status}: `{text}`")
            }
            Self::LoginAnswer { status } => {
                write!(f, "the member answered SASL PLAIN with the unexpected status {status}")
            }
            Self::Credentials(error) => write!(f, "{error}"),
            Self::Speaks { found, during } => {
                write!(f, "the port answered {during} with {found}")
            }
            Self::Refused { during, text } => write!(f, "the member refused {during}: `{text}`"),
            Self::Exception { during, text } => {
                write!(f, "the member answered {during} with a Thrift exception: `{text}`")
            }
            Self::Malformed { during, fault } => write!(f, "bad answer to {during}: {fault}"),
            Self::TooLong { during } => {
                write!(f, "the answer to {during} is over {BUFFER_BYTES_MAX} bytes")
            }
            Self::Surplus { during } => {
                write!(f, "more bytes than the answer to {during} arrived")
            }
            Self::Http { during, error } => write!(f, "bad answer to {during}: {error}"),
            Self::HttpCredentials { during, status } => {
                write!(
                    f,
                    "the member answered {during} with HTTP status {status}: check the probe's credentials"
                )
            }
            Self::HttpStatus { during, status, reason } if reason.is_empty() => {
                write!(f, "the member answered {during} with HTTP status {status}")
            }
            Self::HttpStatus { during, status, reason } => {
                write!(f, "the member answered {during} with HTTP status {status} ({reason})")
            }
        }
    }
}

// The layers below are part of each sentence, so there is no `source`.
impl std::error::Error for ProbeError {}
