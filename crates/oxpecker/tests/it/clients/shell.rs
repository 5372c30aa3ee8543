//! impala-shell over its three protocols: statements, errors, a terminal, Ctrl-C.

use oxpecker_testkit::clients::{Terminal, run};

use super::{Plan, wait_executing};

#[track_caller]
fn check(protocol: &str) {
    let cluster = Plan::new(2).start();
    let sql = "select pid(); show tables; create table t (a int, s string); \
        insert into t values (1, '007'), (2, null); select * from t order by a";
    let mut command = cluster.shell(protocol);
    command.args(["-q", sql]);
    let printed = run(command);
    let err = printed.err.clone();
    let out = printed.ok();
    let (pid, rest) = out.split_once('\n').unwrap();
    cluster.index_of(pid);
    let expected = "customers\norders\nweb_logs\nTable has been created.\n1\t007\n2\tNULL\n";
    assert_eq!(rest, expected, "{err}");
    assert!(err.contains("Modified 2 row(s)") && err.contains("Fetched 3 row(s)"), "{err}");
    let mut command = cluster.shell(protocol);
    command.args(["-q", "select nonsense from customers"]);
    let err = run(command).fails();
    let told = "AnalysisException: Could not resolve column/field reference: 'nonsense'";
    assert!(err.contains(told), "{err}");
}

#[test]
fn statements_and_errors_over_beeswax() {
    check("beeswax");
}

#[test]
fn statements_and_errors_over_hs2() {
    check("hs2");
}

#[test]
fn statements_and_errors_over_hs2_http() {
    check("hs2-http");
}

/// Ctrl-C cancels from a second connection. Only with persistence does that one reach the same
/// coordinator (docs/impala.md, "What clients do").
#[track_caller]
fn check_terminal(protocol: &str) {
    let cluster = Plan::new(3).persistent().start();
    let mut terminal = Terminal::start(cluster.shell(protocol));
    terminal.wait("default> ");
    terminal.type_keys("select 'pid=' || pid();\n");
    terminal.wait("\npid=");
    let owner = &cluster.coordinators[cluster.index_of(&terminal.wait("\r\n"))];
    terminal.wait("default> ");
    // Nobody waits this long: it ends by the cancel or the test fails.
    terminal.type_keys("select sleep(600000);\n");
    // Before it knows the query's handle it cannot cancel.
    terminal.wait("Query state can be monitored");
    wait_executing(owner, 1);
    terminal.type_keys("\x03");
    terminal.wait("Cancelling Query");
    wait_executing(owner, 0);
    terminal.wait("default> ");
    terminal.type_keys("select 'after' || ' cancel';\n");
    terminal.wait("\nafter cancel");
    terminal.wait("default> ");
    terminal.type_keys("quit;\n");
    assert!(terminal.wait_exit().success());
}

#[test]
fn a_terminal_and_ctrl_c_over_beeswax() {
    check_terminal("beeswax");
}

#[test]
fn a_terminal_and_ctrl_c_over_hs2() {
    check_terminal("hs2");
}

#[test]
fn a_terminal_and_ctrl_c_over_hs2_http() {
    check_terminal("hs2-http");
}
