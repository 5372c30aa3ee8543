//! What ends, what waits and what is refused: time-outs, the number of connections, graceful
//! shutdown.

use crate::client::{Client, V, execute, failure, fetch, open_session, printed, start, text};
use crate::process::{Process, wait_until};
use std::time::Duration;

fn ping(client: &mut Client, session: &V) -> (i32, String) {
    failure(&client.hs2("PingImpalaHS2Service", vec![(1, session.clone())]))
}

#[test]
fn a_session_outlives_its_connection_for_a_while() {
    let standin = Process::start(&["--disconnected-session-timeout=1"]);
    let mut one = Client::raw(standin.port("hs2"));
    let kept = open_session(&mut one, "alice");
    let left = open_session(&mut one, "alice");
    let operation = start(&mut one, &left, "select sleep(60000)");
    let mut two = Client::raw(standin.port("hs2"));
    assert_eq!(ping(&mut two, &kept).0, 0);
    drop(one);
    assert_eq!(ping(&mut two, &kept).0, 0);
    let id = printed(&left.bytes(&[1, 1]));
    wait_until("the left session to close", || {
        let (_, body) = standin.get("/sessions?json");
        (!body.contains(&id)).then_some(())
    });
    assert_eq!(ping(&mut two, &left), (3, format!("Invalid session id: {id}\n")));
    let (_, message) = failure(&two.hs2("GetOperationStatus", vec![(1, operation)]));
    assert!(message.contains("Invalid or unknown query handle"), "{message}");
    assert_eq!(ping(&mut two, &kept).0, 0, "the other one has a connection");
}

#[test]
fn an_idle_session_expires() {
    let standin = Process::start(&["--idle-client-poll-period=1"]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    start(&mut client, &session, "set idle_session_timeout=1");
    wait_until("the session to expire", || {
        (standin.json("/sessions?json")["sessions"][0]["expired"] == true).then_some(())
    });
    // Over a new connection: the poll may have closed the first one already.
    let mut other = Client::raw(standin.port("hs2"));
    let (code, message) = ping(&mut other, &session);
    assert_eq!(code, 3);
    let start = "Client session expired due to more than 1s of inactivity (last activity was at: ";
    assert!(message.starts_with(start) && message.ends_with(").\n"), "{message}");
    assert_eq!(client.read_to_end(), b"", "the poll closes a connection without other sessions");
}

#[test]
fn connections_over_the_limit_hang_until_one_leaves() {
    let standin = Process::start(&["--fe-service-threads=2"]);
    let mut one = Client::raw(standin.port("hs2"));
    let session = open_session(&mut one, "alice");
    let mut two = Client::raw(standin.port("hs2"));
    assert_eq!(ping(&mut two, &session).0, 0);
    let mut three = Client::raw(standin.port("hs2"));
    three.set_timeout(Duration::from_millis(300));
    let request = V::Struct(vec![(1, V::Struct(vec![(1, session.clone())]))]);
    assert!(three.try_call("PingImpalaHS2Service", &request).is_err(), "accepted, but not served");
    three.set_timeout(Duration::from_secs(10));
    // Other ports have threads of their own.
    Client::raw(standin.port("beeswax")).beeswax("PingImpalaService", vec![]);
    drop(two);
    let reply = crate::client::decode(&mut three).unwrap().unwrap();
    assert_eq!(reply.i32(&[0, 1, 1]), 0, "the call sent while waiting is answered");
}

#[test]
fn waiting_connections_are_closed_in_the_end() {
    let standin = Process::start(&["--fe-service-threads=1", "--accepted-client-cnxn-timeout=0.3"]);
    let mut one = Client::raw(standin.port("hs2"));
    open_session(&mut one, "alice");
    let mut two = Client::raw(standin.port("hs2"));
    assert_eq!(two.read_to_end(), b"");
    let metrics = standin.json("/jsonmetrics?json");
    assert_eq!(metrics["impala.thrift-server.hiveserver2-frontend.timedout-cnxn-requests"], 1);
}

#[test]
fn two_silent_sasl_clients_hold_up_the_others() {
    let standin = Process::start(&["--auth=plain", "--sasl-connect-tcp-timeout=0.5"]);
    let silent = [Client::raw(standin.port("hs2")), Client::raw(standin.port("hs2"))];
    let begun = std::time::Instant::now();
    // The set-up threads give up on the silent ones after a while.
    Client::plain(standin.port("hs2"), b"\0alice\0x").unwrap();
    assert!(begun.elapsed() > Duration::from_millis(300));
    drop(silent);
}

#[test]
fn sessions_per_user_are_limited() {
    let standin = Process::start(&["--max-hs2-sessions-per-user=1"]);
    let mut client = Client::raw(standin.port("hs2"));
    open_session(&mut client, "alice");
    let refused = client.hs2("OpenSession", vec![(1, V::I32(5)), (2, text("alice"))]);
    let expected = "Number of sessions for user alice exceeds coordinator limit 1\n";
    assert_eq!(failure(&refused), (3, expected.into()));
    open_session(&mut client, "bob");
}

#[test]
fn draining_refuses_new_work_only_and_ends_when_the_rest_is_done() {
    let mut standin = Process::start(&["--shutdown-grace-period=0.2"]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    let running = start(&mut client, &session, "select 1 from generate_series(1, 3)");
    let shutdown = start(&mut client, &session, ":shutdown()");
    let text = fetch(&mut client, &shutdown, 1).list(&[3, 3])[0].text(&[7, 2]);
    assert_eq!(text, "\0", "one row that is not NULL");
    client.hs2("CloseOperation", vec![(1, shutdown)]);

    let refusal = |reply: &V| {
        let (code, message) = failure(reply);
        assert_eq!(code, 3);
        let start = "Server is being shut down: shutdown grace period left: ";
        assert!(message.starts_with(start) && message.ends_with(".\n"), "{message}");
        assert!(
            message.contains(", queries registered on coordinator: 1, queries executing: "),
            "{message}"
        );
    };
    refusal(&execute(&mut client, &session, "select 1"));
    for method in ["OpenSession", "GetInfo", "GetTables", "GetTypeInfo"] {
        let first = if method == "OpenSession" { V::I32(5) } else { session.clone() };
        refusal(&client.hs2(method, vec![(1, first), (2, V::I32(17))]));
    }
    assert_eq!(ping(&mut client, &session).0, 0, "pings are answered");
    assert_eq!(standin.get("/healthz"), (200, "OK".into()), "no sign of draining");
    let root = standin.json("/?json");
    assert_eq!(root["is_quiescing"], true);
    assert!(root["shutdown_status"].as_str().unwrap().starts_with("shutdown grace period left: "));
    assert_eq!(standin.json("/backends?json")["backends"][0]["is_quiescing"], true);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(
        fetch(&mut client, &running, 10).i32(&[1, 1]),
        0,
        "the registered query goes on after the grace period"
    );
    assert_eq!(client.hs2("CloseOperation", vec![(1, running)]).i32(&[1, 1]), 0);
    assert_eq!(standin.wait_exit(), Some(0));
}

#[test]
fn signals() {
    let mut standin = Process::start(&["--shutdown-grace-period=60", "--shutdown-deadline=0.3"]);
    let mut client = Client::raw(standin.port("hs2"));
    let session = open_session(&mut client, "alice");
    start(&mut client, &session, "select sleep(60000)");
    standin.signal("RTMIN");
    assert_eq!(standin.wait_exit(), Some(0), "the deadline cuts what runs");
    let mut standin = Process::start(&[]);
    standin.signal("TERM");
    assert_eq!(standin.wait_exit(), Some(0));
}

#[test]
fn a_restarted_coordinator_knows_nothing() {
    let mut standin = Process::start(&[]);
    let port = standin.port("hs2");
    let mut client = Client::raw(port);
    let session = open_session(&mut client, "alice");
    standin.signal("KILL");
    standin.wait_exit();
    assert!(client.read_to_end().is_empty());
    let again = Process::start(&[format!("--hs2-port={port}").as_str()]);
    let mut client = Client::raw(again.port("hs2"));
    let id = printed(&session.bytes(&[1, 1]));
    assert_eq!(ping(&mut client, &session), (3, format!("Invalid session id: {id}\n")));
}
