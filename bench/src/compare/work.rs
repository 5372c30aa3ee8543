//! The works: how each is put on a proxy, what its unit is, whom it is compared with.

use super::Peer;
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
    pub(crate) const ALL: [Self; 8] = [
        Self::Stream,
        Self::Stream1,
        Self::Fetch,
        Self::Serial,
        Self::Small64,
        Self::Small1000,
        Self::Churn,
        Self::Idle,
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
        }
    }

    pub(crate) fn load(self) -> Load {
        match self {
            Self::Stream | Self::Stream1 => Load::Stream,
            Self::Fetch => Load::Fetch,
            Self::Serial | Self::Small64 | Self::Small1000 => Load::Exchange,
            Self::Churn => Load::Churn,
            Self::Idle => Load::Idle,
        }
    }

    pub(crate) fn connections(self, idle: usize) -> usize {
        match self {
            Self::Stream | Self::Fetch => 8,
            Self::Stream1 | Self::Serial => 1,
            Self::Small64 => 64,
            Self::Small1000 => 1_000,
            Self::Churn => 32,
            Self::Idle => idle,
        }
    }

    pub(crate) fn unit(self) -> Unit {
        let (name, time, per_second, rate) = match self {
            Self::Stream | Self::Stream1 => ("GB", "s", 1.0, "Gbit/s"),
            Self::Fetch => ("MB", "us", 1e6, "fetches/s"),
            Self::Serial | Self::Small64 | Self::Small1000 => {
                ("exchange", "us", 1e6, "exchanges/s")
            }
            Self::Churn => ("connection", "us", 1e6, "connections/s"),
            Self::Idle => ("connection", "B", 1.0, ""),
        };
        Unit { name, time, per_second, rate }
    }

    /// Whom ratios are formed with.
    pub(crate) fn bases(self) -> &'static [Peer] {
        match self {
            Self::Stream | Self::Stream1 | Self::Fetch => &[Peer::HaproxyTuned, Peer::Haproxy],
            _ => &[Peer::Haproxy],
        }
    }

    /// Tuning is about splicing, which only long transfers do; and nothing has no memory.
    pub(crate) fn concerns(self, peer: Peer) -> bool {
        match peer {
            Peer::HaproxyTuned => self.bases().contains(&peer),
            Peer::Direct => self != Self::Idle,
            _ => true,
        }
    }

    pub(crate) fn has_latencies(self) -> bool {
        !matches!(self, Self::Stream | Self::Stream1 | Self::Idle)
    }
}
