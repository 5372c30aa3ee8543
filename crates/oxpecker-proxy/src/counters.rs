//! Traffic counts: one shard a worker thread, so that counting is a plain add.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Bytes of a member or virtual server over all workers.
#[derive(Debug)]
pub(crate) struct Traffic {
    shards: Box<[Shard]>,
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
        Self { shards: (0..workers).map(|_| Shard::default()).collect() }
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
