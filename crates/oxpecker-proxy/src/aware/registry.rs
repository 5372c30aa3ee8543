//! The sessions and operations that pass through this gateway: whose they are, where they live,
//! how far they are.
//!
//! Shared by all threads. A lock is taken when a session or operation begins, ends, or is asked
//! for by a connection that does not know it yet; what changes with every call are atomics in
//! entries that connections hold. Bounded: beyond its limits the least recently used is forgotten,
//! which costs a search among the coordinators when it is used again.

mod operation;
mod session;
mod view;
mod work;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use oxpecker_wire::scan::handle::Id;

pub(crate) use operation::Operation;
pub(crate) use session::{Session, Use};
pub use view::{OperationEnd, OperationView, SessionView};

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
