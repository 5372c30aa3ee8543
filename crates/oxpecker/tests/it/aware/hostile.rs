//! Bytes that no honest client sends, before any log-in: they are passed on or end their connection,
//! cost little, and nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use oxpecker_testkit::client::{Talk, connect};
use oxpecker_testkit::{Gateway, Member};

use super::aware;
use crate::site::Site;

const MIB: usize = 1024 * 1024;

/// `GetQueryId` with an argument: named nothing, so it may go anywhere.
pub(super) const GOOD: &[u8] = b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\0";
pub(super) const REPLY: &[u8] = b"\x80\x01\0\x02\0\0\0\x05Other\0\0\0\x07\0";

/// Answers [`GOOD`] as often as it comes, and swallows all else.
pub(super) fn serve(mut stream: TcpStream) {
    let mut heard = vec![0; GOOD.len()];
    while stream.read_exact(&mut heard).is_ok() {
        if heard == GOOD {
            if stream.write_all(REPLY).is_err() {
                return;
            }
        } else {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            return;
        }
    }
}

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

#[track_caller]
fn check_others(gateway: &mut Gateway, others: &mut [TcpStream], what: &str) {
    assert!(gateway.is_running(), "{what}");
    for other in others {
        other.say(GOOD);
        assert_eq!(other.hear(REPLY.len()), REPLY, "{what}");
    }
}

#[test]
fn what_no_client_sends_costs_little_and_harms_nobody() {
    let site: Site = aware("hs2", "");
    let _member = Member::serve(site.member_addr(1), serve);
    let mut gateway = site.start();
    let mut others: Vec<_> = (0..3).map(|_| connect(site.front())).collect();
    check_others(&mut gateway, &mut others, "before");
    let before = gateway.rss_bytes();
    let mut held = Vec::new();
    for (what, opening, rest) in openings() {
        for _ in 0..8 {
            let mut client = connect(site.front());
            pour(&mut client, &opening, rest);
            held.push(client);
        }
        check_others(&mut gateway, &mut others, what);
        let grown = gateway.rss_bytes().saturating_sub(before);
        let bound = (held.len() * MIB + 8 * MIB) as u64;
        assert!(grown < bound, "{what}: {grown} bytes for {} connections", held.len());
    }
}

/// Answers come in the order of the calls. A call that says that it wants none gets one too, for
/// servers look at the method only.
#[test]
fn oneway_and_pipelined_calls_keep_their_order() {
    let site: Site = aware("hs2", "");
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
