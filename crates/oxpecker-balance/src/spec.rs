//! What the balancer is told: pools, members and thresholds, in its own words, so that this
//! crate needs to know nothing of files and profiles.

use std::net::IpAddr;
use std::time::Duration;

/// A point on a monotonic clock, as time since an arbitrary start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now(pub Duration);

/// One pool as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSpec {
    /// Identity over reloads.
    pub name: String,
    pub method: Method,
    pub scope: Scope,
    pub members: Vec<MemberSpec>,
    /// Some monitor probes the members; without one, unknown members are usable.
    pub monitored: bool,
    pub thresholds: Thresholds,
    pub slow_start: Option<Duration>,
    /// The next lower priority group joins when fewer than this many members are usable.
    pub priority_min_active: u32,
    pub when_all_down: WhenAllDown,
    /// Consecutive connect failures of clients that take a member out; 0 = never.
    pub connect_failures_max: u32,
    /// How long such a member stays out when no monitor brings it back.
    pub connect_failures_retry: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MemberSpec {
    /// Identity within the pool over reloads, such as `coord-1:21050`.
    pub name: String,
    /// Identity of the host over all pools: members with the same text share a node count.
    pub node: String,
    /// 0 = not chosen by the method; persistence still finds it.
    pub weight: u16,
    /// Higher groups are used first.
    pub priority: u16,
    pub connections_max: Option<u32>,
    /// Used when the member is new; afterwards what an operator set stays.
    pub admin_state: AdminState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    RoundRobin,
    LeastConnections,
    /// Rendezvous hash of the (masked by nothing) client address and the member's name.
    SourceHash,
    RandomTwo,
    /// Fewest running operations at the node, as last told by `Balancer::set_operations`.
    LeastOperations,
}

/// Whose connections count: the member's own, or all to its node over every pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Node,
    Member,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAllDown {
    Refuse,
    /// Fail open: choose among all enabled members as if they were up.
    TryAny,
}

/// Probes in a row that change a member's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    pub rise: u32,
    pub fall: u32,
}

/// What an operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminState {
    Enabled,
    /// Only persisted clients still come.
    Draining,
    /// Nobody new comes.
    Disabled,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// Not yet probed.
    Unknown,
    Up,
    Down,
    /// The coordinator says it is leaving: nothing new, what runs may finish.
    Quiescing,
}

/// What one probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    Passed,
    Failed,
    /// Alive, and refusing new work.
    Quiescing,
}

/// Source-address persistence of one virtual server.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    /// Identity over reloads: the virtual server's name.
    pub name: String,
    pub timeout: Duration,
    pub mask_v4: u8,
    pub mask_v6: u8,
    pub entries_max: u32,
}

/// One client that wants a member.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub pool: PoolId,
    pub client: IpAddr,
    pub table: Option<TableId>,
    /// Members already tried for this connection; not chosen again while another is usable.
    pub tried: &'a [MemberId],
    pub now: Now,
}

/// Never used again for another pool, even after a reload removed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub u32);

/// Never used again for another member, even after a reload removed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);
