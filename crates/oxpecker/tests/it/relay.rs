//! Bytes pass both ways, all of them, in order, and so do the ends of streams.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, reset_on_close};
use oxpecker_testkit::wait::wait_until;
use oxpecker_testkit::{Ending, Member, connect};

use crate::site::Site;

/// Every byte tells where it should be.
fn pattern(from: usize, n: usize) -> Vec<u8> {
    (from..from + n).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

fn send_pattern(stream: &mut TcpStream, total: usize, piece: usize) {
    let mut sent = 0;
    while sent < total {
        let n = piece.min(total - sent);
        stream.write_all(&pattern(sent, n)).unwrap();
        sent += n;
    }
}

/// Reads to the end; every byte must be in its place.
fn check_pattern(stream: &mut TcpStream, total: usize) {
    let mut buffer = vec![0; 1 << 20];
    let mut seen = 0;
    loop {
        let n = stream.read(&mut buffer).unwrap();
        if n == 0 {
            break;
        }
        assert!(buffer[..n] == pattern(seen, n)[..], "wrong bytes between {seen} and {}", seen + n);
        seen += n;
    }
    assert_eq!(seen, total);
}

#[test]
fn fifty_megabytes_arrive_unchanged_both_ways() {
    const TOTAL: usize = 50 << 20;
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    let mut sender = client.try_clone().unwrap();
    let sending = thread::spawn(move || {
        send_pattern(&mut sender, TOTAL, 300_000);
        sender.shutdown(Shutdown::Write).unwrap();
    });
    check_pattern(&mut client, TOTAL);
    sending.join().unwrap();
    let record = gateway.wait_record(1);
    assert_eq!((record.bytes, record.letters.as_str()), (TOTAL as u64, "--"));
}

#[test]
fn any_size_of_pieces_gives_the_same_bytes() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    let mut client = connect(site.front());
    for piece in [1, 2, 3, 7, 100, 1460, 4095, 4096, 4097, 65_535, 65_536, 65_537, 262_145, 999_999]
    {
        let rounds = if piece < 5000 { 40 } else { 3 };
        for round in 0..rounds {
            client.check_echo(&pattern(round * piece, piece));
        }
    }
}

/// A member that answers only after the client has finished must still be heard.
#[test]
fn client_finishes_first_and_still_gets_the_whole_answer() {
    const TOTAL: usize = 20 << 20;
    let site = Site::new(1);
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        check_pattern(&mut stream, TOTAL);
        send_pattern(&mut stream, TOTAL, 77_777);
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    send_pattern(&mut client, TOTAL, 123_457);
    client.finish();
    check_pattern(&mut client, TOTAL);
    assert_eq!(gateway.wait_record(1).letters, "--");
}

#[test]
fn member_finishes_first_and_still_gets_everything() {
    const TOTAL: usize = 20 << 20;
    let site = Site::new(1);
    let member = Member::serve(site.member_addr(1), |mut stream| {
        stream.write_all(b"goodbye").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        check_pattern(&mut stream, TOTAL);
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    assert_eq!(client.hear_rest(), (b"goodbye".to_vec(), Ending::Fin));
    send_pattern(&mut client, TOTAL, 55_555);
    client.finish();
    member.wait_open(0);
    let record = gateway.wait_record(1);
    assert_eq!((record.bytes, record.letters.as_str()), (7, "--"));
}

#[test]
fn a_reset_of_the_client_reaches_the_member() {
    let site = Site::new(1);
    let member = Member::serve(site.member_addr(1), |mut stream| {
        stream.hear(2);
        let end = stream.hear_rest();
        assert_eq!(end.1, Ending::Reset);
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"hi");
    wait_until("the member has the connection", || member.open() == 1);
    reset_on_close(&client);
    drop(client);
    member.wait_open(0);
    assert_eq!(gateway.wait_record(1).letters, "CD");
}

#[test]
fn a_reset_of_the_member_reaches_the_client() {
    let site = Site::new(1);
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        stream.hear(2);
        stream.say(b"half an answ");
        // Wait until the client has it: a reset overtakes data.
        stream.hear(1);
        reset_on_close(&stream);
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    client.say(b"hi");
    client.hear(12);
    client.say(b"!");
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!(gateway.wait_record(1).letters, "SD");
}

/// The gateway learns of the reset by writing to the member, and a read then tells of an end.
#[test]
fn a_reset_of_the_member_is_no_end_although_the_client_was_talking() {
    let site = Site::new(1);
    let now = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&now);
    let member = Member::serve(site.member_addr(1), move |mut stream| {
        stream.say(b"half an answ");
        wait_until("it is time to reset", || told.load(Ordering::Relaxed));
        reset_on_close(&stream);
    });
    let gateway = site.start();
    let mut client = connect(site.front());
    client.hear(12);
    // Stopped, so that it finds the reset and the client's words at the same time.
    gateway.signal(Signal::SIGSTOP);
    now.store(true, Ordering::Relaxed);
    member.wait_open(0);
    client.say(b"are you still there?");
    gateway.signal(Signal::SIGCONT);
    assert_eq!(client.hear_rest(), (Vec::new(), Ending::Reset));
    assert_eq!(gateway.wait_record(1).letters, "SD");
}

/// 200 MB are on offer to a client that reads nothing: they must stay with the member.
#[test]
fn a_slow_reader_does_not_fill_the_gateways_memory() {
    const TOTAL: usize = 200 << 20;
    let site = Site::new(1);
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        stream.hear(1);
        send_pattern(&mut stream, TOTAL, 1 << 20);
    });
    let gateway = site.start();
    // Warm: buffers and pools that exist once a thread are not this connection's.
    let mut clients: Vec<_> = (0..4).map(|_| connect(site.front())).collect();
    for client in &mut clients {
        client.say(b"x");
        client.hear(8 << 20);
    }
    let before = gateway.rss_bytes();
    let mut slow: Vec<_> = (0..4).map(|_| connect(site.front())).collect();
    for client in &mut slow {
        client.say(b"x");
        client.hear(1);
    }
    // Nothing moves any more: all buffers on the way are full.
    let mut last = gateway.cpu_time();
    let mut quiet = 0;
    wait_until("nothing moves any more", || {
        let now = gateway.cpu_time();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        quiet > 60
    });
    let grown = gateway.rss_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "800 MB pending cost {grown} bytes of memory");
    // And the stream is whole when the reader comes back.
    let mut client = slow.pop().unwrap();
    let mut rest = vec![0; 1 << 20];
    let mut seen = 1;
    while seen < TOTAL {
        let n = client.read(&mut rest).unwrap();
        assert!(n > 0, "ended after {seen} bytes");
        assert!(rest[..n] == pattern(seen, n)[..], "wrong bytes at {seen}");
        seen += n;
    }
}

/// More long streams stand still at once than a thread has kernel pipes for.
#[test]
fn many_stalled_streams_are_all_whole_in_the_end() {
    const TOTAL: usize = 10 << 20;
    let site = Site::new(1).top("[process]\nthreads = 1");
    let whole: Arc<[u8]> = pattern(0, TOTAL).into();
    let said = Arc::clone(&whole);
    let _member = Member::serve(site.member_addr(1), move |mut stream| stream.say(&said));
    let gateway = site.start();
    let mut clients: Vec<_> = (0..50).map(|_| connect(site.front())).collect();
    // Each has begun to be long, then reads no more.
    for client in &mut clients {
        assert!(client.hear(5 << 20) == whole[..5 << 20]);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let (rest, ending) = client.hear_rest();
        assert_eq!((rest.len(), ending), (TOTAL - (5 << 20), Ending::Fin), "stream {number}");
        assert!(rest == whole[5 << 20..], "stream {number} has wrong bytes");
    }
    drop(clients);
    gateway.wait_record(50);
    assert!(gateway.records().iter().all(|record| record.bytes == TOTAL as u64));
}

#[test]
fn many_connections_at_once_do_not_mix() {
    let site = Site::new(2);
    let _members = [Member::echo(site.member_addr(1)), Member::echo(site.member_addr(2))];
    let _gateway = site.start();
    let mut clients: Vec<_> = (0..200).map(|_| connect(site.front())).collect();
    for round in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.say(&pattern(number * 1000 + round, 500));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.hear(500), pattern(number * 1000 + round, 500));
        }
    }
}
