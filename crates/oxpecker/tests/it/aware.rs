//! Virtual servers that read the protocol, between scripted clients and members: what is followed,
//! what is refused, and what passes unread.

mod down;
mod hostile;
mod lines;
mod unanswered;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use oxpecker_testkit::client::{Ending, Talk, connect};
use oxpecker_testkit::{Gateway, Member};

use crate::site::Site;

#[track_caller]
fn aware(protocol: &str, more: &str) -> Site {
    let lines = format!("type = \"standard\"\nprotocol = \"{protocol}\"\n{more}");
    Site::new(1).virtual_server(&lines)
}

/// One line of a recording: who says how many bytes.
struct Said {
    by_client: bool,
    bytes: Vec<u8>,
    what: String,
}

/// What was said on the first connection of a recording, in order.
#[track_caller]
fn recording(name: &str) -> Vec<Said> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../oxpecker-wire/tests/captures");
    let read = |file: String| std::fs::read(directory.join(file)).unwrap();
    let (up, down) = (read(format!("{name}.c1.c2s.bin")), read(format!("{name}.c1.s2c.bin")));
    let time_line = String::from_utf8(read(format!("{name}.txt"))).unwrap();
    let said = time_line.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.split_once('=')?.1.parse::<usize>().ok();
        let (offset, length) = (number(words.get(3)?)?, number(words.get(4)?)?);
        let by_client = words[2] == "c2s";
        let bytes = if by_client { &up } else { &down };
        let what = words[5..].join(" ");
        (words[1] == "c1").then(|| Said {
            by_client,
            bytes: bytes[offset..offset + length].into(),
            what,
        })
    });
    said.collect()
}

/// Plays the server's part of a recording and checks the client's.
fn play_server(mut stream: TcpStream, said: &[Said]) {
    for line in said {
        if line.by_client {
            let mut heard = vec![0; line.bytes.len()];
            if stream.read_exact(&mut heard).is_err() || heard != line.bytes {
                // The client's side sees an end instead of an answer.
                return;
            }
        } else if stream.write_all(&line.bytes).is_err() {
            return;
        }
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

const HASTY: &str = "idle_timeout = \"200ms\"";

/// Kerberos passes byte by byte, and still the gateway knows that a statement runs.
#[test]
fn a_relayed_kerberos_session_is_followed() {
    let site = aware("hs2", "").profile(HASTY);
    let name = "shell-hs2-gssapi-fake";
    let _member =
        Member::serve(site.member_addr(1), move |stream| play_server(stream, &recording(name)));
    let gateway = site.start();
    let mut client = connect(site.front());
    let (mut paused, mut calls) = (false, 0);
    for line in recording(name) {
        if !line.by_client {
            assert_eq!(client.hear(line.bytes.len()), line.bytes, "{}", line.what);
            calls += usize::from(line.what.starts_with("REPLY"));
            if !paused && line.what.starts_with("REPLY ExecuteStatement") {
                paused = true;
                // Ten times the idle timeout with an operation open.
                std::thread::sleep(Duration::from_secs(2));
            }
        } else {
            client.say(&line.bytes);
        }
    }
    assert!(paused && calls > 8, "{calls}");
    // Nothing is open any more, so now silence ends it.
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!(gateway.wait_record(1).letters, "cD");
}

#[test]
fn what_is_no_thrift_passes_unread_unless_the_protocol_is_strict() {
    let site = aware("hs2", "");
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    for words in [&b"hello\n"[..], b"\x16\x03\x01\x02\0\x01", b"\x80\x02\0\0", b"\0\0\xff\0"] {
        let mut client = connect(site.front());
        client.check_echo(words);
        client.check_echo(&[0x80; 100_000]);
    }
    let strict = aware("hs2", "strict_protocol = true");
    let _member = Member::echo(strict.member_addr(1));
    let gateway = strict.start();
    let mut client = connect(strict.front());
    client.say(b"hello\n");
    assert_eq!(client.hear_rest().0, b"");
    assert_eq!(gateway.wait_record(1).letters, "PR");
}

#[track_caller]
fn check_refused(response: &[u8], text: &str) {
    let site = aware("hs2", "");
    let member = Member::silent(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"\x01\0\0\0\x05PLAIN\x02");
    client.say(&(response.len() as u32).to_be_bytes());
    client.say(response);
    let (heard, _) = client.hear_rest();
    assert_eq!(heard.first(), Some(&3), "{heard:?}");
    let told = String::from_utf8_lossy(&heard[5..]);
    assert!(told.contains(text), "{told}");
    assert_eq!(gateway.wait_record(1).letters, "PR");
    assert_eq!(member.accepted(), 0, "nobody's password was shown to a coordinator");
}

#[test]
fn nobody_logs_in_for_somebody_else() {
    check_refused(b"root\0alice\0x", "the authorization identity differs from the user name");
    check_refused(b"alice\0x", "the PLAIN response is malformed");
}

/// impalad would read any of these with another end than a second server might.
#[test]
fn smuggled_requests_are_refused_and_reach_nobody() {
    let site = aware("hs2-http", "");
    let member = Member::silent(site.member_addr(1));
    let _gateway = site.start();
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "X: y\r\n folded\r\n",
        "Content-Length: 3\r\n",
    ] {
        let mut client = connect(site.front());
        client.say(format!("POST /cliservice HTTP/1.1\r\nHost: a\r\n{lines}\r\nxyz").as_bytes());
        let (heard, _) = client.hear_rest();
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(heard.starts_with("HTTP/1.1 400 "), "{lines}: {heard}");
    }
    let mut client = connect(site.front());
    client.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (heard, _) = client.hear_rest();
    assert!(heard.starts_with(b"HTTP/1.1 405 "), "{heard:?}");
    assert_eq!(member.accepted(), 0);
}

/// As Impala answers to a wrong password.
#[test]
fn a_refusal_that_ends_its_connection_is_passed_on() {
    const REFUSAL: &[u8] =
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let site = aware("hs2-http", "");
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        let mut heard = [0; 4096];
        if stream.read(&mut heard).is_ok() {
            let _ = stream.write_all(REFUSAL);
        }
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    let call = b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\0";
    let head = format!("POST /cliservice HTTP/1.1\r\nHost: a\r\nContent-Length: {}", call.len());
    client.say(&[head.as_bytes(), b"\r\n\r\n", call].concat());
    let (heard, ending) = client.hear_rest();
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.starts_with("HTTP/1.1 401 ") && heard.contains("onnection: close"), "{heard}");
    assert_eq!(ending, Ending::Fin);
    // And no panic, which the gateway's end would tell.
    assert_eq!(gateway.wait_record(1).letters, "--");
}

/// Otherwise a few thousand clients that never finish their first line would hold all places.
#[test]
fn a_head_that_is_never_finished_ends_with_the_handshake_timeout() {
    let site = aware("hs2-http", "").profile("handshake_timeout = \"300ms\"");
    let member = Member::silent(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"POST /cliservice HTTP/1.1\r\nHost:");
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!((&*gateway.wait_record(1).letters, member.accepted()), ("cD", 0));
}

#[track_caller]
fn check_bounded(gateway: &Gateway, before: u64) {
    let after = gateway.rss_bytes();
    assert!(after < before + 40 * 1024 * 1024, "{before} bytes, then {after}");
}

/// A reply of 300 MB through a gateway that holds a buffer of it.
#[test]
fn a_large_result_costs_a_buffer() {
    const SIZE: usize = 300 * 1024 * 1024;
    let site = aware("hs2", "");
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        let mut call = [0; 18];
        if stream.read_exact(&mut call).is_err() {
            return;
        }
        // FetchResults: a list of one string of SIZE bytes in field 1.
        let mut head =
            b"\x80\x01\0\x02\0\0\0\x0cFetchResults\0\0\0\0\x0f\0\x01\x0b\0\0\0\x01".to_vec();
        head.extend_from_slice(&(SIZE as u32).to_be_bytes());
        let _ = stream.write_all(&head);
        let piece = vec![b'x'; 1024 * 1024];
        for _ in 0..SIZE / piece.len() {
            if stream.write_all(&piece).is_err() {
                return;
            }
        }
        let _ = stream.write_all(b"\0");
        let _ = stream.read(&mut call);
    });
    let gateway = site.start();
    let before = gateway.rss_bytes();
    let mut client = connect(site.front());
    client.say(b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\0\0");
    client.hear(36);
    // A client that is slow to read: the gateway must not read ahead of it.
    std::thread::sleep(Duration::from_millis(300));
    check_bounded(&gateway, before);
    let mut left = SIZE;
    while left > 0 {
        left -= client.hear(left.min(1024 * 1024)).len();
    }
    check_bounded(&gateway, before);
}

const GOOD: &[u8] = b"\x80\x01\0\x01\0\0\0\x05Other\0\0\0\x07\0";
const REPLY: &[u8] = b"\x80\x01\0\x02\0\0\0\x05Other\0\0\0\x07\0";

/// Answers [`GOOD`] as often as it comes, and swallows all else.
fn serve(mut stream: TcpStream) {
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

/// Reads the head of a request, its empty line included. False: there is none.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn post(target: &str, lines: &str, length: usize) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: {length}\r\n\r\n").into()
}

/// Answers every request that has [`GOOD`] in it.
fn serve_http(mut stream: TcpStream) {
    let mut heard = vec![0; GOOD.len()];
    while read_head(&mut stream) && stream.read_exact(&mut heard).is_ok() && heard == GOOD {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", REPLY.len());
        if stream.write_all(&[head.as_bytes(), REPLY].concat()).is_err() {
            return;
        }
    }
}

/// The head of an answer, and so much of a body.
#[track_caller]
fn hear_answer(client: &mut TcpStream, body: usize) -> String {
    let status = client.hear_line();
    while client.hear_line() != "\r" {}
    client.hear(body);
    status.trim_end().to_owned()
}
