//! What an operator sees of Impala's work: sessions and operations of real clients.

use oxpecker_testkit::wait_until;

use super::{Cluster, Plan, wait_executing};
use crate::ctl::{command, run};

#[track_caller]
fn ask(cluster: &Cluster, args: &[&str]) -> (i32, String) {
    let mut command = command(&format!("unix:{}", cluster.admin_socket().display()));
    command.args(args);
    let (status, out, err) = run(command);
    assert_eq!(err, "", "{args:?}");
    (status, out)
}

#[test]
fn sessions_and_operations_are_listed_and_hold_up_a_drain() {
    let cluster = Plan::new(1).aware("").managed().start();
    let mut client = cluster.sessions();
    client.ask("open a");
    let (_, sessions) = ask(&cluster, &["sessions"]);
    assert_eq!(sessions.lines().count(), 2, "a head and one session: {sessions}");
    let id = sessions.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
    assert_eq!((id.len(), id.matches(':').count()), (33, 1), "as Impala prints it: {sessions}");
    let own = cluster.coordinators[0].ip().to_string();
    assert!(sessions.contains(&own), "its coordinator: {sessions}");

    client.ask("start a select sleep(3000)");
    wait_executing(&cluster.coordinators[0], 1);
    let (_, operations) = ask(&cluster, &["operations", "--json"]);
    let listing: serde_json::Value = serde_json::from_str(&operations).unwrap();
    let items = listing["items"].as_array().unwrap();
    let open: Vec<_> = items.iter().filter(|item| item["end"].is_null()).collect();
    assert_eq!(open.len(), 1, "{operations}");
    assert_eq!(open[0]["session"], id);
    let (_, table) = ask(&cluster, &["operations"]);
    assert!(table.contains(open[0]["id"].as_str().unwrap()) && table.contains(" open"), "{table}");

    let drain = ["drain", "hs2/c1", "--wait", "--deadline", "0s"];
    let (status, out) = ask(&cluster, &drain);
    assert_eq!(status, 6);
    assert!(
        out.contains("hs2/c1:21050 drains: 1 operation, 1 session, 1 connection left"),
        "{out}"
    );
    client.ask("finish a");
    client.ask("close a");
    wait_until("it is drained", || ask(&cluster, &drain).0 == 0);
}
