//! Members that cannot be reached, and what clients notice of it.

use std::net::{SocketAddr, TcpStream};

use oxpecker_testkit::client::{Talk, reset_on_close};
use oxpecker_testkit::member::Unreachable;
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{Ending, Gateway, Http, Launch, Member, connect, wait_until};
use serde_json::Value;

use crate::site::{PROGRAM, Site};

/// Connects and talks at once, as a client that sends before anybody has answered.
fn greet(to: SocketAddr) -> TcpStream {
    let mut client = connect(to);
    client.check_echo(b"the first words must not be lost");
    client
}

#[test]
fn a_refusing_member_is_passed_over_without_loss() {
    let site = Site::new(2).pool("method = \"round-robin\"\nconnect_failures_max = 0");
    let _alive = Member::echo(site.member_addr(2));
    let gateway = site.start();
    for _ in 0..6 {
        greet(site.front());
    }
    gateway.wait_record(6);
    let records = gateway.records();
    assert!(records.iter().all(|record| record.member == "m2:21050" && record.letters == "--"));
    let moved = records.iter().filter(|r| r.retries == 1 && r.redispatched).count();
    assert_eq!(moved, 3, "every other one was sent to the dead member first");
}

#[test]
fn a_vanished_member_costs_one_connect_timeout() {
    let site = Site::new(2).pool("method = \"round-robin\"\nconnect_timeout = \"300ms\"");
    let _vanished = Unreachable::new(site.member_addr(1));
    let _alive = Member::echo(site.member_addr(2));
    let gateway = site.start();
    // The kernel alone would take minutes, which nobody here waits for.
    greet(site.front());
    greet(site.front());
    gateway.wait_record(2);
    let waited = gateway.records().into_iter().find(|record| record.redispatched);
    let waited = waited.expect("one of two met the vanished member");
    assert!(waited.connected >= 300, "{waited:?}");
}

#[test]
fn a_member_that_resets_ends_only_its_own_connections() {
    let site = Site::new(2).pool("method = \"round-robin\"");
    let _resetting = Member::serve(site.member_addr(1), |mut stream| {
        stream.hear(2);
        reset_on_close(&stream);
    });
    let _alive = Member::echo(site.member_addr(2));
    let gateway = site.start();
    let mut outcomes: Vec<_> = (0..4).map(|_| connect_and_hear(site.front())).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["echo", "echo", "reset", "reset"]);
    gateway.wait_record(4);
    let member_gone = gateway.records().iter().filter(|record| record.letters == "SD").count();
    assert_eq!(member_gone, 2);
}

/// Whether this counts as a failed connect or as a lost connection is a matter of microseconds;
/// an empty answer it never is.
#[test]
fn a_member_that_resets_at_once_never_looks_like_an_empty_answer() {
    let site = Site::new(1).pool("retries = 0\nconnect_failures_max = 0");
    let _resetting = Member::resetting(site.member_addr(1));
    let gateway = site.start();
    for _ in 0..50 {
        assert_eq!(connect(site.front()).hear_rest(), (Vec::new(), Ending::Reset));
    }
    gateway.wait_record(50);
    assert!(gateway.records().iter().all(|record| ["SC", "SD"].contains(&&*record.letters)));
}

fn connect_and_hear(to: SocketAddr) -> &'static str {
    let mut client = connect(to);
    client.say(b"hi");
    match std::io::Read::read_exact(&mut client, &mut [0; 2]) {
        Ok(()) => "echo",
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => "reset",
        Err(error) => panic!("neither an answer nor a reset: {error}"),
    }
}

#[test]
fn without_redispatch_the_same_member_is_tried_again() {
    let site = Site::new(2).pool(
        "method = \"round-robin\"\nredispatch = false\nretries = 1\nconnect_failures_max = 0",
    );
    let _alive = Member::echo(site.member_addr(2));
    let gateway = site.start();
    let mut endings: Vec<_> = (0..2).map(|_| connect_and_hear(site.front())).collect();
    endings.sort_unstable();
    assert_eq!(endings, ["echo", "reset"]);
    gateway.wait_record(2);
    let failed = gateway.records().into_iter().find(|record| record.letters == "SC").unwrap();
    assert_eq!(
        (failed.member.as_str(), failed.retries, failed.redispatched),
        ("m1:21050", 1, false)
    );
}

#[test]
fn when_all_members_are_down_clients_are_told_at_once() {
    let site = Site::new(2).monitored("");
    let gateway = site.start();
    gateway.out.wait_count(2, "member is down");
    assert_eq!(connect(site.front()).hear_rest(), (Vec::new(), Ending::Reset));
    let record = gateway.wait_record(1);
    assert_eq!((record.letters.as_str(), record.member.as_str()), ("SC", "<NOSRV>"));
    // It neither waited in a queue nor for a member.
    assert_eq!((record.queued, record.connected), (-1, -1));
}

/// The monitor looks at a port that is shut; the coordinators themselves are fine.
#[test]
fn try_any_serves_although_every_probe_fails() {
    let site = Site::new(2).monitored("port = 25000").pool("when_all_down = \"try-any\"");
    let _members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let gateway = site.start();
    gateway.out.wait_count(2, "member is down");
    for _ in 0..4 {
        greet(site.front());
    }
}

#[test]
fn a_killed_member_ends_only_its_own_connections() {
    let site = Site::new(2).pool("method = \"round-robin\"");
    let mut members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let _gateway = site.start();
    let mut clients: Vec<_> = (0..20).map(|_| greet(site.front())).collect();
    assert_eq!((members[0].open(), members[1].open()), (10, 10));
    members[0].kill();
    // Newcomers are served at once.
    for _ in 0..10 {
        greet(site.front());
    }
    let mut alive = 0;
    for client in &mut clients {
        let lives = std::io::Write::write_all(client, b"still there?").is_ok()
            && std::io::Read::read_exact(client, &mut [0; 12]).is_ok();
        alive += usize::from(lives);
    }
    assert_eq!(alive, 10);
}

/// Two echoing members whose health is judged on another port; killing `health[0]` marks
/// member 1 down while it goes on serving.
struct Judged {
    site: Site,
    members: [Member; 2],
    health: [Member; 2],
    gateway: Gateway,
}

impl Judged {
    fn start(service_down: &str) -> Self {
        let site = Site::new(2)
            .monitored("port = 25000")
            .pool(&format!("method = \"round-robin\"\nservice_down = \"{service_down}\""));
        let health = |n| Member::silent(SocketAddr::new(site.member_addr(n).ip(), 25_000));
        let health = [health(1), health(2)];
        let members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
        let gateway = Launch::new(PROGRAM, &site.config()).start();
        gateway.out.wait_count(2, "member changed health");
        Self { site, members, health, gateway }
    }

    /// One client on each member.
    fn two_clients(&self) -> [TcpStream; 2] {
        let clients = [connect(self.site.front()), connect(self.site.front())];
        wait_until("both members have a client", || self.members.iter().all(|m| m.open() == 1));
        clients
    }

    fn mark_down(&mut self) {
        self.health[0].kill();
        self.gateway.out.wait("member is down");
    }
}

#[test]
fn service_down_reset_resets_the_connections_of_the_member() {
    let mut judged = Judged::start("reset");
    let mut clients = judged.two_clients();
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
    judged.mark_down();
    let record = judged.gateway.wait_record(1);
    assert_eq!((record.letters.as_str(), record.member.as_str()), ("DD", "m1:21050"));
    judged.members[0].wait_open(0);
    let mut endings: Vec<_> = clients.iter_mut().map(lives).collect();
    endings.sort_unstable();
    assert_eq!(endings, ["alive", "reset"]);
}

/// Beside the change of health itself.
#[test]
fn an_event_tells_of_connections_that_service_down_ended() {
    let site = Site::new(2)
        .monitored("port = 25000")
        .pool("method = \"round-robin\"\nservice_down = \"reset\"")
        .admin("");
    let health = |n| Member::silent(SocketAddr::new(site.member_addr(n).ip(), 25_000));
    let mut health = [health(1), health(2)];
    let members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let gateway = site.start_with_admin();
    gateway.out.wait_count(2, "member changed health");
    let _clients = [greet(site.front()), greet(site.front())];
    assert!(members.iter().all(|member| member.open() == 1));
    health[0].kill();
    gateway.wait_record(1);
    let http = Http::tcp(site.admin_addr()).by_script();
    let event = wait_for("an event tells of it", || {
        let events: Value = serde_json::from_str(&http.get("/api/v1/events").body).unwrap();
        let items = events["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["kind"] == "connections-ended")
    });
    assert_eq!((&event["who"], &event["subject"]), (&"gateway".into(), &"p/m1:21050".into()));
    assert_eq!(event["text"], "1 connections ended: the member is down (service_down)");
    let events = http.get("/api/v1/events").body;
    assert!(
        events.contains("up \u{2192} down: probe failed: connect: connection refused"),
        "{events}"
    );
    // Nowhere is the system's number for it, which nobody needs.
    let members = http.get("/api/v1/pools/p").body;
    assert!(members.contains("connect: connection refused"), "{members}");
    let line = gateway.out.wait("member is down");
    assert!(line.contains("connect: connection refused"), "{line}");
    let log = gateway.out.all().join("\n");
    assert!([events, members, log].iter().all(|text| !text.contains("os error")));
}

#[test]
fn service_down_none_leaves_connections_alone() {
    let mut judged = Judged::start("none");
    let mut clients = judged.two_clients();
    judged.mark_down();
    assert!(clients.iter_mut().all(|client| lives(client) == "alive"));
    for _ in 0..4 {
        greet(judged.site.front());
    }
    assert_eq!(judged.members[0].accepted(), 1, "newcomers go elsewhere");
}

/// Needs CAP_NET_ADMIN, as the product does for it.
#[test]
fn service_down_drop_says_nothing_to_either_side() {
    let mut judged = Judged::start("drop");
    let clients = judged.two_clients();
    judged.mark_down();
    let record = judged.gateway.wait_record(1);
    assert_eq!((record.letters.as_str(), record.member.as_str()), ("DD", "m1:21050"));
    // Neither FIN nor reset has come: there is nothing to read yet.
    for client in &clients {
        client.set_nonblocking(true).unwrap();
        let error = client.peek(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
    }
    assert_eq!(judged.members[0].open(), 1, "the member was told nothing");
    // Who speaks finds out.
    let mut endings: Vec<_> = clients.into_iter().map(|mut client| lives(&mut client)).collect();
    endings.sort_unstable();
    assert_eq!(endings, ["alive", "reset"]);
}

#[test]
fn service_down_reselect_moves_those_that_have_not_spoken() {
    let mut judged = Judged::start("reselect");
    let mut quiet = judged.two_clients();
    let mut spoken = [greet(judged.site.front()), greet(judged.site.front())];
    judged.mark_down();
    wait_until("the quiet client has moved", || judged.members[1].accepted() == 3);
    judged.members[0].wait_open(0);
    assert!(quiet.iter_mut().all(|client| lives(client) == "alive"));
    let mut endings: Vec<_> = spoken.iter_mut().map(lives).collect();
    endings.sort_unstable();
    assert_eq!(endings, ["alive", "reset"]);
}

/// The end of a moved connection is as clean as any other's: its last data arrives.
#[test]
fn a_reselected_connection_ends_cleanly() {
    const ANSWER: usize = 1 << 20;
    let site = Site::new(2)
        .monitored("port = 25000")
        .pool("method = \"round-robin\"\nservice_down = \"reselect\"");
    let health = |n| Member::silent(SocketAddr::new(site.member_addr(n).ip(), 25_000));
    let mut health = [health(1), health(2)];
    let answer = |n| {
        Member::serve(site.member_addr(n), |mut stream| {
            stream.hear_rest();
            stream.say(&vec![b'x'; ANSWER]);
        })
    };
    let members = [answer(1), answer(2)];
    let gateway = site.start();
    gateway.out.wait_count(2, "member changed health");
    let mut clients = [connect(site.front()), connect(site.front())];
    wait_until("both members have a client", || members.iter().all(|m| m.open() == 1));
    health[0].kill();
    wait_until("both are at member 2", || members[1].open() == 2);
    for client in &mut clients {
        client.finish();
    }
    // The gateway has put everything into kernel buffers and closed before we read.
    gateway.wait_record(2);
    for client in &mut clients {
        let (bytes, ending) = client.hear_rest();
        assert_eq!((bytes.len(), ending), (ANSWER, Ending::Fin));
    }
}

fn lives(client: &mut TcpStream) -> &'static str {
    use std::io::{Read, Write};
    let mut answer = [0; 5];
    // The first write after a silent close still succeeds.
    match client.write_all(b"there").and_then(|()| client.read_exact(&mut answer)) {
        Ok(()) => "alive",
        Err(_) => "reset",
    }
}
