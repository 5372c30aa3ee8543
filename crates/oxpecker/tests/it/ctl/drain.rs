//! Draining with an eye on what is left.

use std::process::Stdio;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{Lines, Member, connect};

use super::Managed;
use crate::site::Site;

fn one() -> (Site, Member) {
    let site = Site::new(1);
    let member = Member::echo(site.member_addr(1));
    (site, member)
}

#[test]
fn it_waits_for_what_runs_and_says_what_is_left() {
    let (site, _member) = one();
    let managed = Managed::start(&site);
    let mut clients = [connect(site.front()), connect(site.front())];
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
    let out = managed.ok(&["drain", "m1"]);
    assert_eq!(out, "p/m1:21050 drains: 2 connections left\n");
    let mut command = managed.command(&["drain", "m1", "--wait"]);
    let mut waiting = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = Lines::read_from(waiting.stdout.take().unwrap());
    lines.wait("p/m1:21050 drains: 2 connections left");
    let [first, mut second] = clients;
    drop(first);
    lines.wait("p/m1:21050 drains: 1 connection left");
    second.check_echo(b"what runs may finish");
    assert_eq!(waiting.try_wait().unwrap(), None);
    drop(second);
    lines.wait("p/m1:21050 is drained");
    let status = wait_for("it ends", || waiting.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_deadline_is_status_6_and_ends_nothing_unless_told() {
    let (site, member) = one();
    let managed = Managed::start(&site);
    let mut client = connect(site.front());
    client.check_echo(b"hello");
    let (status, out, _) = managed.ask(&["drain", "m1", "--wait", "--deadline", "200ms"]);
    assert_eq!(status, 6, "{out}");
    assert!(out.contains("the deadline came; it goes on draining, and nothing was ended"), "{out}");
    client.check_echo(b"still here");
    let (status, out, _) = managed.ask(&["drain", "m1", "--wait", "--deadline", "0s", "--kill"]);
    assert_eq!(status, 6, "{out}");
    assert!(out.contains("the deadline came, 1 connection ended"), "{out}");
    member.wait_open(0);
    let (status, ..) = managed.ask(&["drain", "m1", "--wait", "--deadline", "10s"]);
    assert_eq!(status, 0);
}

#[test]
fn usage_is_checked() {
    let (site, _member) = one();
    let managed = Managed::start(&site);
    for args in [
        &["drain"][..],
        &["drain", "m1", "--deadline", "1h"],
        &["drain", "m1", "--wait", "--deadline", "soon"],
        &["drain", "m1", "--wait", "--kill"],
        &["drain", "m1", "--node", "m1"],
    ] {
        assert_eq!(managed.ask(args).0, 2, "{args:?}");
    }
}
