//! One operation, from its begin to some time after its end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oxpecker_wire::scan::handle::Id;

use crate::aware::learn::results::Results;

use super::{OperationEnd, OperationView, Session};

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: Id,
    pub(crate) session: Arc<Session>,
    pub(crate) method: &'static str,
    pub(crate) statement: Box<str>,
    pub(crate) fingerprint: u64,
    pub(super) began_at: Timestamp,
    pub(super) began: Instant,
    /// Milliseconds since the begin, plus one; 0 = not yet.
    pub(super) first_row: AtomicU64,
    pub(super) last_row: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) rows_written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) cancelled: AtomicBool,
    pub(crate) failed: AtomicBool,
    pub(crate) results: Results,
    pub(super) end: OnceLock<(OperationEnd, Duration)>,
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
            results: Results::default(),
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

    pub(super) fn view(&self) -> OperationView {
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
