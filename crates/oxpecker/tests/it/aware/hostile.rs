//! Bytes that no honest client sends, before any log-in: they are passed on or end their connection,
//! cost little, and nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use oxpecker_testkit::client::{Talk, connect};
use oxpecker_testkit::{Gateway, Member};

use super::{GOOD, REPLY, aware, hear_answer, post, serve, serve_http};

const MIB: usize = 1024 * 1024;

fn call(name: &str, body: &[u8]) -> Vec<u8> {
    let head = [&[0x80, 1, 0, 1, 0, 0, 0, name.len() as u8], name.as_bytes(), &[0; 4]];
    [&head.concat(), body].concat()
}

/// What is sent first, and what is sent for ever after it.
fn openings() -> Vec<(&'static str, Vec<u8>, &'static [u8])> {
    let identifier = b"\x0c\0\x01\x0c\0\x01\x0c\0\x01\x0b\0\x01\0\0\0\x100123456789abcdef";
    vec![
        ("a PLAIN response of 2 GiB", b"\x01\0\0\0\x05PLAIN\x02\x7f\xff\xff\xff".into(), b"x"),
        ("a mechanism of 2 GiB", b"\x01\x7f\xff\xff\xff".into(), b"x"),
        ("a mechanism byte by byte", b"\x01\0\0\0\x40".into(), b"G"),
        ("a method's name of 2 GiB", b"\x80\x01\0\x01\x7f\xff\xff\xff".into(), b"x"),
        (
            "a user name of 2 GiB",
            call("OpenSession", b"\x0c\0\x01\x0b\0\x02\x7f\xff\xff\xff"),
            b"x",
        ),
        ("a negative length", call("OpenSession", b"\x0c\0\x01\x0b\0\x02\xff\xff\xff\xff"), b"x"),
        ("structs in structs", call("Other", b""), b"\x0c\0\x01"),
        ("lists in lists", call("Other", b"\x0f\0\x01"), b"\x0f\0\0\0\x01"),
        ("a giant list", call("Other", b"\x0f\0\x01\x0c\x7f\xff\xff\xff"), b"\0"),
        ("a giant map", call("Other", b"\x0d\0\x01\x0b\x0c\x7f\xff\xff\xff"), b"\0\0\0\0\0"),
        (
            "a secret of 2 GiB",
            call("ExecuteStatement", &[&identifier[..], b"\x0b\0\x02\x7f\xff\xff\xff"].concat()),
            b"x",
        ),
        ("a handle of the wrong type", call("ExecuteStatement", b"\x08\0\x01\0\0\0\x01"), b"\0"),
        ("fields without end", call("OpenSession", b"\x0c\0\x01"), b"\x08\0\x63\0\0\0\0"),
    ]
}

/// At most 2 MiB, or until nobody takes any more for a while.
fn pour(stream: &mut TcpStream, opening: &[u8], rest: &[u8]) {
    let piece = rest.repeat(64 * 1024 / rest.len());
    let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
    if stream.write_all(opening).is_err() {
        return;
    }
    let mut sent = 0;
    while sent < 2 * MIB {
        match stream.write(&piece) {
            Ok(count) => sent += count,
            // It was ended, or is not read any more.
            Err(_) => return,
        }
    }
}

/// The same as requests, and heads that do not end.
fn openings_over_http() -> Vec<(&'static str, Vec<u8>, &'static [u8])> {
    const HEAD: &[u8] = b"POST /cliservice HTTP/1.1\r\nHost: a\r\n";
    let mut all = openings();
    for (_, opening, _) in &mut all {
        *opening = [HEAD, b"Content-Length: 4294967296\r\n\r\n", opening].concat();
    }
    let in_chunk = [HEAD, b"Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n"].concat();
    let other = [&in_chunk[..], &call("Other", b"\x0b\0\x01\x7f\xff\xff\xff")].concat();
    let chunked = [HEAD, b"Transfer-Encoding: chunked\r\n\r\n"].concat();
    all.extend([
        ("a head of endless lines", HEAD.into(), &b"X-Header: of no use\r\n"[..]),
        ("an endless line", [HEAD, b"X: "].concat(), b"y"),
        ("an endless target", b"POST /".into(), b"a"),
        ("an endless number of a chunk", chunked.clone(), b"0"),
        ("an endless extension of a chunk", [&chunked[..], b"1;"].concat(), b"e"),
        ("an endless chunk", other, b"x"),
        ("an endless trailer", [&chunked[..], b"0\r\n"].concat(), b"T: t\r\n"),
    ]);
    all
}

#[test]
fn what_no_client_sends_costs_little_and_harms_nobody() {
    check_cost("hs2", openings());
}

#[test]
fn what_no_client_sends_costs_little_over_beeswax() {
    check_cost("beeswax", openings());
}

#[test]
fn what_no_client_sends_costs_little_over_http() {
    check_cost("hs2-http", openings_over_http());
}

#[track_caller]
fn check_cost(protocol: &str, openings: Vec<(&'static str, Vec<u8>, &'static [u8])>) {
    let site = aware(protocol, "");
    let is_http = protocol == "hs2-http";
    let answers: fn(TcpStream) = if is_http { serve_http } else { serve };
    let _member = Member::serve(site.member_addr(1), answers);
    let mut gateway = site.start();
    let mut others: Vec<_> = (0..3).map(|_| connect(site.front())).collect();
    let mut check_others = |gateway: &mut Gateway, what| {
        assert!(gateway.is_running(), "{what}");
        for other in &mut others {
            if is_http {
                other.say(&[post("/", "", GOOD.len()), GOOD.to_vec()].concat());
                assert_eq!(hear_answer(other, REPLY.len()), "HTTP/1.1 200 OK", "{what}");
            } else {
                other.say(GOOD);
                assert_eq!(other.hear(REPLY.len()), REPLY, "{what}");
            }
        }
    };
    check_others(&mut gateway, "before");
    let before = gateway.rss_bytes();
    let mut held = Vec::new();
    for (what, opening, rest) in openings {
        for _ in 0..8 {
            let mut client = connect(site.front());
            pour(&mut client, &opening, rest);
            held.push(client);
        }
        check_others(&mut gateway, what);
        let grown = gateway.rss_bytes().saturating_sub(before);
        let bound = (held.len() * MIB + 8 * MIB) as u64;
        assert!(grown < bound, "{what}: {grown} bytes for {} connections", held.len());
    }
}

/// Answers come in the order of the calls. A call that says that it wants none gets one too, for
/// servers look at the method only.
#[test]
fn oneway_and_pipelined_calls_keep_their_order() {
    let site = aware("hs2", "");
    let numbered = |kind: u8, number: u8| {
        let mut message = GOOD.to_vec();
        (message[3], message[16]) = (kind, number);
        message
    };
    let calls = [numbered(4, 1), numbered(1, 2), numbered(1, 3)];
    let replies = [numbered(2, 1), numbered(2, 2), numbered(2, 3)];
    let (expected, told) = (calls.clone(), replies.clone());
    let _member = Member::serve(site.member_addr(1), move |mut stream| {
        for (call, reply) in expected.iter().zip(&told) {
            let mut heard = vec![0; call.len()];
            if stream.read_exact(&mut heard).is_err() || heard != *call {
                return;
            }
            let _ = stream.write_all(reply);
        }
        let _ = stream.read(&mut [0]);
    });
    let _gateway = site.start();
    let mut client = connect(site.front());
    client.say(&calls.concat());
    assert_eq!(client.hear(3 * REPLY.len()), replies.concat());
}

/// A SASL frame.
fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes(), message].concat()
}

/// A reply of HiveServer2 with this status, and a handle behind it.
fn hs2_reply(name: &str, number: u8, status: u8, handle: &[u8]) -> Vec<u8> {
    let head =
        [&[0x80, 1, 0, 2, 0, 0, 0, name.len() as u8], name.as_bytes(), &[0, 0, 0, number]].concat();
    let status = [b"\x0c\0\0\x0c\0\x01\x08\0\x01\0\0\0", &[status, 0][..]].concat();
    [head, status, handle.to_vec(), b"\0\0".to_vec()].concat()
}

/// Behind a log-in that is only followed nothing orders calls and replies but their sequence.
#[test]
fn a_followed_stranger_closes_nobodys_session() {
    const ID: &[u8; 16] = b"0123456789abcdef";
    let identifier = |secret: u8| {
        let secret = [secret; 16];
        [b"\x0c\0\x01\x0b\0\x01\0\0\0\x10", &ID[..], b"\x0b\0\x02\0\0\0\x10", &secret, b"\0"]
            .concat()
    };
    let numbered = |name: &str, number: u8, body: &[u8]| {
        let mut message = call(name, body);
        let at = 8 + name.len() + 3;
        message[at] = number;
        framed(&message)
    };
    // `OpenSession` gives out a session, `ExecuteStatement` an operation with the same id.
    let session = [b"\x0c\0\x03", &identifier(7)[..], b"\0"].concat();
    let operation = [b"\x0c\0\x02", &identifier(7)[..], b"\0"].concat();
    let site = aware("hs2", "").top("[log]\nqueries = \"json\"");
    let _member = Member::serve(site.member_addr(1), move |mut stream| {
        let mut mechanism = [0; 11];
        if stream.read_exact(&mut mechanism).is_err() {
            return;
        }
        let _ = stream.write_all(b"\x05\0\0\0\0");
        loop {
            let mut length = [0; 4];
            if stream.read_exact(&mut length).is_err() {
                return;
            }
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            if stream.read_exact(&mut message).is_err() {
                return;
            }
            let has = |name: &[u8]| message.windows(name.len()).any(|part| part == name);
            let number = message[message[7] as usize + 11];
            let reply = if has(b"OpenSession") {
                hs2_reply("OpenSession", number, 0, &session)
            } else if has(b"ExecuteStatement") {
                hs2_reply("ExecuteStatement", number, 0, &operation)
            } else {
                let refused = message.windows(16).any(|part| part == [1; 16]);
                let name = if has(b"CloseSession") { "CloseSession" } else { "CloseOperation" };
                hs2_reply(name, number, if refused { 3 } else { 0 }, b"")
            };
            if stream.write_all(&framed(&reply)).is_err() {
                return;
            }
        }
    });
    let gateway = site.start();
    let log_in = || {
        let mut client = connect(site.front());
        client.say(b"\x01\0\0\0\x06GSSAPI");
        assert_eq!(client.hear(5), b"\x05\0\0\0\0");
        client
    };
    let hear = |client: &mut TcpStream| {
        let length = client.hear(4).try_into().unwrap();
        client.hear(u32::from_be_bytes(length) as usize)
    };
    let open = numbered("OpenSession", 1, b"\x0c\0\x01\0\0");
    let naming = |name: &str, number: u8, secret: u8| {
        let body = [b"\x0c\0\x01\x0c\0\x01", &identifier(secret)[..], b"\0\0\0"].concat();
        numbered(name, number, &body)
    };
    let mut alice = log_in();
    for call in [open.clone(), naming("ExecuteStatement", 2, 7)] {
        alice.say(&call);
        hear(&mut alice);
    }
    let mut mallory = log_in();
    for number in [2, 1] {
        // The second time they have one number, too.
        mallory.say(&[open.clone(), naming("CloseSession", number, 1)].concat());
        hear(&mut mallory);
        let told = hear(&mut mallory);
        assert_eq!(told, hs2_reply("CloseSession", number, 3, b""));
    }
    alice.say(&naming("CloseOperation", 3, 7));
    hear(&mut alice);
    let record = gateway.out.wait("\"record\":\"query\"");
    assert!(record.contains("\"end\":\"closed\""), "{record}");
    let alice = alice.local_addr().unwrap().to_string();
    assert!(record.contains(&alice), "{record}");
}
