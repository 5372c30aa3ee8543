//! Traffic counts: one shard a worker thread, so that counting is a plain add.

mod ends;
mod histogram;
mod member;
mod times;

use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub(crate) use ends::{PoolCounters, VirtualCounters};
pub(crate) use histogram::{BOUNDS, Histogram};
pub(crate) use member::{MemberCounters, ProbeResult, add};
pub(crate) use times::{Moving, Times};

/// Which worker thread; the index of its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerIndex(pub(crate) usize);

/// Bytes, and the reads that brought them (what a full proxy can know of packets).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    pub(crate) reads: u64,
}

impl Sub for Moved {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { bytes: self.bytes - before.bytes, reads: self.reads - before.reads }
    }
}

impl Add for Moved {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, reads: self.reads + other.reads }
    }
}

impl Moved {
    /// What came after `before`; nothing when that is more.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(before.bytes),
            reads: self.reads.saturating_sub(before.reads),
        }
    }
}

/// Bytes of a member or virtual server over all workers.
#[derive(Debug)]
pub(crate) struct Traffic {
    shards: Box<[Shard]>,
    /// What there was at the last reset.
    base: Base,
}

/// What had moved when an operator last began to count anew. The counts themselves only grow.
#[derive(Debug, Default)]
pub(crate) struct Base(Mutex<(Moved, Moved)>);

impl Base {
    pub(crate) fn set(&self, now: (Moved, Moved)) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub(crate) fn since(&self, now: (Moved, Moved)) -> (Moved, Moved) {
        let base = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (now.0.since(base.0), now.1.since(base.1))
    }
}

/// A cache line of its own, written by one thread only.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    up_bytes: AtomicU64,
    up_reads: AtomicU64,
    down_bytes: AtomicU64,
    down_reads: AtomicU64,
}

impl Traffic {
    pub(crate) fn new(workers: usize) -> Self {
        let shards = (0..workers).map(|_| Shard::default()).collect();
        Self { shards, base: Base::default() }
    }

    /// What came from clients, and what went to them, over all workers.
    pub(crate) fn sum(&self) -> (Moved, Moved) {
        let mut sum = (Moved::default(), Moved::default());
        for shard in &self.shards {
            sum.0.bytes += shard.up_bytes.load(Ordering::Relaxed);
            sum.0.reads += shard.up_reads.load(Ordering::Relaxed);
            sum.1.bytes += shard.down_bytes.load(Ordering::Relaxed);
            sum.1.reads += shard.down_reads.load(Ordering::Relaxed);
        }
        sum
    }

    pub(crate) fn since_reset(&self) -> (Moved, Moved) {
        self.base.since(self.sum())
    }

    pub(crate) fn reset(&self) {
        self.base.set(self.sum());
    }

    /// Adds to the calling worker's own shard.
    pub(crate) fn add(&self, worker: WorkerIndex, up: Moved, down: Moved) {
        let shard = &self.shards[worker.0];
        // Load and store instead of fetch_add: nobody else writes here.
        let add = |counter: &AtomicU64, n: u64| {
            if n > 0 {
                counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
            }
        };
        add(&shard.up_bytes, up.bytes);
        add(&shard.up_reads, up.reads);
        add(&shard.down_bytes, down.bytes);
        add(&shard.down_reads, down.reads);
    }
}
