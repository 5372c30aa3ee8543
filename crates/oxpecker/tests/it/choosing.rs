//! Which member a client gets.

use std::collections::BTreeMap;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, connect, connect_from};

use crate::site::Site;

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
