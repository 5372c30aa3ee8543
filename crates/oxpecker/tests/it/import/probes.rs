//! What probes find, beside HAProxy itself: both have HAProxy's statistics to tell it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use oxpecker_testkit::{Authority, Launch, Net, Standin, TempDir, wait_until};

use super::{haproxy, with};
use crate::site::PROGRAM;

/// What the page says of the member: whether it is up; nothing before its first probe.
fn is_up(page: SocketAddr) -> Option<bool> {
    let mut stream = TcpStream::connect(page).ok()?;
    stream.write_all(b"GET /haproxy;csv HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let line = answer.lines().find(|line| line.starts_with("l,m,"))?;
    let column = |number| line.split(',').nth(number).unwrap_or_default();
    let probed = !matches!(column(36), "" | "INI") && !column(36).starts_with('*');
    probed.then(|| column(17).starts_with("UP"))
}

#[track_caller]
fn verdict(page: SocketAddr) -> bool {
    let mut found = None;
    wait_until("the member was probed", || {
        found = is_up(page);
        found.is_some()
    });
    found.expect("it was waited for")
}

/// A member that speaks TLS on its port, and clear text on another.
#[test]
fn members_behind_tls_are_found_as_haproxy_finds_them() {
    let dir = TempDir::new();
    let pair = Authority::new(dir.join("CA")).issue("m", &["DNS:m.example.test"]);
    for (lines, options, expected) in [
        ("", "ssl verify none check", true),
        ("", "ssl verify none check port 35000", true),
        ("", "ssl verify none check check-ssl port 35000", false),
        ("", "check port 21050", true),
        ("", "check check-ssl verify none port 21050", true),
        (" option tcp-check\n tcp-check connect port 35000\n", "ssl verify none check", true),
        (" option tcp-check\n tcp-check connect port 35000 ssl\n", "ssl verify none check", false),
    ] {
        let net = Net::new();
        let member = net.addr(11);
        let _clear = TcpListener::bind(SocketAddr::new(member.ip(), 35_000)).unwrap();
        let files = [
            format!("--ssl-server-certificate={}", pair.certificate.display()),
            format!("--ssl-private-key={}", pair.key.display()),
        ];
        let _standin = Standin::start(member.ip(), &[files[0].as_str(), files[1].as_str()]);
        let page = SocketAddr::new(net.ip(1), 25_002);
        let text = format!(
            "defaults\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
             listen s\n mode http\n bind {page}\n stats enable\n stats uri /haproxy\n\
             listen l\n mode tcp\n bind {}\n{lines} server m {member} {options} inter 500ms rise 1 fall 1\n",
            net.addr(1)
        );
        let (_dir, file) = with("haproxy.cfg", &text);
        let mut peer = haproxy(&["-db", "-f", &file]).spawn().unwrap();
        let theirs = verdict(page);
        peer.kill().unwrap();
        peer.wait().unwrap();
        assert_eq!(theirs, expected, "haproxy, {text}");
        let _ours = Launch::named(TempDir::new(), PROGRAM, "haproxy.cfg", &text).start();
        assert_eq!(verdict(page), theirs, "{text}");
    }
}
