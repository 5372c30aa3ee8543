//! Few file descriptors: said at the start, survived later.

use std::time::Duration;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::namespace::run;
use oxpecker_testkit::{Member, connect, wait_until};

use crate::site::Site;

#[test]
fn a_limit_that_cannot_be_met_is_refused_with_the_remedy() {
    let site = Site::new(1).top("[process]\nconnections_max = 4000");
    let mut gateway = site.launch().through(&["prlimit", "--nofile=1024:1024"]).spawn();
    assert_eq!(gateway.wait_exit(), 1);
    let said = gateway.err.all().join("\n");
    for part in ["connections_max = 4000", "1024", "LimitNOFILE", "ulimit -n"] {
        assert!(said.contains(part), "`{part}` is missing: {said}");
    }
}

#[test]
fn the_soft_limit_is_raised_by_itself() {
    let site = Site::new(1).top("[process]\nconnections_max = 1000");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.launch().through(&["prlimit", "--nofile=256:8192"]).start();
    let mut clients: Vec<_> = (0..300).map(|_| connect(site.front())).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
}

#[test]
fn far_too_few_descriptors_are_refused_too() {
    let site = Site::new(1);
    let mut gateway = site.launch().through(&["prlimit", "--nofile=64:64"]).spawn();
    assert_eq!(gateway.wait_exit(), 1);
    assert!(gateway.err.all().join("\n").contains("LimitNOFILE"), "{:?}", gateway.err.all());
}

#[test]
fn a_reload_with_a_limit_that_cannot_be_met_changes_nothing() {
    let site = Site::new(1).top("[process]\nconnections_max = 100");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.launch().through(&["prlimit", "--nofile=1024:1024"]).start();
    let verdict = gateway.reload(&site.config().replace("= 100\n", "= 100000\n"));
    assert!(verdict.contains("reload failed") && verdict.contains("LimitNOFILE"), "{verdict}");
    connect(site.front()).check_echo(b"hello");
}

/// The limit is taken away below a running gateway, so that accept itself fails.
#[test]
fn out_of_descriptors_it_neither_spins_nor_dies() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut old = connect(site.front());
    old.check_echo(b"in");
    let pid = gateway.pid().to_string();
    let limit = |n: usize| run("prlimit", &["--pid", &pid, &format!("--nofile={n}:20000")]);
    limit(gateway.limit_with_free(0));
    let mut waiting: Vec<_> = (0..20).map(|_| connect(site.front())).collect();
    gateway.out.wait("failed to accept");
    // A second of the wall's time, however long this test is kept from running.
    let (began, before) = (std::time::Instant::now(), gateway.cpu_time());
    wait_until("a second has passed", || began.elapsed() > Duration::from_secs(1));
    let used = gateway.cpu_time() - before;
    let share = used.as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(share < 0.2, "{used:?} of processor time while it can do nothing");
    old.check_echo(b"not concerned");
    assert_eq!(gateway.out.count("failed to accept"), 1, "said once, not at every try");
    // Enough again: everybody who waited is served.
    limit(4096);
    for client in &mut waiting {
        client.check_echo(b"at last");
    }
}

/// Room for the client but not for the connection to the member.
#[test]
fn no_descriptor_for_the_member_is_no_fault_of_the_member() {
    let site = Site::new(1).pool("retries = 0\nconnect_failures_max = 1");
    let member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let before = gateway.descriptors();
    connect(site.front()).check_echo(b"in");
    wait_until("its descriptors are free again", || gateway.descriptors() == before);
    let pid = gateway.pid().to_string();
    let limit = |n: usize| run("prlimit", &["--pid", &pid, &format!("--nofile={n}:20000")]);
    limit(gateway.limit_with_free(1));
    let mut client = connect(site.front());
    client.hear_rest();
    assert_eq!(gateway.wait_record(2).letters, "RC");
    let said = gateway.out.wait("no connection to the member could be opened");
    assert!(said.contains("out of descriptors"), "{said}");
    assert_eq!(gateway.out.count("member is down"), 0);
    limit(4096);
    connect(site.front()).check_echo(b"in again");
    assert_eq!(member.accepted(), 2);
}

#[test]
fn nothing_is_left_behind_by_many_connections() {
    let site = Site::new(2);
    let _members = [Member::echo(site.member_addr(1)), Member::resetting(site.member_addr(2))];
    let gateway = site.start();
    let burst = |n: usize| {
        for _ in 0..n {
            let mut client = connect(site.front());
            let _ = std::io::Write::write_all(&mut client, b"hi");
        }
    };
    // Until the allocator has what it needs for this pace.
    burst(500);
    wait_until("all are gone", || gateway.records().len() == 500);
    let (descriptors, memory) = (gateway.descriptors(), gateway.rss_bytes());
    burst(3000);
    wait_until("all are gone", || gateway.records().len() == 3500);
    wait_until("their descriptors are too", || gateway.descriptors() <= descriptors + 2);
    // The least part of a connection is some hundred bytes; with what stands around it, a
    // kilobyte and a half.
    let grown = gateway.rss_bytes().saturating_sub(memory);
    assert!(grown < 4 << 20, "3000 connections left {grown} bytes behind");
}
