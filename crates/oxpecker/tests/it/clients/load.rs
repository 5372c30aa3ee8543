//! `least-operations` where coordinators are asked what they have to do: work of clients that do not
//! come through the gateway counts too.

use std::path::Path;

use oxpecker_testkit::clients::Client;
use oxpecker_testkit::{Authority, Http, TempDir};

use super::{Cluster, Plan, coordinator_addr, sessions_at, wait_executing, wait_line};
use crate::ctl::{command, run};

const ASKED: &str = "method = \"least-operations\"\nload_port = 25000";

/// A client that goes to a coordinator itself, with so many statements open there.
#[track_caller]
fn direct(cluster: &Cluster, coordinator: u8, statements: u32) -> Client {
    let mut client = sessions_at(coordinator_addr(&cluster.net, coordinator));
    for number in 0..statements {
        client.ask(&format!("open d{number}"));
        client.ask(&format!("start d{number} select sleep(600000)"));
    }
    wait_executing(&cluster.coordinators[usize::from(coordinator) - 1], statements.into());
    client
}

/// How many of so many new sessions, each closed again, each coordinator gets.
#[track_caller]
fn spread(cluster: &Cluster, sessions: u32) -> Vec<u32> {
    let mut counts = vec![0; cluster.coordinators.len()];
    let seen = cluster.sessions().ask(&format!("connects {sessions}"));
    for (pid, count) in seen.split(' ').map(|entry| entry.split_once(':').unwrap()) {
        counts[cluster.index_of(pid)] = count.parse().unwrap();
    }
    counts
}

/// Until the gateway has asked again, however busy the machine is.
#[track_caller]
fn wait_spread(cluster: &Cluster, what: &str, fits: impl Fn(&[u32]) -> bool) {
    oxpecker_testkit::wait_until(what, || fits(&spread(cluster, 6)));
}

/// A member's operations: through the gateway, and as its coordinator says.
#[track_caller]
fn operations(cluster: &Cluster, node: &str) -> (u64, Option<u64>) {
    let reply =
        Http::unix(cluster.admin_socket()).get(&format!("/api/v1/pools/hs2/members/{node}:21050"));
    let member: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    (member["operations"].as_u64().unwrap(), member["operations_told"].as_u64())
}

#[track_caller]
fn member_table(cluster: &Cluster) -> String {
    let mut members = command(&format!("unix:{}", cluster.admin_socket().display()));
    members.arg("members").env("COLUMNS", "200");
    run(members).1
}

#[test]
fn work_of_direct_clients_counts() {
    let cluster = Plan::new(3).pool(ASKED).aware("").managed().start();
    assert_eq!(spread(&cluster, 6), [2, 2, 2]);
    let direct = direct(&cluster, 2, 2);
    wait_spread(&cluster, "the second coordinator gets nobody", |counts| counts == [3, 0, 3]);
    // Its own clients' operations count at once, and beside those of others.
    let mut client = cluster.sessions();
    let mut owners = [0; 3];
    for number in 0..7 {
        let name = format!("s{number}");
        owners[cluster.index_of(&client.ask(&format!("open {name}")))] += 1;
        assert_eq!(client.ask(&format!("start {name} select sleep(600000)")), "started");
    }
    assert_eq!(owners, [3, 1, 3], "two were there before");
    oxpecker_testkit::wait_until("it is told what the second coordinator has", || {
        operations(&cluster, "c2") == (1, Some(3))
    });
    let table = member_table(&cluster);
    assert!(table.contains(" 1 (3 told) "), "{table}");
    drop(client);
    drop(direct);
}

#[test]
fn without_load_port_only_own_operations_count() {
    let cluster = Plan::new(3).pool("method = \"least-operations\"").aware("").managed().start();
    let _direct = direct(&cluster, 2, 2);
    assert_eq!(spread(&cluster, 6), [2, 2, 2]);
    assert_eq!(operations(&cluster, "c2"), (0, None), "nobody asks");
}

/// The last answer counts for some time, then only what is known here does.
#[test]
fn a_coordinator_that_tells_nothing_is_named_once() {
    let cluster =
        Plan::new(2).pool("method = \"least-operations\"\nload_port = 25001").aware("").start();
    let line = wait_line(&cluster.gateway, 0, &["node=c2", "does not tell its load"]);
    assert!(line.contains("port=25001"), "{line}");
    assert_eq!(spread(&cluster, 4), [2, 2]);
    let nodes = cluster.gateway.out.all();
    let told = nodes.iter().filter(|line| line.contains("does not tell its load")).count();
    assert_eq!(told, 2, "once for each coordinator, over all pools");
}

#[test]
fn pages_behind_tls_are_asked_through_it() {
    let dir = TempDir::new();
    let pair = Authority::new(dir.join("Web CA")).issue("web", &["DNS:web.example.test"]);
    let file = |path: &Path| path.display().to_string();
    let args = [
        "--webserver-certificate-file".to_owned(),
        file(&pair.certificate),
        "--webserver-private-key-file".to_owned(),
        file(&pair.key),
    ];
    let cluster = Plan::new(2)
        .args(&args.each_ref().map(String::as_str))
        .pool(&format!("{ASKED}\nload_tls = \"web\""))
        .aware("");
    let cluster = cluster.top(&format!(
        "[profile.tls_server.web]\nparent = \"serverssl\"\nca_file = \"{}\"\n\
         server_name = \"web.example.test\"",
        file(&dir.join("Web CA/ca.crt"))
    ));
    let cluster = cluster.start();
    let mut direct = sessions_at(coordinator_addr(&cluster.net, 2));
    direct.ask("open d");
    direct.ask("start d select sleep(600000)");
    wait_spread(&cluster, "the second coordinator gets nobody", |counts| counts == [6, 0]);
    assert_eq!(cluster.gateway.out.count("does not tell its load"), 0);
}
