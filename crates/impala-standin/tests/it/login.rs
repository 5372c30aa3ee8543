//! Logins: SASL PLAIN, Basic, cookies, delegation, and whose session it is.

use crate::client::{Client, V, decode, encode, failure, fetch, map, open_session, start, text};
use crate::process::Process;
use std::io::{Read, Write};
use std::net::TcpStream;

const TWO_USERS: &[&str] = &["--auth=plain", "--user=alice=secret", "--user=bob=secret"];

#[test]
fn sasl_plain_and_its_refusals() {
    let standin = Process::start(TWO_USERS);
    let port = standin.port("hs2");
    let mut client = Client::plain(port, b"\0alice\0secret").unwrap();
    let session = open_session(&mut client, "somebody");
    let operation = start(&mut client, &session, "select user()");
    assert_eq!(fetch(&mut client, &operation, 1).list(&[3, 3])[0].list(&[7, 1]), [text("alice")]);

    let refused = Client::plain(port, b"\0alice\0wrong").err().unwrap();
    assert_eq!(
        refused.kind(),
        std::io::ErrorKind::UnexpectedEof,
        "closed without a frame: {refused}"
    );
    let mut client = Client::raw(port);
    client.send_sasl(1, b"GSSAPI");
    assert_eq!(client.receive_sasl().unwrap(), (3, b"Unsupported mechanism type GSSAPI".to_vec()));
    assert_eq!(client.read_to_end(), b"");
    let mut client = Client::raw(port);
    client.send(&encode("OpenSession", &V::Struct(vec![]), true));
    assert_eq!(client.receive_sasl().unwrap(), (4, b"Invalid status -128".to_vec()));
    // Java's clients finish with COMPLETE.
    let mut client = Client::raw(port);
    client.send_sasl(1, b"PLAIN");
    client.send_sasl(5, b"\0alice\0secret");
    assert_eq!(client.receive_sasl().unwrap(), (5, vec![]));
}

#[test]
fn a_session_belongs_to_its_user() {
    let standin = Process::start(TWO_USERS);
    let mut alice = Client::plain(standin.port("hs2"), b"\0alice\0secret").unwrap();
    let session = open_session(&mut alice, "");
    let operation = start(&mut alice, &session, "select 1");
    let mut bob = Client::plain(standin.port("hs2"), b"\0bob\0secret").unwrap();
    let expected =
        "The user authorized on the connection 'bob' does not match the session username 'alice'\n";
    for (method, handle) in [
        ("PingImpalaHS2Service", &session),
        ("CloseSession", &session),
        ("FetchResults", &operation),
        ("CancelOperation", &operation),
    ] {
        let reply = bob.hs2(method, vec![(1, handle.clone())]);
        assert_eq!(failure(&reply), (3, expected.into()), "{method}");
    }
    // The user acted for counts, whoever gave the password: as impalad does it.
    let mut acting = Client::plain(standin.port("hs2"), b"alice\0bob\0secret").unwrap();
    assert_eq!(acting.hs2("PingImpalaHS2Service", vec![(1, session)]).i32(&[1, 1]), 0);
}

#[test]
fn delegation_needs_a_rule() {
    let open = |client: &mut Client, other: &str| {
        client.hs2("OpenSession", vec![(1, V::I32(5)), (4, map(&[("impala.doas.user", other)]))])
    };
    let standin = Process::start(&["--auth=plain"]);
    let mut client = Client::plain(standin.port("hs2"), b"\0gw\0x").unwrap();
    let (_, message) = failure(&open(&mut client, "alice"));
    assert_eq!(
        message,
        "User 'gw' is not authorized to delegate to 'alice'. User/group delegation is disabled.\n"
    );
    let standin = Process::start(&["--auth=plain", "--authorized-proxy-user-config=gw=alice"]);
    let mut client = Client::plain(standin.port("hs2"), b"\0gw\0x").unwrap();
    let (_, message) = failure(&open(&mut client, "bob"));
    assert_eq!(message, "User 'gw' is not authorized to delegate to 'bob'.\n");
    let session = open(&mut client, "alice").at(&[3]).unwrap().clone();
    let operation = start(&mut client, &session, "select concat(user(), effective_user())");
    assert_eq!(fetch(&mut client, &operation, 1).list(&[3, 3])[0].list(&[7, 1]), [text("gwalice")]);
}

/// A POST; status line with headers, and body.
fn post(stream: &mut TcpStream, path: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    read_reply(stream)
}

fn read_reply(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |l| l.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn open_session_bytes() -> Vec<u8> {
    encode(
        "OpenSession",
        &V::Struct(vec![(1, V::Struct(vec![(1, V::I32(5)), (2, text("zoe"))]))]),
        true,
    )
}

/// `alice:secret`.
const ALICE: &str = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";

#[test]
fn http_keeps_the_connection_and_takes_any_path() {
    let standin = Process::start(&[]);
    let mut stream = TcpStream::connect(("127.0.0.1", standin.port("http"))).unwrap();
    for path in ["/cliservice", "/", "/x/y?z"] {
        let (head, body) = post(&mut stream, path, "", &open_session_bytes());
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("\r\nContent-Type: application/x-thrift\r\n")
                && head.contains("Connection: Keep-Alive")
        );
        assert_eq!(decode(&body[..]).unwrap().unwrap().i32(&[0, 1, 1]), 0);
    }
    // Chunked, and 100-continue.
    let body = open_session_bytes();
    let (first, rest) = body.split_at(10);
    stream
        .write_all(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    let (head, _) = read_reply(&mut stream);
    assert_eq!(head, "HTTP/1.1 100 Continue\r\n\r\n");
    for chunk in [first, rest] {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
        stream.write_all(chunk).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let (head, _) = read_reply(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    stream.write_all(b"OPTIONS / HTTP/1.1\r\n\r\n").unwrap();
    assert!(read_reply(&mut stream).0.contains("Access-Control-Allow-Origin: *"));
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut stream).0, "", "GET: closed without a word");
}

#[test]
fn http_wants_a_login_and_hands_out_cookies() {
    let standin = Process::start(TWO_USERS);
    let connect = || TcpStream::connect(("127.0.0.1", standin.port("http"))).unwrap();
    for headers in [
        "",
        "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n",
        "Authorization: Negotiate x\r\n",
        "Cookie: impala.auth=x&u=alice\r\n",
    ] {
        let mut stream = connect();
        stream.write_all(format!("POST / HTTP/1.1\r\n{headers}\r\n").as_bytes()).unwrap();
        let (head, _) = read_reply(&mut stream);
        assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
        assert!(
            head.contains("\r\nWWW-Authenticate: Basic\r\n")
                && head.contains("\r\nConnection: close\r\n")
        );
        assert!(!head.contains("Content-Length"));
        assert_eq!(
            headers.starts_with("Cookie"),
            head.contains("Set-Cookie: impala.auth=;HttpOnly;Max-Age=0")
        );
    }
    let mut stream = connect();
    let (head, _) = post(&mut stream, "/", ALICE, &open_session_bytes());
    let cookie = head.lines().find_map(|l| l.strip_prefix("Set-Cookie: ")).unwrap();
    assert!(
        cookie.contains("&u=alice&t=") && cookie.ends_with(";HttpOnly;Max-Age=86400"),
        "{cookie}"
    );
    let cookie = format!("Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap());
    let (head, _) = post(&mut connect(), "/", &cookie, &open_session_bytes());
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("Set-Cookie"), "{head}");
    assert_eq!(standin.json("/sessions?json")["users"][0]["user"], "alice", "not zoe");
    // Another coordinator has another key.
    let other = Process::start(TWO_USERS);
    let mut stream = TcpStream::connect(("127.0.0.1", other.port("http"))).unwrap();
    stream.write_all(format!("POST / HTTP/1.1\r\n{cookie}\r\n").as_bytes()).unwrap();
    assert!(read_reply(&mut stream).0.starts_with("HTTP/1.1 401"));
    let metrics = standin.json("/jsonmetrics?json");
    assert_eq!(
        metrics["impala.thrift-server.hiveserver2-http-frontend.total-cookie-auth-success"],
        1
    );
}

#[test]
fn do_as_sticks_to_the_connection() {
    let standin = Process::start(&["--auth=plain", "--authorized-proxy-user-config=alice=*"]);
    let mut stream = TcpStream::connect(("127.0.0.1", standin.port("http"))).unwrap();
    for path in ["/cliservice?doAs=carol", "/cliservice"] {
        post(&mut stream, path, ALICE, &open_session_bytes());
    }
    let sessions = standin.json("/sessions?json");
    for session in sessions["sessions"].as_array().unwrap() {
        assert_eq!(
            (&session["user"], &session["delegated_user"]),
            (&"alice".into(), &"carol".into())
        );
    }
}
