//! Why there is no answer, and what an operator can do about it.

use std::io;

use hyper::StatusCode;
use oxpecker_api::ErrorBody;
use oxpecker_proxy::wording::{chain, in_words};

use super::Address;

/// Each text ends with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("no gateway answers at {address}: {}{}", in_words(cause), remedy(address, cause))]
    Connect { address: Address, cause: io::Error },
    #[error("the gateway at {address} gives no answer in time")]
    Silent { address: Address },
    // hyper keeps the reason one level below.
    #[error("the conversation with {address} broke off: {}", chain(cause))]
    Broken { address: Address, cause: hyper::Error },
    #[error("what {address} answers is longer than any answer of ours{NOT_OURS}")]
    TooLong { address: Address },
    #[error("what {address} answers cannot be read: {cause}{NOT_OURS}")]
    Unreadable { address: Address, cause: serde_json::Error },
    #[error("a name has a character that no request can carry")]
    Name,
    #[error("{text}")]
    Refused { status: StatusCode, text: String },
}

const NOT_OURS: &str = "\n  is it an Oxpecker of this version that listens there?";

impl ClientError {
    pub(super) fn refused(address: &Address, status: StatusCode, body: &[u8]) -> Self {
        let (error, mut help) = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => (body.error, body.help),
            Err(_) => (format!("{address} answers {status}"), String::new()),
        };
        // The gateway does not know how it was asked.
        if help.is_empty() || status == StatusCode::UNAUTHORIZED {
            help = match status {
                StatusCode::UNAUTHORIZED => {
                    "set OXPECKER_TOKEN or --admin-token-file, or --admin-user with \
                     OXPECKER_PASSWORD or --admin-password-file"
                }
                StatusCode::FORBIDDEN => {
                    "looking is for every user, changes of state for operators, changes of \
                     objects for admins; the local socket's users are admins"
                }
                StatusCode::TOO_MANY_REQUESTS => "wait a little, and look at what is tried",
                _ => "",
            }
            .into();
        }
        let text = if help.is_empty() { error } else { format!("{error}\n  {help}") };
        Self::Refused { status, text: super::super::words::clean_lines(&text) }
    }

    /// The thing that was asked for does not exist (any more).
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// Trying again may help: nothing was said about the request itself.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Silent { .. } | Self::Broken { .. })
    }
}

fn remedy(address: &Address, error: &io::Error) -> String {
    let advice = match (address, error.kind()) {
        (Address::Unix(_), io::ErrorKind::PermissionDenied) => {
            "the socket is for root and the gateway's group: use sudo, or join the group"
        }
        (Address::Unix(_), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            "is the gateway running, and is [admin] in its configuration? \
             Another place is given with --admin or OXPECKER_ADMIN"
        }
        (Address::Tcp { .. }, io::ErrorKind::ConnectionRefused) => {
            "is the gateway running, and does [admin] in its configuration listen there?"
        }
        (Address::Tcp { tls: true, .. }, io::ErrorKind::InvalidData) => {
            "for an authority of your own give --admin-ca-file; without TLS write http://"
        }
        _ => return String::new(),
    };
    format!("\n  {advice}")
}
