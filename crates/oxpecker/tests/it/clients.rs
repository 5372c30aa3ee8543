//! Real clients, through the real program, to stand-in coordinators that are processes too.
//!
//! impala-shell, impyla, PyHive and beeline come from scripts/test-clients.sh, the stand-ins from
//! `cargo build --workspace --bins`; without them these tests fail and say so.

#![expect(clippy::unwrap_used, reason = "only tests are here")]

mod abandoned;
mod aware;
mod basic;
mod crowd;
mod demo;
mod followed;
mod forged;
mod health;
mod hue;
mod imported;
mod inside;
mod jdbc;
mod kill;
mod killed;
mod leaving;
mod load;
mod python;
mod queries;
mod shell;
mod spark;
mod spread;
mod strangers;
mod verify;
mod watching;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use oxpecker_testkit::clients::{self, Client};
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{Gateway, Kdc, Launch, Net, Standin, TempDir, wait_until};

use crate::site::PROGRAM;

/// impala-shell's name for a protocol, and the port it has everywhere. Also the pool's name.
const PROTOCOLS: [(&str, u16); 3] = [("beeswax", 21_000), ("hs2", 21_050), ("hs2-http", 28_000)];

const ADMIN_SOCKET: &str = "admin.sock";

/// What a test wants that is not the usual.
#[derive(Debug, Default)]
struct Plan {
    coordinators: u8,
    args: Vec<String>,
    monitor: String,
    pool: String,
    virtual_server: String,
    /// Of the virtual server `hs2` only.
    hs2: String,
    /// Of the virtual server `hs2-http` only.
    http: String,
    top: String,
    also: Option<String>,
    /// Virtual servers read the protocol.
    aware: bool,
    /// There is an admin side.
    managed: bool,
}

impl Plan {
    /// Coordinators `c1`, `c2`, … that share a database with the sample tables.
    fn new(coordinators: u8) -> Self {
        Self { coordinators, ..Self::default() }
    }

    /// Arguments of all stand-ins.
    fn args(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(ToString::to_string).collect();
        self
    }

    /// More lines for every monitor.
    fn monitor(mut self, lines: &str) -> Self {
        self.monitor = lines.into();
        self
    }

    /// More lines for every pool.
    fn pool(mut self, lines: &str) -> Self {
        self.pool = lines.into();
        self
    }

    /// One coordinator for each client address, which is one for all clients here.
    fn persistent(mut self) -> Self {
        self.virtual_server = "persistence = \"source_addr\"".into();
        self
    }

    /// Virtual servers that read the protocol, with these lines more.
    fn aware(mut self, lines: &str) -> Self {
        self.aware = true;
        self.virtual_server = lines.into();
        self
    }

    /// With an admin side at [`Cluster::admin_socket`].
    fn managed(mut self) -> Self {
        self.managed = true;
        self
    }

    /// More lines for the virtual server `hs2`.
    fn hs2(mut self, lines: &str) -> Self {
        self.hs2 = lines.into();
        self
    }

    /// More lines for the virtual server `hs2-http`.
    fn http(mut self, lines: &str) -> Self {
        self.http = lines.into();
        self
    }

    /// More tables.
    fn top(mut self, tables: &str) -> Self {
        self.top = format!("{tables}\n");
        self
    }

    /// A pool `also` of the same members on port 21051, with a monitor of another kind.
    fn also_judged_by(mut self, parent: &str) -> Self {
        self.also = Some(parent.into());
        self
    }

    fn config(&self, net: &Net) -> String {
        let nodes = (1..=self.coordinators).map(|number| {
            let ip = coordinator_addr(net, number).ip();
            format!("[node.c{number}]\naddress = \"{ip}\"\n")
        });
        let mut text = self.top.clone();
        text.extend(nodes);
        for (protocol, port) in PROTOCOLS {
            text.push_str(&self.service(net, protocol, protocol, port, port));
        }
        if let Some(parent) = &self.also {
            text.push_str(&self.service(net, "also", parent, 21_050, 21_051));
        }
        text
    }

    /// Probes are patient enough for a machine that is busy with all the other tests.
    fn service(&self, net: &Net, name: &str, parent: &str, port: u16, listen: u16) -> String {
        let members: Vec<String> =
            (1..=self.coordinators).map(|number| format!("\"c{number}\"")).collect();
        let (members, ip) = (members.join(", "), net.ip(1));
        let Self { monitor, pool, virtual_server, aware, .. } = self;
        let own = match name {
            "hs2" => &*self.hs2,
            "hs2-http" => &*self.http,
            _ => "",
        };
        let kind = if *aware {
            format!("type = \"standard\"\nprotocol = \"{parent}\"")
        } else {
            String::new()
        };
        format!(
            "
[monitor.quick-{name}]
parent = \"{parent}\"
interval = \"500ms\"
rise = 1
{monitor}

[pool.{name}]
port = {port}
members = [{members}]
monitor = \"quick-{name}\"
{pool}

[virtual.{name}]
listen = \"{ip}:{listen}\"
pool = \"{name}\"
{kind}
{virtual_server}
{own}
"
        )
    }

    /// Starts everything and waits until all members are up.
    #[track_caller]
    fn start(self) -> Cluster {
        let also = self.also.is_some();
        let cluster = self.launch();
        let pools = PROTOCOLS.len() + usize::from(also);
        let members = cluster.coordinators.len() * pools;
        cluster.gateway.out.wait_count(members, "to=\"up\"");
        cluster
    }

    /// Starts everything, whatever the monitors may say.
    #[track_caller]
    fn launch(self) -> Cluster {
        let net = Net::new();
        let directory = TempDir::new();
        let database = directory.join("shared.sqlite");
        let mut args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        args.extend(["--sample", "--database", database.to_str().unwrap()]);
        let coordinators = (1..=self.coordinators)
            .map(|number| Standin::start(coordinator_addr(&net, number).ip(), &args))
            .collect();
        let mut config = self.config(&net);
        if self.managed {
            let socket = directory.join(ADMIN_SOCKET);
            let socket = socket.display();
            config += &format!("[admin]\nlisten = \"off\"\nsocket = \"{socket}\"\n");
        }
        let gateway = Launch::new(PROGRAM, &config).start();
        Cluster { gateway, coordinators, net, _directory: directory }
    }
}

pub(crate) fn coordinator_addr(net: &Net, number: u8) -> SocketAddr {
    net.addr(10 + number)
}

/// A gateway in front of coordinators, listening on one address for all three protocols.
#[derive(Debug)]
struct Cluster {
    gateway: Gateway,
    coordinators: Vec<Standin>,
    net: Net,
    _directory: TempDir,
}

impl Cluster {
    fn admin_socket(&self) -> PathBuf {
        self._directory.join(ADMIN_SOCKET)
    }

    fn front(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.net.ip(1), port)
    }

    /// impala-shell through the gateway.
    #[track_caller]
    fn shell(&self, protocol: &str) -> Command {
        let port = PROTOCOLS.iter().find(|(name, _)| *name == protocol).unwrap().1;
        shell_to(self.front(port), protocol)
    }

    fn pids(&self) -> Vec<u32> {
        self.coordinators.iter().map(Standin::pid).collect()
    }

    /// Which coordinator has this process id.
    #[track_caller]
    fn index_of(&self, pid: &str) -> usize {
        let pids = self.pids();
        let found = pids.iter().position(|known| known.to_string() == pid.trim());
        found.unwrap_or_else(|| panic!("`{pid}` is none of {pids:?}"))
    }

    /// Sessions of HiveServer2 through the gateway that [`Client::ask`] uses by name.
    #[track_caller]
    fn sessions(&self) -> Client {
        sessions_at(self.front(21_050))
    }
}

#[track_caller]
pub(crate) fn shell_to(address: SocketAddr, protocol: &str) -> Command {
    let mut command = clients::impala_shell();
    command.arg(format!("--protocol={protocol}")).args(["-i", &address.to_string(), "-B"]);
    command
}

/// `sessions.py`: open NAME, run NAME SQL, start NAME SQL, finish NAME, close NAME, connects N.
#[track_caller]
pub(crate) fn sessions_at(address: SocketAddr) -> Client {
    let mut command = clients::python(&script("sessions.py"));
    command.args([address.ip().to_string(), address.port().to_string()]);
    Client::start(command)
}

/// `raw_sessions.py`: what it prints.
#[track_caller]
fn raw_sessions(cluster: &Cluster, what: &str, count: &str) -> String {
    let mut command = clients::python(&script("raw_sessions.py"));
    let front = cluster.front(21_050);
    command.args([&front.ip().to_string(), &front.port().to_string(), what, count]);
    clients::run(command).ok()
}

/// A coordinator whose port 21050 wants Kerberos, with these keys; the stand-in behind it is on
/// another port.
#[track_caller]
pub(crate) fn kerberized(
    kdc: &Kdc,
    at: SocketAddr,
    keytab: &Path,
    args: &[&str],
) -> (Standin, Client) {
    let bare = SocketAddr::new(at.ip(), 21_060);
    let port = format!("--hs2-port={}", bare.port());
    let standin = Standin::start(at.ip(), &[&[port.as_str()], args].concat());
    (standin, kerberos_in_front(kdc, at, bare, keytab))
}

/// Ends Kerberos at `at`, with these keys, and passes the messages on to `bare`.
#[track_caller]
fn kerberos_in_front(kdc: &Kdc, at: SocketAddr, bare: SocketAddr, keytab: &Path) -> Client {
    let mut command = kdc.command("/usr/bin/python3", &["-u"]);
    command.arg(script("kerberized.py")).env("KRB5_KTNAME", keytab);
    command.args([at.to_string(), bare.to_string()]);
    let server = Client::start(command);
    server.out.wait("ready");
    server
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(name)
}

/// A number of a coordinator's JSON page.
#[track_caller]
fn number(coordinator: &Standin, page: &str, name: &str) -> u64 {
    let page: serde_json::Value = serde_json::from_str(&coordinator.page(page)).unwrap();
    page[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {page}"))
}

#[track_caller]
fn wait_executing(coordinator: &Standin, count: u64) {
    wait_until(&format!("{} executes {count} queries", coordinator.ip()), || {
        number(coordinator, "/queries?json", "num_executing_queries") == count
    });
}

/// The first line of the gateway's log behind `mark` that has all these parts.
#[track_caller]
fn wait_line(gateway: &Gateway, mark: usize, parts: &[&str]) -> String {
    wait_for(&format!("a line with {parts:?}"), || {
        let lines = gateway.out.all();
        lines.into_iter().skip(mark).find(|line| parts.iter().all(|part| line.contains(part)))
    })
}
