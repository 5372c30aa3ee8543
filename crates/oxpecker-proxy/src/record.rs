//! The access record: one line for each connection when it is over.
//!
//! The text form is HAProxy's `option tcplog`, field by field, because scripts read it:
//! `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`
//! (HAProxy configuration manual, section 8.2.2). The JSON form has the same facts and more.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oxpecker_config::model::AccessFormat;
use serde_json::json;

use crate::tls::TlsStream;

/// Everything known of a connection at its end.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) client: &'a ClientAddr,
    pub(crate) accepted: Timestamp,
    pub(crate) virtual_server: &'a str,
    pub(crate) pool: &'a str,
    /// The last one tried; `None` when none was chosen.
    pub(crate) member: Option<&'a str>,
    /// `None` = the phase was never reached.
    pub(crate) queued: Option<Duration>,
    pub(crate) connected: Option<Duration>,
    pub(crate) total: Duration,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) close: Close,
    /// `None` = clear text.
    pub(crate) tls: Option<&'a TlsFacts>,
    pub(crate) counts: Counts,
}

/// What TLS with a client agreed on.
#[derive(Debug, Clone)]
pub(crate) struct TlsFacts {
    ended_here: bool,
    version: &'static str,
    cipher: &'static str,
    server_name: Option<String>,
    resumed: bool,
    /// The client ended without close_notify.
    pub(crate) truncated: bool,
}

impl TlsFacts {
    pub(crate) fn of(tls: &TlsStream) -> Self {
        let agreed = tls.agreed();
        Self {
            ended_here: true,
            version: agreed.and_then(|agreed| agreed.protocol_version()?.as_str()).unwrap_or("-"),
            cipher: agreed
                .and_then(|agreed| agreed.negotiated_cipher_suite()?.suite().as_str())
                .unwrap_or("-"),
            server_name: tls.server_name().map(str::to_owned),
            resumed: agreed.and_then(|agreed| agreed.handshake_kind())
                == Some(rustls::HandshakeKind::Resumed),
            truncated: false,
        }
    }

    /// Of TLS that is not ended here only the name can be seen.
    pub(crate) fn passed_through(server_name: String) -> Self {
        Self {
            ended_here: false,
            version: "-",
            cipher: "-",
            server_name: Some(server_name),
            resumed: false,
            truncated: false,
        }
    }
}

/// Open connections, this one included, when it ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) process: u32,
    pub(crate) virtual_server: u32,
    pub(crate) pool: u32,
    pub(crate) member: u32,
    pub(crate) retries: u32,
    /// A retry went to another member.
    pub(crate) redispatched: bool,
    /// How many were waiting in the pool's queue before this connection.
    pub(crate) queue: u32,
}

/// Who a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientAddr {
    Ip(SocketAddr),
    /// A Unix-socket client has no address.
    Unix,
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // HAProxy writes addresses without brackets: the port is what follows the last colon.
            Self::Ip(addr) => write!(f, "{}:{}", addr.ip().to_canonical(), addr.port()),
            Self::Unix => f.write_str("unix:1"),
        }
    }
}

/// Who ended a connection, in which phase, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    Finished,
    ClientGone {
        last_data: bool,
    },
    ClientGoneEarly,
    ClientTimeout,
    IdleTimeout,
    MemberGone,
    MemberTimeout,
    ConnectFailed,
    ConnectTimeout,
    NoUsableMember,
    QueueFull,
    QueueTimeout,
    ClientLeftQueue,
    Denied,
    BadPrelude,
    TlsFailed,
    TooManyHandshakes,
    ChallengeAnswered,
    NoResources,
    MemberDown,
    OperatorDrain,
    OperatorKilled,
    /// What the client said is not what the virtual server's protocol has.
    Unreadable,
    LoginFailed,
}

impl Close {
    /// In the order of their counters.
    pub(crate) const ALL: [Self; 25] = [
        Self::Finished,
        Self::ClientGone { last_data: false },
        Self::ClientGone { last_data: true },
        Self::ClientGoneEarly,
        Self::ClientTimeout,
        Self::IdleTimeout,
        Self::MemberGone,
        Self::MemberTimeout,
        Self::ConnectFailed,
        Self::ConnectTimeout,
        Self::NoUsableMember,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::ClientLeftQueue,
        Self::Denied,
        Self::BadPrelude,
        Self::TlsFailed,
        Self::TooManyHandshakes,
        Self::ChallengeAnswered,
        Self::NoResources,
        Self::MemberDown,
        Self::OperatorDrain,
        Self::OperatorKilled,
        Self::Unreadable,
        Self::LoginFailed,
    ];

    /// HAProxy's two letters: who, and in which phase.
    pub(crate) fn letters(self) -> &'static str {
        match self {
            Self::Finished => "--",
            Self::ClientGone { last_data: false } => "CD",
            Self::ClientGone { last_data: true } => "CL",
            Self::ClientGoneEarly => "CC",
            Self::ClientTimeout | Self::IdleTimeout => "cD",
            Self::MemberGone => "SD",
            Self::MemberTimeout => "sD",
            Self::ConnectFailed | Self::NoUsableMember => "SC",
            Self::ConnectTimeout => "sC",
            Self::QueueFull => "SQ",
            Self::QueueTimeout => "sQ",
            Self::ClientLeftQueue => "CQ",
            Self::Denied
            | Self::BadPrelude
            | Self::TlsFailed
            | Self::TooManyHandshakes
            | Self::Unreadable
            | Self::LoginFailed => "PR",
            Self::ChallengeAnswered => "LR",
            Self::NoResources => "RC",
            Self::MemberDown => "DD",
            Self::OperatorDrain | Self::OperatorKilled => "KD",
        }
    }

    /// The client came and went, and nothing was wrong on this side: a probe, a port scan.
    pub(crate) fn is_the_clients_choice(self) -> bool {
        matches!(self, Self::Finished | Self::ClientGone { .. } | Self::ClientGoneEarly)
    }

    /// The same in words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::ClientGone { last_data: false } => "client aborted",
            Self::ClientGone { last_data: true } => {
                "client aborted while the last data was on its way"
            }
            Self::ClientGoneEarly => "client left before a member was connected",
            Self::ClientTimeout => "client timeout",
            Self::IdleTimeout => "idle timeout",
            Self::MemberGone => "member aborted",
            Self::MemberTimeout => "member timeout",
            Self::ConnectFailed => "no member could be connected",
            Self::ConnectTimeout => "connect timeout",
            Self::NoUsableMember => "no usable member",
            Self::QueueFull => "queue full",
            Self::QueueTimeout => "queue timeout",
            Self::ClientLeftQueue => "client left the queue",
            Self::Denied => "denied by address",
            Self::BadPrelude => "bad or missing PROXY header",
            Self::TlsFailed => "TLS handshake failed",
            Self::TooManyHandshakes => "too many handshakes from this source",
            Self::ChallengeAnswered => "answered a certificate authority (ACME)",
            Self::NoResources => "out of descriptors, ports, memory or permission",
            Self::MemberDown => "member was marked down",
            Self::OperatorDrain => "drain deadline",
            Self::OperatorKilled => "ended by an operator",
            Self::Unreadable => "the client does not speak the virtual server's protocol",
            Self::LoginFailed => "the log-in was refused",
        }
    }
}

impl Record<'_> {
    /// The line; `None` when records are off.
    pub(crate) fn line(&self, format: AccessFormat) -> Option<String> {
        match format {
            AccessFormat::Off => None,
            AccessFormat::Tcplog => Some(self.tcplog()),
            AccessFormat::Json => Some(self.json()),
        }
    }

    fn tcplog(&self) -> String {
        let time = self.accepted.to_zoned(TimeZone::system());
        let counts = &self.counts;
        format!(
            "{client} [{time}] {virtual_server}{tilde} {pool}/{member} {tw}/{tc}/{tt} {bytes} {letters} \
             {ac}/{fc}/{bc}/{sc}/{plus}{rc} 0/{bq}",
            client = self.client,
            time = time.strftime("%d/%b/%Y:%H:%M:%S%.3f"),
            virtual_server = self.virtual_server,
            tilde = if self.tls.is_some_and(|tls| tls.ended_here) { "~" } else { "" },
            pool = self.pool,
            member = self.member.unwrap_or("<NOSRV>"),
            tw = Millis(self.queued),
            tc = Millis(self.connected),
            tt = self.total.as_millis(),
            bytes = self.bytes_down,
            letters = self.close.letters(),
            ac = counts.process,
            fc = counts.virtual_server,
            bc = counts.pool,
            sc = counts.member,
            plus = if counts.redispatched { "+" } else { "" },
            rc = counts.retries,
            bq = counts.queue,
        )
    }

    fn json(&self) -> String {
        let counts = &self.counts;
        json!({
            "record": "access",
            "accepted": self.accepted.to_string(),
            "client": self.client.to_string(),
            "virtual": self.virtual_server,
            "pool": self.pool,
            "member": self.member,
            "queue_ms": self.queued.map(|d| d.as_millis() as u64),
            "connect_ms": self.connected.map(|d| d.as_millis() as u64),
            "total_ms": self.total.as_millis() as u64,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "end_state": self.close.letters(),
            "reason": self.close.reason(),
            "tls": self.tls.map(|tls| json!({
                "ended_here": tls.ended_here,
                "version": tls.version,
                "cipher": tls.cipher,
                "server_name": tls.server_name,
                "resumed": tls.resumed,
                "truncated": tls.truncated,
            })),
            "connections": {
                "process": counts.process,
                "virtual": counts.virtual_server,
                "pool": counts.pool,
                "member": counts.member,
            },
            "retries": counts.retries,
            "redispatched": counts.redispatched,
            "queue_ahead": counts.queue,
        })
        .to_string()
    }
}

/// Milliseconds, or -1 for a phase that was never reached.
struct Millis(Option<Duration>);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(duration) => write!(f, "{}", duration.as_millis()),
            None => f.write_str("-1"),
        }
    }
}

#[cfg(test)]
mod tests;
