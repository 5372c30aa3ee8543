//! Hue's pattern: one session, used over a pool of connections by handle.

use super::{Plan, raw_sessions};

#[test]
fn a_session_is_used_over_many_connections_under_source_persistence() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").persistent().start();
    let out = raw_sessions(&cluster, "hue", "100");
    let pids: Vec<&str> = out.lines().collect();
    assert_eq!(pids.len(), 100);
    let owner = cluster.index_of(pids[0]);
    assert!(pids.iter().all(|pid| cluster.index_of(pid) == owner), "{pids:?}");
    let connections = cluster.gateway.wait_record(12 + 10);
    assert_eq!(connections.member, format!("c{}:21050", owner + 1));
}

/// Why the recipes ask for persistence.
#[test]
fn without_persistence_other_connections_do_not_know_the_session() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").start();
    let out = raw_sessions(&cluster, "known", "12");
    let count = |text: &str| out.lines().filter(|line| line.starts_with(text)).count();
    assert_eq!((count("known"), count("Invalid session id: ")), (4, 8), "{out}");
}
