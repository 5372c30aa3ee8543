//! Whatever clients and members send: it is passed on or closed, and the process lives.

use std::io::Write;
use std::net::TcpStream;

use oxpecker_testkit::client::{Talk, reset_on_close};
use oxpecker_testkit::{Member, connect};

use crate::site::Site;

/// Not random, but nothing that any protocol expects.
fn noise(seed: u64, n: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn noise_from_both_sides_is_passed_on_as_it_is() {
    let site = Site::new(1);
    let _member = Member::serve(site.member_addr(1), |mut stream| {
        assert_eq!(stream.hear(10_000), noise(1, 10_000));
        stream.say(&noise(2, 10_000));
    });
    let mut gateway = site.start();
    let mut client = connect(site.front());
    client.say(&noise(1, 10_000));
    assert_eq!(client.hear(10_000), noise(2, 10_000));
    assert!(gateway.is_running());
}

#[test]
fn clients_that_leave_in_every_way_leave_no_trace() {
    let site = Site::new(1);
    let member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let leave: [fn(TcpStream); 5] = [
        drop,
        |client| reset_on_close(&client),
        |mut client| {
            client.say(b"words");
            reset_on_close(&client);
        },
        |mut client| {
            client.say(&[0; 100_000]);
        },
        |mut client| {
            client.finish();
            client.hear_rest();
        },
    ];
    for _ in 0..20 {
        for leave in leave {
            leave(connect(site.front()));
        }
    }
    gateway.wait_record(100);
    member.wait_open(0);
    let last = {
        connect(site.front()).check_echo(b"still here");
        gateway.wait_record(101)
    };
    assert_eq!(last.open, [1, 1, 1, 1], "all are counted out");
}

#[test]
fn noise_where_a_proxy_header_belongs_is_refused() {
    let site = Site::new(1)
        .virtual_server("accept_proxy = [\"127.0.0.0/8\"]")
        .profile("handshake_timeout = \"200ms\"");
    let _member = Member::echo(site.member_addr(1));
    let mut gateway = site.start();
    for seed in 0..100 {
        let mut client = connect(site.front());
        // A refusal may come before all is said.
        let _ = client.write_all(&noise(seed, 1 + seed as usize * 7));
        let _ = client.hear_rest();
    }
    // True beginnings with noise behind them.
    for seed in 0..50 {
        let beginning: &[u8] =
            if seed % 2 == 0 { b"PROXY TCP4 " } else { b"\r\n\r\n\0\r\nQUIT\n\x21\x11" };
        let mut client = connect(site.front());
        let _ = client.write_all(&[beginning, &noise(seed, 40)].concat());
        let _ = client.finish_quietly();
        let _ = client.hear_rest();
    }
    gateway.wait_record(150);
    assert!(gateway.is_running());
    let mut client = connect(site.front());
    client.say(b"PROXY TCP4 10.1.2.3 10.9.9.9 5555 21050\r\n");
    client.check_echo(b"still here");
}

trait Quietly {
    fn finish_quietly(&self) -> std::io::Result<()>;
}

impl Quietly for TcpStream {
    fn finish_quietly(&self) -> std::io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}
