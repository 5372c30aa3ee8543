//! What `service_down` does to connections that follow a log-in with Kerberos: they cannot go
//! elsewhere, and a statement that runs does not keep them.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oxpecker_testkit::client::{Ending, Talk, connect};
use oxpecker_testkit::{Gateway, Member, wait_until};

use super::aware;
use super::unanswered::{KERBEROS, Then, check_end, play_server, record, say_up_to_the_statement};

/// A client with a statement on its way, whose member was marked down and goes on serving.
struct Down {
    gateway: Gateway,
    client: TcpStream,
    member: Member,
}

#[track_caller]
fn down(service_down: &str) -> Down {
    let site = aware("hs2", "")
        .monitored("port = 25000")
        .pool(&format!("service_down = \"{service_down}\""))
        .top("[log]\nqueries = \"json\"");
    let mut health = Member::silent(SocketAddr::new(site.member_addr(1).ip(), 25_000));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let member = Member::serve(site.member_addr(1), move |stream| {
        play_server(stream, KERBEROS, Then::Waits, &count);
    });
    let gateway = site.start();
    gateway.out.wait("member changed health");
    let mut client = connect(site.front());
    say_up_to_the_statement(&mut client, KERBEROS);
    wait_until("the member has the statement", || asked.load(Ordering::Relaxed) == 1);
    health.kill();
    gateway.out.wait("member is down");
    Down { gateway, client, member }
}

fn check_ended(down: &Down) {
    let access = down.gateway.wait_record(1);
    assert_eq!((access.letters.as_str(), access.member.as_str()), ("DD", "m1:21050"));
    check_end(&record(&down.gateway), "coordinator lost", "coordinator", None);
}

/// It has spoken, so there is no other member for it.
#[test]
fn followed_connections_are_reset() {
    for action in ["reset", "reselect"] {
        let mut down = down(action);
        check_ended(&down);
        assert_eq!(down.client.hear_rest(), (Vec::new(), Ending::Reset), "{action}");
        down.member.wait_open(0);
    }
}

/// Needs CAP_NET_ADMIN, as the product does for it.
#[test]
fn followed_connections_are_dropped_without_a_word() {
    let down = down("drop");
    check_ended(&down);
    down.client.set_nonblocking(true).unwrap();
    assert_eq!(down.client.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(down.member.open(), 1, "the member was told nothing");
}

#[test]
fn followed_connections_are_left_alone() {
    let down = down("none");
    assert_eq!(down.gateway.records().len(), 0);
    drop(down.client);
    // Its own end is what is told.
    check_end(&record(&down.gateway), "client gone", "client", None);
    assert_eq!(down.gateway.wait_record(1).letters, "--");
}
