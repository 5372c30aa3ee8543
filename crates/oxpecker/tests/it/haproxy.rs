//! What HAProxy's users have: its statistics, its runtime socket, its metrics. Debian's haproxy runs beside
//! the gateway with the same configuration, members and traffic, and both are asked the same.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod commands;
mod consumers;
mod metrics;
mod statistics;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{DEADLINE, Gateway, Launch, Member, Net, TempDir, connect, wait_until};

use crate::site::PROGRAM;

/// The gateway, and HAProxy configured alike. Both have the members c1, c2 and c3.
struct Both {
    net: Net,
    dir: PathBuf,
    members: Vec<Member>,
    _gateway: Gateway,
    _haproxy: Haproxy,
}

/// One of the two, as a script sees it.
#[derive(Debug, Clone)]
struct Side {
    socket: PathBuf,
    front: SocketAddr,
    /// A front without a member that answers.
    broken: SocketAddr,
    /// Of statistics and metrics.
    web: SocketAddr,
}

struct Haproxy(Child);

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const OURS: &str = r#"
[admin]
listen = "WEB"
socket = "off"
haproxy_socket = "DIR/ours.sock"
haproxy_socket_level = "LEVEL"
haproxy_metrics = true

[node]
c1.address = "C1"
c2.address = "C2"
c3.address = "C3"
gone.address = "GONE"

[monitor.quick]
parent = "tcp"
interval = "300ms"
rise = 2
fall = 3

[pool.impala]
port = 21050
members = ["c1", { node = "c2", weight = 2 }, { node = "c3", connections_max = 7 }]
method = "least-connections"
scope = "member"
monitor = "quick"

[virtual.impala]
listen = "FRONT"
pool = "impala"
connections_max = 300

[pool.dead]
port = 21050
members = ["gone"]
monitor = "none"
retries = 0

[virtual.broken]
listen = "BROKEN"
pool = "dead"
persistence = "source_addr"
"#;

const THEIRS: &str = "global
    stats socket DIR/theirs.sock mode 600 level LEVEL
    maxconn 1000
defaults
    mode tcp
    retries 0
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen impala
    bind FRONT
    maxconn 300
    balance leastconn
    default-server inter 300ms rise 2 fall 3
    server c1 C1:21050 check
    server c2 C2:21050 check weight 2
    server c3 C3:21050 check maxconn 7
frontend broken
    bind BROKEN
    default_backend dead
backend dead
    balance leastconn
    stick-table type ip size 1k expire 1h
    stick on src
    server gone GONE:21050
listen page
    mode http
    bind WEB
    stats enable
    stats uri /stats
    http-request use-service prometheus-exporter if { path /metrics }
";

impl Both {
    #[track_caller]
    fn start(level: &str) -> Self {
        let net = Net::new();
        let home = TempDir::new();
        let dir = home.path().to_owned();
        let members = (11..=13).map(|host| Member::echo(net.addr(host))).collect();
        let fill = |text: &str, front: u8| {
            let mut text = text.replace("DIR", &dir.display().to_string()).replace("LEVEL", level);
            for (name, host) in [("C1", 11), ("C2", 12), ("C3", 13), ("GONE", 14)] {
                text = text.replace(name, &net.ip(host).to_string());
            }
            text.replace("FRONT", &net.addr(front).to_string())
                .replace("BROKEN", &net.addr(front + 1).to_string())
                .replace("WEB", &web(&net, front).to_string())
        };
        let file = home.write("haproxy.cfg", &fill(THEIRS, 2));
        let haproxy = Haproxy::start(&file);
        let gateway = Launch::within(home, PROGRAM, &fill(OURS, 4)).start();
        let both = Self { net, dir, members, _gateway: gateway, _haproxy: haproxy };
        for side in [both.ours(), both.theirs()] {
            wait_until("the socket is there", || UnixStream::connect(&side.socket).is_ok());
            let up = |row: &Row| row["check_status"] == "L4OK";
            wait_until("all members were probed", || {
                let table = Table::read(&side.ask("show stat"));
                ["c1", "c2", "c3"].iter().all(|name| up(table.row("impala", name)))
            });
        }
        both
    }

    fn ours(&self) -> Side {
        self.side("ours.sock", 4)
    }

    fn theirs(&self) -> Side {
        self.side("theirs.sock", 2)
    }

    fn side(&self, socket: &str, front: u8) -> Side {
        let (web, broken) = (web(&self.net, front), self.net.addr(front + 1));
        Side { socket: self.dir.join(socket), front: self.net.addr(front), broken, web }
    }

    /// One after the other.
    fn each(&self, mut what: impl FnMut(&Side)) {
        what(&self.ours());
        what(&self.theirs());
    }
}

fn web(net: &Net, front: u8) -> SocketAddr {
    SocketAddr::new(net.ip(front), 25_002)
}

impl Haproxy {
    #[track_caller]
    fn start(file: &Path) -> Self {
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(file).stderr(Stdio::null());
        Self(command.spawn().expect("haproxy (scripts/test-clients.sh installs it)"))
    }
}

impl Side {
    /// All that comes back for these lines, as `socat` would show it.
    #[track_caller]
    fn ask(&self, lines: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(lines.as_bytes()).unwrap();
        stream.write_all(b"\n").unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Head and body of an answer over HTTP.
    #[track_caller]
    fn get(&self, path: &str) -> (String, String) {
        let mut stream = connect(self.web);
        let host = self.web;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    fn table(&self) -> Table {
        Table::read(&self.ask("show stat"))
    }

    /// Three connections at once, one to each member, that echo 1000 bytes and end.
    fn traffic(&self) {
        let mut clients: Vec<TcpStream> = Vec::new();
        for _ in 0..3 {
            let mut client = connect(self.front);
            // Once it is answered it counts at its member.
            client.check_echo(&[b'x'; 1000]);
            clients.push(client);
        }
        for mut client in clients {
            client.finish();
        }
        wait_until("all are counted", || self.table().row("impala", "BACKEND")["scur"] == "0");
    }
}

type Row = BTreeMap<String, String>;

/// CSV by names, and where each column stands.
#[derive(Debug)]
struct Table {
    /// Up to the column `-`.
    columns: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    #[track_caller]
    fn read(csv: &str) -> Self {
        let mut lines = csv.lines().filter(|line| !line.is_empty());
        let head = lines.next().and_then(|head| head.strip_prefix("# ")).expect("a head");
        let fixed = head.split(',').take_while(|name| *name != "-");
        let columns: Vec<String> = fixed.map(str::to_owned).collect();
        let rows = lines.map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells[columns.len()], "-", "where modules begin: {line}");
            columns.iter().cloned().zip(cells.iter().map(ToString::to_string)).collect()
        });
        Self { rows: rows.collect(), columns: columns.clone() }
    }

    #[track_caller]
    fn row(&self, proxy: &str, name: &str) -> &Row {
        let is_it = |row: &&Row| row["pxname"] == proxy && row["svname"] == name;
        self.rows.iter().find(is_it).unwrap_or_else(|| panic!("no {proxy}/{name}: {self:?}"))
    }
}

/// Waits for what a member's row says.
#[track_caller]
fn wait_status(side: &Side, member: &str, status: &str) {
    wait_for(&format!("{member} is {status}"), || {
        (side.table().row("impala", member)["status"] == status).then_some(())
    });
}
