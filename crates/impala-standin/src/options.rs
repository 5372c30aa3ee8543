//! How a stand-in is set up. The defaults are impalad's.

use crate::stream::CertificateFiles;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// Bare Thrift and HTTP without a login.
    #[default]
    None,
    /// SASL PLAIN on the binary ports, Basic over HTTP: what impalad does with LDAP.
    Plain,
}

/// Another coordinator, for the page `/backends`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub host: String,
    pub krpc_port: u16,
    pub web_port: u16,
}

/// A service that clients connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Beeswax,
    Hs2,
    Http,
}

/// The ports in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub address: IpAddr,
    pub beeswax: u16,
    pub hs2: u16,
    pub http: u16,
    pub web: u16,
}

impl Ports {
    pub fn socket(&self, service: Service) -> SocketAddr {
        let port = match service {
            Service::Beeswax => self.beeswax,
            Service::Hs2 => self.hs2,
            Service::Http => self.http,
        };
        SocketAddr::new(self.address, port)
    }

    pub fn web_socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.web)
    }
}

/// Everything that can be chosen.
#[derive(Debug, Clone)]
pub struct Options {
    pub address: IpAddr,
    /// A port of 0 means: any free one.
    pub beeswax_port: u16,
    pub hs2_port: u16,
    pub http_port: u16,
    pub web_port: u16,
    /// Only shown: nothing listens there.
    pub krpc_port: u16,
    /// The name in addresses shown to clients; the address itself when absent.
    pub hostname: Option<String>,
    pub auth: Auth,
    /// Names and passwords; with none, any password is right.
    pub users: Vec<(String, String)>,
    /// Who may act for whom, as in impalad's `--authorized_proxy_user_config`:
    /// `hue=alice,bob;gateway=*`.
    pub authorized_proxy_users: String,
    /// The SQLite file; a private one that vanishes with the stand-in when absent.
    pub database: Option<PathBuf>,
    /// Make the three sample tables.
    pub sample: bool,
    /// The answer to `select pid()`; the real one when absent.
    pub pid_shown: Option<i32>,
    pub peers: Vec<Peer>,
    /// Ends sessions without a connection.
    pub disconnected_session_timeout: Duration,
    /// Expires sessions without a call; zero: never.
    pub idle_session_timeout: Duration,
    /// How often connections whose sessions have all expired are closed.
    pub idle_client_poll_period: Duration,
    /// Connections served at once on each port; further ones wait.
    pub fe_service_threads: usize,
    /// How long they wait before they are closed.
    pub accepted_client_timeout: Duration,
    /// How long a SASL handshake may take.
    pub sasl_connect_timeout: Duration,
    /// Sessions of HiveServer2 per user; negative: no limit.
    pub max_hs2_sessions_per_user: i64,
    pub shutdown_grace_period: Duration,
    pub shutdown_deadline: Duration,
    /// Max-Age of the `impala.auth` cookie; zero: no cookies.
    pub max_cookie_lifetime: Duration,
    /// TLS on all three client ports, as impalad's `--ssl_server_certificate`.
    pub tls: Option<CertificateFiles>,
    /// TLS on the port of the web pages.
    pub web_tls: Option<CertificateFiles>,
    /// Names and values for the page `/varz`, before what it shows otherwise. They change nothing.
    pub flags_shown: Vec<(String, String)>,
    /// One line per connection and statement on standard error.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            beeswax_port: 21000,
            hs2_port: 21050,
            http_port: 28000,
            web_port: 25000,
            krpc_port: 27000,
            hostname: None,
            auth: Auth::None,
            users: Vec::new(),
            authorized_proxy_users: String::new(),
            database: None,
            sample: false,
            pid_shown: None,
            peers: Vec::new(),
            disconnected_session_timeout: Duration::from_secs(900),
            idle_session_timeout: Duration::ZERO,
            idle_client_poll_period: Duration::from_secs(30),
            fe_service_threads: 64,
            accepted_client_timeout: Duration::from_secs(300),
            sasl_connect_timeout: Duration::from_secs(300),
            max_hs2_sessions_per_user: -1,
            shutdown_grace_period: Duration::from_secs(120),
            shutdown_deadline: Duration::from_secs(3600),
            max_cookie_lifetime: Duration::from_secs(86_400),
            tls: None,
            web_tls: None,
            flags_shown: Vec::new(),
            verbose: false,
        }
    }
}

impl Options {
    /// All ports free ones: for several stand-ins on one address.
    pub fn any_ports() -> Self {
        Self { beeswax_port: 0, hs2_port: 0, http_port: 0, web_port: 0, ..Self::default() }
    }
}

impl std::str::FromStr for Peer {
    type Err = String;

    /// `host:krpcport@webport`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (address, web) = text.rsplit_once('@')?;
            let (host, krpc) = address.rsplit_once(':')?;
            if host.is_empty() {
                return None;
            }
            Some(Peer {
                host: host.into(),
                krpc_port: krpc.parse().ok()?,
                web_port: web.parse().ok()?,
            })
        };
        parsed().ok_or_else(|| "expected HOST:KRPCPORT@WEBPORT".to_owned())
    }
}
