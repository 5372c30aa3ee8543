//! The sessions and operations that pass through this gateway: whose they are, where they live,
//! how far they are.
//!
//! Shared by all threads. A lock is taken when a session or operation begins, ends, or is asked
//! for by a connection that does not know it yet; what changes with every call are atomics in
//! entries that connections hold. Bounded: beyond its limits the least recently used is forgotten,
//! which costs a search among the coordinators when it is used again.

mod operation;
mod session;
mod top;
mod view;
mod work;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use oxpecker_config::model::QueryFormat;
use oxpecker_wire::scan::handle::Id;
use tokio::sync::Semaphore;

use super::abandoned::KEPT_LINES_MAX;
use super::query_record;
use crate::log::Log;
pub(crate) use operation::{Asked, NO_ID, Operation};
pub(crate) use session::{Secret, Session, Use, Whose, is_held};
pub use top::StatementView;
pub use view::{Canceller, OperationEnd, OperationView, SessionView};

const SHARDS: usize = 16;
/// For each shard.
const SESSIONS_MAX: usize = 4096;
const OPERATIONS_MAX: usize = 4096;
/// Operations that are over stay this long in number: clients ask for profiles afterwards.
const ENDED_MAX: usize = 256;

#[derive(Debug, Default)]
struct Shard {
    sessions: HashMap<Id, Arc<Session>>,
    operations: HashMap<Id, Arc<Operation>>,
    ended: VecDeque<Arc<Operation>>,
}

/// Told of every operation when it is over.
type OnEnd = Box<dyn Fn(&OperationView) + Send + Sync>;

pub(crate) struct Registry {
    shards: [Mutex<Shard>; SHARDS],
    /// Running operations by coordinator; one entry for each address ever configured.
    loads: Mutex<HashMap<Arc<str>, Arc<AtomicU32>>>,
    on_end: OnceLock<OnEnd>,
    /// Takes query records.
    log: Option<Log>,
    top: top::Top,
    /// Room for log-ins that outlive their clients.
    pub(crate) kept_lines: Arc<Semaphore>,
    /// Messages that could not be read and were passed on as they were.
    pub(crate) unreadable: AtomicU64,
    /// Handles looked for among the coordinators.
    pub(crate) searches: AtomicU64,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            loads: Mutex::default(),
            on_end: OnceLock::new(),
            log: None,
            top: top::Top::default(),
            kept_lines: Arc::new(Semaphore::new(KEPT_LINES_MAX)),
            unreadable: AtomicU64::new(0),
            searches: AtomicU64::new(0),
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    pub(crate) fn new(log: Log) -> Self {
        Self { log: Some(log), ..Self::default() }
    }

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

    /// Forgets a session, but not another one of the same id.
    pub(crate) fn closed(&self, session: &Arc<Session>, end: OperationEnd) {
        if let Some(id) = session.id {
            let mut shard = self.shard(id);
            if shard.sessions.get(&id).is_some_and(|known| Arc::ptr_eq(known, session)) {
                shard.sessions.remove(&id);
            }
        }
        self.end_operations(session, end);
    }

    /// Ends whatever a session has open.
    pub(crate) fn end_operations(&self, session: &Arc<Session>, end: OperationEnd) {
        for operation in self.operations_of(session) {
            self.ended(&operation, end);
        }
    }

    /// Those that are open.
    pub(crate) fn operations_of(&self, session: &Arc<Session>) -> Vec<Arc<Operation>> {
        if session.operations_open() == 0 {
            return Vec::new();
        }
        let theirs = |shard: &Mutex<Shard>| -> Vec<_> {
            let shard = lock(shard);
            let all = shard.operations.values();
            all.filter(|operation| Arc::ptr_eq(&operation.session, session)).cloned().collect()
        };
        self.shards.iter().flat_map(theirs).collect()
    }

    /// Sessions that no client connection uses now.
    pub(crate) fn unused(&self) -> Vec<Arc<Session>> {
        let unused = |shard: &Mutex<Shard>| -> Vec<_> {
            let shard = lock(shard);
            shard.sessions.values().filter(|session| !session.is_used()).cloned().collect()
        };
        self.shards.iter().flat_map(unused).collect()
    }

    pub(crate) fn began(&self, operation: &Arc<Operation>) {
        let forgotten = {
            let mut shard = self.shard(operation.id);
            let is_full = shard.operations.len() >= OPERATIONS_MAX;
            let oldest = || shard.operations.values().max_by_key(|operation| operation.age());
            let forgotten = if is_full { oldest().cloned() } else { None };
            if shard.operations.insert(operation.id, Arc::clone(operation)).is_none() {
                operation.session.operation_began();
            }
            forgotten
        };
        if let Some(forgotten) = forgotten {
            self.ended(&forgotten, OperationEnd::Forgotten);
        }
    }

    pub(crate) fn ended(&self, operation: &Arc<Operation>, end: OperationEnd) {
        {
            let mut shard = self.shard(operation.id);
            if shard.operations.remove(&operation.id).is_none() {
                return;
            }
            operation.session.operation_ended();
            operation.finish(end);
            if shard.ended.len() >= ENDED_MAX {
                shard.ended.pop_front();
            }
            shard.ended.push_back(Arc::clone(operation));
        }
        self.tell(operation);
    }

    /// A statement that was over before it got an id.
    pub(crate) fn refused(&self, operation: &Operation, end: OperationEnd) {
        operation.finish(end);
        self.tell(operation);
    }

    /// Once for each operation, when it is over.
    fn tell(&self, operation: &Operation) {
        let view = operation.view();
        self.top.add(&view);
        if let Some(log) = &self.log {
            let settings = log.record_settings();
            if settings.queries != QueryFormat::Off {
                log.query(query_record::line(&view, operation, settings.statements));
            }
        }
        if let Some(hook) = self.on_end.get() {
            hook(&view);
        }
    }

    /// This gateway will hear no more of any.
    pub(crate) fn stop(&self) {
        for shard in &self.shards {
            let open: Vec<_> = lock(shard).operations.values().cloned().collect();
            for operation in open {
                self.ended(&operation, OperationEnd::GatewayStopped);
            }
        }
    }

    /// To be called every few seconds: forgets sessions that nobody uses any more, and what was
    /// found of sessions that never were known.
    pub(crate) fn expire(&self) {
        for shard in &self.shards {
            let gone: Vec<_> = {
                let mut shard = lock(shard);
                shard.sessions.retain(|_, session| !session.is_forgotten());
                let operations = shard.operations.values();
                operations.filter(|operation| operation.is_forgotten()).cloned().collect()
            };
            for operation in gone {
                self.ended(&operation, OperationEnd::Abandoned);
            }
        }
    }

    /// The `count` kinds of statements that cost most time.
    pub(crate) fn top_statements(&self, count: usize) -> Vec<StatementView> {
        self.top.views(count)
    }

    pub(crate) fn reset_top_statements(&self) {
        self.top.reset();
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
