//! Conversations of health probes: what to send a member, what its answers mean.
//!
//! No sockets and no clock: the caller connects, sends what [`Conversation::start`] gives, hands
//! over what arrives, and ends the attempt when its time is up. On success or failure it closes
//! the connection; nothing is left open at the member. Each conversation buffers at most
//! [`BUFFER_BYTES_MAX`].
//!
//! A probe must never connect and then stay silent: a SASL port has only two threads for
//! log-ins and would keep one of them waiting for five minutes (docs/impala.md, "Threads of a
//! port").

mod binary;
mod calls;
mod error;
mod hs2_http;
mod http;
mod load;
#[cfg(test)]
mod tests;

pub use binary::{BeeswaxProbe, Hs2Probe};
pub use error::{ProbeError, Speaks};
pub use hs2_http::Hs2HttpProbe;
pub use http::{HealthzProbe, HttpProbe};
pub use load::{LoadError, LoadPage};

use std::fmt;

/// Longest answer of a member that is still read. OpenSession lists all query options: some 10 KB.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// One probe from the connection's opening to the verdict.
pub trait Conversation {
    /// What to send first.
    fn start(&mut self) -> Vec<u8>;

    /// What the member sent, in pieces of any size.
    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError>;

    /// The member closed its side, or reset the connection: the end of a file and `ECONNRESET` mean
    /// the same here.
    fn closed(&mut self) -> Result<Progress, ProbeError>;

    /// What is being waited for. When time is up: [`ProbeError::Silent`] of this.
    fn stage(&self) -> Stage;
}

/// What the caller does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    NeedMore,
    Send(Vec<u8>),
    /// The member answers one request per connection: open another and send this.
    Reconnect {
        send: Vec<u8>,
    },
    /// Close the connection.
    Done(Verdict),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Alive,
    /// Shutting down gracefully: what runs may finish, nothing new is taken.
    Quiescing,
}

/// The member answered as a healthy one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    /// As the member words it, on one line; plain HiveServer2 does not say.
    pub version: Option<String>,
    /// Of the coordinator's web pages, as the member words it: `http://host:port` as a rule.
    pub webserver_address: Option<String>,
}

impl Verdict {
    pub(crate) fn bare(state: State) -> Self {
        Self { state, version: None, webserver_address: None }
    }
}

/// How the probe says who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Bare Thrift; the name goes into OpenSession and is believed.
    None { user: String },
    /// SASL PLAIN on binary ports, Basic over HTTP.
    Plain { user: String, password: String },
}

impl Login {
    fn user(&self) -> &str {
        match self {
            Self::None { user } | Self::Plain { user, .. } => user,
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None { user } => write!(f, "None {{ user: {user:?} }}"),
            Self::Plain { user, .. } => write!(f, "Plain {{ user: {user:?}, password: *** }}"),
        }
    }
}

/// The answer a probe waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    SaslLogin,
    OpenSession,
    Ping,
    CloseSession,
    /// `GET` of the probe's page.
    Page,
    /// `GET /?json` after a passed `/healthz`.
    DrainPage,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SaslLogin => "SASL login",
            Self::OpenSession => "OpenSession",
            Self::Ping => "ping",
            Self::CloseSession => "CloseSession",
            Self::Page => "HTTP page",
            Self::DrainPage => "HTTP page `/?json`",
        })
    }
}
