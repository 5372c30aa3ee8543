//! The works: how each is put on a proxy, what its unit is, whom it is compared with.

use super::Peer;
use super::certificate::Key;
use crate::generate::Load;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// Endless stream, 8 connections.
    Stream,
    /// Endless stream, 1 connection.
    Stream1,
    /// 1 MB fetches, 8 connections.
    Fetch,
    /// Small exchanges, 1 connection, everything on one core.
    Serial,
    /// Small exchanges, 64 connections.
    Small64,
    /// Small exchanges, 1,000 connections.
    Small1000,
    /// Connect, exchange, close; 32 at a time.
    Churn,
    /// Memory of resting connections.
    Idle,
    /// Small calls of Beeswax, 64 connections.
    AwareSmall64,
    /// 1 MB of rows by a fetch of Beeswax, 8 connections.
    AwareFetch,
    /// Endless stream over TLS, 8 connections.
    TlsStream,
    /// Small exchanges over TLS, 64 connections.
    TlsSmall64,
    /// Connect, full handshake with an ECDSA P-256 key, exchange, close; 32 at a time.
    TlsChurn,
    /// The same with an RSA key of 2,048 bits.
    TlsChurnRsa,
    /// Memory of resting TLS connections.
    TlsIdle,
}

/// What CPU time is divided by, and how it is shown.
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    /// Time unit and how many of it make a second.
    pub(crate) time: &'static str,
    pub(crate) per_second: f64,
    pub(crate) rate: &'static str,
}

impl Work {
    pub(crate) const ALL: [Self; 15] = [
        Self::Stream,
        Self::Stream1,
        Self::Fetch,
        Self::Serial,
        Self::Small64,
        Self::Small1000,
        Self::Churn,
        Self::Idle,
        Self::AwareSmall64,
        Self::AwareFetch,
        Self::TlsStream,
        Self::TlsSmall64,
        Self::TlsChurn,
        Self::TlsChurnRsa,
        Self::TlsIdle,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Stream1 => "stream1",
            Self::Fetch => "fetch",
            Self::Serial => "serial",
            Self::Small64 => "small64",
            Self::Small1000 => "small1000",
            Self::Churn => "churn",
            Self::Idle => "idle",
            Self::AwareSmall64 => "aware-small64",
            Self::AwareFetch => "aware-fetch",
            Self::TlsStream => "tls-stream",
            Self::TlsSmall64 => "tls-small64",
            Self::TlsChurn => "tls-churn",
            Self::TlsChurnRsa => "tls-churn-rsa",
            Self::TlsIdle => "tls-idle",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Stream => "Endless stream, 8 connections",
            Self::Stream1 => "Endless stream, 1 connection",
            Self::Fetch => "1 MB fetches, 8 connections",
            Self::Serial => "Small exchanges, 1 connection, everything on one core",
            Self::Small64 => "Small exchanges, 64 connections",
            Self::Small1000 => "Small exchanges, 1,000 connections",
            Self::Churn => "Connect, exchange, close; 32 at a time",
            Self::Idle => "Idle connections",
            Self::AwareSmall64 => "Beeswax: small calls, 64 connections",
            Self::AwareFetch => "Beeswax: fetches of 1 MB in 41,000 rows, 8 connections",
            Self::TlsStream => "TLS: endless stream, 8 connections",
            Self::TlsSmall64 => "TLS: small exchanges, 64 connections",
            Self::TlsChurn => {
                "TLS: connect, full handshake (ECDSA P-256), exchange, close; 32 at a time"
            }
            Self::TlsChurnRsa => {
                "TLS: connect, full handshake (RSA-2048), exchange, close; 32 at a time"
            }
            Self::TlsIdle => "TLS: idle connections",
        }
    }

    pub(crate) fn load(self) -> Load {
        match self {
            Self::Stream | Self::Stream1 | Self::TlsStream => Load::Stream,
            Self::Fetch => Load::Fetch,
            Self::Serial | Self::Small64 | Self::Small1000 | Self::TlsSmall64 => Load::Exchange,
            Self::AwareSmall64 => Load::Calls,
            Self::AwareFetch => Load::Rows,
            Self::Churn | Self::TlsChurn | Self::TlsChurnRsa => Load::Churn,
            Self::Idle | Self::TlsIdle => Load::Idle,
        }
    }

    /// The key of the certificate with which the proxy ends TLS; `None` = plain TCP.
    pub(crate) fn tls(self) -> Option<Key> {
        match self {
            Self::TlsStream | Self::TlsSmall64 | Self::TlsChurn | Self::TlsIdle => Some(Key::Ecdsa),
            Self::TlsChurnRsa => Some(Key::Rsa),
            _ => None,
        }
    }

    /// Measures memory, not CPU.
    pub(crate) fn is_memory(self) -> bool {
        self.load() == Load::Idle
    }

    pub(crate) fn connections(self, idle: usize) -> usize {
        match self {
            Self::Stream | Self::Fetch | Self::AwareFetch | Self::TlsStream => 8,
            Self::Stream1 | Self::Serial => 1,
            Self::Small64 | Self::AwareSmall64 | Self::TlsSmall64 => 64,
            Self::Small1000 => 1_000,
            Self::Churn | Self::TlsChurn | Self::TlsChurnRsa => 32,
            Self::Idle | Self::TlsIdle => idle,
        }
    }

    pub(crate) fn unit(self) -> Unit {
        let (name, time, per_second, rate) = match self.load() {
            Load::Stream => ("GB", "s", 1.0, "Gbit/s"),
            Load::Fetch | Load::Rows => ("MB", "us", 1e6, "fetches/s"),
            Load::Calls => ("call", "us", 1e6, "calls/s"),
            Load::Exchange | Load::Check => ("exchange", "us", 1e6, "exchanges/s"),
            Load::Churn => ("connection", "us", 1e6, "connections/s"),
            Load::Idle => ("connection", "B", 1.0, ""),
        };
        Unit { name, time, per_second, rate }
    }

    /// Whom ratios are formed with.
    pub(crate) fn bases(self) -> &'static [Peer] {
        match self {
            Self::Stream | Self::Stream1 | Self::Fetch => &[Peer::HaproxyTuned, Peer::Haproxy],
            Self::TlsStream => &[Peer::Haproxy, Peer::Envoy],
            Self::AwareSmall64 | Self::AwareFetch => &[Peer::Oxpecker, Peer::Haproxy],
            _ => &[Peer::Haproxy],
        }
    }

    /// Tuning is about splicing, which only long transfers do; nothing has no memory and no TLS.
    pub(crate) fn concerns(self, peer: Peer) -> bool {
        match peer {
            Peer::OxpeckerAware => self.load().speaks(),
            Peer::HaproxyTuned => self.bases().contains(&peer),
            Peer::Direct => !self.is_memory() && self.tls().is_none(),
            _ => true,
        }
    }

    pub(crate) fn has_latencies(self) -> bool {
        !matches!(self.load(), Load::Stream | Load::Idle)
    }
}
