//! Probes and passive marking, as the log tells of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::member::Unreachable;
use oxpecker_testkit::{Ending, Member, connect, wait_until};

use crate::site::Site;

/// Answers every request with the status that is set now, and keeps the request's lines.
fn web(addr: SocketAddr, status: &Arc<AtomicU16>, heard: &Arc<Mutex<Vec<String>>>) -> Member {
    let (status, heard) = (Arc::clone(status), Arc::clone(heard));
    Member::serve(addr, move |mut stream| {
        let mut lines = Vec::new();
        loop {
            let line = stream.hear_line();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        heard.lock().unwrap().extend(lines);
        let status = status.load(Ordering::Relaxed);
        let answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n\r\nok");
        stream.say(answer.as_bytes());
    })
}

#[test]
fn down_and_up_are_logged_with_their_reasons() {
    let site = Site::new(2).monitored("");
    let mut members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let gateway = site.start();
    gateway.out.wait_count(2, "member changed health");
    members[0].kill();
    let down = gateway.out.wait("member is down");
    for part in ["m1:21050", "pool=p", "refused", "from=\"up\""] {
        assert!(down.contains(part), "`{part}` is missing: {down}");
    }
    let mark = gateway.out.mark();
    members[0] = Member::echo(site.member_addr(1));
    let up = gateway.out.wait_since(mark, "member changed health");
    assert!(up.contains("m1:21050") && up.contains("from=\"down\""), "{up}");
    assert_eq!(gateway.out.count("member is down"), 1, "said once");
}

#[test]
fn the_http_monitor_goes_by_the_status() {
    let site = Site::new(1).monitored(
        "parent = \"http\"\nport = 25000\npath = \"/ready\"\nstatus = [200, \"300-399\"]\n\
         host = \"impala.example.com\"",
    );
    let status = Arc::new(AtomicU16::new(200));
    let heard = Arc::default();
    let _web = web(SocketAddr::new(site.member_addr(1).ip(), 25_000), &status, &heard);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    gateway.out.wait("member changed health");
    let lines = heard.lock().unwrap().clone();
    assert!(lines.iter().any(|line| line.starts_with("GET /ready HTTP/1.")), "{lines:?}");
    assert!(lines.iter().any(|line| line.eq_ignore_ascii_case("host: impala.example.com")));
    status.store(503, Ordering::Relaxed);
    let down = gateway.out.wait("member is down");
    assert!(down.contains("503"), "{down}");
    let mark = gateway.out.mark();
    status.store(301, Ordering::Relaxed);
    gateway.out.wait_since(mark, "member changed health");
    connect(site.front()).check_echo(b"back");
}

#[test]
fn fall_and_rise_count_probes_in_a_row() {
    let site = Site::new(1).monitored("parent = \"http\"\nport = 25000\n");
    let site = site.top("").pool("");
    let config = site.config().replace("fall = 1", "fall = 3").replace("rise = 1", "rise = 2");
    let status = Arc::new(AtomicU16::new(200));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let _web = web(SocketAddr::new(site.member_addr(1).ip(), 25_000), &status, &asked);
    let gateway = oxpecker_testkit::Launch::new(crate::site::PROGRAM, &config).start();
    gateway.out.wait("member changed health");
    let probes = || asked.lock().unwrap().iter().filter(|line| line.starts_with("GET")).count();
    let before = probes();
    status.store(500, Ordering::Relaxed);
    gateway.out.wait("member is down");
    assert!(probes() >= before + 3, "down after {} probes", probes() - before);
    let (before, mark) = (probes(), gateway.out.mark());
    status.store(200, Ordering::Relaxed);
    gateway.out.wait_since(mark, "member changed health");
    assert!(probes() >= before + 2, "up after {} probes", probes() - before);
}

#[test]
fn a_silent_member_fails_probes_that_want_an_answer() {
    let site = Site::new(1).monitored("parent = \"http\"\ntimeout = \"100ms\"");
    let _member = Member::silent(site.member_addr(1));
    let gateway = site.start();
    let down = gateway.out.wait("member is down");
    assert!(down.contains("100ms"), "{down}");
}

#[test]
fn a_vanished_member_fails_probes_after_their_timeout() {
    let site = Site::new(1).monitored("timeout = \"100ms\"");
    let _vanished = Unreachable::new(site.member_addr(1));
    let gateway = site.start();
    let down = gateway.out.wait("member is down");
    assert!(down.contains("not connected within 100ms"), "{down}");
}

/// Nobody must wait for the first verdict: until there is one, members serve.
#[test]
fn clients_are_served_before_the_first_probe_is_over() {
    let site = Site::new(1).monitored("parent = \"http\"\nport = 25000").top("");
    let config =
        site.config().replace("interval = \"100ms\"", "interval = \"1m\"\ntimeout = \"30s\"");
    let probed = Member::silent(SocketAddr::new(site.member_addr(1).ip(), 25_000));
    let _member = Member::echo(site.member_addr(1));
    let gateway = oxpecker_testkit::Launch::new(crate::site::PROGRAM, &config).start();
    wait_until("the probe is under way", || probed.open() == 1);
    connect(site.front()).check_echo(b"early");
    assert_eq!(gateway.out.count("health"), 0);
}

#[test]
fn probes_come_from_the_pools_source_address() {
    let site = Site::new(1).monitored("");
    let source = site.net.ip(60);
    let site = site.pool(&format!("source = [\"{source}\"]"));
    let member = Member::silent(site.member_addr(1));
    let _gateway = site.start();
    wait_until("three probes", || member.accepted() >= 3);
    assert!(member.peers().iter().all(|peer| *peer == source), "{:?}", member.peers());
}

/// A member that wants a PROXY header wants it of probes as well.
#[test]
fn probes_introduce_themselves_where_a_header_is_expected() {
    let site = Site::new(1).monitored("parent = \"http\"").pool("send_proxy = \"v1\"");
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        let answer = if stream.hear_line() == "PROXY UNKNOWN\r" { "200" } else { "400" };
        stream.say(format!("HTTP/1.1 {answer} Whatever\r\nContent-Length: 0\r\n\r\n").as_bytes());
        stream.hear_rest();
    });
    let gateway = site.start();
    let health = gateway.out.wait("health");
    assert!(health.contains("to=\"up\""), "{health}");
}

#[test]
fn probes_keep_their_interval() {
    let site = Site::new(1).monitored("");
    let member = Member::silent(site.member_addr(1));
    let began = Instant::now();
    let _gateway = site.start();
    wait_until("eleven probes", || member.accepted() >= 11);
    // Ten intervals of 100 ms, each at most a tenth shorter, and one late start.
    assert!(began.elapsed() > Duration::from_millis(850), "{:?}", began.elapsed());
}

#[test]
fn without_a_monitor_failed_connects_take_a_member_out_for_a_while() {
    let site = Site::new(2).pool(
        "method = \"round-robin\"\nconnect_failures_max = 2\nconnect_failures_retry = \"500ms\"",
    );
    let _alive = Member::named(site.member_addr(2), "m2");
    let gateway = site.start();
    while gateway.out.count("member is down") == 0 {
        assert_eq!(connect(site.front()).hear_line(), "m2");
        assert!(gateway.records().len() < 20, "never marked");
    }
    let down = gateway.out.wait("member is down");
    assert!(down.contains("m1:21050") && down.contains("clients could not connect"), "{down}");
    let _back = Member::named(site.member_addr(1), "m1");
    gateway.out.wait("time to try it again");
    let names: Vec<_> = (0..2).map(|_| connect(site.front()).hear_line()).collect();
    assert!(names.contains(&"m1".to_owned()), "{names:?}");
}

/// A client's failed connect is a reason to look now, not in half a minute.
#[test]
fn a_failed_connect_hurries_the_next_probe() {
    let site =
        Site::new(2).monitored("").pool("method = \"round-robin\"\nconnect_failures_max = 0");
    let config =
        site.config().replace("interval = \"100ms\"", "interval = \"10m\"\ntimeout = \"1s\"");
    let mut members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let gateway = oxpecker_testkit::Launch::new(crate::site::PROGRAM, &config).start();
    gateway.out.wait_count(2, "member changed health");
    members[0].kill();
    for _ in 0..2 {
        connect(site.front()).check_echo(b"hello");
    }
    let down = gateway.out.wait("member is down");
    assert!(down.contains("probe failed"), "{down}");
}

#[test]
fn a_removed_member_is_no_longer_probed() {
    let site = Site::new(2).monitored("");
    let members = [Member::silent(site.member_addr(1)), Member::silent(site.member_addr(2))];
    let gateway = site.start();
    gateway.out.wait_count(2, "member changed health");
    let config = site.config().replace("[\"m1\", \"m2\"]", "[\"m1\"]");
    assert!(gateway.reload(&config).contains("reloaded"));
    let (first, second) = (members[0].accepted(), members[1].accepted());
    wait_until("five more probes of the other", || members[0].accepted() > first + 5);
    // One may have been on its way.
    assert!(members[1].accepted() <= second + 1);
}

#[test]
fn garbage_from_a_member_fails_the_probe_and_nothing_else() {
    for (parent, garbage) in [
        ("http", &b"\x00\xff\xfe not http at all\r\n\r\n"[..]),
        ("healthz", b"HTTP/1.1 banana\r\n\r\n"),
        ("hs2", b"\xff\xff\xff\xff\x7f\xff\xff\xff\x00"),
        ("beeswax", b"\x80\x01\x00\x02\x7f\xff\xff\xff"),
        ("hs2-http", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    ] {
        let site = Site::new(1).monitored(&format!("parent = \"{parent}\"\nport = 25000"));
        let _garbage = Member::serve(SocketAddr::new(site.member_addr(1).ip(), 25_000), {
            let garbage = garbage.to_vec();
            move |mut stream| {
                let _ = std::io::Write::write_all(&mut stream, &garbage);
            }
        });
        let _member = Member::echo(site.member_addr(1));
        let mut gateway = site.start();
        let down = gateway.out.wait("member is down");
        assert!(down.contains("probe failed: "), "{down}");
        assert_eq!(connect(site.front()).hear_rest().1, Ending::Reset);
        assert!(gateway.is_running());
    }
}
