//! How many handshakes one source may begin in a second: each costs us far more than it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Sources counted within one second; beyond that newcomers share one count.
const SOURCES_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) struct SourceRate {
    limit: u32,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    counts: HashMap<IpAddr, u32>,
    others: u32,
}

impl SourceRate {
    pub(crate) fn new(limit: u32) -> Self {
        let window = Window { began: Instant::now(), counts: HashMap::new(), others: 0 };
        Self { limit, window: Mutex::new(window) }
    }

    /// Counts one handshake; `false`: this source has had its share of the current second.
    pub(crate) fn allows(&self, source: IpAddr) -> bool {
        let source = site_of(source);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.elapsed().as_secs() >= 1 {
            window.began = Instant::now();
            window.counts.clear();
            window.others = 0;
        }
        let full = window.counts.len() >= SOURCES_MAX && !window.counts.contains_key(&source);
        let Window { counts, others, .. } = &mut *window;
        let count = if full { others } else { counts.entry(source).or_default() };
        *count += 1;
        *count <= self.limit
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn site_of(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_leaves_others_theirs() {
        let rate = SourceRate::new(2);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!([a, a, a, b].map(|source| rate.allows(source)), [true, true, false, true]);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let rate = SourceRate::new(1);
        let sources = ["fd00::1:0:0:0:1", "fd00::1:2:3:4:5", "fd00::2:0:0:0:1"];
        let allowed = sources.map(|source| rate.allows(source.parse().unwrap()));
        assert_eq!(allowed, [true, false, true]);
    }
}
