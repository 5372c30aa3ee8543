//! What snapshots show. Counters only grow while the process lives, reloads included; "since reset"
//! values forget what an operator's reset asked them to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use oxpecker_balance::balancer::Cause;
use oxpecker_balance::spec::{AdminState, Health};

/// The process as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub started: Timestamp,
    pub uptime: Duration,
    pub worker_threads: usize,
    pub connections: CountsView,
    pub connections_max: u32,
    pub descriptors_open: u64,
    pub descriptors_max: u64,
    /// SIGTERM came: nothing new, what runs may finish.
    pub draining: bool,
    pub last_reload: Option<Timestamp>,
    pub last_reload_failed: bool,
    /// Changes made at run time, and how many of them a save would write or take away.
    pub changes: usize,
    pub unsaved_changes: usize,
    /// Messages of aware virtual servers that could not be read and were passed on as they were.
    pub unreadable_messages: u64,
    /// Handles that were looked for among the coordinators.
    pub handle_searches: u64,
}

/// Connections: open now, the most at once since the last reset, and all since reset and ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountsView {
    pub open: u32,
    pub open_max: u32,
    pub total: u64,
    /// Never reset.
    pub total_ever: u64,
}

/// Bytes and packets. A full proxy sees reads, not packets: each read that brought bytes counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficView {
    /// From clients toward members.
    pub bytes_in: u64,
    /// From members toward clients.
    pub bytes_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct VirtualView {
    pub name: String,
    pub description: String,
    /// As written in the configuration, such as `0.0.0.0:21050`.
    pub listen: Vec<String>,
    /// `layer4` or `standard`.
    pub kind: &'static str,
    /// `tcp`, `hs2`, `beeswax`, `hs2-http`.
    pub protocol: &'static str,
    pub pool: String,
    /// Other pools, by the server name in clients' TLS.
    pub sni_pools: Vec<String>,
    /// False while an operator has closed its listeners.
    pub listening: bool,
    pub connections: CountsView,
    pub connections_max: Option<u32>,
    /// Since the last reset.
    pub traffic: TrafficView,
    pub traffic_ever: TrafficView,
    /// Connections by the reason they ended: HAProxy's two letters, the words, and how many ever.
    pub ends: Vec<(&'static str, &'static str, u64)>,
    /// Entries of its persistence table; `None` without persistence.
    pub persistence_entries: Option<usize>,
    pub tls_client: bool,
    pub tls_server: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PoolView {
    pub name: String,
    pub description: String,
    /// In the configuration's words, such as `least-connections`.
    pub method: &'static str,
    pub connections: CountsView,
    pub queue: u32,
    pub queue_max_seen: u32,
    pub queue_limit: u32,
    /// Connections that waited and got a member, and their summed time; ever.
    pub queue_served: u64,
    pub queue_time: Duration,
    pub times: TimesView,
    pub monitor: Option<String>,
    /// Connections that found no usable member, ever.
    pub refused: u64,
    pub members: Vec<MemberView>,
    /// Members that were removed and still have connections open.
    pub leaving: Vec<LeavingView>,
}

/// A member that is no longer configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingView {
    pub name: String,
    pub connections: u32,
}

/// Times by fixed bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistogramView {
    /// Upper bounds in seconds, ascending.
    pub bounds: &'static [f64],
    /// How many fell into each bucket, not added up; one more than bounds.
    pub counts: Vec<u64>,
    pub sum: Duration,
}

impl HistogramView {
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The mean of the latest connections, and the longest since the last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeView {
    pub mean: Duration,
    pub max: Duration,
}

/// How long connections took that have ended; connects that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimesView {
    pub queue: TimeView,
    pub connect: TimeView,
    /// From accept to close.
    pub total: TimeView,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MemberView {
    pub pool: String,
    /// `node:port`
    pub name: String,
    pub node: String,
    /// `None` while the node's name was never resolved.
    pub address: Option<SocketAddr>,
    pub port: u16,
    pub admin_state: AdminState,
    pub health: Health,
    pub health_cause: Option<Cause>,
    /// Why it has this health, in words: the last probe's failure, an operator's reason.
    pub health_reason: String,
    /// How long it has this health.
    pub health_since: Duration,
    pub weight: u16,
    pub priority: u16,
    pub connections: CountsView,
    pub connections_max: Option<u32>,
    pub node_connections: u32,
    /// Since the last reset.
    pub traffic: TrafficView,
    pub traffic_ever: TrafficView,
    /// Running operations of its node, over all pools and ports, as this gateway knows them.
    pub operations: u32,
    /// All operations of its node as the coordinator tells them, for `least-operations`; `None` where
    /// nobody asks, or it does not answer.
    pub operations_told: Option<u32>,
    pub probe: ProbeView,
    /// Clients' connects that succeeded, their summed time, and those that failed; ever.
    pub connects: u64,
    pub connect_time: Duration,
    pub connect_times: HistogramView,
    pub times: TimesView,
    pub connect_failures: u64,
    /// Of these, TLS handshakes with the member.
    pub tls_failures: u64,
    /// Connects after a failed one on the same connection, and those that went to another member.
    pub retries: u64,
    pub redispatches: u64,
    /// Connections that this member, or their client, aborted.
    pub member_aborts: u64,
    pub client_aborts: u64,
    /// Times it went down, and how long it was down in all.
    pub times_down: u64,
    pub downtime: Duration,
    /// How long ago a connection came last.
    pub last_chosen: Option<Duration>,
}

/// How far a probe that failed had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeFailure {
    /// The node's name was never resolved.
    Unresolved,
    Connect,
    ConnectTimeout,
    Tls,
    /// The answer of HTTP had this status.
    Status(u16),
    /// The connection ended, or brought what the probe did not want.
    Answer,
    AnswerTimeout,
}

/// What a member's monitor found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProbeView {
    /// The kind: `tcp`, `hs2` and so on; empty without a monitor.
    pub kind: &'static str,
    pub passed: u64,
    pub failed: u64,
    pub last: Option<Timestamp>,
    pub last_duration: Option<Duration>,
    /// `passed`, `quiescing`, or why it failed.
    pub last_result: String,
    /// Of the last probe.
    pub failure: Option<ProbeFailure>,
    pub rise: u32,
    pub fall: u32,
    /// Probes in a row that agree with each other.
    pub in_a_row: u32,
    /// Summed time of all probes that passed.
    pub time: Duration,
    pub times: HistogramView,
    /// What the coordinator said of its version, when the probe hears it.
    pub version: Option<String>,
    pub webserver_address: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NodeView {
    pub name: String,
    pub description: String,
    /// As configured: an address or a name.
    pub host: String,
    pub address: Option<IpAddr>,
    pub members: u32,
    pub connections: CountsView,
    /// Since the last reset.
    pub traffic: TrafficView,
    pub operations: u32,
}

/// A client connection that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionView {
    /// Unique while the process lives.
    pub id: u64,
    pub client: String,
    pub virtual_server: String,
    pub pool: String,
    pub member: Option<String>,
    pub accepted: Timestamp,
    pub age: Duration,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub idle: Option<Duration>,
}

/// A connection that ended otherwise than in order.
#[derive(Debug, Clone, PartialEq)]
pub struct EndingView {
    pub id: u64,
    pub at: Timestamp,
    pub client: String,
    pub virtual_server: String,
    pub pool: String,
    pub member: Option<String>,
    pub duration: Duration,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// HAProxy's two letters.
    pub end_state: &'static str,
    pub reason: &'static str,
}

/// One source address that sticks to a member.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryView {
    pub client: IpAddr,
    pub member: String,
    pub idle: Duration,
    pub open: u32,
}
