//! Silence ends a connection when the profile says so, and nothing else does.

use std::thread;
use std::time::{Duration, Instant};

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Ending, Member, connect};

use crate::site::Site;

#[track_caller]
fn silence_ends_with(profile: &str, letters: &str) {
    let site = Site::new(1).profile(profile);
    let member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    client.check_echo(b"hello");
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    member.wait_open(0);
    let record = gateway.wait_record(1);
    assert_eq!((record.letters.as_str(), record.bytes), (letters, 5));
    assert!(record.total >= 200, "{record:?}");
}

#[test]
fn idle_connections_end_after_the_idle_timeout() {
    silence_ends_with("idle_timeout = \"200ms\"", "cD");
}

#[test]
fn silent_clients_end_after_the_client_timeout() {
    silence_ends_with("client_timeout = \"200ms\"\nserver_timeout = \"10m\"", "cD");
}

#[test]
fn silent_members_end_after_the_server_timeout() {
    silence_ends_with("client_timeout = \"10m\"\nserver_timeout = \"200ms\"", "sD");
}

/// A connection on which nobody ever spoke is idle too.
#[test]
fn connections_without_a_byte_end_as_well() {
    let site = Site::new(1).profile("idle_timeout = \"200ms\"");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    assert_eq!(connect(site.front()).hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!(gateway.wait_record(1).letters, "cD");
}

/// The pauses are pace, not waiting: a byte every 50 ms for three times the timeout.
#[test]
fn activity_in_one_direction_keeps_a_connection_open() {
    let site = Site::new(1).profile("idle_timeout = \"1s\"");
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        stream.hear(1);
        for _ in 0..60 {
            stream.say(b".");
            thread::sleep(Duration::from_millis(50));
        }
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"?");
    client.finish();
    let began = Instant::now();
    assert_eq!(client.hear_rest(), (vec![b'.'; 60], Ending::Fin));
    assert!(began.elapsed() > Duration::from_secs(2));
    assert_eq!(gateway.wait_record(1).letters, "--");
}

/// Neither side may hold the connection for ever with half of it closed.
#[test]
fn a_half_closed_connection_can_be_idle() {
    let site = Site::new(1).profile("idle_timeout = \"200ms\"");
    let member = Member::silent(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"hello");
    assert_eq!(client.hear_rest().1, Ending::Reset);
    member.wait_open(0);
    assert_eq!(gateway.wait_record(1).letters, "cD");
}
