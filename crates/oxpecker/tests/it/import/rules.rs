//! Who gets in, beside HAProxy itself.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use oxpecker_testkit::client::try_connect;
use oxpecker_testkit::{Launch, Net, TempDir, wait_until};

use super::{haproxy, with};
use crate::site::PROGRAM;

/// Greets whoever comes.
fn member(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // A client that was refused is gone.
            let _ = stream.write_all(b"x");
        }
    });
}

fn is_greeted(from: IpAddr, to: SocketAddr) -> bool {
    let greeted = |mut stream: TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        matches!(stream.read(&mut [0]), Ok(1))
    };
    try_connect(Some(from), to).is_ok_and(greeted)
}

/// The rules stand in named defaults, in the frontend and in the backend. HAProxy 2.6 forgets those
/// of `connection` in defaults, unlike its manual, where the frontend has none of its own.
#[test]
fn the_same_clients_get_in() {
    for [defaults, frontend, backend] in [
        ["", "", ""],
        [
            "tcp-request connection reject unless { src ONE }",
            "tcp-request connection reject if { src 127.9.9.9 }",
            "",
        ],
        ["tcp-request content reject unless { src ONE }", "", ""],
        ["tcp-request content accept", "tcp-request content reject if { src ONE }", ""],
        ["tcp-request connection accept if { src ONE }", "tcp-request connection reject", ""],
        ["", "tcp-request content accept", "tcp-request content reject if { src ONE }"],
        ["", "tcp-request content accept\n tcp-request content reject if { src ONE }", ""],
        ["", "", "tcp-request content reject if { src ONE }"],
        [
            "",
            "tcp-request connection reject unless { src ONE/255.255.255.255 }",
            "http-request deny",
        ],
    ] {
        let net = Net::new();
        let (front, one, other) = (net.addr(1), net.ip(20), net.ip(21));
        member(net.addr(11));
        let times = " mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n";
        let text = format!(
            "defaults base\n{times} {defaults}\ndefaults plain\n{times}\
             frontend f from base\n bind {front}\n {frontend}\n default_backend b\n\
             backend b from plain\n {backend}\n server m {}\n",
            net.addr(11)
        )
        .replace("ONE", &one.to_string());
        let told = || [one, other].map(|from| is_greeted(from, front));
        let (_dir, file) = with("haproxy.cfg", &text);
        let mut peer = haproxy(&["-db", "-f", &file]).spawn().unwrap();
        wait_until("haproxy listens", || try_connect(None, front).is_ok());
        let theirs = told();
        peer.kill().unwrap();
        peer.wait().unwrap();
        let _ours = Launch::named(TempDir::new(), PROGRAM, "haproxy.cfg", &text).start();
        assert_eq!(told(), theirs, "{text}");
    }
}
