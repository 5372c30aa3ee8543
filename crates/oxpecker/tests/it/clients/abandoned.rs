//! Clients that are gone without closing anything: what the gateway does in their place, and what
//! it leaves alone.

use oxpecker_testkit::clients::{self, Client};
use oxpecker_testkit::wait_until;

use super::{Cluster, Plan, number, script, wait_executing, wait_line};

const PLAIN: &[&str] = &["--auth=plain", "--user=alice=secret", "--user=probe=watch"];
const PROBE: &str = "login = \"plain\"\nuser = \"probe\"\npassword = \"watch\"";
const LOG: &str = "[log]\nqueries = \"json\"";

/// Sessions of a client that logs in with PLAIN.
#[track_caller]
fn sessions_of_alice(cluster: &Cluster) -> Client {
    let mut command = clients::python(&script("sessions.py"));
    let front = cluster.front(21_050);
    command.args([&front.ip().to_string(), "21050", "alice", "secret"]);
    Client::start(command)
}

#[track_caller]
fn wait_sessions(cluster: &Cluster, count: u64) {
    wait_until(&format!("the coordinator has {count} sessions"), || {
        number(&cluster.coordinators[0], "/sessions?json", "num_sessions") == count
    });
}

#[track_caller]
fn check_closed(plan: Plan, client: impl Fn(&Cluster) -> Client) {
    let cluster = plan.hs2("abandoned_timeout = \"1s\"").start();
    let mut client = client(&cluster);
    client.ask("open a");
    client.ask("close a");
    // Probes may have one for a moment.
    wait_sessions(&cluster, 0);
    client.ask("open b");
    client.ask("open c");
    wait_sessions(&cluster, 2);
    let mark = cluster.gateway.out.mark();
    // Killed: it closes nothing.
    drop(client);
    let line = wait_line(&cluster.gateway, mark, &["closed a session that its clients abandoned"]);
    assert!(line.contains("coordinator=") && line.contains("user="), "{line}");
    wait_sessions(&cluster, 0);
}

#[test]
fn an_abandoned_session_is_closed() {
    check_closed(Plan::new(1).aware(""), Cluster::sessions);
}

/// The password went with the client's connection; the log-in to the coordinator stayed.
#[test]
fn an_abandoned_session_of_somebody_with_a_password_is_closed() {
    let plan = Plan::new(1).aware("").args(PLAIN).monitor(PROBE);
    check_closed(plan, sessions_of_alice);
}

#[test]
fn an_orphaned_statement_runs_on_by_default() {
    let cluster = Plan::new(1).aware("").hs2("abandoned_timeout = \"1s\"").start();
    let mut client = cluster.sessions();
    client.ask("open a");
    client.ask("start a select sleep(600000)");
    wait_executing(&cluster.coordinators[0], 1);
    drop(client);
    // Longer than the timeout, and than it takes to look.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(number(&cluster.coordinators[0], "/queries?json", "num_executing_queries"), 1);
    assert_eq!(cluster.gateway.out.count("that its clients abandoned"), 0);
}

#[track_caller]
fn check_orphan(plan: Plan, client: impl Fn(&Cluster) -> Client) {
    let lines = "orphans = \"cancel\"\norphan_timeout = \"1s\"\nabandoned_timeout = \"2s\"";
    let cluster = plan.top(LOG).hs2(lines).start();
    let mut client = client(&cluster);
    client.ask("open a");
    client.ask("start a select sleep(600000)");
    wait_executing(&cluster.coordinators[0], 1);
    let mark = cluster.gateway.out.mark();
    drop(client);
    wait_executing(&cluster.coordinators[0], 0);
    wait_line(&cluster.gateway, mark, &["cancelled an operation whose client is gone"]);
    let record = wait_line(&cluster.gateway, mark, &["\"record\":\"query\"", "sleep(?)"]);
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["end"], &record["cancelled"]), (&"cancelled".into(), &true.into()));
    assert_eq!(record["cancelled_by"], "orphan policy");
    wait_line(&cluster.gateway, mark, &["closed a session that its clients abandoned"]);
}

#[test]
fn an_orphaned_statement_is_cancelled_by_policy() {
    check_orphan(Plan::new(1).aware(""), Cluster::sessions);
}

#[test]
fn an_orphaned_statement_of_somebody_with_a_password_is_cancelled_by_policy() {
    check_orphan(Plan::new(1).aware("").args(PLAIN).monitor(PROBE), sessions_of_alice);
}
