//! The process itself: `[process]`, `[log]` and `[admin]`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::{Secret, TlsClient};

/// `[process]`: the operating-system side of the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// Worker threads; `None` = one per available core.
    pub threads: Option<NonZeroUsize>,
    /// Client connections over all virtual servers; `None` = as many as descriptors allow.
    pub connections_max: Option<u32>,
    /// After SIGTERM: how long listeners stay open while readiness already fails.
    pub drain_delay: Duration,
    /// After the listeners closed: how long running connections may go on.
    pub drain_timeout: Duration,
    pub user: Option<String>,
    pub group: Option<String>,
    pub chroot: Option<PathBuf>,
    pub pidfile: Option<PathBuf>,
}

/// `[log]`: where lines go. Process events, access and query records share the targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// Process events below this are not made at all.
    pub level: Level,
    pub targets: Vec<LogTarget>,
    /// Shape of the access record.
    pub access: AccessFormat,
    /// No access record for connections that carried no byte (probes, port scans).
    pub dontlognull: bool,
    /// Shape of the query record, one for each operation that is over.
    pub queries: QueryFormat,
    /// What query records and lists show of statements.
    pub statements: Statements,
    /// Files of access records for a bucket or directory, beside the targets.
    pub delivery: Option<Delivery>,
}

/// `[log.delivery]`: access records collected in files by interval, and taken to a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub store: Store,
    /// Without `/` at its ends.
    pub prefix: Option<String>,
    pub layout: Layout,
    /// Of this load balancer, in the names of files.
    pub name: String,
    pub account: String,
    pub region: String,
    /// A file ends where the clock (UTC) passes a multiple of this.
    pub interval: Duration,
    /// Holds what is not delivered yet.
    pub spool: PathBuf,
    /// Beyond this the oldest files go.
    pub spool_bytes_max: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Store {
    Bucket(Bucket),
    Directory(PathBuf),
}

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    pub name: String,
    /// `http://` or `https://`, host, and port; `None` = AWS.
    pub endpoint: Option<String>,
    /// `None` = the system's roots.
    pub ca_file: Option<PathBuf>,
    /// `None` = from the environment or the instance's metadata.
    pub keys: Option<BucketKeys>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct BucketKeys {
    pub id: String,
    pub secret: Secret,
}

/// How files are named in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As AWS names the logs of its load balancers.
    Elb,
    /// All in one directory.
    Flat,
}

/// The eight syslog severities, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Err,
    Warning,
    Notice,
    Info,
    Debug,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessFormat {
    /// HAProxy's `option tcplog`, field by field.
    Tcplog,
    Json,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFormat {
    Json,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statements {
    /// Every literal is replaced.
    Redacted,
    /// As written, but for what looks like a secret; in records only, lists stay redacted.
    Full,
    Off,
}

/// `[[log.target]]`
#[derive(Debug, Clone, PartialEq)]
pub struct LogTarget {
    pub sink: Sink,
    /// Lines of this severity and more urgent ones are written.
    pub level: Level,
    /// Shape of process events (access records have their own, [`Log::access`]).
    pub format: TextFormat,
    pub records: Records,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    Text,
    Json,
}

/// Which kinds of line a target takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    All,
    Process,
    Access,
    Queries,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Sink {
    Stdout,
    Stderr,
    File(PathBuf),
    Syslog { transport: SyslogTransport, protocol: SyslogProtocol, facility: Facility },
}

#[derive(Debug, Clone, PartialEq)]
pub enum SyslogTransport {
    Udp(SocketAddr),
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyslogProtocol {
    Rfc3164,
    Rfc5424,
}

/// Syslog facility code, 0 (kern) to 23 (local7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(pub u8);

/// `[admin]`: who may look and change, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// `None` = over Unix sockets only.
    pub listen: Option<SocketAddr>,
    /// For people and programs on this host; whoever may open it is an admin.
    pub socket: Option<PathBuf>,
    pub users: Vec<AdminUser>,
    pub tokens: Vec<AdminToken>,
    /// What those may do who do not say who they are; `None` = nothing.
    pub anonymous: Option<Role>,
    pub tls_client: Option<TlsClient>,
    /// Host names that requests may be for, besides addresses and this host's own.
    pub hosts: Vec<String>,
    /// HAProxy's runtime API.
    pub haproxy_socket: Option<PathBuf>,
    /// What commands on it may do.
    pub haproxy_socket_level: Role,
    /// `/metrics` also has the names that HAProxy's have.
    pub haproxy_metrics: bool,
    /// Where HAProxy's page and its `;csv` and `;json` are.
    pub stats_path: String,
    /// Changes made at run time are kept here.
    pub state_file: Option<PathBuf>,
}

/// `[admin.user.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct AdminUser {
    pub name: String,
    pub password: AdminPassword,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AdminPassword {
    Clear(Secret),
    /// SHA-512-crypt, such as `$6$SALT$…`.
    Hash(Secret),
}

/// `[admin.token.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct AdminToken {
    pub name: String,
    pub token: Secret,
    pub role: Role,
}

/// Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look.
    Viewer,
    /// Change what goes where now: states, weights, ends of connections.
    Operator,
    /// Change what there is, and see the configuration.
    Admin,
}
