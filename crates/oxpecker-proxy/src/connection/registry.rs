//! The connections that exist now, and how one is told to end.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use oxpecker_balance::spec::MemberId;
use slab::Slab;

/// Why the gateway itself ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// Its member was marked down: both sides get a reset.
    MemberDown = 1,
    /// Its member was marked down: both sides are forgotten without a word.
    Drop = 2,
    /// Its member was marked down: go to another one if nothing was exchanged, else a reset.
    Reselect = 3,
    /// The drain deadline passed, or a second signal came.
    Drain = 4,
}

/// The part of a connection that others may see and touch.
#[derive(Debug, Default)]
pub(crate) struct Conn {
    /// 0 = no; else a [`Cut`].
    cut: AtomicU8,
    /// 0 = none chosen yet; else the id plus one.
    member: AtomicU32,
    /// The same of the member without which it cannot go on, though it does not end with it.
    bound: AtomicU32,
    waker: Mutex<Option<Waker>>,
}

impl Conn {
    pub(crate) fn set_member(&self, member: Option<MemberId>) {
        self.member.store(member.map_or(0, |MemberId(id)| id + 1), Ordering::Release);
    }

    fn member(&self) -> Option<MemberId> {
        self.member.load(Ordering::Acquire).checked_sub(1).map(MemberId)
    }

    /// Of a Beeswax session, whose calls are routed but which lives at one coordinator.
    pub(crate) fn bind(&self, member: Option<MemberId>) {
        self.bound.store(member.map_or(0, |MemberId(id)| id + 1), Ordering::Release);
    }

    fn is_bound_to(&self, MemberId(id): MemberId) -> bool {
        self.member() == Some(MemberId(id)) || self.bound.load(Ordering::Acquire) == id + 1
    }

    /// Makes the calling task the one to wake. A task's waker stays the same, so once is enough.
    pub(crate) async fn attach(&self) {
        std::future::poll_fn(|cx| {
            *lock(&self.waker) = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }

    /// Ready when somebody wants this connection to end. One load: a relay asks on every poll.
    pub(crate) fn poll_cut(&self) -> Poll<Cut> {
        let cut = match self.cut.load(Ordering::Acquire) {
            0 => return Poll::Pending,
            1 => Cut::MemberDown,
            2 => Cut::Drop,
            3 => Cut::Reselect,
            _ => Cut::Drain,
        };
        self.cut.store(0, Ordering::Release);
        Poll::Ready(cut)
    }

    /// Waits for a cut. The task must be attached.
    pub(crate) async fn cut(&self) -> Cut {
        std::future::poll_fn(|_| self.poll_cut()).await
    }

    fn request_cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::Release);
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

/// One worker's connections. Its lock is taken when a connection opens or closes and when an
/// operator or a monitor looks for some; never while one relays.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    connections: Mutex<Slab<Arc<Conn>>>,
}

impl Registry {
    pub(crate) fn insert(self: &Arc<Self>) -> Registered {
        let conn = Arc::new(Conn::default());
        let key = lock(&self.connections).insert(Arc::clone(&conn));
        Registered { registry: Arc::clone(self), conn, key }
    }

    /// Asks the connections to `member` (or all) to end; returns how many.
    pub(crate) fn cut(&self, member: Option<MemberId>, cut: Cut) -> usize {
        let connections = lock(&self.connections);
        let chosen = connections
            .iter()
            .filter(|(_, conn)| member.is_none_or(|member| conn.member() == Some(member)));
        chosen.map(|(_, conn)| conn.request_cut(cut)).count()
    }

    /// How many connections would feel the end of `member`.
    pub(crate) fn bound_to(&self, member: MemberId) -> usize {
        lock(&self.connections).iter().filter(|(_, conn)| conn.is_bound_to(member)).count()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.connections).len()
    }
}

/// A connection's entry; dropping it removes the entry.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<Registry>,
    pub(crate) conn: Arc<Conn>,
    key: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.registry.connections).remove(self.key);
    }
}

/// Nothing here can be left half done, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
