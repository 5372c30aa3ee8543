//! The addresses that members see.

use std::net::{IpAddr, SocketAddr};

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::namespace::{in_namespace, run, sysctl};
use oxpecker_testkit::{Ending, Member, connect, connect_from};

use super::need_root;
use crate::site::Site;

#[test]
fn source_addresses_take_turns() {
    let site = Site::new(1);
    let sources: Vec<IpAddr> = (60..63).map(|host| site.net.ip(host)).collect();
    let site = site
        .pool(&format!("source = [\"{}\", \"{}\", \"{}\"]", sources[0], sources[1], sources[2]));
    let _member = Member::tells_peer(site.member_addr(1));
    let _gateway = site.start();
    let mut seen: Vec<IpAddr> = (0..6)
        .map(|_| connect(site.front()).hear_line().parse::<SocketAddr>().unwrap().ip())
        .collect();
    seen.sort();
    let mut expected = [sources.clone(), sources].concat();
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn transparent_members_see_the_clients_address() {
    need_root();
    let site = Site::new(1).pool("transparent = true");
    let _member = Member::tells_peer(site.member_addr(1));
    let _gateway = site.start();
    for number in [5, 6] {
        let client = site.net.client(number);
        let told = connect_from(client, site.front()).hear_line();
        assert_eq!(told.parse::<SocketAddr>().unwrap().ip(), client);
    }
}

/// The client's address is nobody's on the gateway's machine, as in real life: a pair of
/// interfaces, the client at the far end, and routes that bring the members' answers back.
#[test]
fn transparent_works_for_addresses_that_are_not_ours() {
    need_root();
    in_namespace(|| {
        let site = Site::new(1)
            .pool("transparent = true")
            .virtual_server("accept_proxy = [\"127.0.0.0/8\"]");
        let _member = Member::tells_peer(site.member_addr(1));
        // What comes back for the foreign address is handed to the local socket.
        run("ip", &["rule", "add", "to", "198.51.100.0/24", "lookup", "100"]);
        run("ip", &["route", "add", "local", "198.51.100.0/24", "dev", "lo", "table", "100"]);
        let _gateway = site.start();
        let mut client = connect(site.front());
        client.say(b"PROXY TCP4 198.51.100.7 10.9.9.9 5555 21050\r\n");
        assert!(client.hear_line().starts_with("198.51.100.7:"));
        client.check_echo(b"hello");
    });
}

#[test]
fn used_up_ports_are_named_and_a_second_source_helps() {
    need_root();
    in_namespace(|| {
        sysctl("ipv4/ip_local_port_range", "40000 40003");
        let site = Site::new(1);
        let (first, second) = (site.net.ip(60), site.net.ip(61));
        let one = format!("source = [\"{first}\"]\nretries = 0");
        let two = format!("source = [\"{first}\", \"{second}\"]\nretries = 0");
        let member = Member::echo(site.member_addr(1));
        let config = site.config().replace("monitor = \"none\"", "monitor = \"none\"\n#SOURCE");
        let gateway =
            oxpecker_testkit::Launch::new(crate::site::PROGRAM, &config.replace("#SOURCE", &one))
                .start();
        // Clients need ports too: each has an address of its own.
        let client = |number| connect_from(site.net.client(number), site.front());
        let mut open: Vec<_> = (0..4).map(client).collect();
        open.iter_mut().for_each(|client| client.check_echo(b"in"));
        assert_eq!(client(10).hear_rest(), (Vec::new(), Ending::Reset));
        assert_eq!(gateway.wait_record(1).letters, "RC");
        let said = gateway.out.wait("no connection to the member could be opened");
        for part in ["every local port toward the member is in use", "`source`", "m1:21050"] {
            assert!(said.contains(part), "`{part}` is missing: {said}");
        }
        // That says nothing about the member.
        assert_eq!(gateway.out.count("member is down"), 0);

        assert!(gateway.reload(&config.replace("#SOURCE", &two)).contains("reloaded"));
        let mut more: Vec<_> = (20..24).map(client).collect();
        more.iter_mut().for_each(|client| client.check_echo(b"in"));
        open.iter_mut().for_each(|client| client.check_echo(b"still in"));
        assert_eq!(member.open(), 8);
    });
}

/// Without the capability it is this machine that refuses, not the member.
#[test]
fn transparent_without_its_capability_is_named_and_blames_no_member() {
    need_root();
    let site = Site::new(1)
        .pool("transparent = true\nretries = 0\nconnect_failures_max = 1")
        .top("[process]\nuser = \"nobody\"");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    assert_eq!(connect(site.front()).hear_rest().1, Ending::Reset);
    assert_eq!(gateway.wait_record(1).letters, "RC");
    let said = gateway.out.wait("no connection to the member could be opened");
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");
    assert_eq!(gateway.out.count("member is down"), 0);
}

#[test]
fn a_source_address_that_is_not_ours_is_named() {
    let site = Site::new(1).pool("source = [\"192.0.2.1\"]\nretries = 0");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    assert_eq!(connect(site.front()).hear_rest().1, Ending::Reset);
    let said = gateway.out.wait("no connection to the member could be opened");
    assert!(said.contains("192.0.2.1"), "{said}");
    assert!(!said.contains("every local port"), "ports are not what is missing: {said}");
}
