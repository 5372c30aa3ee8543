//! Hive's own dialect, by a HiveServer2 that is not ours: two Spark Thrift Servers behind virtual
//! servers that read the protocol. Their operations have secrets of their own, and no ping.

use std::net::IpAddr;

use oxpecker_testkit::clients::{self, Printed, run};
use oxpecker_testkit::{Gateway, Launch, Net, TempDir, spark};

use super::{PROGRAM, script, shell_to};

/// A gateway in front of both; each new connection goes to the other one.
struct Service {
    gateway: Gateway,
    net: Net,
}

impl Service {
    #[track_caller]
    fn start(lines: &str) -> Self {
        let net = Net::new();
        let servers = [spark::plain(), spark::other()].map(spark::Spark::addr);
        assert_eq!(servers.map(|addr| addr.port()), [21_050; 2]);
        let [first, second] = servers.map(|addr| addr.ip());
        let text = format!(
            "node.s1.address = \"{first}\"\nnode.s2.address = \"{second}\"\n
[monitor.login]
parent = \"hs2\"
interval = \"20s\"
timeout = \"20s\"
rise = 1
login = \"plain\"
user = \"probe\"
password = \"watch\"
[pool.p]
port = 21050
members = [\"s1\", \"s2\"]
method = \"round-robin\"
monitor = \"login\"
[virtual.v]
listen = \"{}\"
pool = \"p\"
type = \"standard\"
protocol = \"hs2\"
{lines}
",
            net.addr(1)
        );
        let gateway = Launch::new(PROGRAM, &text).start();
        gateway.out.wait_count(2, "to=\"up\"");
        Self { gateway, net }
    }

    #[track_caller]
    fn hive(&self, what: &str, other: IpAddr) -> Printed {
        let mut command = clients::python(&script("hive.py"));
        let words = [&self.net.ip(1).to_string(), "21050", what, &other.to_string()];
        command.args(words);
        run(command)
    }
}

#[track_caller]
fn check_clients(service: &Service) {
    let front = service.net.addr(1);
    let mut command = clients::beeline();
    command.args(["--silent=true", "--outputformat=csv2", "-n", "alice", "-p", "secret"]);
    command.args(["-u", &format!("jdbc:hive2://{front}/"), "-e"]);
    command.arg("select 'ab' as x; select count(*) as x from range(70000);");
    let out = run(command).ok();
    assert!(out.ends_with("x\nab\nx\n70000\n"), "{out}");

    let out = service.hive("drivers", front.ip()).ok();
    let lines: Vec<&str> = out.lines().collect();
    let one = ["25000 (24999, 'row 24999')", "True", "alice"];
    assert_eq!(lines, [one, one].concat());

    let mut command = shell_to(front, "hs2");
    command.args(["--strict_hs2_protocol", "-l", "-u", "alice", "--auth_creds_ok_in_clear"]);
    command.args(["--ldap_password_cmd", "printf secret", "-q", "select concat('a', 'b')"]);
    assert_eq!(run(command).ok(), "ab\n");
}

#[test]
fn clients_of_hive_and_calls_over_many_connections() {
    let service = Service::start("");
    check_clients(&service);
    let out = service.hive("calls", service.net.ip(1)).ok();
    assert_eq!(out, "3000 16 16 True\n");
}

#[test]
fn clients_of_hive_with_handles_that_route_themselves() {
    let dir = TempDir::new();
    let key = dir.write("handle.key", "0123456789abcdef0123456789abcdef");
    let lines = format!("handle_keys = [\"{}\"]", key.display());
    let service = Service::start(&lines);
    check_clients(&service);
    let other = Service::start(&lines);
    let out = service.hive("calls", other.net.ip(1)).ok();
    assert_eq!(out, "3000 40 40 True\n");
}

/// Spark ends a connection that asks it to ping, and the client's sessions with it. So it is asked
/// something that it knows, and the client reads Hive's own words or Impala's.
#[test]
fn handles_that_nobody_made_break_nothing() {
    let service = Service::start("");
    let out = service.hive("stranger", service.net.ip(1)).ok();
    let lines: Vec<&str> = out.lines().collect();
    let id = "3736353433323130:6665646362613938";
    let guid = "30313233-3435-3637-3839-616263646566";
    let session = format!("3 Invalid SessionHandle: SessionHandle [{guid}]");
    let operation = format!("3 Query {id} failed: Invalid or unknown query handle: {id}.");
    assert_eq!(lines, [&*session, &*operation, "known still", "goes on"]);
    assert!(service.gateway.records().iter().all(|record| record.letters == "--"));
}
