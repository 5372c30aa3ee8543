//! How a gateway ends: SIGTERM drains, a second one cuts, SIGINT does not wait.

use std::fs;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{Ending, Member, TempDir, connect, wait_until};

use crate::site::Site;

#[test]
fn draining_refuses_newcomers_and_waits_for_the_rest() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let mut client = connect(site.front());
    client.check_echo(b"a long query");
    gateway.signal(Signal::SIGTERM);
    wait_until("newcomers are refused", || try_connect(None, site.front()).is_err());
    client.check_echo(b"its answer");
    assert!(gateway.is_running());
    client.finish();
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Fin));
    assert_eq!(gateway.wait_exit(), 0);
    assert_eq!(gateway.records()[0].letters, "--");
    assert_eq!(gateway.out.count("drained"), 1);
}

/// Whose connect succeeded is served, although the gateway hears of the signal first.
#[test]
fn draining_serves_whoever_waits_in_the_kernel() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    gateway.signal(Signal::SIGSTOP);
    let mut early: Vec<_> = (0..200).map(|_| connect(site.front())).collect();
    gateway.signal(Signal::SIGTERM);
    gateway.signal(Signal::SIGCONT);
    early.iter_mut().for_each(|client| client.check_echo(b"got through"));
    drop(early);
    assert_eq!(gateway.wait_exit(), 0);
}

#[test]
fn an_idle_gateway_ends_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGINT] {
        let site = Site::new(1);
        let mut gateway = site.start();
        gateway.signal(signal);
        assert_eq!(gateway.wait_exit(), 0);
    }
}

#[test]
fn the_drain_deadline_cuts_and_the_exit_status_says_so() {
    let site = Site::new(1).top("[process]\ndrain_timeout = \"200ms\"");
    let member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let mut client = connect(site.front());
    client.check_echo(b"a query without end");
    gateway.signal(Signal::SIGTERM);
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!(gateway.wait_exit(), 6);
    member.wait_open(0);
    assert_eq!(gateway.records()[0].letters, "KD");
}

#[test]
fn a_second_signal_cuts_at_once() {
    for second in [Signal::SIGTERM, Signal::SIGINT] {
        let site = Site::new(1);
        let _member = Member::echo(site.member_addr(1));
        let mut gateway = site.start();
        let mut client = connect(site.front());
        client.check_echo(b"a query without end");
        gateway.signal(Signal::SIGTERM);
        gateway.out.wait("draining");
        gateway.signal(second);
        assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
        assert_eq!(gateway.wait_exit(), 6);
    }
}

#[test]
fn a_second_signal_also_ends_the_drain_delay() {
    let site = Site::new(1).top("[process]\ndrain_delay = \"10m\"");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    gateway.signal(Signal::SIGTERM);
    gateway.out.wait("draining");
    // Whatever stands in front has not noticed yet: newcomers are still served.
    connect(site.front()).check_echo(b"late but served");
    gateway.wait_record(1);
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
}

#[test]
fn an_interrupt_ends_everything_now() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let mut client = connect(site.front());
    client.check_echo(b"a query without end");
    gateway.signal(Signal::SIGINT);
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!(gateway.wait_exit(), 0);
}

/// Clients in the member's queue are part of what a drain waits for and a cut ends.
#[test]
fn queued_clients_are_drained_too() {
    let site = Site::new(1).member(1, "connections_max = 1");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let mut first = connect(site.front());
    first.check_echo(b"in");
    let mut second = connect(site.front());
    second.say(b"waiting");
    // A third that comes and goes shows that the second is in the queue.
    drop(connect(site.front()));
    gateway.wait_record(1);
    gateway.signal(Signal::SIGTERM);
    gateway.out.wait("draining");
    drop(first);
    assert_eq!(second.hear(7), b"waiting");
    drop(second);
    assert_eq!(gateway.wait_exit(), 0);
}

#[test]
fn a_renamed_log_file_is_opened_anew() {
    let dir = TempDir::new();
    let (log, old) = (dir.join("oxpecker.log"), dir.join("oxpecker.log.1"));
    let site = Site::new(1).top(&format!("[[log.target]]\nto = \"file:{}\"", log.display()));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.launch().spawn();
    let records = |file| fs::read_to_string(file).unwrap_or_default().matches(" v p/").count();
    wait_until("it has started", || {
        fs::read_to_string(&log).unwrap_or_default().contains("started")
    });
    connect(site.front()).check_echo(b"one");
    wait_until("the first record is written", || records(&log) == 1);
    fs::rename(&log, &old).unwrap();
    connect(site.front()).check_echo(b"two");
    wait_until("the second goes to the renamed file", || records(&old) == 2);
    gateway.signal(Signal::SIGUSR1);
    wait_until("there is a new file", || log.exists());
    connect(site.front()).check_echo(b"three");
    wait_until("the third is in the new file", || records(&log) == 1);
    assert_eq!(records(&old), 2);
}

#[test]
fn the_command_lines_pidfile_wins_and_goes_away_at_the_end() {
    let dir = TempDir::new();
    let (wanted, other) = (dir.join("wanted.pid"), dir.join("other.pid"));
    let site = Site::new(1).top(&format!("[process]\npidfile = \"{}\"", other.display()));
    let mut gateway = site.launch().arg("-p").arg(&wanted.display().to_string()).start();
    assert_eq!(fs::read_to_string(&wanted).unwrap(), format!("{}\n", gateway.pid()));
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
    assert!(!wanted.exists() && !other.exists());
}
