//! Relayed Kerberos where the protocol is read: tickets of a real KDC, clients with MIT's library,
//! coordinators that want them, and a gateway that has no key and changes no byte.

use std::net::SocketAddr;
use std::process::Command;

use oxpecker_proxy::OperationEnd;
use oxpecker_testkit::clients::{self, Client, run};
use oxpecker_testkit::{Gateway, Kdc, Launch, Net, Standin, Tap, wait_until};

use crate::inside::Inside;

use super::{PROGRAM, kerberos_in_front, script, shell_to, wait_executing};

/// Clients know the principal's host apart from the address.
const HOST: &str = "lb.example.test";
const PRINCIPAL: &str = "impala/lb.example.test";

/// Ports of coordinators, and behind them those of the stand-ins, which know no Kerberos.
const PORTS: [(&str, u16, u16); 2] = [("hs2", 21_050, 21_060), ("beeswax", 21_000, 21_061)];

struct Realm {
    gateway: Gateway,
    standins: Vec<Standin>,
    servers: Vec<Client>,
    ticket: String,
    kdc: Kdc,
    net: Net,
    config: String,
}

impl Realm {
    /// Members are at hosts `first`, … with as many coordinators at hosts 11, ….
    #[track_caller]
    fn start(coordinators: u8, first: u8, profile: &str) -> Self {
        let kdc = Kdc::start(&["alice", PRINCIPAL]);
        let ticket = kdc.ticket("alice");
        let keytab = kdc.keytab("coordinators.keytab", &[PRINCIPAL]);
        let net = Net::new();
        let (mut standins, mut servers) = (Vec::new(), Vec::new());
        for host in 11..11 + coordinators {
            let args = ["--hs2-port=21060", "--beeswax-port=21061", "--sample"];
            standins.push(Standin::start(net.ip(host), &args));
            for (_, port, bare) in PORTS {
                let [at, bare] = [port, bare].map(|port| SocketAddr::new(net.ip(host), port));
                servers.push(kerberos_in_front(&kdc, at, bare, &keytab));
            }
        }
        let mut text = format!("[profile.protocol.own]\nparent = \"tcp\"\n{profile}\n");
        let hosts = first..first + coordinators;
        for host in hosts.clone() {
            text.push_str(&format!("[node.n{host}]\naddress = \"{}\"\n", net.ip(host)));
        }
        let members: Vec<String> = hosts.map(|host| format!("\"n{host}\"")).collect();
        for (name, port, _) in PORTS {
            text.push_str(&format!(
                "[pool.{name}]\nport = {port}\nmembers = [{}]\nmonitor = \"none\"\n\
                 method = \"round-robin\"\n[virtual.{name}]\nlisten = \"{}:{port}\"\n\
                 pool = \"{name}\"\ntype = \"standard\"\nprotocol = \"{name}\"\n\
                 protocol_profile = \"own\"\n",
                members.join(", "),
                net.ip(1)
            ));
        }
        let gateway = Launch::new(PROGRAM, &text).start();
        Self { gateway, standins, servers, ticket, kdc, net, config: text }
    }

    /// As alice, with her ticket.
    fn alice(&self, mut command: Command) -> Command {
        command.env("KRB5_CONFIG", self.kdc.krb5_conf()).env("KRB5CCNAME", &self.ticket);
        command
    }

    fn shell(&self, at: SocketAddr, protocol: &str) -> Command {
        let mut command = self.alice(shell_to(at, protocol));
        command.args(["-k", "-b", HOST]);
        command
    }

    fn impyla(&self, at: SocketAddr) -> Command {
        let mut command = self.alice(clients::python(&script("sessions.py")));
        command.args([&at.ip().to_string(), &at.port().to_string(), HOST]);
        command
    }

    /// Sessions of both protocols: `mixed.py` with this many each.
    #[track_caller]
    fn mixed(&self, host: u8, count: usize) -> Client {
        let mut command = self.alice(clients::python(&script("mixed.py")));
        for (name, port, _) in PORTS {
            command.arg(format!("{name}-gssapi:{HOST}={}:{port}*{count}", self.net.ip(host)));
        }
        Client::start(command)
    }
}

/// Both sides of the gateway are recorded, and are the same byte by byte.
#[test]
fn clients_with_tickets_pass_unchanged() {
    let realm = Realm::start(1, 13, "");
    let net = &realm.net;
    let at = |host, port| SocketAddr::new(net.ip(host), port);
    let taps = PORTS.map(|(name, port, _)| {
        let outer = Tap::start(at(2, port), at(1, port));
        (name, outer, Tap::start(at(13, port), at(11, port)))
    });
    let sql = "select 'a' || 'b'; select count(*) from customers; select value from \
        generate_series(1, 20000)";
    for (protocol, port, _) in PORTS {
        let mut command = realm.shell(at(2, port), protocol);
        command.args(["-q", sql]);
        let out = run(command).ok();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!((lines.len(), &lines[..3]), (20_002, &["ab", "2000", "1"][..]));
    }
    let mut client = Client::start(realm.impyla(at(2, 21_050)));
    assert_eq!(client.ask("open a").trim(), realm.standins[0].pid().to_string());
    assert_eq!(client.ask("run a select 7"), "[(7,)]");
    assert_eq!(client.ask("close a"), "closed");
    for (name, outer, inner) in taps {
        let both = || (outer.said(), inner.said());
        wait_until("connections are over on both sides", || {
            let (outer, inner) = both();
            outer.iter().chain(&inner).all(|said| said.is_over)
        });
        let (outer, inner) = both();
        assert_eq!(outer.len(), if name == "hs2" { 2 } else { 1 });
        assert!(outer == inner, "{name}: what came in is not what went out");
        assert!(outer.iter().all(|said| said.up.len() > 1000 && said.down.len() > 1000));
    }
    assert_eq!(realm.servers[0].out.count("logged in alice@EXAMPLE.TEST"), 2);
}

/// Who has which session and operation where, although the gateway could not log in as anybody.
#[test]
fn sessions_and_operations_are_known_behind_kerberos() {
    let realm = Realm::start(2, 11, "");
    let addresses = [1, 2].map(|host| format!("\"{}:", realm.net.ip(host)));
    let inside = Inside::start(&realm.config.replace(&addresses[0], &addresses[1]));
    let mut client = realm.mixed(2, 2);
    client.ask("open");
    let sessions = inside.handle.sessions();
    let mut coordinators: Vec<_> = sessions.iter().map(|known| known.coordinator.clone()).collect();
    coordinators.sort();
    assert_eq!(coordinators, [11, 12].map(|host| realm.net.addr(host).to_string()));
    assert!(sessions.iter().all(|known| known.connections == 1 && known.operations_open == 0));

    assert_eq!(client.ask("start select 'secret', pid()"), "ok 4 told 0 broken 0");
    let open: Vec<_> =
        inside.handle.operations().into_iter().filter(|known| known.end.is_none()).collect();
    let statements: Vec<_> = open.iter().map(|known| &*known.statement).collect();
    assert_eq!(statements, ["select ?, pid()"; 4]);
    let of_beeswax = open.iter().filter(|known| known.method == "query").count();
    assert_eq!(of_beeswax, 2);
    // A connection that follows a log-in of its own cannot go elsewhere.
    let left = inside.handle.work_left("hs2", "n11:21050").unwrap();
    assert_eq!((left.operations, left.connections, left.sessions), (1, 1, 1));
    assert_eq!(client.ask("finish"), "ok 4 told 0 broken 0");
    let operations = inside.handle.operations();
    assert!(operations.iter().all(|known| known.end == Some(OperationEnd::Closed)));
    assert_eq!(client.ask("close"), "ok 4 told 0 broken 0");
    wait_until("no session is left", || inside.handle.sessions().is_empty());
}

/// An open operation is known although nobody but the client and its coordinator could log in.
#[test]
fn an_open_operation_outlives_the_idle_timeout_behind_kerberos() {
    let realm = Realm::start(2, 11, "idle_timeout = \"1s\"");
    let mut client = realm.mixed(1, 1);
    let pids = client.ask("open");
    assert!(!pids.contains("told"), "{pids}");
    // Ten times the timeout without a byte from either side.
    assert_eq!(client.ask("start select sleep(10000)"), "ok 2 told 0 broken 0");
    for standin in &realm.standins {
        wait_until("its statement is over", || {
            super::number(standin, "/queries?json", "num_executing_queries") == 0
        });
    }
    assert_eq!(realm.gateway.records().len(), 0, "nothing was cut");
    assert_eq!(client.ask("finish"), "ok 2 told 0 broken 0");
    // Now nothing is open, and silence ends both.
    assert_eq!(realm.gateway.wait_record(2).letters, "cD");
    assert_eq!(realm.gateway.records()[0].letters, "cD");
    assert_eq!(client.ask("run select 1"), "ok 0 told 0 broken 2");
}

/// Nobody can take a ticket elsewhere: the connection stays, whatever the balancer chooses next.
#[test]
fn impyla_with_a_ticket_survives_silence() {
    let realm = Realm::start(2, 11, "idle_timeout = \"1s\"");
    let mut client = Client::start(realm.impyla(realm.net.addr(1)));
    let pid = client.ask("open a");
    assert!(!pid.contains("ERROR"), "{pid}");
    client.ask("start a select sleep(10000)");
    let pids: Vec<String> = realm.standins.iter().map(|s| s.pid().to_string()).collect();
    let owner = &realm.standins[pids.iter().position(|known| *known == pid).unwrap()];
    wait_executing(owner, 1);
    wait_executing(owner, 0);
    assert_eq!(client.ask("finish a"), "[(True,)]");
    let mut other = Client::start(realm.impyla(realm.net.addr(1)));
    assert_ne!(other.ask("open b"), pid, "round-robin goes on");
}
