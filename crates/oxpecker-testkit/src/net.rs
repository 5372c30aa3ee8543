//! A network for each test: 127.A.B.0/24, so that tests run side by side on Impala's own ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ephemeral ports, and nobody's.
const CLAIM_PORT: u16 = 31_999;

/// The port that members and gateways have in tests.
pub const PORT: u16 = 21_050;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// 254 loopback addresses that no other test on this machine uses while this value lives.
#[derive(Debug)]
pub struct Net {
    a: u8,
    b: u8,
    /// Holds the claim against test runs of other processes.
    _claim: TcpListener,
}

impl Net {
    #[expect(clippy::new_without_default, reason = "it claims addresses, which is no default")]
    pub fn new() -> Self {
        for _ in 0..20_000 {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 101;
            let (a, b) = (64 + (turn / 250 % 180) as u8, 1 + (turn % 250) as u8);
            if let Ok(claim) = TcpListener::bind((Ipv4Addr::new(127, a, b, 254), CLAIM_PORT)) {
                return Self { a, b, _claim: claim };
            }
        }
        panic!("no loopback network is free");
    }

    pub fn ip(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(127, self.a, self.b, host).into()
    }

    /// Port 21050 of that host.
    pub fn addr(&self, host: u8) -> SocketAddr {
        SocketAddr::new(self.ip(host), PORT)
    }

    /// A client's own address: hosts from 100 on are nothing else in any test.
    pub fn client(&self, number: u8) -> IpAddr {
        self.ip(100 + number)
    }
}
