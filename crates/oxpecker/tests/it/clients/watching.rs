//! What an operator sees of Impala's work: sessions and operations of real clients.

use oxpecker_testkit::wait_until;
use serde_json::Value;

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

/// The one that runs.
#[track_caller]
fn open_operation(cluster: &Cluster) -> Value {
    let items = list(cluster, "operations");
    let open: Vec<_> = items.iter().filter(|item| item["end"].is_null()).collect();
    assert_eq!(open.len(), 1, "{items:?}");
    open[0].clone()
}

#[track_caller]
fn list(cluster: &Cluster, what: &str) -> Vec<Value> {
    let (_, listing) = ask(cluster, &[what, "--json"]);
    let listing: Value = serde_json::from_str(&listing).unwrap();
    listing["items"].as_array().unwrap().clone()
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
    let open = open_operation(&cluster);
    assert_eq!(open["session"], id);
    let (_, table) = ask(&cluster, &["operations"]);
    assert!(table.contains(open["id"].as_str().unwrap()) && table.contains(" open"), "{table}");

    let drain = ["drain", "hs2/c1", "--wait", "--deadline", "0s"];
    let (status, out) = ask(&cluster, &drain);
    assert_eq!(status, 6);
    // Not the connection: its calls go wherever their handles belong.
    assert!(out.contains("hs2/c1:21050 drains: 1 operation, 1 session left"), "{out}");
    client.ask("finish a");
    client.ask("close a");
    wait_until("it is drained", || ask(&cluster, &drain).0 == 0);
}

#[test]
fn operations_and_sessions_are_ended_and_statements_counted() {
    let cluster = Plan::new(1).aware("").managed().start();
    let mut client = cluster.sessions();
    client.ask("open a");
    // Nobody waits this long.
    client.ask("start a select sleep(600000)");
    wait_executing(&cluster.coordinators[0], 1);
    let open = open_operation(&cluster);
    let (id, session) = (open["id"].as_str().unwrap(), open["session"].as_str().unwrap());
    let kill = ["kill", "operation", id];
    assert_eq!(ask(&cluster, &kill), (0, format!("operation {id} ended\n")));
    let told = client.ask("finish a");
    assert!(told.starts_with("ERROR") && told.contains("Cancelled"), "{told}");
    wait_executing(&cluster.coordinators[0], 0);
    assert_eq!(client.ask("run a select 1"), "[(1,)]");
    assert_eq!(ask(&cluster, &kill), (0, format!("operation {id} was over already\n")));

    let operations = list(&cluster, "operations");
    let killed = operations.iter().find(|item| item["id"] == id).unwrap();
    assert_eq!(
        (&killed["end"], &killed["cancelled_by"]),
        (&"cancelled".into(), &"operator".into())
    );
    let statements = list(&cluster, "statements");
    let slept = statements.iter().find(|item| item["digest"] == killed["digest"]).unwrap();
    assert_eq!((&slept["count"], &slept["statement"]), (&1.into(), &"select sleep(?)".into()));

    let (status, out) = ask(&cluster, &["kill", "session", session]);
    assert_eq!((status, out), (0, format!("session {session} ended\n")));
    let told = client.ask("run a select 1");
    assert!(told.contains("Invalid session"), "{told}");
    let events = list(&cluster, "events");
    let subjects: Vec<_> = events
        .iter()
        .filter(|item| item["kind"] == "killed")
        .map(|item| &item["subject"])
        .collect();
    assert_eq!(subjects, [id, session]);
    assert!(events.iter().all(|item| item["kind"] != "killed" || item["who"] == "socket:root"));
}
