//! One session, as long as it is known, and who uses it.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use oxpecker_wire::scan::Handle;
use oxpecker_wire::scan::handle::{ID_BYTES, Id};

use super::SessionView;
use crate::aware::abandoned::{KeptLine, Step};
use crate::aware::access::{Access, Remembered};
use crate::aware::place::Place;

/// A session without a connection is forgotten after this; Impala closes its own after 15 minutes.
const SESSION_PATIENCE: Duration = Duration::from_secs(3600);

/// By which a coordinator believes that somebody may use a handle. Never shown.
#[derive(Clone, Copy)]
pub(crate) struct Secret([u8; ID_BYTES]);

impl Secret {
    pub(crate) fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The coordinator's part of it, without a tag of ours.
    pub(crate) fn of(handle: &Handle) -> Option<Self> {
        handle.secret()?.first_chunk().copied().map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// In a time that tells nothing of where they differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// Whether a call may be believed to come from somebody who may use a session or operation: ids
/// stand in logs and on web pages, so anybody can name one.
pub(crate) fn is_held(known: Option<Secret>, given: Option<Secret>, was_accepted: bool) -> bool {
    match known {
        Some(known) => given == Some(known),
        None => was_accepted,
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whose a session is, and over what it came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Whose<'a> {
    pub(crate) virtual_server: &'a str,
    pub(crate) pool: &'a str,
    pub(crate) user: &'a str,
    pub(crate) do_as: &'a str,
    pub(crate) client: &'a str,
    /// It is remembered at least so long without a client.
    pub(crate) patience: Duration,
}

/// A log-in to a coordinator that is kept for clients that are gone.
type Kept = Arc<tokio::sync::Mutex<KeptLine>>;

pub(crate) struct Session {
    /// `None` for Beeswax, where the connection is the session.
    pub(crate) id: Option<Id>,
    pub(crate) place: Place,
    pub(crate) virtual_server: Box<str>,
    pub(crate) pool: Box<str>,
    pub(crate) user: Box<str>,
    pub(crate) do_as: Box<str>,
    pub(crate) client: Box<str>,
    patience: Duration,
    secret: OnceLock<Secret>,
    /// Locked when a connection begins to use it, and for calls on its client's behalf.
    access: Mutex<Remembered>,
    kept: Mutex<Option<Kept>>,
    /// [`Step`]s that were taken since a client was here.
    steps: AtomicU8,
    opened: Timestamp,
    began: Instant,
    used: AtomicU64,
    connections: AtomicU32,
    operations_open: AtomicU32,
    /// Running operations of its coordinator.
    load: Arc<AtomicU32>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(
        id: Option<Id>,
        place: Place,
        whose: Whose<'_>,
        access: Remembered,
        load: Arc<AtomicU32>,
    ) -> Self {
        Self {
            id,
            place,
            virtual_server: whose.virtual_server.into(),
            pool: whose.pool.into(),
            user: whose.user.into(),
            do_as: whose.do_as.into(),
            client: whose.client.into(),
            patience: SESSION_PATIENCE.max(whose.patience),
            secret: OnceLock::new(),
            access: Mutex::new(access),
            kept: Mutex::default(),
            steps: AtomicU8::new(0),
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

    fn touch(&self) {
        self.used.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn idle(&self) -> Duration {
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(used)
    }

    /// Some client connection uses it now.
    pub(crate) fn is_used(&self) -> bool {
        self.connections.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_forgotten(&self) -> bool {
        !self.is_used() && self.idle() > self.patience
    }

    /// A coordinator has believed this.
    pub(crate) fn note_secret(&self, secret: Option<Secret>) {
        if let Some(secret) = secret {
            let _ = self.secret.set(secret);
        }
    }

    pub(crate) fn secret(&self) -> Option<Secret> {
        self.secret.get().copied()
    }

    /// A coordinator has believed this client.
    pub(crate) fn note_access(&self, access: &Access) {
        *locked(&self.access) = access.remembered();
    }

    /// `None`: it went with the last connection.
    pub(crate) fn access(&self) -> Option<Access> {
        locked(&self.access).recall()
    }

    /// Until somebody uses the session again.
    pub(crate) fn keep_line(&self, line: &Kept) {
        *locked(&self.kept) = Some(Arc::clone(line));
    }

    pub(crate) fn kept_line(&self) -> Option<Kept> {
        locked(&self.kept).clone()
    }

    /// False: it was begun before, since a client was here last.
    pub(crate) fn begin(&self, step: Step) -> bool {
        let bit = step as u8;
        self.steps.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    pub(super) fn view(&self) -> SessionView {
        SessionView {
            id: self.id.map(|id| id.to_string()).unwrap_or_default(),
            virtual_server: self.virtual_server.to_string(),
            pool: self.pool.to_string(),
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

/// Nothing here can be left half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's use of a session: while it lives the session counts as connected.
#[derive(Debug)]
pub(crate) struct Use {
    session: Arc<Session>,
    /// The session knows this connection's client.
    pub(crate) is_noted: bool,
}

impl Use {
    pub(crate) fn of(session: &Arc<Session>) -> Self {
        session.connections.fetch_add(1, Ordering::Relaxed);
        session.touch();
        session.steps.store(0, Ordering::Relaxed);
        // Dropped outside of the lock.
        let kept = locked(&session.kept).take();
        drop(kept);
        Self { session: Arc::clone(session), is_noted: false }
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// No other connection uses it.
    pub(crate) fn is_last(&self) -> bool {
        self.session.connections.load(Ordering::Relaxed) == 1
    }

    pub(crate) fn touch(&self) {
        self.session.touch();
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.session.touch();
        self.session.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
