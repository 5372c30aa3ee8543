//! Hive's JDBC driver, as beeline.

use std::net::SocketAddr;

use oxpecker_testkit::clients::{self, run};

use super::{Cluster, Plan};

/// Logs in as alice; without a login the coordinator believes it.
#[track_caller]
fn check(cluster: &Cluster, front: SocketAddr, options: &str) {
    let mut command = clients::beeline();
    let sql = "select pid() as pid; show tables; select cast(null as int) as n, 'x' as s";
    command.args(["--silent=true", "--outputformat=csv2", "-n", "alice", "-p", "secret"]);
    command.args(["-u", &format!("jdbc:hive2://{front}/;{options}"), "-e", sql]);
    let out = run(command).ok();
    // It prints a prompt to nobody.
    let out = out.rsplit_once("/> ").map_or(&*out, |(_, rest)| rest);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "pid", "{out}");
    cluster.index_of(lines[1]);
    assert_eq!(lines[2..], ["name", "customers", "orders", "web_logs", "n,s", "NULL,x"], "{out}");
}

#[test]
fn beeline_without_a_login_and_over_http() {
    let cluster = Plan::new(2).persistent().start();
    check(&cluster, cluster.front(21_050), "auth=noSasl");
    let http = "transportMode=http;httpPath=cliservice";
    check(&cluster, cluster.front(28_000), http);
}

#[test]
fn beeline_with_sasl_plain() {
    let probe = "login = \"plain\"\nuser = \"probe\"\npassword = \"watch\"";
    let args = ["--auth=plain", "--user=alice=secret", "--user=probe=watch"];
    let cluster = Plan::new(2).args(&args).monitor(probe).start();
    check(&cluster, cluster.front(21_050), "");
}
