//! Addresses, Unix sockets and interfaces that a virtual server listens on.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{DEADLINE, Launch, Member, TempDir, connect};

use crate::site::{PROGRAM, Site};

/// A port that is free on all addresses at this moment.
fn free_port() -> u16 {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

fn connect_unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn an_ipv6_address_serves() {
    let port = free_port();
    let site = Site::new(1).listen(&format!("\"[::1]:{port}\""));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let own = client.local_addr().unwrap().port();
    client.check_echo(b"six");
    drop(client);
    assert_eq!(gateway.wait_record(1).client, format!("::1:{own}"));
}

#[test]
fn the_star_serves_both_families() {
    let port = free_port();
    let site = Site::new(1).listen(&format!("\"*:{port}\""));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).check_echo(b"six");
    connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).check_echo(b"four");
    gateway.wait_record(2);
    let clients: Vec<_> = gateway.records().into_iter().map(|record| record.client).collect();
    assert!(clients.iter().any(|client| client.starts_with("127.0.0.1:")), "{clients:?}");
}

#[test]
fn without_dual_stack_the_star_is_ipv6_only() {
    let port = free_port();
    let site = Site::new(1).listen(&format!("\"*:{port}\"")).virtual_server("dual_stack = false");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).check_echo(b"six");
    assert!(try_connect(None, SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err());
}

#[test]
fn a_list_of_addresses_is_one_virtual_server() {
    let site = Site::new(1);
    let other = site.net.addr(2);
    let front = site.front();
    let site = site.listen(&format!("[\"{front}\", \"{other}\"]"));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    for addr in [front, other] {
        connect(addr).check_echo(b"hello");
    }
    gateway.wait_record(2);
    assert!(gateway.records().iter().all(|record| record.virtual_server == "v"));
}

#[test]
fn a_unix_socket_serves_with_its_mode_and_goes_away_at_the_end() {
    let dir = TempDir::new();
    let path = dir.join("hue.sock");
    let site = Site::new(1)
        .listen(&format!("\"unix:{}\"", path.display()))
        .virtual_server("socket_mode = \"0606\"");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o606);
    let mut client = connect_unix(&path);
    client.check_echo(&vec![7; 300_000]);
    client.finish();
    assert!(client.hear_rest().0.is_empty());
    let record = gateway.wait_record(1);
    assert_eq!((record.client.as_str(), record.letters.as_str()), ("unix:1", "--"));
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
    assert!(!path.exists());
}

#[test]
fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
    let dir = TempDir::new();
    let path = dir.join("hue.sock");
    let site = Site::new(1).listen(&format!("\"unix:{}\"", path.display()));
    let _member = Member::echo(site.member_addr(1));

    let live = UnixListener::bind(&path).unwrap();
    let mut refused = site.launch().spawn();
    assert_eq!(refused.wait_exit(), 1);
    assert!(refused.err.all().join("\n").contains("hue.sock"), "{:?}", refused.err.all());

    // Nobody listens any more, but the file is still there.
    drop(live);
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    let _gateway = site.start();
    connect_unix(&path).check_echo(b"replaced");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let dir = TempDir::new();
    let path = dir.write("hue.sock", "precious");
    let site = Site::new(1).listen(&format!("\"unix:{}\"", path.display()));
    let mut gateway = site.launch().spawn();
    assert_eq!(gateway.wait_exit(), 1);
    assert!(gateway.err.all().join("\n").contains("no socket"), "{:?}", gateway.err.all());
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
}

#[test]
fn a_port_in_use_is_named_and_ends_the_start() {
    let site = Site::new(1);
    let _taken = TcpListener::bind(site.front()).unwrap();
    let mut gateway = site.launch().spawn();
    assert_eq!(gateway.wait_exit(), 1);
    let said = gateway.err.all().join("\n");
    for part in [&*site.front().to_string(), "`v`", "another process", "in use"] {
        assert!(said.contains(part), "`{part}` is missing: {said}");
    }
}

/// SO_REUSEPORT would let two gateways share a port without a word, and each get half.
#[test]
fn a_second_gateway_on_the_same_port_does_not_start() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let _first = site.start();
    let mut second = site.launch().spawn();
    assert_eq!(second.wait_exit(), 1);
    assert!(second.err.all().join("\n").contains("in use"), "{:?}", second.err.all());
    for _ in 0..20 {
        connect(site.front()).check_echo(b"all mine");
    }
}

#[test]
fn an_address_that_is_not_ours_is_named() {
    let site = Site::new(1).listen("\"192.0.2.1:21050\"");
    let mut gateway = site.launch().spawn();
    assert_eq!(gateway.wait_exit(), 1);
    let said = gateway.err.all().join("\n");
    assert!(said.contains("192.0.2.1:21050") && said.contains("no interface"), "{said}");
}

#[test]
fn one_shared_socket_instead_of_one_a_worker_serves_too() {
    let site = Site::new(1).virtual_server("reuse_port = false");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    for _ in 0..20 {
        connect(site.front()).check_echo(b"hello");
    }
}

#[test]
fn a_listener_can_be_bound_to_an_interface() {
    let site = Site::new(1).virtual_server("interface = \"lo\"");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    connect(site.front()).check_echo(b"hello");
    let _ = gateway.out.wait(" on lo");
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let site = Site::new(1).virtual_server("interface = \"eth77\"");
    let mut gateway = site.launch().spawn();
    assert_eq!(gateway.wait_exit(), 1);
    assert!(gateway.err.all().join("\n").contains("eth77"), "{:?}", gateway.err.all());
}

#[test]
fn one_thread_is_enough() {
    let site = Site::new(2).top("[process]\nthreads = 1");
    let _members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let _gateway = Launch::new(PROGRAM, &site.config()).start();
    let mut clients: Vec<_> = (0..50).map(|_| connect(site.front())).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
}
