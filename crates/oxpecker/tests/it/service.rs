//! The service manager's side: readiness, watchdog, sockets that it opened.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{Launch, Lines, Member, TempDir, connect, sink, wait_until};

use crate::site::{PROGRAM, Site};

/// A gateway that reports to a socket, and what it reports.
fn notifying(site: &Site) -> (Launch, Lines) {
    let dir = TempDir::new();
    let socket = dir.join("notify");
    let told = sink::unix(&socket);
    let launch = Launch::within(dir, PROGRAM, &site.config());
    (launch.env("NOTIFY_SOCKET", &socket.display().to_string()), told)
}

#[test]
fn readiness_is_told_only_when_clients_are_served() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let (launch, told) = notifying(&site);
    let mut gateway = launch.spawn();
    let ready = told.wait("READY=1");
    connect(site.front()).check_echo(b"hello");
    assert!(ready.contains("STATUS=1 pools behind 1 listeners"), "{ready}");

    let mark = told.mark();
    assert!(gateway.hangup().contains("reloaded"));
    let reloading = told.wait_since(mark, "RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    told.wait_since(mark + 1, "READY=1");

    // A reload that fails leaves the service ready all the same.
    let mark = told.mark();
    assert!(gateway.reload("no = \"config\"").contains("failed"));
    told.wait_since(mark, "RELOADING=1");
    told.wait_since(mark + 1, "READY=1");

    gateway.signal(Signal::SIGTERM);
    told.wait("STOPPING=1");
    assert_eq!(gateway.wait_exit(), 0);
}

#[test]
fn a_failed_start_never_says_ready() {
    let site = Site::new(1);
    let _taken = TcpListener::bind(site.front()).unwrap();
    let (launch, told) = notifying(&site);
    assert_eq!(launch.spawn().wait_exit(), 1);
    assert_eq!(told.count("READY=1"), 0);
}

#[test]
fn the_watchdog_is_fed_twice_in_each_period() {
    let site = Site::new(1);
    let (launch, told) = notifying(&site);
    // WATCHDOG_PID may be missing; then the period is for whoever reads it.
    let gateway = launch.env("WATCHDOG_USEC", "200000").start();
    told.wait_count(5, "WATCHDOG=1");
    drop(gateway);
}

/// The shell gives the descriptor its number and knows the process id that `exec` keeps.
fn activated(site: &Site, socket: OwnedFd) -> Launch {
    let pass = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
    site.launch().through(&["sh", "-c", pass]).stdin(socket)
}

#[test]
fn a_passed_tcp_socket_is_used() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let socket = TcpListener::bind(site.front()).unwrap();
    // Connected before the gateway even runs: that is what socket activation is for.
    let mut early = connect(site.front());
    early.say(b"early");
    let gateway = activated(&site, OwnedFd::from(socket.try_clone().unwrap())).start();
    gateway.out.wait("listening on an inherited socket");
    assert_eq!(early.hear(5), b"early");
    for _ in 0..10 {
        connect(site.front()).check_echo(b"hello");
    }
    // A reload keeps it.
    assert!(gateway.hangup().contains("reloaded"));
    connect(site.front()).check_echo(b"hello again");
    drop(gateway);
    drop(socket);
    assert!(try_connect(None, site.front()).is_err());
}

#[test]
fn a_passed_unix_socket_is_used() {
    let dir = TempDir::new();
    let path = dir.join("hue.sock");
    let site = Site::new(1).listen(&format!("\"unix:{}\"", path.display()));
    let _member = Member::echo(site.member_addr(1));
    let socket = UnixListener::bind(&path).unwrap();
    let mut gateway = activated(&site, OwnedFd::from(socket)).start();
    gateway.out.wait("listening on an inherited socket");
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(oxpecker_testkit::DEADLINE)).unwrap();
    client.check_echo(b"hello");
    drop(client);
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait_exit(), 0);
    assert!(path.exists(), "it is the service manager's, which goes on listening");
}

#[test]
fn a_passed_socket_that_nobody_wants_is_closed_and_named() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let strange = site.net.addr(9);
    let socket = TcpListener::bind(strange).unwrap();
    let gateway = activated(&site, OwnedFd::from(socket)).start();
    let said = gateway.out.wait("no virtual server listens on an inherited socket");
    assert!(said.contains(&strange.to_string()), "{said}");
    wait_until("it is closed", || try_connect(None, strange).is_err());
    connect(site.front()).check_echo(b"hello");
}
