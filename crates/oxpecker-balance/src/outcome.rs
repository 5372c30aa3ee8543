//! What the balancer answers: choices, refusals, changes of health, and views for people.

use std::fmt;
use std::net::IpAddr;

use crate::counts::Counts;
use crate::spec::{AdminState, Health, MemberId, Now, PoolId};

/// The member for one connection, which is already counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub member: MemberId,
    pub load: Load,
    pub by: ChosenBy,
}

/// Why this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChosenBy {
    Method,
    Persistence,
    /// No member was usable and the pool says to try any.
    FailOpen,
}

/// Open connections at the moment of a choice or release, the one in question included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    pub member: u32,
    pub node: u32,
    pub pool: u32,
}

/// Why no member was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    NoUsableMember,
    /// Some members are usable, and every one has reached its `connections_max`.
    AllFull,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoUsableMember => "no member is usable",
            Self::AllFull => "every usable member is at its connection limit",
        })
    }
}

impl std::error::Error for Refusal {}

/// A member's health or admin state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub member: MemberId,
    pub pool: PoolId,
    pub from: Health,
    /// Equal to `from` when only the admin state changed.
    pub to: Health,
    pub cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    Probe,
    /// Clients' connects failed `connect_failures_max` times in a row.
    ConnectFailures,
    /// No monitor watches; after `connect_failures_retry` the member deserves another try.
    RetryAfterFailures,
    /// No monitor watches, and a connect to the member succeeded after all.
    Connected,
    /// An operator's command; health stays as it was.
    AdminState {
        from: AdminState,
        to: AdminState,
    },
}

/// One member as status pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    pub id: MemberId,
    pub pool: PoolId,
    pub name: String,
    pub node: String,
    /// As configured or as an operator set it; slow start not applied.
    pub weight: u16,
    pub priority: u16,
    pub connections_max: Option<u32>,
    pub admin_state: AdminState,
    pub health: Health,
    /// When the member got this health.
    pub since: Now,
    /// What gave it this health; `None` until the first change.
    pub cause: Option<Cause>,
    pub open: u32,
    pub open_max: u32,
    pub total: u64,
    /// Never reset.
    pub total_ever: u64,
    /// Open connections to its node over all pools.
    pub node_open: u32,
}

/// One pool as status pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    pub id: PoolId,
    pub name: String,
    pub counts: Counts,
}

/// One node as status pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    pub name: String,
    pub counts: Counts,
    /// Members on this node over all pools.
    pub members: u32,
}

/// One persistence entry as status pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryView {
    /// The client's address under the table's mask.
    pub client: IpAddr,
    pub member: MemberId,
    pub used: Now,
    /// Open connections of that source to that member; the entry stays while there are any.
    pub open: u32,
}
