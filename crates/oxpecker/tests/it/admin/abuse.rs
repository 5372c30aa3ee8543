//! Malformed, huge, slow, and far too many: the admin side stays small and traffic untouched.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{connect, wait_until};

use super::Console;

/// What is answered to these bytes, until the connection ends.
fn answer(console: &Console, bytes: &[u8]) -> String {
    let mut stream = connect(console.site.admin_addr());
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn garbage_is_refused_and_forgotten() {
    let console = Console::new("");
    let header = |n: usize| format!("x: {}\r\n", "y".repeat(n));
    let many: String = (0..200).map(|n| format!("h{n}: x\r\n")).collect();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"\0\0\0\0\x16\x03\x01\x02\x00\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"hello\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "HTTP/1.1 "),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", header(100_000)).into_bytes(), "HTTP/1.1 431"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").into_bytes(), "HTTP/1.1 431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).into_bytes(), "HTTP/1.1 4"),
        (b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec(), "HTTP/1.1 404"),
        (b"POST /api/v1/save HTTP/1.1\r\nhost: localhost\r\nx-oxpecker-request: 1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n".to_vec(), "HTTP/1.1 "),
    ];
    for (bytes, expected) in cases {
        let got = answer(&console, &bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        // What was not read when the connection is closed may take the answer back.
        assert!(got.is_empty() || got.starts_with(expected), "{shown}: {got}");
        assert!(!got.starts_with("HTTP/1.1 2"), "{shown}: {got}");
    }
    assert_eq!(console.http.get("/api/v1/status").status, 200);
}

#[test]
fn slow_heads_are_dropped() {
    let console = Console::new("");
    let begun = Instant::now();
    let mut stream = connect(console.site.admin_addr());
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: loc").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(begun.elapsed() >= Duration::from_secs(10), "it is given some time");
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 2"));
}

/// Thousands who connect and say nothing, or ask and do not read.
#[test]
fn a_crowd_is_bounded_and_traffic_does_not_notice() {
    let console = Console::new("");
    let mut client = connect(console.site.front());
    client.check_echo(b"before");
    let idle = console.gateway.descriptors();
    let mut crowd = Vec::new();
    for n in 0..2000 {
        let Ok(mut stream) = try_connect(None, console.site.admin_addr()) else { continue };
        if n % 2 == 0 {
            let _ = stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
        }
        crowd.push(stream);
        if n % 100 == 0 {
            client.check_echo(b"meanwhile");
        }
    }
    // Those that were one too many are told and closed.
    let told = crowd.iter_mut().rev().take(50).any(|stream| {
        let mut start = [0; 12];
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        stream.read_exact(&mut start).is_ok() && &start == b"HTTP/1.1 503"
    });
    assert!(told, "nobody is told that there are too many");
    let open = console.gateway.descriptors();
    assert!(open <= idle + 256 + 32, "{idle} descriptors became {open}");
    let rss = console.gateway.rss_bytes();
    assert!(rss < 200 << 20, "{rss} bytes");
    // The command line has its own door.
    assert_eq!(console.socket().get("/api/v1/status").status, 200);
    client.check_echo(b"after");
    connect(console.site.front()).check_echo(b"newcomer");
    drop(crowd);
    wait_until("there is room again", || {
        let mut stream = connect(console.site.admin_addr());
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 200")
    });
}

/// Passwords are slow to verify on purpose; a crowd of guessers must not stop anything.
#[test]
fn guessers_do_not_keep_others_out() {
    let hash = "$6$saltstring$L2of.QHEyShkEGrKtIsIZ85vN2UxfBB4Fhu2yb0duBAm6qAiljcYaf358n/38bcASFfpU37SW.CynuEXbu5az1";
    let user = format!("[admin.user.alice]\npassword_hash = \"{hash}\"\nrole = \"admin\"\n");
    let console = Console::new(&user);
    let mut client = connect(console.site.front());
    thread::scope(|scope| {
        for n in 0..20 {
            let http = console.http.clone().basic("alice", &format!("guess {n}"));
            scope.spawn(move || {
                for _ in 0..5 {
                    assert!(matches!(http.get("/api/v1/status").status, 401 | 429));
                }
            });
        }
        for _ in 0..20 {
            client.check_echo(b"meanwhile");
            assert_eq!(console.socket().get("/api/v1/status").status, 200);
        }
    });
    assert_eq!(console.http.clone().basic("alice", "guess").get("/api/v1/status").status, 429);
}
