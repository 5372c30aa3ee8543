//! How connections ended, and those that found no member.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Times;
use crate::record::Close;

/// Of a virtual server.
#[derive(Debug, Default)]
pub(crate) struct VirtualCounters {
    ends: [AtomicU64; Close::ALL.len()],
    closed: AtomicBool,
}

impl VirtualCounters {
    /// Once a connection, so that a shared counter costs nothing worth a shard.
    pub(crate) fn ended(&self, close: Close) {
        if let Some(at) = Close::ALL.iter().position(|known| *known == close) {
            self.ends[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_listening(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_listening(&self, on: bool) {
        self.closed.store(!on, Ordering::Relaxed);
    }

    /// HAProxy's letters, the words, and how many ended so.
    pub(crate) fn ends(&self) -> Vec<(&'static str, &'static str, u64)> {
        let count = |at: usize| self.ends[at].load(Ordering::Relaxed);
        let all = Close::ALL.iter().enumerate();
        all.map(|(at, close)| (close.letters(), close.reason(), count(at))).collect()
    }
}

/// Of a pool.
#[derive(Debug, Default)]
pub(crate) struct PoolCounters {
    /// Of the latest connections that had a member.
    pub(crate) times: Times,
    refused: AtomicU64,
}

impl PoolCounters {
    /// A client found no usable member.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_a_counter_of_its_own() {
        let counters = VirtualCounters::default();
        for (n, close) in Close::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| counters.ended(close));
        }
        let ends = counters.ends();
        assert!(ends.iter().enumerate().all(|(n, end)| end.2 == n as u64 + 1), "{ends:?}");
        let words: std::collections::BTreeSet<_> = ends.iter().map(|end| end.1).collect();
        assert_eq!(words.len(), Close::ALL.len());
    }
}
