//! Sources that guessed too often wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Wrong passwords that one source has in [`WINDOW`].
const FAILURES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// How long a source then waits.
const LOCKED: Duration = Duration::from_secs(60);

/// Sources remembered; beyond it the one that failed longest ago is forgotten.
const SOURCES_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Lockouts {
    sources: Mutex<HashMap<IpAddr, Source>>,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    /// When the count began.
    since: Instant,
    last: Instant,
    failures: u32,
    locked_until: Option<Instant>,
}

impl Lockouts {
    /// How long this source still waits.
    pub(crate) fn left(&self, source: IpAddr, now: Instant) -> Option<Duration> {
        let sources = self.sources.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let until = sources.get(&network(source))?.locked_until?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// True when it is one too many: the source is locked out from now on.
    pub(crate) fn failed(&self, source: IpAddr, now: Instant) -> bool {
        let mut sources = self.sources.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let key = network(source);
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&key) {
            let oldest = sources.iter().min_by_key(|(_, source)| source.last);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                sources.remove(&oldest);
            }
        }
        let fresh = Source { since: now, last: now, failures: 0, locked_until: None };
        let known = sources.entry(key).or_insert(fresh);
        if now.saturating_duration_since(known.since) > WINDOW {
            *known = fresh;
        }
        known.last = now;
        known.failures += 1;
        if known.failures < FAILURES_MAX || known.locked_until.is_some_and(|until| until > now) {
            return false;
        }
        *known = Source { locked_until: Some(now + LOCKED), ..fresh };
        true
    }
}

/// One household of IPv6 has 2^64 addresses.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn source(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    #[test]
    fn ten_failures_in_a_minute_wait_for_a_minute() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        for n in 0..9 {
            assert!(!lockouts.failed(source(1), start + n * SECOND));
            assert_eq!(lockouts.left(source(1), start + n * SECOND), None);
        }
        let tenth = start + 9 * SECOND;
        assert!(lockouts.failed(source(1), tenth));
        assert_eq!(lockouts.left(source(1), tenth), Some(LOCKED));
        assert_eq!(lockouts.left(source(2), tenth), None);
        assert_eq!(lockouts.left(source(1), tenth + LOCKED), None);
        assert!(!lockouts.failed(source(1), tenth + LOCKED), "the count begins anew");
    }

    #[test]
    fn slow_typists_are_not_locked_out() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        for n in 0..100 {
            assert!(!lockouts.failed(source(1), start + n * 8 * SECOND), "after {n}");
        }
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_are_one() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        for n in 0..10_u16 {
            lockouts.failed(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n).into(), start);
        }
        let at = |n| lockouts.left(Ipv6Addr::new(0x2001, 0xdb8, 0, n, 9, 9, 9, 9).into(), start);
        assert_eq!(at(1), Some(LOCKED));
        assert_eq!(at(2), None);
    }

    #[test]
    fn only_so_many_sources_are_remembered() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        for n in 0..20_000 {
            lockouts.failed(source(n), start + n * Duration::from_millis(1));
        }
        assert_eq!(lockouts.sources.lock().unwrap().len(), SOURCES_MAX);
        assert!(lockouts.sources.lock().unwrap().contains_key(&source(19_999)));
    }
}
