//! Statements that no coordinator answers: each leaves a query record that says who ended it, and why.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oxpecker_testkit::client::{Talk, connect};
use oxpecker_testkit::{Gateway, Http, Member, wait_until};
use serde_json::{Value, json};

use super::{Said, aware, recording};
use crate::site::Site;

const BARE: &str = "shell-hs2-noauth-fake";
pub(super) const KERBEROS: &str = "shell-hs2-gssapi-fake";
const BEESWAX: &str = "shell-beeswax-noauth-fake";

/// What a member does once it has the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Closes,
    Waits,
}

impl Said {
    pub(super) fn is_statement(&self) -> bool {
        ["CALL ExecuteStatement", "CALL query"].iter().any(|call| self.what.starts_with(call))
    }
}

/// Plays the server's part of a recording up to the first statement.
pub(super) fn play_server(mut stream: TcpStream, name: &str, then: Then, asked: &AtomicUsize) {
    for line in recording(name) {
        if !line.by_client {
            stream.say(&line.bytes);
            continue;
        }
        let mut heard = vec![0; line.bytes.len()];
        if stream.read_exact(&mut heard).is_err() {
            return;
        }
        assert_eq!(heard, line.bytes, "{}", line.what);
        if line.is_statement() {
            asked.fetch_add(1, Ordering::Relaxed);
            if then == Then::Waits {
                let _ = stream.read(&mut [0]);
            }
            return;
        }
    }
}

/// A client that has sent a statement, which the member has got.
struct Play {
    gateway: Gateway,
    client: TcpStream,
    member: Member,
    http: Http,
}

impl Play {
    #[track_caller]
    fn start(name: &'static str, then: Then) -> Self {
        let protocol = if name == BEESWAX { "beeswax" } else { "hs2" };
        let site = aware(protocol, "").top("[log]\nqueries = \"json\"").admin("");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let member = Member::serve(site.member_addr(1), move |stream| {
            play_server(stream, name, then, &count);
        });
        let gateway = site.start_with_admin();
        let mut client = connect(site.front());
        say_up_to_the_statement(&mut client, name);
        wait_until("the member has the statement", || asked.load(Ordering::Relaxed) == 1);
        let http = Http::tcp(site.admin_addr()).by_script();
        Self { gateway, client, member, http }
    }

    /// The only record, and how the statement ended.
    #[track_caller]
    fn check(&self, end: &str, by: &str, sql_state: Option<&str>) {
        let record = record(&self.gateway);
        check_end(&record, end, by, sql_state);
        assert_eq!(record["coordinator"], self.member.addr().to_string(), "{record}");
        assert!(record["statement"].as_str().is_some_and(|text| !text.is_empty()), "{record}");
    }
}

/// Plays the client's part of a recording as far as its first statement.
#[track_caller]
pub(super) fn say_up_to_the_statement(client: &mut TcpStream, name: &str) {
    for line in recording(name) {
        if !line.by_client {
            assert_eq!(client.hear(line.bytes.len()), line.bytes, "{}", line.what);
            continue;
        }
        client.say(&line.bytes);
        if line.is_statement() {
            break;
        }
    }
}

#[track_caller]
pub(super) fn record(gateway: &Gateway) -> Value {
    let line = gateway.out.wait("\"record\":\"query\"");
    assert_eq!(gateway.out.count("\"record\":\"query\""), 1);
    serde_json::from_str(&line).unwrap()
}

#[track_caller]
pub(super) fn check_end(record: &Value, end: &str, by: &str, sql_state: Option<&str>) {
    assert_eq!((&record["end"], &record["ended_by"]), (&json!(end), &json!(by)), "{record}");
    assert_eq!(record["sql_state"], json!(sql_state), "{record}");
    assert_eq!(record["query_id"], Value::Null, "nobody told one: {record}");
}

#[test]
fn a_coordinator_that_breaks_off_but_lives() {
    for name in [BARE, BEESWAX] {
        let mut play = Play::start(name, Then::Closes);
        play.check("answer lost", "coordinator", Some("08S01"));
        // The connection goes on, and the client reads what happened.
        let head = play.client.hear(20);
        assert_eq!(&head[..2], b"\x80\x01", "{head:?}");
    }
}

#[test]
fn a_coordinator_that_ends_in_mid_call() {
    for (name, sql_state) in [(BARE, "HY000"), (BEESWAX, "08S01")] {
        let mut play = Play::start(name, Then::Waits);
        play.member.kill();
        play.check("coordinator lost", "coordinator", Some(sql_state));
    }
}

#[test]
fn a_coordinator_that_ends_in_mid_call_behind_kerberos() {
    let mut play = Play::start(KERBEROS, Then::Closes);
    let (heard, _) = play.client.hear_rest();
    assert_eq!(heard, b"");
    drop(play.client);
    let record = record(&play.gateway);
    check_end(&record, "coordinator lost", "coordinator", None);
    assert!(record["session_id"].is_string(), "{record}");
}

#[test]
fn a_client_that_leaves_in_mid_call() {
    for name in [BARE, BEESWAX, KERBEROS] {
        let play = Play::start(name, Then::Waits);
        let Play { gateway, client, member, http } = play;
        drop(client);
        let record = record(&gateway);
        check_end(&record, "client gone", "client", None);
        drop((member, http));
    }
}

#[test]
fn an_operator_who_ends_the_connection_in_mid_call() {
    for name in [BARE, BEESWAX, KERBEROS] {
        let play = Play::start(name, Then::Waits);
        let reply = play.http.send("DELETE", "/api/v1/connections?member=p/m1:21050", "");
        assert_eq!((reply.status, reply.body.trim()), (200, "{\"count\":1}"));
        play.check("connection killed", "operator", None);
    }
}

#[test]
fn a_gateway_that_stops_in_mid_call() {
    for name in [BARE, KERBEROS] {
        let mut play = Play::start(name, Then::Waits);
        // This one does not wait for anybody.
        play.gateway.signal(nix::sys::signal::Signal::SIGINT);
        play.gateway.wait_exit();
        play.check("gateway stopped", "gateway", None);
    }
}

/// The first statement of a recording, alone.
fn statement(name: &str) -> Vec<u8> {
    let said = recording(name).into_iter();
    said.filter(Said::is_statement).map(|line| line.bytes).next().unwrap()
}

/// Nobody listens at the member's address.
#[track_caller]
fn without_coordinator(protocol: &str, name: &str) -> Value {
    let site: Site = aware(protocol, "").top("[log]\nqueries = \"json\"").pool("retries = 0");
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(&statement(name));
    let record = record(&gateway);
    let head = client.hear(20);
    assert_eq!(&head[..2], b"\x80\x01", "the client is told in words: {head:?}");
    assert_eq!(record["coordinator"], Value::Null, "{record}");
    assert!(record["statement"].as_str().is_some_and(|text| !text.is_empty()), "{record}");
    record
}

#[test]
fn no_coordinator_is_available() {
    let record = without_coordinator("beeswax", BEESWAX);
    check_end(&record, "no coordinator", "gateway", Some("08S01"));
    assert_eq!(record["session_id"], Value::Null, "{record}");
}

#[test]
fn no_coordinator_knows_the_session() {
    let record = without_coordinator("hs2", BARE);
    check_end(&record, "unknown session", "gateway", Some("HY000"));
    assert!(record["session_id"].is_string(), "{record}");
}
