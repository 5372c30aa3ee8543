//! The checked configuration: what the rest of the program works with.
//!
//! A value of these types is valid: names are resolved, profiles are merged with their
//! parents, limits are in range. Nobody validates twice. No value here knows where in a
//! file it came from; that is `explain`'s business.

mod process;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use process::{
    AccessFormat, Admin, AdminPassword, AdminToken, AdminUser, Bucket, BucketKeys, Delivery,
    Facility, Layout, Level, Log, LogTarget, Process, QueryFormat, Records, Role, Sink, Statements,
    Store, SyslogProtocol, SyslogTransport, TextFormat,
};

/// Everything one gateway process does.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub process: Process,
    pub log: Log,
    pub admin: Option<Admin>,
    pub nodes: Vec<Node>,
    pub pools: Vec<Pool>,
    pub virtuals: Vec<Virtual>,
    pub acmes: Vec<Acme>,
}

/// `[node.NAME]`: one host that runs a coordinator.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub name: String,
    pub description: String,
    pub address: Host,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Ip(IpAddr),
    /// Resolved at start and again and again; the last good answer is kept.
    Name(String),
}

/// `[pool.NAME]`: members, how one is chosen, how their health is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    pub name: String,
    pub description: String,
    pub members: Vec<Member>,
    pub method: Method,
    pub scope: Scope,
    /// `None` = not probed; the member counts as unknown until traffic says otherwise.
    pub monitor: Option<Monitor>,
    pub service_down: ServiceDown,
    pub when_all_down: WhenAllDown,
    /// A returning member's share grows from a tenth to its weight over this time.
    pub slow_start: Option<Duration>,
    /// The next lower priority group joins when fewer than this many members are usable.
    pub priority_min_active: u32,
    pub connect_timeout: Duration,
    /// Further connect attempts after the first.
    pub retries: u32,
    /// A retry may go to another member, even against persistence.
    pub redispatch: bool,
    /// Connections that may wait while every usable member is full; 0 = none waits.
    pub queue_max: u32,
    pub queue_timeout: Duration,
    /// Consecutive connect failures of clients that take a member out.
    pub connect_failures_max: u32,
    /// How long such a member stays out when no monitor brings it back.
    pub connect_failures_retry: Duration,
    /// Local addresses to connect from, in turn; empty = the kernel's choice.
    pub source: Vec<IpAddr>,
    /// Connect to the member from the client's own address (needs CAP_NET_ADMIN and routes).
    pub transparent: bool,
    pub send_proxy: Option<ProxyVersion>,
    /// Whom `least-operations` asks about work that does not come through this gateway.
    pub load: Option<LoadSource>,
}

/// The coordinators' own web pages.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadSource {
    pub port: u16,
    pub tls: Option<TlsServer>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Index into [`Config::nodes`].
    pub node: usize,
    pub port: u16,
    /// 0 = no new connections by the method (persistence still finds it).
    pub weight: u16,
    /// Higher groups are used first. `backup = true` is priority 0; the default is 10.
    pub priority: u16,
    pub connections_max: Option<u32>,
    /// Admin state to start with; a reload does not undo what an operator set since.
    pub state: AdminState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminState {
    Enabled,
    /// Only persisted clients still come.
    Draining,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    RoundRobin,
    LeastConnections,
    SourceHash,
    RandomTwo,
    LeastOperations,
}

/// Whose connections count: the member's own, or all to its node over every pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Node,
    Member,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceDown {
    None,
    Reset,
    Drop,
    Reselect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAllDown {
    Refuse,
    /// Fail open: choose among all enabled members as if they were up.
    TryAny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    V1,
    V2,
}

/// `[monitor.NAME]`, merged with its parent.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    pub name: String,
    pub probe: Probe,
    pub interval: Duration,
    /// Interval while the member is not up; `None` = `interval`.
    pub interval_down: Option<Duration>,
    /// One probe fails when it is not done by then.
    pub timeout: Duration,
    /// Failures in a row that mark an up member down.
    pub fall: u32,
    /// Passes in a row that mark a down member up.
    pub rise: u32,
    /// Port to probe; `None` = the member's own.
    pub port: Option<u16>,
    /// Probe inside TLS, with the same verification as traffic. Comes from the monitor's own
    /// `tls` or from the virtual servers that use the pool.
    pub tls: Option<TlsServer>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// The port opens.
    Tcp,
    /// `GET path` answers with one of the statuses.
    Http { path: String, host: Option<String>, status: Vec<StatusRange> },
    /// impalad's web port: `/healthz` is 200 and `/?json` does not say `is_quiescing`.
    Healthz,
    /// HiveServer2: log in, OpenSession, ping, CloseSession.
    Hs2(Login),
    /// Beeswax: log in, ping.
    Beeswax(Login),
    /// HiveServer2 over HTTP: the same as `Hs2` inside POSTs to `path`.
    Hs2Http { login: Login, path: String },
}

/// Inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    pub first: u16,
    pub last: u16,
}

/// How a probe logs in.
#[derive(Debug, Clone, PartialEq)]
pub enum Login {
    /// Bare Thrift; `user` is only a name in OpenSession.
    None { user: String },
    /// SASL PLAIN, or HTTP Basic.
    Plain { user: String, password: Secret },
}

/// `[virtual.NAME]`: an address we accept on and what happens to its connections.
#[derive(Debug, Clone, PartialEq)]
pub struct Virtual {
    pub name: String,
    pub description: String,
    pub listen: Vec<Listen>,
    /// Index into [`Config::pools`].
    pub pool: usize,
    pub kind: VirtualKind,
    pub protocol: Protocol,
    /// End connections that do not speak `protocol`, instead of passing them on unread.
    pub strict_protocol: bool,
    /// Keys of self-routing handles: the first signs, all are believed. Empty = a table in memory.
    pub handle_keys: Vec<PathBuf>,
    pub abandonment: Abandonment,
    pub persistence: Option<Persistence>,
    pub protocol_profile: ProtocolProfile,
    pub tls_client: Option<TlsClient>,
    pub tls_server: Option<TlsServer>,
    /// The name clients use; certificates are checked against it.
    pub public_name: Option<String>,
    /// Look at the ClientHello of passed-through TLS, for the record and for `sni_routes`.
    pub sni_peek: bool,
    /// The first that fits the client's server name replaces `pool`.
    pub sni_routes: Vec<SniRoute>,
    /// Empty = everybody.
    pub allow: Vec<IpNet>,
    /// Checked before `allow`.
    pub deny: Vec<IpNet>,
    /// Open connections; beyond it new ones wait in the kernel's backlog. `None` = no own limit.
    pub connections_max: Option<u32>,
    /// Expect a PROXY header (version 1 or 2) from these peers; others are refused.
    pub accept_proxy: Option<Vec<IpNet>>,
    pub backlog: u32,
    /// One listening socket per worker thread (SO_REUSEPORT) or a single shared one.
    pub reuse_port: bool,
    /// Bind to this network interface (SO_BINDTODEVICE).
    pub interface: Option<String>,
    /// `[::]` listeners also take IPv4.
    pub dual_stack: bool,
    /// Permission bits of a Unix-socket listener, such as 0o660.
    pub socket_mode: u32,
}

/// What becomes of HiveServer2 sessions whose clients are all gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandonment {
    /// After so long without a client a session without open operations is closed on its
    /// coordinator; `None` = never.
    pub close_after: Option<Duration>,
    /// After so long its open operations are cancelled; `None` = never.
    pub cancel_after: Option<Duration>,
}

impl Abandonment {
    /// Nothing is ever done.
    pub fn is_off(&self) -> bool {
        self.close_after.is_none() && self.cancel_after.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    Keep,
    Cancel,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SniRoute {
    /// A name, or `*.` and a name for exactly one label before it; lower case.
    pub name: String,
    /// Index into [`Config::pools`].
    pub pool: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VirtualKind {
    /// Opaque bytes, cheapest.
    Layer4,
    /// May end TLS and read the protocol.
    Standard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Hs2,
    Beeswax,
    Hs2Http,
}

/// `[profile.persistence.NAME]`, merged with its parent (`source_addr`).
#[derive(Debug, Clone, PartialEq)]
pub struct Persistence {
    pub name: String,
    /// An entry lives this long after its client's last connection opened or closed.
    pub timeout: Duration,
    /// Prefix length: clients in the same network share an entry.
    pub mask_v4: u8,
    pub mask_v6: u8,
    pub entries_max: u32,
}

/// `[profile.protocol.NAME]`, merged with its parent (`fastl4` or `tcp`).
#[derive(Debug, Clone, PartialEq)]
pub struct ProtocolProfile {
    pub name: String,
    /// No byte in either direction for this long ends the connection; `None` = never.
    pub idle_timeout: Option<Duration>,
    /// No byte moved for this long, blamed on the client (HAProxy's `timeout client`).
    pub client_timeout: Option<Duration>,
    /// No byte moved for this long, blamed on the member (HAProxy's `timeout server`).
    pub server_timeout: Option<Duration>,
    /// A PROXY header or another prelude must be complete by then.
    pub handshake_timeout: Duration,
    pub client_keepalive: Option<Keepalive>,
    pub server_keepalive: Option<Keepalive>,
    /// TCP_USER_TIMEOUT: unacknowledged data this old ends the connection.
    pub client_user_timeout: Option<Duration>,
    pub server_user_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Quiet time before the first probe.
    pub idle: Duration,
    pub interval: Duration,
    pub count: u32,
}

/// `[profile.tls_client.NAME]`: TLS ended at the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsClient {
    pub name: String,
    /// Chosen by the name the client asks for; the first one when none fits.
    pub certificates: Vec<Certificate>,
    pub versions: TlsVersions,
    /// In IANA's names, best first; empty = the library's safe default.
    pub cipher_suites: Vec<String>,
    /// Protocol names offered; empty = the extension is not answered.
    pub alpn: Vec<String>,
    /// Resumption by session tickets.
    pub tickets: bool,
    pub client_auth: Option<ClientAuth>,
    /// Handshakes that one source address may begin in a second; `None` = no limit.
    pub handshakes_per_source: Option<u32>,
}

/// Certificates of clients.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientAuth {
    pub ca_file: PathBuf,
    pub crl_file: Option<PathBuf>,
    /// Clients without a certificate may come too.
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsVersions {
    pub min: TlsVersion,
    pub max: TlsVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Certificate {
    Files(CertificateFiles),
    /// Obtained and renewed from an ACME authority.
    Acme {
        acme: usize,
        names: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    /// `None` = in the certificate's file.
    pub key: Option<PathBuf>,
    pub chain: Option<PathBuf>,
    pub passphrase: Option<Passphrase>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Passphrase {
    Value(Secret),
    /// Run without a shell when the key is read; its first line of output is the passphrase.
    Command(Vec<String>),
    /// A command that was run already. Checking a configuration never makes this.
    Asked {
        command: Vec<String>,
        answer: Secret,
    },
}

/// `[acme.NAME]`: an authority that issues certificates by itself (RFC 8555).
#[derive(Debug, Clone, PartialEq)]
pub struct Acme {
    pub name: String,
    pub directory: String,
    /// Mail addresses, without `mailto:`.
    pub contact: Vec<String>,
    pub challenge: AcmeChallenge,
    /// Account, keys and certificates.
    pub state: PathBuf,
    /// Trust for the directory itself; `None` = the system's roots.
    pub ca_file: Option<PathBuf>,
    pub renew_before: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AcmeChallenge {
    /// Answered on the virtual servers' own listeners.
    TlsAlpn01,
    /// Answered by a small server of ours on this address (port 80 to the outside).
    Http01 { listen: SocketAddr },
}

/// `[profile.tls_server.NAME]`: TLS toward the members.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsServer {
    pub name: String,
    pub verify: Verify,
    /// Name every member's certificate must carry; `None` = the node's name or address.
    pub server_name: Option<String>,
    /// `None` = the system's roots.
    pub ca_file: Option<PathBuf>,
    pub crl_file: Option<PathBuf>,
    pub versions: TlsVersions,
    pub cipher_suites: Vec<String>,
    /// Shown to members that ask for one.
    pub certificate: Option<CertificateFiles>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// Chain, dates and name.
    Required,
    /// The member's own certificate must have one of these SHA-256 fingerprints; nothing else
    /// is looked at.
    Pinned(Vec<[u8; 32]>),
    None,
}

/// A value that must not be shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The only way to the value; look for callers when auditing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
