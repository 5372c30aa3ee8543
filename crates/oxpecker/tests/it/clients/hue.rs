//! Hue's pattern: one session, used over a pool of connections by handle.

use std::process::Command;

use oxpecker_testkit::clients::{self, run};

use super::{Cluster, Plan, script};

#[track_caller]
fn hue(cluster: &Cluster) -> Command {
    let mut command = clients::python(&script("raw_sessions.py"));
    let front = cluster.front(21_050);
    command.args([&front.ip().to_string(), "21050", "hue", "100"]);
    command
}

#[test]
fn a_session_is_used_over_many_connections_under_source_persistence() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").persistent().start();
    let out = run(hue(&cluster)).ok();
    let pids: Vec<&str> = out.lines().collect();
    assert_eq!(pids.len(), 100);
    let owner = cluster.index_of(pids[0]);
    assert!(pids.iter().all(|pid| cluster.index_of(pid) == owner), "{pids:?}");
    let connections = cluster.gateway.records().len();
    assert!(connections > 10, "it used {connections} connections");
}

/// Why the recipes ask for persistence.
#[test]
fn without_persistence_the_next_connection_does_not_know_the_session() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").start();
    let err = run(hue(&cluster)).fails();
    assert!(err.contains("Invalid session id: "), "{err}");
}
