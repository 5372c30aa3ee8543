//! Limits hold, and whoever waits because of one is served in the end or told.

use std::net::TcpStream;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{Ending, Member, connect, wait_until};

use crate::site::Site;

#[track_caller]
fn newcomers_wait_until_others_leave(site: &Site, limit: &str, count: usize) {
    let member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut clients: Vec<_> = (0..2).map(|_| connect(site.front())).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"in"));
    let mut late: Vec<_> = (0..3).map(|_| connect(site.front())).collect();
    late.iter_mut().for_each(|client| client.say(b"waiting"));
    let warning = gateway.out.wait("limit reached");
    assert!(warning.contains(limit), "{warning}");
    assert_eq!(member.accepted(), 2);
    clients.clear();
    // At most two at a time, in whatever order the worker threads took them: each leaves when it
    // was served.
    std::thread::scope(|scope| {
        for client in &mut late {
            scope.spawn(|| {
                assert_eq!(client.hear(7), b"waiting");
                client.finish();
                assert_eq!(client.hear_rest(), (Vec::new(), Ending::Fin));
            });
        }
    });
    gateway.wait_record(5);
    let most = gateway.records().iter().map(|record| record.open[count]).max();
    assert_eq!(most, Some(2), "never more than two at once");
}

#[test]
fn a_full_virtual_server_lets_newcomers_wait() {
    let site = Site::new(1).virtual_server("connections_max = 2");
    newcomers_wait_until_others_leave(&site, "virtual.connections_max", 1);
}

#[test]
fn a_full_process_lets_newcomers_wait() {
    let site = Site::new(1).top("[process]\nconnections_max = 2");
    newcomers_wait_until_others_leave(&site, "\"connections_max\"", 0);
}

/// One full virtual server must not hold back another one for longer than its own clients stay.
#[test]
fn a_full_virtual_server_does_not_hold_back_another() {
    let site = Site::new(1).virtual_server("connections_max = 1");
    let second = site.net.addr(2);
    let config = format!(
        "[process]\nconnections_max = 2\n{}[virtual.w]\nlisten = \"{second}\"\npool = \"p\"\n",
        site.config()
    );
    let _member = Member::echo(site.member_addr(1));
    let gateway = oxpecker_testkit::Launch::new(crate::site::PROGRAM, &config).start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let _waiting: Vec<_> = (0..8).map(|_| connect(site.front())).collect();
    gateway.out.wait("limit reached");
    for _ in 0..4 {
        connect(second).check_echo(b"not concerned");
    }
}

#[test]
fn a_higher_limit_lets_those_in_who_wait() {
    let site = Site::new(1).virtual_server("connections_max = 1");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut second = connect(site.front());
    second.say(b"and me?");
    gateway.out.wait("limit reached");
    let config = site.config().replace("connections_max = 1", "connections_max = 2");
    assert!(gateway.reload(&config).contains("reloaded"));
    assert_eq!(second.hear(7), b"and me?");
    first.check_echo(b"still in");
}

#[test]
fn a_full_member_is_waited_for() {
    let site = Site::new(1).member(1, "connections_max = 1");
    let member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut second = connect(site.front());
    second.say(b"and me?");
    // A record needs an end; that the second waits shows in what the member sees.
    let mut refused = connect(site.front());
    refused.finish();
    assert_eq!(refused.hear_rest().1, Ending::Reset);
    assert_eq!(gateway.wait_record(1).letters, "CQ");
    assert_eq!(member.accepted(), 1);
    drop(first);
    assert_eq!(second.hear(7), b"and me?");
    drop(second);
    let record = gateway.wait_record(3);
    assert_eq!(record.letters, "--");
    assert!(record.queued >= 0, "{record:?}");
}

#[test]
fn the_queue_is_bounded() {
    let site = Site::new(1).member(1, "connections_max = 1").pool("queue_max = 1");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut others: Vec<_> = (0..2).map(|_| connect(site.front())).collect();
    assert_eq!(gateway.wait_record(1).letters, "SQ");
    drop(first);
    // One of the two was refused at once, the other got the place.
    let served = others.iter_mut().filter_map(echoes).count();
    assert_eq!(served, 1);
}

fn echoes(client: &mut TcpStream) -> Option<()> {
    use std::io::{Read, Write};
    client.write_all(b"hi").ok()?;
    client.read_exact(&mut [0; 2]).ok()
}

#[test]
fn without_a_queue_a_full_pool_refuses_at_once() {
    let site = Site::new(1).member(1, "connections_max = 1").pool("queue_max = 0");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    assert_eq!(connect(site.front()).hear_rest().1, Ending::Reset);
    assert_eq!(gateway.wait_record(1).letters, "SQ");
}

#[test]
fn waiting_in_the_queue_has_an_end() {
    let site = Site::new(1).member(1, "connections_max = 1").pool("queue_timeout = \"200ms\"");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    assert_eq!(connect(site.front()).hear_rest().1, Ending::Reset);
    let record = gateway.wait_record(1);
    assert_eq!(record.letters, "sQ");
    assert!(record.total >= 200, "{record:?}");
}

#[test]
fn whoever_leaves_the_queue_frees_its_place() {
    let site = Site::new(1).member(1, "connections_max = 1").pool("queue_max = 1");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    drop(connect(site.front()));
    assert_eq!(gateway.wait_record(1).letters, "CQ");
    let mut second = connect(site.front());
    second.say(b"in time");
    drop(first);
    assert_eq!(second.hear(7), b"in time");
}

/// With one worker thread the order of arrival is the order of accepting.
#[test]
fn the_queue_is_served_in_order_of_arrival() {
    let site = Site::new(1).member(1, "connections_max = 1").top("[process]\nthreads = 1");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut waiting = Vec::new();
    for number in 1..=6 {
        waiting.push(connect(site.front()));
        // One that comes and goes tells how many are ahead of it.
        drop(connect(site.front()));
        assert_eq!(gateway.wait_record(number).queue_ahead as usize, number);
    }
    drop(first);
    for (number, mut client) in waiting.into_iter().enumerate() {
        client.say(b"my turn");
        let answer = client.hear(7);
        assert_eq!(answer, b"my turn", "client {number} was overtaken");
    }
}

/// A queue in front of full members empties when a reload brings another one.
#[test]
fn a_new_member_serves_those_who_wait() {
    let site = Site::new(2).member(1, "connections_max = 1");
    let _members =
        [Member::named(site.member_addr(1), "m1"), Member::named(site.member_addr(2), "m2")];
    let both = site.config();
    let one = both.replace(", \"m2\"]", "]");
    assert_ne!(one, both);
    let gateway = oxpecker_testkit::Launch::new(crate::site::PROGRAM, &one).start();
    let mut first = connect(site.front());
    assert_eq!(first.hear_line(), "m1");
    let mut waiting: Vec<_> = (0..4).map(|_| connect(site.front())).collect();
    // All four are in the queue when a fifth has been and gone.
    drop(connect(site.front()));
    gateway.wait_record(1);
    assert!(gateway.reload(&both).contains("reloaded"));
    for client in &mut waiting {
        assert_eq!(client.hear_line(), "m2");
    }
}

#[test]
fn clients_at_a_limit_are_cut_with_the_rest() {
    let site = Site::new(1).virtual_server("connections_max = 1");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut waiting = connect(site.front());
    gateway.out.wait("limit reached");
    gateway.signal(Signal::SIGTERM);
    let draining = gateway.out.wait("draining");
    assert!(draining.contains("connections=2"), "{draining}");
    gateway.signal(Signal::SIGTERM);
    assert_eq!(first.hear_rest().1, Ending::Reset);
    assert_eq!(waiting.hear_rest().1, Ending::Reset);
    assert_eq!(gateway.wait_exit(), 6);
}

/// Clients that wait at a limit are not a reason to go on listening.
#[test]
fn a_full_gateway_stops_listening_when_told_to_end() {
    let site = Site::new(1).virtual_server("connections_max = 1");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut waiting = connect(site.front());
    waiting.say(b"me too");
    gateway.out.wait("limit reached");
    gateway.signal(Signal::SIGTERM);
    gateway.out.wait("draining");
    wait_until("newcomers are refused", || try_connect(None, site.front()).is_err());
    // Whoever was let in or waited is still served.
    first.check_echo(b"finishing");
    drop(first);
    assert_eq!(waiting.hear(6), b"me too");
    drop(waiting);
    assert_eq!(gateway.wait_exit(), 0);
}
