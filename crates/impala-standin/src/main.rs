//! The binary `impala-standin`: options, one line of JSON with the ports, signals.

use clap::{Parser, ValueEnum};
use impala_standin::{Auth, CertificateFiles, Options, Peer, Standin};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// SIGTERM and SIGINT end the process at once.
const AT_ONCE: [i32; 2] = [15, 2];
/// SIGRTMIN of glibc, impalad's signal for a graceful shutdown. (musl keeps three for itself: 35.)
const GRACEFULLY: i32 = if cfg!(target_env = "musl") { 35 } else { 34 };

/// A stand-in for an Impala coordinator: its protocols and pages, with SQLite behind. Not Apache
/// Impala.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on, for all ports.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Port for Beeswax; 0 picks a free one, as with the other ports.
    #[arg(long, default_value_t = 21000)]
    beeswax_port: u16,
    /// Port for HiveServer2.
    #[arg(long, default_value_t = 21050)]
    hs2_port: u16,
    /// Port for HiveServer2 over HTTP.
    #[arg(long, default_value_t = 28000)]
    hs2_http_port: u16,
    /// Port for the web pages.
    #[arg(long, default_value_t = 25000)]
    webserver_port: u16,
    /// Port shown as the one for other daemons; nothing listens there.
    #[arg(long, default_value_t = 27000)]
    krpc_port: u16,
    /// Name shown in addresses; the address itself when absent.
    #[arg(long)]
    hostname: Option<String>,
    /// How clients log in.
    #[arg(long, value_enum, default_value = "none")]
    auth: AuthMode,
    /// A user and password, NAME=PASSWORD; repeatable. Without any, every password is right.
    #[arg(long = "user", value_parser = user)]
    users: Vec<(String, String)>,
    /// Who may act for whom, as in impalad: hue=alice,bob;gateway=*
    #[arg(long, default_value = "")]
    authorized_proxy_user_config: String,
    /// SQLite file, which several stand-ins may share; without one the data is gone at the end.
    #[arg(long)]
    database: Option<PathBuf>,
    /// Make three tables with sample data: customers, orders, web_logs.
    #[arg(long)]
    sample: bool,
    /// What `select pid()` answers; the process id when absent.
    #[arg(long)]
    pid_shown: Option<i32>,
    /// Another coordinator for /backends, HOST:KRPCPORT@WEBPORT; repeatable.
    #[arg(long = "peer")]
    peers: Vec<Peer>,
    /// Seconds until a session without connection is closed.
    #[arg(long, default_value = "900", value_parser = seconds)]
    disconnected_session_timeout: Duration,
    /// Seconds until a session without calls expires; 0: never.
    #[arg(long, default_value = "0", value_parser = seconds)]
    idle_session_timeout: Duration,
    /// Seconds between looks for connections whose sessions have all expired.
    #[arg(long, default_value = "30", value_parser = seconds)]
    idle_client_poll_period: Duration,
    /// Connections served at once on each port; further ones are accepted and wait.
    #[arg(long, default_value_t = 64)]
    fe_service_threads: usize,
    /// Seconds they wait before they are closed.
    #[arg(long, default_value = "300", value_parser = seconds)]
    accepted_client_cnxn_timeout: Duration,
    /// Seconds a SASL handshake may take.
    #[arg(long, default_value = "300", value_parser = seconds)]
    sasl_connect_tcp_timeout: Duration,
    /// Sessions per user; negative: no limit.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_hs2_sessions_per_user: i64,
    /// Seconds a graceful shutdown lasts at least.
    #[arg(long, default_value = "120", value_parser = seconds)]
    shutdown_grace_period: Duration,
    /// Seconds it lasts at most.
    #[arg(long, default_value = "3600", value_parser = seconds)]
    shutdown_deadline: Duration,
    /// Seconds an impala.auth cookie is good for; 0: no cookies.
    #[arg(long, default_value = "86400", value_parser = seconds)]
    max_cookie_lifetime: Duration,
    /// Certificate in PEM; turns on TLS on all client ports, as in impalad.
    #[arg(long, alias = "ssl_server_certificate", requires = "ssl_private_key")]
    ssl_server_certificate: Option<PathBuf>,
    /// Its key in PEM, not encrypted.
    #[arg(long, alias = "ssl_private_key", requires = "ssl_server_certificate")]
    ssl_private_key: Option<PathBuf>,
    /// Certificate in PEM for the web pages; turns on TLS there.
    #[arg(long, alias = "webserver_certificate_file")]
    webserver_certificate_file: Option<PathBuf>,
    /// Its key; when absent it is in the certificate's file.
    #[arg(long, alias = "webserver_private_key_file", requires = "webserver_certificate_file")]
    webserver_private_key_file: Option<PathBuf>,
    /// A flag for the page /varz, NAME=VALUE, that is shown and changes nothing; repeatable.
    #[arg(long = "flag-shown", value_name = "NAME=VALUE", value_parser = named)]
    flags_shown: Vec<(String, String)>,
    /// One line per connection, session and statement on standard error.
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum AuthMode {
    /// Bare Thrift and HTTP.
    None,
    /// SASL PLAIN, and Basic over HTTP.
    Plain,
}

fn user(text: &str) -> Result<(String, String), String> {
    named(text).map_err(|_| "expected NAME=PASSWORD".into())
}

fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

/// Seconds, with a fraction where a test is impatient.
fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

/// Without a key of its own, a certificate's file holds it.
fn pair(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<CertificateFiles> {
    let certificate = certificate?;
    Some(CertificateFiles { key: key.unwrap_or_else(|| certificate.clone()), certificate })
}

impl Arguments {
    fn options(self) -> Options {
        Options {
            address: self.address,
            beeswax_port: self.beeswax_port,
            hs2_port: self.hs2_port,
            http_port: self.hs2_http_port,
            web_port: self.webserver_port,
            krpc_port: self.krpc_port,
            hostname: self.hostname,
            auth: match self.auth {
                AuthMode::None => Auth::None,
                AuthMode::Plain => Auth::Plain,
            },
            users: self.users,
            authorized_proxy_users: self.authorized_proxy_user_config,
            database: self.database,
            sample: self.sample,
            pid_shown: self.pid_shown,
            peers: self.peers,
            disconnected_session_timeout: self.disconnected_session_timeout,
            idle_session_timeout: self.idle_session_timeout,
            idle_client_poll_period: self.idle_client_poll_period,
            fe_service_threads: self.fe_service_threads,
            accepted_client_timeout: self.accepted_client_cnxn_timeout,
            sasl_connect_timeout: self.sasl_connect_tcp_timeout,
            max_hs2_sessions_per_user: self.max_hs2_sessions_per_user,
            shutdown_grace_period: self.shutdown_grace_period,
            shutdown_deadline: self.shutdown_deadline,
            max_cookie_lifetime: self.max_cookie_lifetime,
            tls: pair(self.ssl_server_certificate, self.ssl_private_key),
            web_tls: pair(self.webserver_certificate_file, self.webserver_private_key_file),
            flags_shown: self.flags_shown,
            verbose: self.verbose,
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().options()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("impala-standin: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                text.push_str(&format!(": {inner}"));
                cause = inner.source();
            }
            // Where to, if standard error is closed?
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = signal_hook::iterator::Signals::new(AT_ONCE.iter().chain([&GRACEFULLY]))?;
    let standin = Standin::start(options)?;
    let control = standin.control();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            match signal {
                GRACEFULLY => control.begin_drain(),
                _ => control.end(),
            }
        }
    });
    let ports = standin.ports();
    let line = serde_json::json!({
        "address": ports.address,
        "beeswax": ports.beeswax,
        "hs2": ports.hs2,
        "http": ports.http,
        "web": ports.web,
        "pid": std::process::id(),
    });
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    while !standin.wait(Duration::from_secs(3600)) {}
    standin.shutdown();
    Ok(())
}
