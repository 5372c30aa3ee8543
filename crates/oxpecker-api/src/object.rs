//! The configured objects with their state, and what moves through them.

use serde::{Deserialize, Serialize};

/// Every list is an object, so that there is room beside the items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// There was more than the limit allows to send.
    #[serde(default)]
    pub truncated: bool,
}

/// What an operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminState {
    Enabled,
    Draining,
    Disabled,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Unknown,
    Up,
    Down,
    Quiescing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub host: String,
    pub started: String,
    pub uptime_seconds: f64,
    pub worker_threads: u32,
    pub connections: Counts,
    pub connections_max: u32,
    pub descriptors_open: u64,
    pub descriptors_max: u64,
    pub draining: bool,
    pub last_reload: Option<String>,
    pub last_reload_failed: bool,
    pub virtuals: u32,
    pub pools: u32,
    pub members: u32,
    pub members_up: u32,
    pub sessions: u32,
    pub operations_open: u32,
    /// Changes made at run time that the state file does not have yet.
    pub unsaved_changes: u32,
    /// The caller, and what it may do: `viewer`, `operator` or `admin`.
    pub user: String,
    pub role: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub current: u32,
    /// The most at once since the last reset.
    pub maximum: u32,
    /// Since the last reset.
    pub total: u64,
}

/// Since the last reset. A packet is a read that brought bytes: a full proxy sees no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    pub bits_in: u64,
    pub bits_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Virtual {
    pub name: String,
    pub description: String,
    pub listen: Vec<String>,
    /// `layer4` or `standard`.
    #[serde(rename = "type")]
    pub kind: String,
    pub protocol: String,
    pub pool: String,
    pub health: Health,
    pub reason: String,
    pub connections: Counts,
    pub connections_max: Option<u32>,
    pub traffic: Traffic,
    pub persistence_entries: Option<u64>,
    pub tls_client: bool,
    pub tls_server: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    pub name: String,
    pub description: String,
    pub method: String,
    pub monitor: Option<String>,
    /// Up while one member takes new clients.
    pub health: Health,
    pub reason: String,
    pub connections: Counts,
    pub traffic: Traffic,
    pub queue: u32,
    pub queue_limit: u32,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub pool: String,
    /// `node:port`; with the pool it is unique.
    pub name: String,
    pub node: String,
    pub address: Option<String>,
    pub port: u16,
    pub admin_state: AdminState,
    pub health: Health,
    /// Why it has this health.
    pub reason: String,
    pub health_for_seconds: f64,
    /// Enabled, and up or not known to be down.
    pub usable: bool,
    pub weight: u16,
    pub priority: u16,
    pub connections: Counts,
    pub connections_max: Option<u32>,
    /// Open connections to its node, over all pools.
    pub node_connections: u32,
    pub traffic: Traffic,
    /// Operations that run at its node, as far as this gateway knows.
    pub operations: u32,
    /// All operations there as the coordinator says, those of other clients too. `None` unless
    /// `least-operations` asks it and it answers.
    pub operations_told: Option<u32>,
    pub probe: Option<Probe>,
    pub connect_failures: u64,
    pub connect_seconds_average: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    pub kind: String,
    pub passed: u64,
    pub failed: u64,
    pub last: Option<String>,
    pub last_seconds: Option<f64>,
    pub last_result: String,
    pub version: Option<String>,
    pub webserver_address: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub description: String,
    /// As configured.
    pub host: String,
    pub address: Option<String>,
    pub health: Health,
    pub members: u32,
    pub connections: Counts,
    pub traffic: Traffic,
    pub operations: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: u64,
    pub client: String,
    #[serde(rename = "virtual")]
    pub virtual_server: String,
    pub pool: String,
    pub member: Option<String>,
    pub accepted: String,
    pub age_seconds: f64,
    pub idle_seconds: Option<f64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// A connection that ended otherwise than in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub id: u64,
    pub at: String,
    pub client: String,
    #[serde(rename = "virtual")]
    pub virtual_server: String,
    pub pool: String,
    pub member: Option<String>,
    pub duration_seconds: f64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub end_state: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: u64,
    pub at: String,
    pub kind: String,
    pub who: String,
    pub subject: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersistenceEntry {
    #[serde(rename = "virtual")]
    pub virtual_server: String,
    pub client: String,
    pub member: String,
    pub idle_seconds: f64,
    pub open: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// `clients` or `members`: to whom it is shown.
    pub side: String,
    pub profile: String,
    pub name: String,
    pub names: Vec<String>,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
    pub expires_in_days: Option<i64>,
    pub last_error: Option<String>,
}

/// The network map: virtual server, its pool, the pool's members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Map {
    pub virtuals: Vec<MapVirtual>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapVirtual {
    pub name: String,
    pub listen: Vec<String>,
    pub health: Health,
    pub connections: u32,
    /// Its own first, then those of other server names in TLS.
    pub pools: Vec<MapPool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapPool {
    pub name: String,
    pub health: Health,
    pub members: Vec<Member>,
}
