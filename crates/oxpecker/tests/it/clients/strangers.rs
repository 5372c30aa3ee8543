//! Ids of sessions and operations stand in logs and on web pages. Whoever knows one but not its
//! secret changes nothing of what the gateway believes of other people's work.

use std::sync::{Arc, Mutex};

use oxpecker_proxy::{OperationView, SessionView};
use oxpecker_testkit::clients::{self, Client};
use oxpecker_testkit::wait::wait_for;

use super::inside::Site;
use super::script;

/// Alice's session and running statement, and a client of both her and Mallory.
struct Alice {
    site: Site,
    client: Client,
    operation: OperationView,
}

impl Alice {
    #[track_caller]
    fn start() -> Self {
        let site = Site::start();
        let front = site.front(21_050);
        let mut command = clients::python(&script("strangers.py"));
        command.args([front.ip().to_string(), front.port().to_string()]);
        let mut client = Client::start(command);
        assert_eq!(client.ask("begin"), "begun");
        let operation = site.open_operation();
        Self { site, client, operation }
    }

    fn session(&self) -> SessionView {
        let all = self.site.gateway.sessions();
        all.into_iter().find(|view| view.id == self.operation.session).expect("it is known")
    }

    #[track_caller]
    fn check_unharmed(&mut self) {
        let session = self.session();
        assert_eq!((session.connections, session.operations_open), (1, 1), "hers alone");
        let open = self.site.open_operation();
        assert_eq!((&open.id, open.cancelled), (&self.operation.id, false));
        let (status, state) = ("0", "1");
        assert_eq!(self.client.ask("alice"), format!("{status} {state}"), "it runs");
    }
}

#[test]
fn a_strangers_poll_ends_nothing() {
    let mut alice = Alice::start();
    for _ in 0..3 {
        let told = alice.client.ask("poll");
        assert!(told.starts_with("3 ") && told.contains(&alice.operation.id), "{told}");
        alice.check_unharmed();
    }
}

#[test]
fn a_strangers_statement_is_told_of_the_stranger() {
    let mut alice = Alice::start();
    let over = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&over);
    alice.site.gateway.on_operation_end(move |view| hears.lock().unwrap().push(view.clone()));
    let told = alice.client.ask("run drop table payroll");
    assert!(told.starts_with("3 Invalid session id"), "{told}");
    alice.check_unharmed();
    let told = wait_for("the statement is told", || {
        let over = over.lock().unwrap();
        over.iter().find(|view| view.statement == "drop table payroll").cloned()
    });
    assert_eq!((&*told.user, &*told.id), ("", ""), "nobody logged in, and nothing ran");
    assert_ne!(told.client, alice.operation.client);
}

#[test]
fn a_call_that_wants_no_answer_shifts_no_answers() {
    let mut alice = Alice::start();
    assert_eq!(alice.client.ask("oneway"), "OpenSession 7 0, CloseSession 8 3");
    alice.check_unharmed();
}

#[test]
fn calls_that_do_not_wait_are_answered_each_for_itself() {
    let mut alice = Alice::start();
    assert_eq!(alice.client.ask("pipelined"), "OpenSession 9 0, CloseSession 9 3");
    alice.check_unharmed();
}
