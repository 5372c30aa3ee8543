//! Connections to coordinators: how many, whose, and when they are given up.

use std::io::{Read, Write};

use oxpecker_testkit::client::{Ending, Talk, connect};
use oxpecker_testkit::{Member, wait_until};

use super::{GOOD, REPLY, aware, hear_answer, post, read_head, serve, serve_http};
use crate::site::Site;

#[test]
fn of_two_log_ins_nobody_guesses_which_counts() {
    let site = aware("hs2-http", "");
    let member = Member::serve(site.member_addr(1), serve_http);
    let _gateway = site.start();
    let mut client = connect(site.front());
    let both = "Authorization: Basic YWxpY2U6eA==\r\nAuthorization: Basic Ym9iOng=\r\n";
    client.say(&[post("/", both, GOOD.len()), GOOD.to_vec()].concat());
    let (told, _) = client.hear_rest();
    assert!(told.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&told));
    assert_eq!(member.accepted(), 0);
}

/// Impala closes after a log-in that it does not believe, whatever is still to come.
#[test]
fn a_refusal_that_comes_before_all_is_sent_reaches_the_client() {
    let site = aware("hs2-http", "");
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\
              Connection: close\r\n\r\n",
        );
        // With bytes unread this is a reset.
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    let statement = vec![b'x'; 3_000_000];
    // Fields 1 and 2 of a request, neither of them a handle.
    let call = [
        &b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\x0c\0\x01\x08\0\x01\0\0\0\x01\x0b\0\x02"[..],
        &(statement.len() as u32).to_be_bytes(),
        &statement,
        b"\0\0",
    ]
    .concat();
    client.say(&[post("/", "Authorization: Basic YWxpY2U6eA==\r\n", call.len()), call].concat());
    assert_eq!(hear_answer(&mut client, 0), "HTTP/1.1 401 Unauthorized");
    client.finish();
    client.hear_rest();
    assert_eq!(gateway.wait_record(1).letters, "--");
}

/// A client whose cookie has run out logs in again when it reads this; an unknown session would
/// only make it open another one, with the same cookie.
#[test]
fn whoever_is_not_logged_in_hears_so_before_anything_of_its_handle() {
    let site = aware("hs2-http", "");
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        // Bodies need not be read for it: all of them are here in one piece.
        while read_head(&mut stream) {
            let mut body = [0; 1024];
            let _ = stream.read(&mut body);
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let _gateway = site.start();
    let mut client = connect(site.front());
    let handle = b"\x0c\0\x01\x0c\0\x01\x0c\0\x01\x0b\0\x01\0\0\0\x100123456789abcdef\
        \x0b\0\x02\0\0\0\x10fedcba9876543210\0\0\0\0";
    let call = [&b"\x80\x01\0\x01\0\0\0\x0cCloseSession\0\0\0\0"[..], handle].concat();
    for _ in 0..2 {
        let head = post("/", "Authorization: Basic YWxpY2U6eA==\r\n", call.len());
        client.say(&[head, call.clone()].concat());
        assert_eq!(hear_answer(&mut client, 0), "HTTP/1.1 401 Unauthorized");
    }
}

/// The profile of tests has no client's or server's timeout of its own.
fn hasty(protocol: &str) -> Site {
    aware(protocol, "").profile("idle_timeout = \"300ms\"")
}

#[test]
fn a_call_that_stops_in_the_middle_is_given_up() {
    for (protocol, begin) in [("hs2", Vec::new()), ("hs2-http", post("/", "", 10_000_000))] {
        let site = hasty(protocol);
        let member = Member::silent(site.member_addr(1));
        let gateway = site.start();
        let mut client = connect(site.front());
        let part = b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\x0c\0\x01\x08\0\x01\0\0\0\x01\x0b\0\x02\0\x80\0\0";
        client.say(&[&begin, &part[..], &[b'x'; 100_000]].concat());
        assert_eq!(client.hear_rest().1, Ending::Reset, "{protocol}");
        assert_eq!(gateway.wait_record(1).letters, "cD", "{protocol}");
        member.wait_open(0);
    }
}

#[test]
fn a_client_that_does_not_take_its_answer_is_given_up() {
    let site = hasty("hs2");
    let member = Member::serve(site.member_addr(1), |mut stream| {
        let mut heard = vec![0; GOOD.len()];
        let _ = stream.read_exact(&mut heard);
        let rows = vec![b'x'; 64 << 20];
        let head = b"\x80\x01\0\x02\0\0\0\x05Other\0\0\0\x07\x0b\0\x01";
        let _ = stream.write_all(&[&head[..], &(rows.len() as u32).to_be_bytes(), &rows].concat());
        let _ = stream.read(&mut [0]);
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(GOOD);
    assert_eq!(gateway.wait_record(1).letters, "cD");
    member.wait_open(0);
}

/// A coordinator that hangs closes nothing and takes nothing; only its monitor can tell.
#[test]
fn a_call_that_is_being_sent_to_a_member_that_goes_down_is_answered() {
    let lines = "type = \"standard\"\nprotocol = \"hs2\"";
    let site = Site::new(1)
        .monitored("port = 25000")
        .pool("service_down = \"reset\"")
        .virtual_server(lines);
    let port = std::net::SocketAddr::new(site.member_addr(1).ip(), 25_000);
    let mut health = Member::silent(port);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stopped = std::sync::Mutex::new(stopped);
    let member = Member::serve(site.member_addr(1), move |stream| {
        // Reads nothing, and keeps it open until the test is over.
        let _ = stopped.lock().unwrap().recv();
        drop(stream);
    });
    let gateway = site.start();
    gateway.out.wait("to=\"up\"");
    let mut client = connect(site.front());
    let mut sending = client.try_clone().unwrap();
    let length = 64u32 << 20;
    let head = b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\x0c\0\x01\x08\0\x01\0\0\0\x01\x0b\0\x02";
    let sender = std::thread::spawn(move || {
        let call = [&head[..], &length.to_be_bytes(), &vec![b'x'; length as usize], b"\0\0"];
        call.iter().try_for_each(|part| sending.write_all(part))
    });
    wait_until("it has begun to be sent", || member.accepted() == 1);
    health.kill();
    let answer = client.hear(REPLY.len() - 1);
    assert!(answer.starts_with(b"\x80\x01\0\x03\0\0\0\x05Other\0\0\0\x07"), "an exception");
    sender.join().unwrap().unwrap();
    drop(stop);
}

/// Over HTTP an answer may come before all is sent, but it is not waited for without end.
#[test]
fn a_member_that_takes_nothing_and_says_nothing_is_given_up() {
    let site = hasty("hs2-http");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stopped = std::sync::Mutex::new(stopped);
    let _member = Member::serve(site.member_addr(1), move |stream| {
        let _ = stopped.lock().unwrap().recv();
        drop(stream);
    });
    let _gateway = site.start();
    let mut client = connect(site.front());
    let mut sending = client.try_clone().unwrap();
    let length = 64u32 << 20;
    let head = b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\x0c\0\x01\x08\0\x01\0\0\0\x01\x0b\0\x02";
    let sender = std::thread::spawn(move || {
        let request = post("/", "", head.len() + 4 + length as usize + 2);
        let text = vec![b'x'; length as usize];
        let parts = [&request[..], head, &length.to_be_bytes(), &text, b"\0\0"];
        parts.iter().try_for_each(|part| sending.write_all(part))
    });
    assert_eq!(hear_answer(&mut client, 0), "HTTP/1.1 200 OK");
    assert!(client.hear(17).starts_with(b"\x80\x01\0\x03\0\0\0\x05Other\0\0\0\x07"));
    sender.join().unwrap().unwrap();
    drop(stop);
}

/// Otherwise it would count at a coordinator that has begun anew, and nobody would be sent there.
#[test]
fn a_line_that_is_closed_while_its_client_rests_counts_no_more() {
    let site = aware("hs2", "");
    let member = Member::serve(site.member_addr(1), |mut stream| {
        // Serves one call only.
        let mut heard = vec![0; GOOD.len()];
        if stream.read_exact(&mut heard).is_ok() {
            let _ = stream.write_all(REPLY);
        }
    });
    let gateway = site.start();
    let mut resting = connect(site.front());
    resting.say(GOOD);
    assert_eq!(resting.hear(REPLY.len()), REPLY);
    member.wait_open(0);
    let mut seen = 0;
    wait_until("only the newcomer counts at the member", || {
        let mut client = connect(site.front());
        client.say(GOOD);
        assert_eq!(client.hear(REPLY.len()), REPLY);
        client.finish();
        client.hear_rest();
        seen += 1;
        let [process, _, _, at_member] = gateway.wait_record(seen).open;
        assert!(process >= 2, "the first rests");
        at_member <= 1
    });
    // And is served again, over another line.
    resting.say(GOOD);
    assert_eq!(resting.hear(REPLY.len()), REPLY);
}

/// A coordinator has 64 service threads for all.
#[test]
fn one_client_does_not_fill_a_coordinator() {
    let site = aware("hs2-http", "");
    let member = Member::serve(site.member_addr(1), serve_http);
    let _gateway = site.start();
    let mut client = connect(site.front());
    for number in 0..20 {
        client.say(&[post(&format!("/{number}"), "", GOOD.len()), GOOD.to_vec()].concat());
        assert_eq!(hear_answer(&mut client, REPLY.len()), "HTTP/1.1 200 OK");
    }
    assert_eq!(member.accepted(), 20, "nobody's line is used for another");
    wait_until("no more than two are open", || member.open() <= 2);
}

#[test]
fn of_its_own_lines_a_client_uses_the_same_again() {
    let site = aware("hs2", "");
    let member = Member::serve(site.member_addr(1), serve);
    let _gateway = site.start();
    let mut client = connect(site.front());
    for _ in 0..3 {
        client.say(GOOD);
        assert_eq!(client.hear(REPLY.len()), REPLY);
    }
    assert_eq!(member.accepted(), 1);
}
