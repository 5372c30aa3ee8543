//! Operations and sessions killed by an operator: what their clients read.

use oxpecker_proxy::{Canceller, KillError, Killed};
use oxpecker_testkit::clients::Terminal;
use oxpecker_testkit::wait::wait_for;

use super::inside::Site;
use super::{shell_to, wait_executing};

#[track_caller]
fn check_shell(protocol: &str, port: u16) {
    let site = Site::start();
    let front = site.front(port);
    let mut terminal = Terminal::start(shell_to(front, protocol));
    terminal.wait("default> ");
    // Nobody waits this long: it ends by the kill or the test fails.
    terminal.type_keys("select sleep(600000);\n");
    let view = site.open_operation();
    wait_executing(site.owner(&view), 1);
    assert_eq!(site.kill(&view.id), Ok(Killed::Done));
    terminal.wait("Cancelled");
    wait_executing(site.owner(&view), 0);
    let over = site.wait_over(&view.id);
    assert_eq!((over.cancelled, over.cancelled_by), (true, Some(Canceller::Operator)));
    assert_eq!(site.kill(&view.id), Ok(Killed::Over));
    terminal.wait("default> ");
    terminal.type_keys("select 'after' || ' kill';\n");
    terminal.wait("\nafter kill");
}

#[test]
fn a_killed_query_is_told_over_hs2() {
    check_shell("hs2", 21_050);
}

#[test]
fn a_killed_query_is_told_over_beeswax() {
    check_shell("beeswax", 21_000);
}

#[test]
fn a_killed_query_is_told_over_hs2_http() {
    check_shell("hs2-http", 28_000);
}

#[test]
fn a_killed_session_is_invalid_and_others_are_not() {
    let site = Site::start();
    let mut client = site.sessions();
    client.ask("open a");
    client.ask("open b");
    client.ask("start a select sleep(600000)");
    let view = site.open_operation();
    let kill = |id: &str| site.runtime.block_on(site.gateway.kill_session(id));
    assert_eq!(kill(&view.session), Ok(Killed::Done));
    wait_executing(site.owner(&view), 0);
    let told = client.ask("finish a");
    assert!(told.starts_with("ERROR") && told.contains("nvalid"), "{told}");
    assert_eq!(client.ask("run b select 1"), "[(1,)]");
    assert!(matches!(kill(&view.session), Err(KillError::Unknown { kind: "session", .. })));
    for id in ["", "x", "0123456789abcdef:0123456789abcdef"] {
        assert!(matches!(site.kill(id), Err(KillError::Unknown { kind: "operation", .. })), "{id}");
    }
}

#[test]
fn top_statements_are_counted_by_what_they_ask() {
    let site = Site::start();
    let mut client = site.sessions();
    client.ask("open a");
    for number in 0..3 {
        client.ask(&format!("run a select {number} + 1, 'x' from customers"));
    }
    client.ask("close a");
    let top = wait_for("three of them are over", || {
        let top = site.gateway.top_statements(10);
        top.into_iter().find(|view| view.count == 3)
    });
    assert_eq!(top.statement, "select ? + ?, ? from customers");
    assert!(top.rows > 0 && top.errors == 0 && top.max <= top.total, "{top:?}");
}
