//! Who somebody is over HTTP: whoever logged in with Basic, whatever calls and addresses claim. And
//! that nothing is done in such a client's place once it is gone, for its password went with it.

use oxpecker_testkit::clients::{self, Client};
use oxpecker_testkit::{Http, wait_until};
use serde_json::Value;

use super::{Cluster, Plan, number, script, wait_executing, wait_line};

const LOG: &str = "[log]\nqueries = \"json\"\nlevel = \"debug\"";
const PATH: &str = "cliservice";

#[track_caller]
fn cluster(lines: &str) -> Cluster {
    let args = [
        "--auth=plain",
        "--user=alice=hush-a",
        "--user=bob=hush-b",
        "--user=probe=watch",
        "--authorized-proxy-user-config=alice=bob",
    ];
    let probe = "login = \"plain\"\nuser = \"probe\"\npassword = \"watch\"";
    Plan::new(1).args(&args).monitor(probe).top(LOG).aware("").http(lines).managed().start()
}

/// impyla with Basic. Its OpenSession claims to be whoever runs the test.
#[track_caller]
fn impyla(cluster: &Cluster, user: &str, password: &str, path: &str) -> Client {
    let mut command = clients::python(&script("sessions.py"));
    let front = cluster.front(28_000);
    command.args([&front.ip().to_string(), "28000", user, password, path]);
    Client::start(command)
}

fn sessions(cluster: &Cluster) -> Vec<Value> {
    let reply = Http::unix(cluster.admin_socket()).get("/api/v1/sessions");
    let listing: Value = serde_json::from_str(&reply.body).unwrap();
    listing["items"].as_array().unwrap().clone()
}

#[track_caller]
fn check_named(path: &str, do_as: &Value) {
    let cluster = cluster("");
    let mut client = impyla(&cluster, "alice", "hush-a", path);
    let pid = client.ask("open a");
    assert_eq!(cluster.index_of(&pid), 0);
    let sessions = sessions(&cluster);
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    assert_eq!(sessions[0]["user"], "alice", "{sessions:#?}");
    let mark = cluster.gateway.out.mark();
    assert_eq!(client.ask("run a select 1 + 1"), "[(2,)]");
    assert_eq!(client.ask("close a"), "closed");
    let line = wait_line(&cluster.gateway, mark, &["\"record\":\"query\"", "select ? + ?"]);
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&record["user"], &record["do_as"]), (&"alice".into(), do_as), "{record}");
    assert_eq!(cluster.gateway.out.count("hush"), 0, "no password is in the log");
}

#[test]
fn the_user_is_who_logged_in() {
    check_named(PATH, &Value::Null);
}

#[test]
fn whom_the_address_names_is_acted_for() {
    check_named("cliservice?doAs=bob", &"bob".into());
}

/// The coordinator judges; what it refuses is no session here either.
#[test]
fn nobody_acts_for_somebody_without_leave_or_with_another_password() {
    let cluster = cluster("");
    for (user, password, path) in
        [("bob", "hush-b", "cliservice?doAs=alice"), ("alice", "hush-b", PATH), ("root", "", PATH)]
    {
        let said = impyla(&cluster, user, password, path).ask("open a");
        assert!(said.starts_with("ERROR"), "{user} at {path}: {said}");
        assert_eq!(sessions(&cluster).len(), 0, "{user} at {path}");
    }
    let mut client = impyla(&cluster, "bob", "hush-b", PATH);
    assert_eq!(cluster.index_of(&client.ask("open a")), 0);
}

/// Closing it would take the password, which lives no longer than the client's connections.
#[test]
fn an_abandoned_session_is_left_to_its_coordinator() {
    let policy = "abandoned_timeout = \"1s\"\norphans = \"cancel\"\norphan_timeout = \"1s\"";
    let cluster = cluster(policy);
    let mut client = impyla(&cluster, "alice", "hush-a", PATH);
    client.ask("open a");
    client.ask("open b");
    client.ask("start b select sleep(600000)");
    wait_executing(&cluster.coordinators[0], 1);
    let mark = cluster.gateway.out.mark();
    drop(client);
    wait_until("clients are gone", || {
        sessions(&cluster).iter().all(|known| known["connections"] == 0)
    });
    let line = wait_line(
        &cluster.gateway,
        mark,
        &["failed to close a session that its clients abandoned"],
    );
    assert!(line.contains("user=alice"), "{line}");
    wait_line(&cluster.gateway, mark, &["failed to cancel an operation whose client is gone"]);
    let left = number(&cluster.coordinators[0], "/sessions?json", "num_sessions");
    assert!(left >= 2, "{left} sessions");
    assert_eq!(number(&cluster.coordinators[0], "/queries?json", "num_executing_queries"), 1);
    assert_eq!(cluster.gateway.out.count("hush"), 0, "no password is in the log");
}
