//! Drivers of Python: impyla without a login, with one, over HTTP; PyHive.

use oxpecker_testkit::clients::{self, run};

use super::{Cluster, Plan, script};

/// Users of the coordinators, and whom the monitors log in as.
const PLAIN: &[&str] = &["--auth=plain", "--user=alice=secret", "--user=probe=watch"];
const PROBE: &str = "login = \"plain\"\nuser = \"probe\"\npassword = \"watch\"";

#[track_caller]
fn drive(cluster: &Cluster, port: u16, how: &str) {
    let mut command = clients::python(&script("drivers.py"));
    let ip = cluster.front(port).ip().to_string();
    command.args([&ip, &port.to_string(), how]);
    let out = run(command).ok();
    let (pid, rest) = out.split_once('\n').unwrap();
    cluster.index_of(pid);
    let expected = "\
id INT
name STRING
vip BOOLEAN
signed_up TIMESTAMP
amount DECIMAL
seconds DOUBLE
(1, 'Hana Dlamini', False, '2020-01-01 02:11:59', '199.90', 1.409)
a million rows as sent
";
    assert_eq!(rest, expected);
}

#[test]
fn impyla_without_a_login() {
    drive(&Plan::new(2).start(), 21_050, "impyla");
}

#[test]
fn impyla_with_sasl_plain() {
    drive(&Plan::new(2).args(PLAIN).monitor(PROBE).start(), 21_050, "impyla-plain");
}

/// It opens a connection for each call, so persistence has to bring them together.
#[test]
fn impyla_over_http() {
    drive(&Plan::new(2).persistent().start(), 28_000, "impyla-http");
}

#[test]
fn pyhive_with_sasl_plain() {
    drive(&Plan::new(2).args(PLAIN).monitor(PROBE).start(), 21_050, "pyhive");
}
