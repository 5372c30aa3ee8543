//! The connections that exist now, and how one is told to end.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use oxpecker_balance::spec::MemberId;
use slab::Slab;
use tokio::time::Instant;

use crate::record::ClientAddr;
use crate::state::VirtualState;

/// Connections that are looked at before the registry's lock is given up for a moment: accepting
/// waits for it.
const BATCH_MAX: usize = 512;

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
    /// An operator wants it.
    Operator = 5,
}

impl Cut {
    fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => return None,
            1 => Self::MemberDown,
            2 => Self::Drop,
            3 => Self::Reselect,
            4 => Self::Drain,
            _ => Self::Operator,
        })
    }
}

/// With the member that is shown: the connection cannot go on without it, though it does not end
/// with it.
const LIVES_THERE: u32 = 1 << 31;

/// The part of a connection that others may see and touch. Its counts are written by the
/// connection's own thread only.
#[derive(Debug)]
pub(crate) struct Conn {
    /// 0 = no; else a [`Cut`].
    cut: AtomicU8,
    /// The same of the cut that was heard last.
    last_cut: AtomicU8,
    /// Whose going down ends this connection. 0 = nobody's; else the id plus one.
    member: AtomicU32,
    /// Who serves it, as far as others are shown; the same numbers, and perhaps [`LIVES_THERE`].
    shown: AtomicU32,
    /// When bytes last moved, in seconds after `started`.
    active: AtomicU32,
    up: AtomicU64,
    down: AtomicU64,
    pub(crate) id: u64,
    pub(crate) accepted: Timestamp,
    pub(crate) started: Instant,
    owner: Mutex<Owner>,
}

#[derive(Debug)]
struct Owner {
    waker: Option<Waker>,
    client: ClientAddr,
    /// `None` until the connection has its place within the limits.
    policy: Option<Arc<VirtualState>>,
}

impl Conn {
    fn new(id: u64, client: ClientAddr) -> Self {
        Self {
            cut: AtomicU8::new(0),
            last_cut: AtomicU8::new(0),
            member: AtomicU32::new(0),
            shown: AtomicU32::new(0),
            active: AtomicU32::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            id,
            accepted: Timestamp::now(),
            started: Instant::now(),
            owner: Mutex::new(Owner { waker: None, client, policy: None }),
        }
    }

    /// The member that serves the connection from now on, and takes it along when it goes down.
    pub(crate) fn set_member(&self, member: Option<MemberId>) {
        let number = member.map_or(0, |MemberId(id)| id + 1);
        self.shown.store(number, Ordering::Relaxed);
        self.member.store(number, Ordering::Release);
    }

    /// The member that serves the connection for now; the connection outlives it.
    pub(crate) fn set_guest_of(&self, MemberId(id): MemberId) {
        self.member.store(0, Ordering::Release);
        self.shown.store(id + 1, Ordering::Relaxed);
    }

    fn member(&self) -> Option<MemberId> {
        self.member.load(Ordering::Acquire).checked_sub(1).map(MemberId)
    }

    pub(crate) fn shown_member(&self) -> Option<MemberId> {
        (self.shown.load(Ordering::Relaxed) & !LIVES_THERE).checked_sub(1).map(MemberId)
    }

    /// Counts bytes; called by the connection's own thread.
    pub(crate) fn moved(&self, up: u64, down: u64, at: Instant) {
        // Load and store instead of fetch_add: nobody else writes here.
        let add = |counter: &AtomicU64, n: u64| {
            if n > 0 {
                counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
            }
        };
        add(&self.up, up);
        add(&self.down, down);
        let age = at.saturating_duration_since(self.started).as_secs();
        self.active.store(u32::try_from(age).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// From the client, and to it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }

    /// How long no byte has moved; in whole seconds.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        let active = Duration::from_secs(self.active.load(Ordering::Relaxed).into());
        now.saturating_duration_since(self.started).saturating_sub(active)
    }

    pub(crate) fn client(&self) -> ClientAddr {
        lock(&self.owner).client.clone()
    }

    /// A PROXY header says who it really is.
    pub(crate) fn set_client(&self, client: ClientAddr) {
        lock(&self.owner).client = client;
    }

    /// `None` while it waits for its place within the limits.
    pub(crate) fn policy(&self) -> Option<Arc<VirtualState>> {
        lock(&self.owner).policy.clone()
    }

    /// Of a Beeswax session, whose calls are routed but which lives at one coordinator.
    pub(crate) fn bind(&self, MemberId(id): MemberId) {
        self.shown.store((id + 1) | LIVES_THERE, Ordering::Relaxed);
    }

    fn is_bound_to(&self, MemberId(id): MemberId) -> bool {
        let shown = self.shown.load(Ordering::Relaxed);
        self.member() == Some(MemberId(id)) || shown == (id + 1) | LIVES_THERE
    }

    /// Makes the calling task the one to wake. A task's waker stays the same, so once is enough.
    pub(crate) async fn attach(&self, policy: &Arc<VirtualState>) {
        std::future::poll_fn(|cx| {
            let mut owner = lock(&self.owner);
            owner.waker = Some(cx.waker().clone());
            owner.policy = Some(Arc::clone(policy));
            Poll::Ready(())
        })
        .await;
    }

    /// Ready when somebody wants this connection to end. One load: a relay asks on every poll.
    pub(crate) fn poll_cut(&self) -> Poll<Cut> {
        let Some(cut) = Cut::of(self.cut.load(Ordering::Acquire)) else { return Poll::Pending };
        self.cut.store(0, Ordering::Release);
        self.last_cut.store(cut as u8, Ordering::Relaxed);
        Poll::Ready(cut)
    }

    /// What the connection was told last.
    pub(crate) fn last_cut(&self) -> Option<Cut> {
        Cut::of(self.last_cut.load(Ordering::Relaxed))
    }

    /// Waits for a cut. The task must be attached.
    pub(crate) async fn cut(&self) -> Cut {
        std::future::poll_fn(|_| self.poll_cut()).await
    }

    fn request_cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::Release);
        if let Some(waker) = &lock(&self.owner).waker {
            waker.wake_by_ref();
        }
    }
}

/// One worker's connections. Its lock is taken when a connection opens or closes and when an
/// operator or a monitor looks for some; never while one relays.
#[derive(Debug)]
pub(crate) struct Registry {
    connections: Mutex<Connections>,
    /// Ids of the workers lie between each other: `stride` workers count from `first`.
    stride: u64,
}

#[derive(Debug)]
struct Connections {
    all: Slab<Arc<Conn>>,
    next_id: u64,
}

impl Registry {
    /// `workers` of them give ids that are unique over all.
    pub(crate) fn new(worker: usize, workers: usize) -> Self {
        let connections = Connections { all: Slab::new(), next_id: worker as u64 + 1 };
        Self { connections: Mutex::new(connections), stride: workers as u64 }
    }

    pub(crate) fn insert(self: &Arc<Self>, client: ClientAddr) -> Registered {
        let mut connections = lock(&self.connections);
        let id = connections.next_id;
        connections.next_id += self.stride;
        let conn = Arc::new(Conn::new(id, client));
        let key = connections.all.insert(Arc::clone(&conn));
        drop(connections);
        Registered { registry: Arc::clone(self), conn, key }
    }

    /// Shows all connections that have their place, until `look` has enough and says false.
    pub(crate) fn look(&self, mut look: impl FnMut(&Conn) -> bool) -> bool {
        let mut from = 0;
        loop {
            let (batch, all): (Vec<Arc<Conn>>, usize) = {
                let connections = lock(&self.connections);
                let all = connections.all.capacity();
                let keys = from..all.min(from + BATCH_MAX);
                (keys.filter_map(|key| connections.all.get(key).cloned()).collect(), all)
            };
            if !batch.iter().all(|conn| look(conn)) {
                return false;
            }
            from += BATCH_MAX;
            if from >= all {
                return true;
            }
        }
    }

    /// Asks the connection with this id to end; false if there is none.
    pub(crate) fn cut_one(&self, id: u64, cut: Cut) -> bool {
        let found = &mut false;
        self.look(|conn| {
            if conn.id == id && conn.policy().is_some() {
                conn.request_cut(cut);
                *found = true;
            }
            conn.id != id
        });
        *found
    }

    /// Asks the connections that `member` serves to end, those included that would outlive it.
    pub(crate) fn cut_shown(&self, member: MemberId, cut: Cut) -> usize {
        let mut count = 0;
        self.look(|conn| {
            if conn.shown_member() == Some(member) {
                conn.request_cut(cut);
                count += 1;
            }
            true
        });
        count
    }

    /// Asks the connections to `member` (or all) to end; returns how many.
    pub(crate) fn cut(&self, member: Option<MemberId>, cut: Cut) -> usize {
        let connections = lock(&self.connections);
        let chosen = connections
            .all
            .iter()
            .filter(|(_, conn)| member.is_none_or(|member| conn.member() == Some(member)));
        chosen.map(|(_, conn)| conn.request_cut(cut)).count()
    }

    /// How many connections would feel the end of `member`.
    pub(crate) fn bound_to(&self, member: MemberId) -> usize {
        lock(&self.connections).all.iter().filter(|(_, conn)| conn.is_bound_to(member)).count()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.connections).all.len()
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
        lock(&self.registry.connections).all.remove(self.key);
    }
}

/// Nothing here can be left half done, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Arc<Registry> {
        Arc::new(Registry::new(1, 4))
    }

    /// Beside the session it is what a connection costs: with the two counts of its `Arc` and the
    /// allocator's own word just 160 bytes.
    #[test]
    fn an_entry_stays_small() {
        assert!(size_of::<Conn>() <= 136, "{}", size_of::<Conn>());
    }

    #[test]
    fn ids_are_never_given_twice() {
        let registry = registry();
        let first = registry.insert(ClientAddr::Unix);
        assert_eq!(first.conn.id, 2);
        drop(first);
        assert_eq!(registry.insert(ClientAddr::Unix).conn.id, 6);
    }

    #[test]
    fn looking_finds_all_in_every_batch() {
        let registry = registry();
        let all: Vec<_> =
            (0..BATCH_MAX * 2 + 7).map(|_| registry.insert(ClientAddr::Unix)).collect();
        let mut seen = 0;
        assert!(registry.look(|_| {
            seen += 1;
            true
        }));
        assert_eq!(seen, all.len());
        assert!(!registry.look(|_| false));
    }

    #[test]
    fn a_guest_is_cut_by_an_operator_and_not_with_its_member() {
        let registry = registry();
        let entry = registry.insert(ClientAddr::Unix);
        entry.conn.set_guest_of(MemberId(3));
        assert_eq!(registry.cut(Some(MemberId(3)), Cut::MemberDown), 0);
        assert_eq!(registry.cut_shown(MemberId(3), Cut::Operator), 1);
        assert_eq!(entry.conn.poll_cut(), Poll::Ready(Cut::Operator));
        entry.conn.set_member(Some(MemberId(4)));
        assert_eq!(registry.cut(Some(MemberId(4)), Cut::MemberDown), 1);
    }

    #[test]
    fn bytes_and_silence_are_counted() {
        let entry = registry().insert(ClientAddr::Unix);
        let conn = &entry.conn;
        conn.moved(3, 0, conn.started);
        conn.moved(1, 7, conn.started + Duration::from_secs(5));
        assert_eq!(conn.bytes(), (4, 7));
        assert_eq!(conn.idle(conn.started + Duration::from_secs(9)), Duration::from_secs(4));
    }
}
