//! Generator against backend with nothing between, and against something that spoils bytes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use oxpecker_testkit::{Authority, TempDir};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;
use crate::serve::serve;
use crate::wire::REQUEST_BYTES;

/// A backend on a free port, up and listening.
fn backend() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    thread::spawn(move || serve(free, Duration::from_secs(60)));
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(free).is_err() {
        assert!(Instant::now() < deadline, "backend does not listen");
        thread::yield_now();
    }
    free
}

fn options(load: Load, to: SocketAddr, connections: usize) -> Options {
    Options {
        load,
        to,
        tls: false,
        half_close: HalfClose::Both,
        connections,
        seconds: Duration::from_millis(200),
        warm_up: Duration::from_millis(20),
        proxy_pid: (load == Load::Idle).then(std::process::id),
        backend_pid: None,
    }
}

fn run(load: Load, connections: usize) -> Report {
    generate(&options(load, backend(), connections)).unwrap()
}

#[test]
fn every_load_moves_something() {
    assert!(run(Load::Stream, 2).bytes > 1_000_000);
    assert!(run(Load::Fetch, 2).done > 1);
    let exchange = run(Load::Exchange, 4);
    assert!(exchange.done > 10 && exchange.p50 <= exchange.p99 && exchange.p99 <= exchange.p999);
    assert!(run(Load::Churn, 4).done > 10);
    assert_eq!(run(Load::Idle, 10).done, 10);
}

#[test]
fn reports_survive_the_trip() {
    let report = run(Load::Exchange, 1);
    let again: Report = report.to_string().parse().unwrap();
    assert_eq!(again.done, report.done);
    assert!(again.p99.abs_diff(report.p99) < Duration::from_nanos(2));
}

/// Ends TLS and answers every request with as many bytes; `shaken` counts handshakes.
fn answers_over_tls(shaken: Arc<AtomicUsize>) -> SocketAddr {
    let dir = TempDir::new();
    let pair = Authority::new(dir.join("ca")).self_signed("own", &["DNS:localhost"], false);
    let certificate = CertificateDer::from_pem_file(pair.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(pair.key).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let shaken = Arc::clone(&shaken);
            thread::spawn(move || {
                let mut stream = rustls::StreamOwned::new(session, socket);
                let mut request = [0; REQUEST_BYTES];
                while stream.read_exact(&mut request).is_ok() && stream.write_all(&request).is_ok()
                {
                }
                let full = Some(rustls::HandshakeKind::Full);
                assert_eq!(stream.conn.handshake_kind(), full, "resumed");
                shaken.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    address
}

#[test]
fn exchanges_and_full_handshakes_over_tls() {
    let shaken = Arc::new(AtomicUsize::new(0));
    let to = answers_over_tls(Arc::clone(&shaken));
    let over_tls = |load| Options { tls: true, ..options(load, to, 4) };
    let report = exchange::exchange(&over_tls(Load::Exchange)).unwrap();
    assert!(report.done > 10);
    let report = churn::churn(&over_tls(Load::Churn)).unwrap();
    assert!(report.done > 10);
    assert!(shaken.load(Ordering::Relaxed) >= report.done as usize, "not a handshake each");
}

/// Copies bytes, but flips one bit of the ten-thousandth byte of every direction.
fn spoil(mut from: TcpStream, mut to: TcpStream) {
    let (mut passed, mut buffer) = (0, [0; 4096]);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if (passed..passed + count).contains(&10_000) {
            buffer[10_000 - passed] ^= 4;
        }
        passed += count;
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn the_check_sees_one_changed_bit() {
    let backend = backend();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let member = TcpStream::connect(backend).unwrap();
            let back = (member.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || spoil(back.0, back.1));
            thread::spawn(move || spoil(client, member));
        }
    });
    let error = check(address, false, HalfClose::Both).unwrap_err();
    assert!(format!("{error:#}").contains("bytes lost, added or changed"), "{error:#}");
}
