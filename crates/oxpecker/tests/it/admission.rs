//! Who may come in: address lists, and PROXY headers that say who somebody is.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{DEADLINE, Ending, Member, TempDir, connect, connect_from};

use crate::site::Site;

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A version 2 header for TCP over IPv4.
fn v2(source: ([u8; 4], u16), destination: ([u8; 4], u16)) -> Vec<u8> {
    let mut header = V2_SIGNATURE.to_vec();
    header.extend([0x21, 0x11, 0, 12]);
    header.extend(source.0);
    header.extend(destination.0);
    header.extend(source.1.to_be_bytes());
    header.extend(destination.1.to_be_bytes());
    header
}

#[test]
fn only_allowed_networks_come_in_and_denied_ones_never() {
    let site = Site::new(1);
    let (inside, denied) = (site.net.client(1), site.net.client(2));
    let site = site.virtual_server(&format!("allow = [\"{inside}/24\"]\ndeny = [\"{denied}/32\"]"));
    let member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    connect_from(inside, site.front()).check_echo(b"let me in");
    for outsider in [denied, IpAddr::from([127, 0, 0, 9])] {
        let mut client = connect_from(outsider, site.front());
        assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    }
    gateway.wait_record(3);
    let refused: Vec<_> = gateway.records().into_iter().filter(|r| r.letters == "PR").collect();
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|record| record.member == "<NOSRV>"));
    assert_eq!(member.accepted(), 1);
}

fn behind_a_balancer() -> Site {
    Site::new(1).virtual_server("accept_proxy = [\"127.0.0.1\"]")
}

#[test]
fn proxy_headers_are_taken_off_however_they_are_split() {
    let site = behind_a_balancer();
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let headers = [
        b"PROXY TCP4 10.1.2.3 10.9.9.9 5555 21050\r\n".to_vec(),
        v2(([10, 1, 2, 3], 5555), ([10, 9, 9, 9], 21050)),
    ];
    for header in &headers {
        // With the first words in one segment.
        let mut client = connect(site.front());
        client.say(&[header, &b"hello"[..]].concat());
        assert_eq!(client.hear(5), b"hello");
        // Byte by byte.
        let mut client = connect(site.front());
        for byte in header {
            client.say(&[*byte]);
        }
        client.check_echo(b"hello");
    }
    gateway.wait_record(4);
    for record in gateway.records() {
        assert_eq!(record.client, "10.1.2.3:5555");
        assert_eq!(record.bytes, 5, "the header is no part of the stream");
    }
}

#[test]
fn a_balancers_own_connection_keeps_its_address() {
    let site = behind_a_balancer();
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let local_v2 = [&V2_SIGNATURE[..], &[0x20, 0, 0, 0]].concat();
    for header in [&b"PROXY UNKNOWN\r\n"[..], &local_v2] {
        let mut client = connect(site.front());
        client.say(header);
        client.check_echo(b"probe");
    }
    gateway.wait_record(2);
    assert!(gateway.records().iter().all(|record| record.client.starts_with("127.0.0.1:")));
}

#[test]
fn without_a_proxy_header_the_connection_is_closed_and_logged() {
    let site = behind_a_balancer().profile("handshake_timeout = \"300ms\"");
    let member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    let bad: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x01\x00\x01\x00\x00\x00\x0bOpenSession",
        b"PROXY TCP4 10.1.2.3\r\n",
        b"PROXY TCP4 banana 10.9.9.9 5555 21050\r\n",
        &[0xff; 600],
        // Nothing, until patience ends.
        b"",
    ];
    for bytes in bad {
        let mut client = connect(site.front());
        client.say(bytes);
        assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset), "{bytes:?}");
    }
    // A half header and then the end must not wait for patience to end.
    let mut client = connect(site.front());
    client.say(b"PROXY TC");
    client.finish();
    assert_eq!(client.hear_rest().1, Ending::Reset);
    gateway.wait_record(bad.len() + 1);
    assert!(gateway.records().iter().all(|record| record.letters == "PR"));
    assert_eq!(member.accepted(), 0);
    assert!(gateway.is_running());
}

#[test]
fn proxy_headers_are_believed_only_from_the_balancer() {
    let site = behind_a_balancer();
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut liar = connect_from(site.net.client(1), site.front());
    // Not even its first byte is waited for.
    assert_eq!(liar.hear_rest().1, Ending::Reset);
    let record = gateway.wait_record(1);
    assert_eq!(record.letters, "PR");
    assert!(record.client.starts_with(&site.net.client(1).to_string()), "{record:?}");
}

#[test]
fn address_lists_look_at_the_client_behind_the_balancer() {
    let site = behind_a_balancer().virtual_server("deny = [\"10.66.0.0/16\"]");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut fine = connect(site.front());
    fine.say(b"PROXY TCP4 10.1.2.3 10.9.9.9 5555 21050\r\n");
    fine.check_echo(b"fine");
    let mut denied = connect(site.front());
    denied.say(b"PROXY TCP4 10.66.2.3 10.9.9.9 5555 21050\r\n");
    assert_eq!(denied.hear_rest().1, Ending::Reset);
}

#[test]
fn persistence_looks_at_the_client_behind_the_balancer() {
    let site = Site::new(2)
        .pool("method = \"round-robin\"")
        .virtual_server("accept_proxy = [\"127.0.0.0/8\"]\npersistence = \"source_addr\"");
    let _members =
        [Member::named(site.member_addr(1), "m1"), Member::named(site.member_addr(2), "m2")];
    let _gateway = site.start();
    let ask = |n: u8| {
        let mut client = connect(site.front());
        client.say(format!("PROXY TCP4 10.1.2.{n} 10.9.9.9 5555 21050\r\n").as_bytes());
        client.hear_line()
    };
    let first: Vec<_> = (0..4).map(ask).collect();
    assert_ne!(first[0], first[1]);
    assert_eq!((0..4).map(ask).collect::<Vec<_>>(), first);
}

#[test]
fn a_member_is_told_the_client_by_a_text_header() {
    let site = Site::new(1).pool("send_proxy = \"v1\"");
    let member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut client = connect_from(site.net.client(7), site.front());
    let from = client.local_addr().unwrap();
    client.say(b"first words\n");
    let front = site.front();
    let expected =
        format!("PROXY TCP4 {} {} {} {}\r", from.ip(), front.ip(), from.port(), front.port());
    assert_eq!(client.hear_line(), expected);
    assert_eq!(client.hear_line(), "first words");
    drop(member);
}

#[test]
fn a_member_is_told_the_client_by_a_binary_header() {
    let site = Site::new(1).pool("send_proxy = \"v2\"");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut client = connect_from(site.net.client(7), site.front());
    let from = client.local_addr().unwrap();
    let octets = |addr: SocketAddr| match addr.ip() {
        IpAddr::V4(ip) => (ip.octets(), addr.port()),
        IpAddr::V6(_) => panic!("tests use IPv4"),
    };
    let expected = v2(octets(from), octets(site.front()));
    assert_eq!(client.hear(expected.len()), expected);
    client.check_echo(b"first words");
}

/// A client of a Unix socket has no address, and none is made up.
#[test]
fn a_member_is_told_that_a_local_client_has_no_address() {
    let dir = TempDir::new();
    let path = dir.join("hue.sock");
    let site =
        Site::new(1).pool("send_proxy = \"v1\"").listen(&format!("\"unix:{}\"", path.display()));
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.say(b"hello\n");
    assert_eq!(client.hear_line(), "PROXY UNKNOWN\r");
    assert_eq!(client.hear_line(), "hello");
}

/// The kernel shows IPv4 clients of a `*` listener as `::ffff:127.0.0.1`.
#[test]
fn ipv4_clients_of_a_dual_listener_are_ipv4_clients() {
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
    let site = Site::new(1)
        .pool("send_proxy = \"v1\"")
        .listen(&format!("\"*:{port}\""))
        .virtual_server("allow = [\"127.0.0.0/8\"]");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut client = connect(SocketAddr::from(([127, 0, 0, 1], port)));
    client.say(b"\n");
    let told = client.hear_line();
    assert!(told.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "), "{told}");
    let mut six = connect(format!("[::1]:{port}").parse().unwrap());
    assert_eq!(six.hear_rest().1, Ending::Reset);
}

/// Two balancers in a row: the member hears of the first one's client.
#[test]
fn a_proxy_header_is_passed_on() {
    let site = behind_a_balancer().pool("send_proxy = \"v1\"");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut client = connect(site.front());
    client.say(&v2(([10, 1, 2, 3], 5555), ([10, 9, 9, 9], 21050)));
    assert_eq!(client.hear_line(), "PROXY TCP4 10.1.2.3 10.9.9.9 5555 21050\r");
}
