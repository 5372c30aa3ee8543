//! The sessions and operations that pass through this gateway: whose they are, where they live,
//! how far they are.
//!
//! Shared by all threads. A lock is taken when a session or operation begins, ends, or is asked
//! for by a connection that does not know it yet; what changes with every call are atomics in
//! entries that connections hold. Bounded: beyond its limits the least recently used is forgotten,
//! which costs a search among the coordinators when it is used again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oxpecker_wire::scan::handle::Id;

use super::place::Place;

const SHARDS: usize = 16;
/// For each shard.
const SESSIONS_MAX: usize = 4096;
const OPERATIONS_MAX: usize = 4096;
/// Operations that are over stay this long in number: clients ask for profiles afterwards.
const ENDED_MAX: usize = 256;

/// A session without a connection is forgotten after this; Impala closes its own after 15 minutes.
const SESSION_PATIENCE: Duration = Duration::from_secs(3600);

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationEnd {
    /// The client closed it.
    Closed,
    /// The coordinator reported an error.
    Failed,
    /// Its session was closed first.
    SessionClosed,
    /// Its coordinator was lost.
    CoordinatorLost,
}

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// As Impala prints it; empty for Beeswax, where the connection is the session.
    pub id: String,
    pub virtual_server: String,
    pub coordinator: String,
    pub user: String,
    /// Whom the user acts for.
    pub do_as: String,
    pub client: String,
    pub opened: Timestamp,
    pub idle: Duration,
    /// Client connections that use it now.
    pub connections: u32,
    pub operations_open: u32,
}

/// An operation at one moment, or at its end.
#[derive(Debug, Clone)]
pub struct OperationView {
    /// The query id, as Impala prints it.
    pub id: String,
    pub session: String,
    pub virtual_server: String,
    pub coordinator: String,
    pub user: String,
    pub do_as: String,
    pub client: String,
    /// The begin of its text with every literal replaced by `?`; empty for metadata calls.
    pub statement: String,
    /// Method of the call that made it.
    pub method: &'static str,
    /// Equal for texts that are equal byte by byte.
    pub fingerprint: u64,
    pub began: Timestamp,
    pub age: Duration,
    pub first_row: Option<Duration>,
    pub last_row: Option<Duration>,
    pub rows: u64,
    /// Rows that the statement wrote.
    pub rows_written: u64,
    /// Bytes of fetch replies.
    pub bytes: u64,
    pub cancelled: bool,
    pub end: Option<OperationEnd>,
}

#[derive(Debug)]
pub(crate) struct Session {
    /// `None` for Beeswax, where the connection is the session.
    pub(crate) id: Option<Id>,
    pub(crate) place: Place,
    pub(crate) virtual_server: Box<str>,
    pub(crate) user: Box<str>,
    pub(crate) do_as: Box<str>,
    pub(crate) client: Box<str>,
    opened: Timestamp,
    began: Instant,
    used: AtomicU64,
    connections: AtomicU32,
    operations_open: AtomicU32,
    /// Running operations of its coordinator.
    load: Arc<AtomicU32>,
}

impl Session {
    pub(crate) fn new(
        id: Option<Id>,
        place: Place,
        [virtual_server, user, do_as, client]: [&str; 4],
        load: Arc<AtomicU32>,
    ) -> Self {
        Self {
            id,
            place,
            virtual_server: virtual_server.into(),
            user: user.into(),
            do_as: do_as.into(),
            client: client.into(),
            opened: Timestamp::now(),
            began: Instant::now(),
            used: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            operations_open: AtomicU32::new(0),
            load,
        }
    }

    fn operation_began(&self) {
        self.operations_open.fetch_add(1, Ordering::Relaxed);
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    fn operation_ended(&self) {
        self.operations_open.fetch_sub(1, Ordering::Relaxed);
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn operations_open(&self) -> u32 {
        self.operations_open.load(Ordering::Relaxed)
    }

    fn touch(&self) {
        self.used.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(used)
    }

    fn is_abandoned(&self) -> bool {
        self.connections.load(Ordering::Relaxed) == 0 && self.idle() > SESSION_PATIENCE
    }

    fn view(&self) -> SessionView {
        SessionView {
            id: self.id.map(|id| id.to_string()).unwrap_or_default(),
            virtual_server: self.virtual_server.to_string(),
            coordinator: self.place.to_string(),
            user: self.user.to_string(),
            do_as: self.do_as.to_string(),
            client: self.client.to_string(),
            opened: self.opened,
            idle: self.idle(),
            connections: self.connections.load(Ordering::Relaxed),
            operations_open: self.operations_open(),
        }
    }
}

/// A connection's use of a session: while it lives the session counts as connected.
#[derive(Debug)]
pub(crate) struct Use(Arc<Session>);

impl Use {
    pub(crate) fn of(session: &Arc<Session>) -> Self {
        session.connections.fetch_add(1, Ordering::Relaxed);
        session.touch();
        Self(Arc::clone(session))
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0
    }

    pub(crate) fn touch(&self) {
        self.0.touch();
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.touch();
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: Id,
    pub(crate) session: Arc<Session>,
    pub(crate) method: &'static str,
    pub(crate) statement: Box<str>,
    pub(crate) fingerprint: u64,
    began_at: Timestamp,
    began: Instant,
    /// Milliseconds since the begin, plus one; 0 = not yet.
    first_row: AtomicU64,
    last_row: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) rows_written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) cancelled: AtomicBool,
    pub(crate) failed: AtomicBool,
    end: OnceLock<(OperationEnd, Duration)>,
}

impl Operation {
    pub(crate) fn new(
        id: Id,
        session: Arc<Session>,
        method: &'static str,
        statement: String,
        fingerprint: u64,
    ) -> Self {
        Self {
            id,
            session,
            method,
            statement: statement.into(),
            fingerprint,
            began_at: Timestamp::now(),
            began: Instant::now(),
            first_row: AtomicU64::new(0),
            last_row: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            rows_written: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            end: OnceLock::new(),
        }
    }

    /// A fetch brought so many rows in so many bytes.
    pub(crate) fn fetched(&self, rows: u64, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if rows > 0 {
            let now = self.began.elapsed().as_millis() as u64 + 1;
            let _ = self.first_row.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
            self.last_row.store(now, Ordering::Relaxed);
            self.rows.fetch_add(rows, Ordering::Relaxed);
        }
    }

    fn view(&self) -> OperationView {
        let after = |millis: &AtomicU64| {
            let millis = millis.load(Ordering::Relaxed).checked_sub(1)?;
            Some(Duration::from_millis(millis))
        };
        let session = &self.session;
        let end = self.end.get();
        OperationView {
            id: self.id.to_string(),
            session: session.id.map(|id| id.to_string()).unwrap_or_default(),
            virtual_server: session.virtual_server.to_string(),
            coordinator: session.place.to_string(),
            user: session.user.to_string(),
            do_as: session.do_as.to_string(),
            client: session.client.to_string(),
            statement: self.statement.to_string(),
            method: self.method,
            fingerprint: self.fingerprint,
            began: self.began_at,
            age: end.map_or_else(|| self.began.elapsed(), |(_, age)| *age),
            first_row: after(&self.first_row),
            last_row: after(&self.last_row),
            rows: self.rows.load(Ordering::Relaxed),
            rows_written: self.rows_written.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            end: end.map(|(end, _)| *end),
        }
    }
}

#[derive(Debug, Default)]
struct Shard {
    sessions: HashMap<Id, Arc<Session>>,
    operations: HashMap<Id, Arc<Operation>>,
    ended: VecDeque<Arc<Operation>>,
}

/// Told of every operation when it is over.
type OnEnd = Box<dyn Fn(&OperationView) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Registry {
    shards: [Mutex<Shard>; SHARDS],
    /// Running operations by coordinator; one entry for each address ever configured.
    loads: Mutex<HashMap<Arc<str>, Arc<AtomicU32>>>,
    on_end: OnceLock<OnEnd>,
    /// Messages that could not be read and were passed on as they were.
    pub(crate) unreadable: AtomicU64,
    /// Handles looked for among the coordinators.
    pub(crate) searches: AtomicU64,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// `hook` is called on the thread of the connection and must not wait. The first one stays.
    pub(crate) fn on_operation_end(&self, hook: OnEnd) {
        let _ = self.on_end.set(hook);
    }

    /// The count of operations that run at a coordinator, over all its ports.
    pub(crate) fn operations_at(&self, host: &Arc<str>) -> Arc<AtomicU32> {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(loads.entry(Arc::clone(host)).or_default())
    }

    pub(crate) fn session(&self, id: Id) -> Option<Arc<Session>> {
        self.shard(id).sessions.get(&id).cloned()
    }

    /// Also one that is over, as long as it is remembered.
    pub(crate) fn operation(&self, id: Id) -> Option<Arc<Operation>> {
        let shard = self.shard(id);
        let ended = || shard.ended.iter().rev().find(|operation| operation.id == id);
        shard.operations.get(&id).or_else(ended).cloned()
    }

    /// A session without an id is only counted by whoever holds it.
    pub(crate) fn opened(&self, session: &Arc<Session>) {
        let Some(id) = session.id else { return };
        let mut shard = self.shard(id);
        if shard.sessions.len() >= SESSIONS_MAX {
            let oldest = shard.sessions.iter().max_by_key(|(_, session)| session.idle());
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                shard.sessions.remove(&oldest);
            }
        }
        shard.sessions.insert(id, Arc::clone(session));
    }

    pub(crate) fn closed(&self, id: Id, end: OperationEnd) {
        let Some(session) = self.shard(id).sessions.remove(&id) else { return };
        self.end_operations(&session, end);
    }

    /// Ends whatever a session has open.
    pub(crate) fn end_operations(&self, session: &Arc<Session>, end: OperationEnd) {
        if session.operations_open() == 0 {
            return;
        }
        for shard in &self.shards {
            let theirs: Vec<_> = lock(shard)
                .operations
                .values()
                .filter(|operation| Arc::ptr_eq(&operation.session, session))
                .cloned()
                .collect();
            for operation in theirs {
                self.ended(&operation, end);
            }
        }
    }

    pub(crate) fn began(&self, operation: &Arc<Operation>) {
        let mut shard = self.shard(operation.id);
        if shard.operations.len() >= OPERATIONS_MAX {
            let oldest =
                shard.operations.values().max_by_key(|operation| operation.began.elapsed());
            if let Some(oldest) = oldest.map(|operation| operation.id)
                && let Some(oldest) = shard.operations.remove(&oldest)
            {
                oldest.session.operation_ended();
            }
        }
        if shard.operations.insert(operation.id, Arc::clone(operation)).is_none() {
            operation.session.operation_began();
        }
    }

    pub(crate) fn ended(&self, operation: &Arc<Operation>, end: OperationEnd) {
        {
            let mut shard = self.shard(operation.id);
            if shard.operations.remove(&operation.id).is_none() {
                return;
            }
            operation.session.operation_ended();
            let end = match end {
                OperationEnd::Closed if operation.failed.load(Ordering::Relaxed) => {
                    OperationEnd::Failed
                }
                end => end,
            };
            let _ = operation.end.set((end, operation.began.elapsed()));
            if shard.ended.len() >= ENDED_MAX {
                shard.ended.pop_front();
            }
            shard.ended.push_back(Arc::clone(operation));
        }
        if let Some(hook) = self.on_end.get() {
            hook(&operation.view());
        }
    }

    /// To be called every few seconds: forgets sessions that nobody uses any more.
    pub(crate) fn expire(&self) {
        for shard in &self.shards {
            let gone: Vec<_> = lock(shard)
                .sessions
                .extract_if(|_, session| session.is_abandoned())
                .map(|(_, session)| session)
                .collect();
            for session in gone {
                self.end_operations(&session, OperationEnd::SessionClosed);
            }
        }
    }

    pub(crate) fn session_views(&self) -> Vec<SessionView> {
        let views = |shard: &Mutex<Shard>| -> Vec<_> {
            lock(shard).sessions.values().map(|session| session.view()).collect()
        };
        self.shards.iter().flat_map(views).collect()
    }

    /// Open ones, and the latest that are over.
    pub(crate) fn operation_views(&self) -> Vec<OperationView> {
        let views = |shard: &Mutex<Shard>| -> Vec<_> {
            let shard = lock(shard);
            shard
                .operations
                .values()
                .chain(&shard.ended)
                .map(|operation| operation.view())
                .collect()
        };
        self.shards.iter().flat_map(views).collect()
    }

    /// Ids are random, but for the last bytes of operations'.
    fn shard(&self, id: Id) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(id.0[0]) % SHARDS])
    }
}

/// Nothing here can be left half done, so a panic elsewhere does not spoil it.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
