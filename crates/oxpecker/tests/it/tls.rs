//! TLS of clients and of members, spoken by OpenSSL on the other side.
//!
//! `tls/peer.py` scripts clients and members with Python's ssl module, `openssl s_client` looks
//! from outside, and the clients of Impala are the real ones.

mod abuse;
mod carry;
mod check;
mod clients;
mod health;
mod keys;
mod members;
mod names;
mod passthrough;
mod refused;
mod sessions;
mod spark;
mod swap;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use oxpecker_testkit::certificates::{STORE_PASSWORD, java_trust_store};
use oxpecker_testkit::clients::{Client, Printed, run};
use oxpecker_testkit::{Authority, Launch, Pair, TempDir};

use crate::site::{PROGRAM, Site};

/// A site whose virtual server ends TLS with the certificate `front.example.test`.
#[derive(Debug)]
struct Front {
    site: Site,
    dir: TempDir,
    authority: Authority,
    pair: Pair,
}

const NAME: &str = "front.example.test";

impl Front {
    #[track_caller]
    fn new(members: u8) -> Self {
        Self::with(members, "")
    }

    /// With more lines in the profile.
    #[track_caller]
    fn with(members: u8, profile: &str) -> Self {
        let dir = TempDir::new();
        let authority = Authority::new(dir.join("Front CA"));
        let pair = authority.issue("front", &["DNS:front.example.test"]);
        let site = Site::new(members)
            .virtual_server("type = \"standard\"\ntls_client = \"front\"")
            .top(&profile_of(&pair.entry(), profile));
        Self { site, dir, authority, pair }
    }

    fn ca(&self) -> String {
        self.authority.certificate().display().to_string()
    }

    /// A client of Python's ssl module; each line it is asked is answered by an echo.
    #[track_caller]
    fn talk(&self, more: &[&str]) -> Client {
        let front = format!("front={}", self.site.front());
        let (name, authority) = (format!("name={NAME}"), format!("authority={}", self.ca()));
        let client = Client::start(peer("talk", &[&[&*front, &*name, &*authority], more].concat()));
        client.out.wait("connected");
        client
    }
}

/// `[profile.tls_client.front]`
fn profile_of(certificates: &str, more: &str) -> String {
    format!("[profile.tls_client.front]\ncertificates = [{certificates}]\n{more}\n")
}

/// tls/peer.py, run by the system's Python.
fn peer(what: &str, settings: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/peer.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-u").arg(script).arg(what).args(settings);
    command
}

/// A member that speaks TLS, says its name and echoes.
#[track_caller]
fn tls_member(at: SocketAddr, pair: &Pair, greeting: &str, more: &[&str]) -> Client {
    let (at, greeting) = (format!("at={at}"), format!("greeting={greeting}"));
    let certificate = format!("certificate={}", pair.stem());
    let member =
        Client::start(peer("member", &[&[&*at, &*greeting, &*certificate], more].concat()));
    member.out.wait("ready");
    member
}

/// `openssl s_client`, which ends when its standard input does.
fn s_client(to: SocketAddr, more: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &to.to_string()]).args(more);
    command
}

/// What `openssl s_client` prints about the connection.
#[track_caller]
fn look(to: SocketAddr, more: &[&str]) -> Printed {
    run(s_client(to, more))
}

/// What is said of the certificate that is shown, as
/// `openssl s_client -connect … | openssl x509 -noout …` says it.
#[track_caller]
fn shown(to: SocketAddr, name: &str, what: &str) -> String {
    let script =
        "openssl s_client -connect \"$0\" $1 </dev/null 2>/dev/null | openssl x509 -noout $2";
    let name = if name.is_empty() { "-noservername".into() } else { format!("-servername {name}") };
    let mut command = Command::new("sh");
    command.args(["-c", script, &to.to_string(), &name, what]);
    run(command).ok().trim().to_owned()
}

/// impyla that asks one thing of `localhost` and prints the first column. Without an authority it
/// looks at no certificate. `more`: further arguments of its `connect`.
fn impyla(dir: &TempDir, port: u16, authority: &str, more: &str, sql: &str) -> Command {
    let authority = if authority.is_empty() { "None".to_owned() } else { format!("{authority:?}") };
    let text = format!(
        "from impala.dbapi import connect\n\
         connection = connect(host='localhost', port={port}, use_ssl=True, ca_cert={authority}, {more})\n\
         cursor = connection.cursor()\n\
         cursor.execute({sql:?})\n\
         print(*[row[0] for row in cursor.fetchall()], sep='\\n')\n"
    );
    oxpecker_testkit::clients::python(&dir.write("impyla_tls.py", &text))
}

/// beeline that asks one thing of `to`, a name or address with a port, as alice, and believes this
/// authority only.
#[track_caller]
fn beeline(dir: &TempDir, to: &str, options: &str, authority: &str, sql: &str) -> Command {
    let store = dir.join("trust.p12");
    // keytool would add to it.
    let _ = std::fs::remove_file(&store);
    java_trust_store(Path::new(authority), &store);
    let (store, password) = (store.display(), STORE_PASSWORD);
    let trust = format!("ssl=true;sslTrustStore={store};trustStorePassword={password}");
    let mut command = oxpecker_testkit::clients::beeline();
    command.args(["--silent=true", "--outputformat=csv2", "-n", "alice", "-p", "secret"]);
    command.args(["-u", &format!("jdbc:hive2://{to}/;{trust};{options}"), "-e", sql]);
    command
}

/// Handshakes take longer than the usual test's probes may, on a machine that is busy.
fn at_ease(config: &str) -> String {
    config.replace("interval = \"100ms\"", "interval = \"1s\"")
}

/// Starts the gateway with this configuration and returns what it says when it refuses to.
#[track_caller]
fn refuses_to_start(config: &str) -> String {
    let mut gateway = Launch::new(PROGRAM, config).spawn();
    let status = gateway.wait_exit();
    let said = [gateway.out.all(), gateway.err.all()].concat().join("\n");
    assert_ne!(status, 0, "{said}");
    said
}
