//! Which member a client gets.

use std::collections::BTreeMap;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Launch, Member, connect, connect_from};

use crate::site::{PROGRAM, Site};

/// Members that say their names: "m1", "m2", …
fn named(site: &Site, count: u8) -> Vec<Member> {
    (1..=count).map(|n| Member::named(site.member_addr(n), &format!("m{n}"))).collect()
}

#[test]
fn three_simultaneous_connections_get_three_members() {
    let site = Site::new(3);
    let _members = named(&site, 3);
    let _gateway = site.start();
    let mut clients: Vec<_> = (0..3).map(|_| connect(site.front())).collect();
    let mut names: Vec<_> = clients.iter_mut().map(Talk::hear_line).collect();
    names.sort();
    assert_eq!(names, ["m1", "m2", "m3"]);
}

#[test]
fn ten_connections_in_turn_reach_each_of_five_members_twice() {
    let site = Site::new(5).pool("method = \"round-robin\"");
    let _members = named(&site, 5);
    let _gateway = site.start();
    let mut counts = BTreeMap::new();
    for _ in 0..10 {
        *counts.entry(connect(site.front()).hear_line()).or_insert(0) += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [2; 5]);
}

#[test]
fn persistence_keeps_a_client_on_its_member() {
    let site = Site::new(3)
        .pool("method = \"round-robin\"")
        .virtual_server("persistence = \"source_addr\"");
    let _members = named(&site, 3);
    let _gateway = site.start();
    let ask = |n| connect_from(site.net.client(n), site.front()).hear_line();
    let first: Vec<_> = (0..12).map(ask).collect();
    let mut spread = first.clone();
    spread.sort();
    spread.dedup();
    assert_eq!(spread.len(), 3, "newcomers are spread");
    for _ in 0..3 {
        assert_eq!((0..12).map(ask).collect::<Vec<_>>(), first);
    }
}

#[test]
fn a_client_of_a_dead_member_moves_and_stays_there() {
    let site = Site::new(2)
        .pool("method = \"round-robin\"")
        .virtual_server("persistence = \"source_addr\"");
    let mut members = named(&site, 2);
    let gateway = site.start();
    let ask = || connect_from(site.net.client(1), site.front()).hear_line();
    let first = ask();
    let dead = if first == "m1" { 0 } else { 1 };
    members[dead].kill();
    let second = ask();
    assert_ne!(second, first);
    // The entry now names the other member, also when the first is back.
    members[dead] = Member::named(site.member_addr(dead as u8 + 1), &first);
    assert_eq!(ask(), second);
    // And a reload forgets nothing.
    assert!(gateway.reload(&site.config()).contains("reloaded"));
    for _ in 0..3 {
        assert_eq!(ask(), second);
    }
}

#[test]
fn clients_of_a_network_share_a_member_under_a_mask() {
    let site = Site::new(3)
        .pool("method = \"round-robin\"")
        .virtual_server("persistence = \"wide\"")
        .top("[profile.persistence.wide]\nparent = \"source_addr\"\nmask_v4 = 24");
    let _members = named(&site, 3);
    let _gateway = site.start();
    let first = connect_from(site.net.client(0), site.front()).hear_line();
    for n in 1..9 {
        assert_eq!(connect_from(site.net.client(n), site.front()).hear_line(), first);
    }
}

#[test]
fn source_hash_moves_only_the_lost_members_clients() {
    let site = Site::new(4).pool("method = \"source-hash\"").monitored("");
    let mut members = named(&site, 4);
    let gateway = site.start();
    gateway.out.wait_count(4, "member changed health");
    let ask = |n| connect_from(site.net.client(n), site.front()).hear_line();
    let before: Vec<_> = (0..40).map(ask).collect();
    members[2].kill();
    gateway.out.wait("member is down");
    for (n, before) in (0..).zip(&before) {
        let now = ask(n);
        if before == "m3" {
            assert_ne!(now, "m3");
        } else {
            assert_eq!(&now, before, "client {n} had no reason to move");
        }
    }
    assert!(before.iter().any(|name| name == "m3"), "40 clients missed a member: {before:?}");
}

#[test]
fn weights_share_connections_out() {
    let site = Site::new(3)
        .pool("method = \"round-robin\"")
        .member(1, "weight = 3")
        .member(3, "weight = 0");
    let _members = named(&site, 3);
    let _gateway = site.start();
    let names: Vec<_> = (0..8).map(|_| connect(site.front()).hear_line()).collect();
    assert_eq!(names.iter().filter(|name| *name == "m1").count(), 6, "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "m2").count(), 2, "{names:?}");
}

#[test]
fn the_backup_serves_only_when_nobody_else_is_left() {
    let site = Site::new(3).member(3, "backup = true").monitored("");
    let mut members = named(&site, 3);
    let gateway = site.start();
    gateway.out.wait_count(3, "member changed health");
    let ask = || connect(site.front()).hear_line();
    assert!((0..6).all(|_| ask() != "m3"));
    members[0].kill();
    gateway.out.wait_count(1, "member is down");
    assert!((0..6).all(|_| ask() == "m2"));
    members[1].kill();
    gateway.out.wait_count(2, "member is down");
    assert!((0..3).all(|_| ask() == "m3"));
    let mark = gateway.out.mark();
    members[0] = Member::named(site.member_addr(1), "m1");
    gateway.out.wait_since(mark, "member changed health");
    assert!((0..3).all(|_| ask() == "m1"));
}

/// Beeswax and HiveServer2 are two pools on the same coordinators.
#[test]
fn least_connections_counts_a_node_over_both_pools() {
    let site = Site::new(2).top("");
    let second = site.net.addr(2);
    let config = format!(
        "{}\n[pool.q]\nport = 21000\nmembers = [\"m1\", \"m2\"]\nmonitor = \"none\"\n\
         [virtual.w]\nlisten = \"{second}\"\npool = \"q\"\n",
        site.config()
    );
    let _members = named(&site, 2);
    let beeswax = |n: u8| {
        let addr = std::net::SocketAddr::new(site.member_addr(n).ip(), 21_000);
        Member::named(addr, &format!("m{n}"))
    };
    let _others = [beeswax(1), beeswax(2)];
    let _gateway = Launch::new(PROGRAM, &config).start();
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut hs2 = connect(site.front());
        let first = hs2.hear_line();
        let mut beeswax = connect(second);
        assert_ne!(first, beeswax.hear_line());
        open.push((hs2, beeswax));
    }
}

#[test]
fn a_draining_member_keeps_its_clients_and_gets_no_new_ones() {
    let site = Site::new(2)
        .pool("method = \"round-robin\"")
        .virtual_server("persistence = \"source_addr\"");
    let _members = named(&site, 2);
    let gateway = site.start();
    let ask = |n| connect_from(site.net.client(n), site.front()).hear_line();
    let first: Vec<_> = (0..6).map(ask).collect();
    assert!(first.iter().any(|name| name == "m1"), "{first:?}");
    let draining = site.member(1, "state = \"draining\"");
    assert!(gateway.reload(&draining.config()).contains("reloaded"));
    let ask = |n| connect_from(draining.net.client(n), draining.front()).hear_line();
    assert_eq!((0..6).map(ask).collect::<Vec<_>>(), first);
    assert!((10..16).map(ask).all(|name| name == "m2"));
}
