//! Bounds on what is open at once, and the bounded queue in front of full members.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// How many connections may be open; beyond that, accepting pauses and newcomers wait in the
/// kernel's backlog, where they lose nothing.
#[derive(Debug)]
pub(crate) struct Limit {
    max: AtomicU32,
    open: AtomicU32,
    peak: AtomicU32,
    total: AtomicU64,
    waiting: AtomicU32,
    freed: Notify,
}

impl Limit {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            max: AtomicU32::new(max),
            open: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            total: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            freed: Notify::new(),
        }
    }

    /// A lower limit cuts nobody; it holds back newcomers until enough have left.
    pub(crate) fn set_max(&self, max: u32) {
        self.max.store(max, Ordering::Release);
        self.freed.notify_waiters();
    }

    pub(crate) fn open(&self) -> u32 {
        self.open.load(Ordering::Acquire)
    }

    /// The most that were open at once.
    pub(crate) fn peak(&self) -> u32 {
        self.peak.load(Ordering::Relaxed)
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut open = self.open.load(Ordering::SeqCst);
        while open < self.max.load(Ordering::Acquire) {
            match self.open.compare_exchange_weak(
                open,
                open + 1,
                Ordering::SeqCst,
                Ordering::SeqCst,
            ) {
                Ok(_) => {
                    self.peak.fetch_max(open + 1, Ordering::Relaxed);
                    self.total.fetch_add(1, Ordering::Relaxed);
                    return Some(Permit(Arc::clone(self)));
                }
                Err(now) => open = now,
            }
        }
        None
    }

    /// Waits until there is room. Cancel safe.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Permit {
        let _waiting = Waiting::enter(&self.waiting);
        loop {
            let freed = self.freed.notified();
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            freed.await;
        }
    }
}

/// One open connection's place; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Limit>);

impl Permit {
    pub(crate) fn limit(&self) -> &Limit {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // One order with the waiter's "I wait" and "is there room?": one of the two sees the other.
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.freed.notify_one();
        }
    }
}

/// Connections that wait, in order of arrival, because every usable member of a pool is full.
///
/// Only the first in line tries to get a member, so nobody is overtaken.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: AtomicU32,
    first: Semaphore,
    freed: Notify,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: AtomicU32::new(0), first: Semaphore::new(1), freed: Notify::new() }
    }
}

/// There are as many waiting as may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl Queue {
    /// A place in the queue, and how many are ahead.
    pub(crate) fn enter(&self, max: u32) -> Result<(Waiting<'_>, u32), QueueFull> {
        let waiting = Waiting::enter(&self.waiting);
        let ahead = self.waiting.load(Ordering::Acquire) - 1;
        if ahead < max { Ok((waiting, ahead)) } else { Err(QueueFull) }
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Acquire)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Waits to be the first in line, and is it until the returned value drops. Cancel safe.
    pub(crate) async fn first(&self) -> First<'_> {
        First { queue: self, _permit: self.first.acquire().await.ok() }
    }

    /// A member has room for one more, or came back.
    pub(crate) fn first_may_try(&self) {
        if !self.is_empty() {
            self.freed.notify_one();
        }
    }
}

/// The first in line. Whoever is next becomes the first, and tries at once, when this drops.
#[derive(Debug)]
pub(crate) struct First<'a> {
    queue: &'a Queue,
    /// `None` cannot be: the semaphore is never closed.
    _permit: Option<SemaphorePermit<'a>>,
}

impl First<'_> {
    /// Waits for a reason to try again; one that came before the call counts.
    pub(crate) async fn may_try(&self) {
        self.queue.freed.notified().await;
    }
}

/// Counts one waiter for as long as it lives.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
