//! TLS that passes: the name asked for is seen, and chooses the pool.

use std::time::Duration;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Gateway, Member, connect};

use crate::site::Site;

/// A ClientHello for this name, as impala-shell's OpenSSL would send it but for brevity.
fn hello(name: &str) -> Vec<u8> {
    let name = name.as_bytes();
    let prefixed = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let entry = [&[0][..], &prefixed(name)].concat();
    let extension = [&[0, 0][..], &prefixed(&prefixed(&entry))].concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(prefixed(&extension));
    let mut message = vec![1, 0];
    message.extend(prefixed(&body));
    [&[22, 3, 1][..], &prefixed(&message)].concat()
}

/// Members 1 and 2 say who they are; the second is the pool of two names.
fn routed() -> (Site, [Member; 2]) {
    let site = Site::new(1);
    let members =
        [(1, "usual"), (2, "routed")].map(|(n, name)| Member::named(site.member_addr(n), name));
    let site = site
        .virtual_server(
            "sni_routes = [{ name = \"dev.example.test\", pool = \"other\" }, \
             { name = \"*.dev.example.test\", pool = \"other\" }]",
        )
        .top("[log]\naccess = \"json\"");
    let other = format!(
        "[node.other]\naddress = \"{}\"\n\
         [pool.other]\nport = 21050\nmembers = [\"other\"]\nmonitor = \"none\"",
        site.member_addr(2).ip()
    );
    (site.top(&other), members)
}

#[track_caller]
fn last_record(gateway: &Gateway, n: usize) -> serde_json::Value {
    let lines = gateway.out.wait_count(n, "\"record\":\"access\"");
    serde_json::from_str(&lines[n - 1]).unwrap()
}

#[test]
fn the_name_chooses_the_pool_and_is_noted() {
    let (site, _members) = routed();
    let gateway = site.start();
    let cases = [
        ("dev.example.test", "routed"),
        ("A.Dev.Example.Test", "routed"),
        ("a.b.dev.example.test", "usual"),
        ("impala.example.test", "usual"),
    ];
    for (n, (name, member)) in cases.into_iter().enumerate() {
        let hello = hello(name);
        let mut client = connect(site.front());
        client.say(&hello);
        assert_eq!(client.hear_line(), member, "for {name}");
        assert_eq!(client.hear(hello.len()), hello, "nothing was taken or changed");
        drop(client);
        let record = last_record(&gateway, n + 1);
        assert_eq!(record["tls"]["server_name"], name.to_ascii_lowercase(), "{record}");
        assert_eq!(record["tls"]["ended_here"], false, "{record}");
        let pool = if member == "routed" { "other" } else { "p" };
        assert_eq!(record["pool"], pool, "{record}");
    }
}

#[test]
fn a_hello_in_single_bytes_is_understood() {
    let (site, _members) = routed();
    let _gateway = site.start();
    let hello = hello("dev.example.test");
    let mut client = connect(site.front());
    for byte in &hello {
        client.say(std::slice::from_ref(byte));
    }
    assert_eq!(client.hear_line(), "routed");
    assert_eq!(client.hear(hello.len()), hello);
    client.check_echo(b"and on");
}

#[test]
fn a_hello_in_two_parts_is_understood_wherever_it_is_cut() {
    let (site, _members) = routed();
    let _gateway = site.start();
    let hello = hello("dev.example.test");
    for cut in 1..hello.len() {
        let mut client = connect(site.front());
        client.say(&hello[..cut]);
        // Long enough, as a rule, for the first part to be looked at alone.
        std::thread::sleep(Duration::from_millis(3));
        client.say(&hello[cut..]);
        assert_eq!(client.hear_line(), "routed", "cut at {cut}");
        assert_eq!(client.hear(hello.len()), hello, "cut at {cut}");
    }
}

#[test]
fn whoever_speaks_no_tls_gets_the_usual_pool() {
    let (site, _members) = routed();
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"\x80\x01\x00\x01");
    assert_eq!(client.hear_line(), "usual");
    drop(client);
    assert!(last_record(&gateway, 1)["tls"].is_null());
}

/// Members that speak first are not known to need it, but a silent client must get somewhere.
#[test]
fn a_hello_that_does_not_come_is_not_waited_for() {
    let (site, _members) = routed();
    let site = site.profile("handshake_timeout = \"300ms\"");
    let _gateway = site.start();
    assert_eq!(connect(site.front()).hear_line(), "usual");
    // Half of one: what was sent must reach the member all the same.
    let half = &hello("dev.example.test")[..40];
    let mut client = connect(site.front());
    client.say(&half[..20]);
    client.say(&half[20..]);
    assert_eq!(client.hear_line(), "usual");
    assert_eq!(client.hear(half.len()), half);
}
