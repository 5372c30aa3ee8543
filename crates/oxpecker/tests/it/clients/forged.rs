//! Handles that were tampered with: nobody is led anywhere by a tag that no gateway wrote.

use oxpecker_testkit::TempDir;
use oxpecker_testkit::clients::{self, Client};

use super::{Plan, raw_sessions, script};

#[test]
fn forged_cut_and_foreign_tags_are_refused_as_unknown() {
    let dir = TempDir::new();
    let key = dir.write("handle.key", "0123456789abcdef0123456789abcdef");
    let lines = format!("handle_keys = [\"{}\"]", key.display());
    let cluster = Plan::new(2).pool("method = \"round-robin\"").aware(&lines).start();
    let out = raw_sessions(&cluster, "forged", "1");
    // A secret of another length is for the coordinator to judge.
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines,
        ["Invalid session id 43", "Malformed THandleIdentifier (guid size 2", "still well"]
    );
    assert_eq!(cluster.gateway.records().iter().filter(|record| record.letters != "--").count(), 0);
}

/// A new key goes in front on all gateways, and the old one is dropped when its sessions are over.
#[test]
fn keys_change_under_running_sessions() {
    let dir = TempDir::new();
    let old = dir.write("old.key", "0123456789abcdef0123456789abcdef");
    let new = dir.write("new.key", "fedcba9876543210fedcba9876543210");
    let keys = |all: &str| format!("handle_keys = [{all}]");
    let (old, new) = (format!("\"{}\"", old.display()), format!("\"{}\"", new.display()));
    let first = keys(&old);
    let cluster = Plan::new(3).pool("method = \"round-robin\"").aware(&first).start();
    let config = std::fs::read_to_string(cluster.gateway.config_file()).unwrap();
    let reload = |all: &str| {
        let told = cluster.gateway.reload(&config.replace(&first, &keys(all)));
        assert!(told.contains("reloaded"), "{told}");
    };
    let start = || {
        let mut command = clients::python(&script("raw_sessions.py"));
        let front = cluster.front(21_050).ip().to_string();
        command.args([&front, "21050", "lost", "1"]);
        let mut client = Client::start(command);
        let pid = client.ask("pid");
        (client, pid)
    };
    let (mut before, owner) = start();
    reload(&format!("{new}, {old}"));
    let (mut after, other) = start();
    // Over new connections: an open one keeps the keys with which it began.
    assert_eq!((before.ask("anew"), after.ask("anew")), (owner, other.clone()));
    reload(&new);
    let told = before.ask("anew");
    assert!(told.starts_with("HY000 Invalid session id"), "{told}");
    assert_eq!(after.ask("anew"), other);
}
