//! Sessions. A session of HiveServer2 outlives its connections; one of Beeswax is its connection.

use crate::ids::Id;
use crate::query_options::Settings;
use crate::sync::lock;
use crate::texts::Fault;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// Which service opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionKind {
    HiveServer2,
    Beeswax,
}

impl SessionKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            SessionKind::HiveServer2 => "HIVESERVER2",
            SessionKind::Beeswax => "BEESWAX",
        }
    }
}

pub(crate) struct Session {
    pub(crate) id: Id,
    pub(crate) secret: Id,
    pub(crate) kind: SessionKind,
    /// `TProtocolVersion`; below 5 (V6) results are rows, not columns.
    pub(crate) protocol: i32,
    pub(crate) started: SystemTime,
    pub(crate) peer: String,
    inner: Mutex<Inner>,
}

/// What changes in the life of a session.
#[derive(Debug, Clone)]
pub(crate) struct Inner {
    /// Who logged in.
    pub(crate) user: String,
    /// Who that user acts for.
    pub(crate) delegated_user: Option<String>,
    pub(crate) database: String,
    pub(crate) settings: Settings,
    pub(crate) connections: BTreeSet<Id>,
    /// When the last connection went away.
    pub(crate) disconnected: Option<Instant>,
    pub(crate) last_used: SystemTime,
    pub(crate) last_used_tick: Instant,
    pub(crate) expired: bool,
    pub(crate) operations: u64,
    pub(crate) operations_total: u64,
    /// Zero: never.
    pub(crate) idle_timeout: Duration,
}

impl Session {
    pub(crate) fn new(
        kind: SessionKind,
        user: String,
        protocol: i32,
        peer: String,
        connection: Id,
        idle_timeout: Duration,
    ) -> Self {
        // A Beeswax session is named after its connection.
        let id = if kind == SessionKind::Beeswax { connection } else { Id::random() };
        let now = SystemTime::now();
        Self {
            id,
            secret: Id::random(),
            kind,
            protocol,
            started: now,
            peer,
            inner: Mutex::new(Inner {
                user,
                delegated_user: None,
                database: crate::sql::DEFAULT_DATABASE.to_owned(),
                settings: Settings::default(),
                connections: BTreeSet::from([connection]),
                disconnected: None,
                last_used: now,
                last_used_tick: Instant::now(),
                expired: false,
                operations: 0,
                operations_total: 0,
                idle_timeout,
            }),
        }
    }

    /// Changes the session; short, nothing may block inside.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut lock(&self.inner))
    }

    pub(crate) fn snapshot(&self) -> Inner {
        lock(&self.inner).clone()
    }

    /// Whose rights apply.
    pub(crate) fn effective_user(&self) -> String {
        self.with(|inner| inner.delegated_user.clone().unwrap_or_else(|| inner.user.clone()))
    }

    pub(crate) fn database(&self) -> String {
        self.with(|inner| inner.database.clone())
    }

    /// A call came in for this session over that connection, whose authenticated user is given.
    pub(crate) fn touch(&self, connection: Id, user: Option<&str>) -> Result<(), Fault> {
        self.with(|inner| {
            if let Some(user) = user.filter(|user| *user != inner.user) {
                return Err(Fault::other_user(user, &inner.user));
            }
            if self.kind == SessionKind::HiveServer2 {
                inner.connections.insert(connection);
                inner.disconnected = None;
            }
            if inner.expired {
                let last = crate::clock::timestamp(inner.last_used);
                return Err(Fault::expired(inner.idle_timeout.as_secs(), &last));
            }
            inner.last_used = SystemTime::now();
            inner.last_used_tick = Instant::now();
            Ok(())
        })
    }

    /// A connection closed. The clock starts when it was the last one.
    pub(crate) fn disconnect(&self, connection: Id) {
        self.with(|inner| {
            if inner.connections.remove(&connection) && inner.connections.is_empty() {
                inner.disconnected = Some(Instant::now());
            }
        });
    }

    /// Whether it has had no connection for that long.
    pub(crate) fn is_abandoned(&self, timeout: Duration) -> bool {
        self.with(|inner| inner.disconnected.is_some_and(|since| since.elapsed() >= timeout))
    }

    /// Marks the session as expired when nothing happened for too long; true when that is news.
    pub(crate) fn expire_if_idle(&self) -> bool {
        self.with(|inner| {
            let limit = inner.idle_timeout;
            let idle = inner.last_used_tick.elapsed() >= limit;
            let now = !limit.is_zero() && !inner.expired && idle;
            inner.expired |= now;
            now
        })
    }

    /// An operation began or ended.
    pub(crate) fn count_operation(&self, began: bool) {
        self.with(|inner| {
            if began {
                inner.operations += 1;
                inner.operations_total += 1;
            } else {
                inner.operations = inner.operations.saturating_sub(1);
            }
        });
    }
}
