//! Bounds on what is open at once, and the bounded queue in front of full members.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// How many connections may be open; beyond that, accepting pauses and newcomers wait in the
/// kernel's backlog, where they lose nothing.
#[derive(Debug)]
pub(crate) struct Limit {
    max: AtomicU32,
    open: AtomicU32,
    peak: AtomicU32,
    total: AtomicU64,
    /// The total at the last reset.
    total_before: AtomicU64,
    line: Line,
}

impl Limit {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            max: AtomicU32::new(max),
            open: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            total: AtomicU64::new(0),
            total_before: AtomicU64::new(0),
            line: Line::new(),
        }
    }

    /// A lower limit cuts nobody; it holds back newcomers until enough have left.
    pub(crate) fn set_max(&self, max: u32) {
        self.max.store(max, Ordering::SeqCst);
        self.line.first_may_try();
    }

    pub(crate) fn open(&self) -> u32 {
        self.open.load(Ordering::Acquire)
    }

    /// The most that were open at once since the last reset.
    pub(crate) fn peak(&self) -> u32 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Never reset.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(crate) fn total_since_reset(&self) -> u64 {
        self.total().saturating_sub(self.total_before.load(Ordering::Relaxed))
    }

    pub(crate) fn forget_peak(&self) {
        self.peak.store(self.open(), Ordering::Relaxed);
    }

    /// Forgets the peak, and counts anew.
    pub(crate) fn reset(&self) {
        self.peak.store(self.open(), Ordering::Relaxed);
        self.total_before.store(self.total(), Ordering::Relaxed);
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Ordering::Acquire)
    }

    /// A place, if there is one that nobody waits for.
    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        if self.line.is_empty() { self.take() } else { None }
    }

    fn take(self: &Arc<Self>) -> Option<Permit> {
        let mut open = self.open.load(Ordering::SeqCst);
        while open < self.max.load(Ordering::SeqCst) {
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

    /// Waits for its turn, and until there is room. Cancel safe.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Permit {
        let _waiting = self.line.enter();
        let first = self.line.first().await;
        loop {
            if let Some(permit) = self.take() {
                return permit;
            }
            first.may_try().await;
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
        self.0.line.first_may_try();
    }
}

/// Those who wait for a place, in order of arrival.
///
/// Only the first in line tries to get one, so nobody is overtaken, and a wake-up is never spent
/// on somebody who finds the place taken.
#[derive(Debug)]
struct Line {
    waiting: AtomicU32,
    first: Semaphore,
    freed: Notify,
}

impl Line {
    fn new() -> Self {
        Self { waiting: AtomicU32::new(0), first: Semaphore::new(1), freed: Notify::new() }
    }

    fn enter(&self) -> Waiting<'_> {
        Waiting::enter(&self.waiting)
    }

    fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::SeqCst)
    }

    fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Waits to be the first in line, and is it until the returned value drops. Cancel safe.
    async fn first(&self) -> First<'_> {
        First { line: self, _permit: self.first.acquire().await.ok() }
    }

    /// There may be a place now.
    fn first_may_try(&self) {
        if !self.is_empty() {
            self.freed.notify_one();
        }
    }
}

/// Connections that wait, in order of arrival, because every usable member of a pool is full.
#[derive(Debug)]
pub(crate) struct Queue {
    line: Line,
    /// The most that waited at once since the last reset.
    peak: AtomicU32,
    /// Those that waited and got a member, ever, and their summed time.
    served: AtomicU64,
    micros: AtomicU64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            line: Line::new(),
            peak: AtomicU32::new(0),
            served: AtomicU64::new(0),
            micros: AtomicU64::new(0),
        }
    }
}

/// There are as many waiting as may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl Queue {
    /// A place in the queue, and how many are ahead.
    pub(crate) fn enter(&self, max: u32) -> Result<(Waiting<'_>, u32), QueueFull> {
        let waiting = self.line.enter();
        let ahead = self.line.waiting() - 1;
        if ahead >= max {
            return Err(QueueFull);
        }
        self.peak.fetch_max(ahead + 1, Ordering::Relaxed);
        Ok((waiting, ahead))
    }

    /// Somebody got a member after this time.
    pub(crate) fn waited(&self, time: Duration) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many waited and were served, and for how long in all.
    pub(crate) fn served(&self) -> (u64, Duration) {
        let micros = self.micros.load(Ordering::Relaxed);
        (self.served.load(Ordering::Relaxed), Duration::from_micros(micros))
    }

    pub(crate) fn peak(&self) -> u32 {
        self.peak.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.peak.store(self.waiting(), Ordering::Relaxed);
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.line.waiting()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Waits to be the first in line, and is it until the returned value drops. Cancel safe.
    pub(crate) async fn first(&self) -> First<'_> {
        self.line.first().await
    }

    /// A member has room for one more, or came back.
    pub(crate) fn first_may_try(&self) {
        self.line.first_may_try();
    }
}

/// The first in line. Whoever is next becomes the first, and tries at once, when this drops.
#[derive(Debug)]
pub(crate) struct First<'a> {
    line: &'a Line,
    /// `None` cannot be: the semaphore is never closed.
    _permit: Option<SemaphorePermit<'a>>,
}

impl First<'_> {
    /// Waits for a reason to try again; one that came before the call counts.
    pub(crate) async fn may_try(&self) {
        self.line.freed.notified().await;
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
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_newcomer_does_not_overtake_those_who_wait() {
        let limit = Arc::new(Limit::new(1));
        let mut now = Context::from_waker(Waker::noop());
        let place = limit.try_acquire().unwrap();
        let mut first = pin!(limit.acquire());
        let mut second = pin!(limit.acquire());
        assert!(first.as_mut().poll(&mut now).is_pending());
        assert!(second.as_mut().poll(&mut now).is_pending());
        drop(place);
        assert!(limit.try_acquire().is_none(), "the first in line has not been asked yet");
        assert!(second.as_mut().poll(&mut now).is_pending(), "nor has it taken the place");
        let Poll::Ready(place) = first.as_mut().poll(&mut now) else { panic!("it was its turn") };
        assert!(second.as_mut().poll(&mut now).is_pending());
        drop(place);
        assert!(second.as_mut().poll(&mut now).is_ready());
        assert!(limit.try_acquire().is_some(), "nobody waits, and the place is free");
    }

    /// Two places that come free before anybody looks serve two, not one.
    #[test]
    fn every_place_that_comes_free_is_used() {
        let limit = Arc::new(Limit::new(2));
        let mut now = Context::from_waker(Waker::noop());
        let places = [limit.try_acquire(), limit.try_acquire()];
        let mut waiting = [Box::pin(limit.acquire()), Box::pin(limit.acquire())];
        let mut ask = || waiting.each_mut().map(|one| one.as_mut().poll(&mut now).is_ready());
        assert_eq!(ask(), [false, false]);
        drop(places);
        assert_eq!(ask(), [true, true]);
    }

    #[test]
    fn whoever_stops_waiting_holds_up_nobody() {
        let limit = Arc::new(Limit::new(1));
        let mut now = Context::from_waker(Waker::noop());
        let place = limit.try_acquire();
        let mut gone = Box::pin(limit.acquire());
        let mut next = pin!(limit.acquire());
        assert!(gone.as_mut().poll(&mut now).is_pending());
        assert!(next.as_mut().poll(&mut now).is_pending());
        drop(place);
        drop(gone);
        assert!(next.as_mut().poll(&mut now).is_ready());
    }
}
