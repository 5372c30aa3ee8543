//! Handles that were tampered with: nobody is led anywhere by a tag that no gateway wrote.

use oxpecker_testkit::TempDir;

use super::{Plan, raw_sessions};

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
