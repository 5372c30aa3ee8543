//! A coordinator's process is killed: whose session ends, and what its client does next.

use oxpecker_testkit::clients::Terminal;

use super::{Plan, wait_executing, wait_line};

#[test]
fn only_the_sessions_of_a_killed_coordinator_end() {
    let mut cluster = Plan::new(3).start();
    let mut client = cluster.sessions();
    let mut owner = |name| cluster.index_of(&client.ask(&format!("open {name}")));
    let (killed, other, third) = (owner("a"), owner("b"), owner("c"));
    assert!(killed != other && other != third && third != killed);
    for name in ["a", "b"] {
        client.ask(&format!("start {name} select sleep(2000)"));
    }
    wait_executing(&cluster.coordinators[killed], 1);
    let mark = cluster.gateway.out.mark();
    cluster.coordinators[killed].kill();
    // Nobody has told the gateway yet; still no client is turned away.
    let seen = client.ask("connects 20");
    assert!(!seen.contains("ERROR"), "{seen}");
    let mut sessions = 0;
    for (pid, count) in seen.split(' ').map(|entry| entry.split_once(':').unwrap()) {
        assert_ne!(cluster.index_of(pid), killed, "{seen}");
        sessions += count.parse::<u32>().unwrap();
    }
    assert_eq!(sessions, 20);
    assert!(client.ask("finish a").starts_with("ERROR"));
    assert!(client.ask("run a select 1").starts_with("ERROR"));
    assert_eq!(client.ask("finish b"), "[(True,)]");
    assert_eq!(client.ask("run b select 1"), "[(1,)]");
    assert_eq!(client.ask("run c select 1"), "[(1,)]");

    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "member is down"]);
    let mark = cluster.gateway.out.mark();
    cluster.coordinators[killed].restart();
    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "to=\"up\""]);
    // It has the fewest connections.
    assert_eq!(cluster.index_of(&client.ask("open d")), killed);
}

/// What ran there, and what its sessions ask for afterwards.
#[test]
fn statements_of_a_killed_coordinator_leave_records() {
    let mut cluster = Plan::new(1).top("[log]\nqueries = \"json\"").aware("").start();
    let mut client = cluster.sessions();
    client.ask("open a");
    client.ask("open b");
    client.ask("start a select sleep(600000)");
    wait_executing(&cluster.coordinators[0], 1);
    cluster.coordinators[0].kill();
    let mark = cluster.gateway.out.mark();
    assert!(client.ask("finish a").starts_with("ERROR"));
    let record = |parts: &[&str]| -> serde_json::Value {
        let line = wait_line(&cluster.gateway, mark, &[&["\"record\":\"query\""], parts].concat());
        serde_json::from_str(&line).unwrap()
    };
    let slept = record(&["sleep(?)"]);
    assert_eq!(
        (&slept["end"], &slept["ended_by"]),
        (&"coordinator lost".into(), &"coordinator".into())
    );
    assert!(slept["query_id"].is_string(), "it had begun: {slept}");
    // The first of them only closes what was asked before.
    for _ in 0..2 {
        assert!(client.ask("run b select 1 + 1").starts_with("ERROR"));
    }
    let asked = record(&["select ? + ?"]);
    assert_eq!(
        (&asked["end"], &asked["ended_by"]),
        (&"coordinator lost".into(), &"coordinator".into())
    );
    assert_eq!(
        (&asked["query_id"], &asked["sql_state"]),
        (&serde_json::Value::Null, &"HY000".into())
    );
    assert!(asked["session_id"].is_string() && asked["coordinator"].is_string(), "{asked}");
}

#[track_caller]
fn check_shell(protocol: &str) {
    // Persistence must not hold a client to a dead coordinator.
    let mut cluster = Plan::new(2).persistent().start();
    let mut terminal = Terminal::start(cluster.shell(protocol));
    let select = "select 'pid=' || pid();\n";
    terminal.wait("default> ");
    terminal.type_keys(select);
    terminal.wait("\npid=");
    let owner = cluster.index_of(&terminal.wait("\r\n"));
    // Then nothing is under way: in mid-statement it would be an error.
    terminal.wait("default> ");
    cluster.coordinators[owner].kill();
    terminal.type_keys(select);
    terminal.wait("Connection lost, reconnecting...");
    terminal.wait("\npid=");
    assert_ne!(cluster.index_of(&terminal.wait("\r\n")), owner);
}

/// What `USE` has set is gone with its coordinator. Elsewhere the next statement would mean another
/// table, so the shell has to learn of it; then it says `USE` again itself.
#[test]
fn a_beeswax_shell_is_in_its_database_also_elsewhere() {
    let mut cluster = Plan::new(2).pool("method = \"round-robin\"").aware("").start();
    let mut terminal = Terminal::start(cluster.shell("beeswax"));
    terminal.wait("default> ");
    terminal.type_keys("create database other;\n");
    terminal.wait("default> ");
    terminal.type_keys("use other;\n");
    terminal.wait("other> ");
    let select = "select current_database() || '=' || pid();\n";
    terminal.type_keys(select);
    terminal.wait("\nother=");
    let owner = cluster.index_of(&terminal.wait("\r\n"));
    terminal.wait("other> ");
    cluster.coordinators[owner].kill();
    terminal.type_keys(select);
    terminal.wait("Connection lost, reconnecting...");
    terminal.wait("\nother=");
    assert_ne!(cluster.index_of(&terminal.wait("\r\n")), owner);
}

#[test]
fn an_interactive_shell_goes_on_elsewhere_over_beeswax() {
    check_shell("beeswax");
}

#[test]
fn an_interactive_shell_goes_on_elsewhere_over_hs2() {
    check_shell("hs2");
}

#[test]
fn an_interactive_shell_goes_on_elsewhere_over_hs2_http() {
    check_shell("hs2-http");
}
