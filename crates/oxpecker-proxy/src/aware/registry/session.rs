//! One session, as long as it is known, and who uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oxpecker_wire::scan::handle::Id;

use super::SessionView;
use crate::aware::place::Place;

/// A session without a connection is forgotten after this; Impala closes its own after 15 minutes.
const SESSION_PATIENCE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Session {
    /// `None` for Beeswax, where the connection is the session.
    pub(crate) id: Option<Id>,
    pub(crate) place: Place,
    pub(crate) virtual_server: Box<str>,
    pub(crate) user: Box<str>,
    pub(crate) do_as: Box<str>,
    pub(crate) client: Box<str>,
    pub(super) opened: Timestamp,
    pub(super) began: Instant,
    pub(super) used: AtomicU64,
    pub(super) connections: AtomicU32,
    pub(super) operations_open: AtomicU32,
    /// Running operations of its coordinator.
    pub(super) load: Arc<AtomicU32>,
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

    pub(super) fn operation_began(&self) {
        self.operations_open.fetch_add(1, Ordering::Relaxed);
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn operation_ended(&self) {
        self.operations_open.fetch_sub(1, Ordering::Relaxed);
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn operations_open(&self) -> u32 {
        self.operations_open.load(Ordering::Relaxed)
    }

    pub(super) fn touch(&self) {
        self.used.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn idle(&self) -> Duration {
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(used)
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.connections.load(Ordering::Relaxed) == 0 && self.idle() > SESSION_PATIENCE
    }

    pub(super) fn view(&self) -> SessionView {
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
