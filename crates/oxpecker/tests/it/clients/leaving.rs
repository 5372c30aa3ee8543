//! What is left to do at a coordinator before it may be stopped: statements that run, rows that
//! nobody read, connections that cannot go elsewhere; but no idle sessions.

use std::time::Duration;

use oxpecker_proxy::control::WorkLeft;
use oxpecker_testkit::clients::{self, Client};
use oxpecker_testkit::{Net, Standin, wait_until};

use super::{Plan, coordinator_addr, script, sessions_at, wait_executing};
use crate::inside::Inside;

/// One coordinator behind a gateway in this process.
struct Leaving {
    inside: Inside,
    standin: Standin,
    net: Net,
}

impl Leaving {
    #[track_caller]
    fn start() -> Self {
        let net = Net::new();
        let standin = Standin::start(coordinator_addr(&net, 1).ip(), &["--sample"]);
        let inside = Inside::start(&Plan::new(1).aware("").config(&net));
        Self { inside, standin, net }
    }

    #[track_caller]
    fn left(&self, pool: &str, port: u16) -> WorkLeft {
        self.inside.handle.work_left(pool, &format!("c1:{port}")).unwrap()
    }

    #[track_caller]
    fn wait_left(&self, pool: &str, port: u16, wanted: WorkLeft) {
        wait_until(&format!("{wanted:?}, not {:?}", self.left(pool, port)), || {
            self.left(pool, port) == wanted
        });
    }
}

const NOTHING: WorkLeft =
    WorkLeft { operations: 0, connections: 0, sessions: 0, operations_read: 0 };

#[test]
fn statements_and_unread_rows_hold_a_drain_and_idle_sessions_do_not() {
    let leaving = Leaving::start();
    let mut client = sessions_at(leaving.net.addr(1));
    assert_eq!(client.ask("open a"), leaving.standin.pid().to_string());
    client.ask("run a select 1");
    leaving.wait_left("hs2", 21_050, WorkLeft { sessions: 1, ..NOTHING });
    assert!(leaving.left("hs2", 21_050).is_none());

    // It runs; then its row is there, and nobody has read it.
    client.ask("start a select sleep(3000)");
    wait_executing(&leaving.standin, 1);
    let holds = WorkLeft { operations: 1, sessions: 1, ..NOTHING };
    assert_eq!(leaving.left("hs2", 21_050), holds);
    wait_executing(&leaving.standin, 0);
    assert_eq!(leaving.left("hs2", 21_050), holds);
    let handle = &leaving.inside.handle;
    let wait = |deadline| handle.wait_for_work("hs2", "c1:21050", deadline, |_| {});
    let left = leaving.inside.block_on(wait(Duration::from_millis(300)));
    assert_eq!(left, Ok(holds), "the deadline passes, and nothing was cut");

    // A drain that waits sees it end.
    let mut seen = Vec::new();
    let (tells, begun) = std::sync::mpsc::channel();
    let note = |left| {
        seen.push(left);
        let _ = tells.send(());
    };
    let left = std::thread::scope(|scope| {
        let reader = &mut client;
        let reads = scope.spawn(move || {
            begun.recv().unwrap();
            reader.ask("finish a")
        });
        let waits = handle.wait_for_work("hs2", "c1:21050", Duration::from_secs(60), note);
        let left = leaving.inside.block_on(waits);
        assert_eq!(reads.join().unwrap(), "[(True,)]");
        left
    });
    let left = left.unwrap();
    assert_eq!(WorkLeft { operations_read: 0, ..left }, WorkLeft { sessions: 1, ..NOTHING });
    assert_eq!(seen, [holds, left]);
    client.ask("close a");
    leaving.wait_left("hs2", 21_050, NOTHING);
}

#[test]
fn statements_without_rows_and_failed_ones_hold_nothing_when_they_are_over() {
    let leaving = Leaving::start();
    let mut client = sessions_at(leaving.net.addr(1));
    client.ask("open a");
    for sql in ["create table t (a int)", "select nonsense from nowhere"] {
        client.ask(&format!("run a {sql}"));
        assert_eq!(leaving.left("hs2", 21_050).operations, 0, "{sql}");
    }
}

/// A Beeswax session is its connection, and cannot go elsewhere.
#[test]
fn beeswax_connections_hold_a_drain() {
    let leaving = Leaving::start();
    let mut command = clients::python(&script("mixed.py"));
    command.arg(format!("beeswax={}:21000*2", leaving.net.ip(1)));
    let mut client = Client::start(command);
    client.ask("open");
    leaving.wait_left("beeswax", 21_000, WorkLeft { connections: 2, ..NOTHING });
    client.ask("start select 1");
    let left = leaving.left("beeswax", 21_000);
    assert_eq!(left, WorkLeft { connections: 2, operations: 2, ..NOTHING });
    assert_eq!(leaving.left("hs2", 21_050), NOTHING);
    client.ask("close");
    leaving.wait_left("beeswax", 21_000, NOTHING);
}

#[test]
fn an_unknown_member_is_named() {
    let leaving = Leaving::start();
    let error = leaving.inside.handle.work_left("hs2", "c9:1").unwrap_err();
    assert_eq!(error.to_string(), "there is no member `hs2/c9:1`");
}
