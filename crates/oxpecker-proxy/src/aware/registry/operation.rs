//! One operation, from its begin to some time after its end.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oxpecker_wire::scan::handle::{ID_BYTES, Id};

use crate::aware::learn::results::Results;

use super::{Canceller, OperationEnd, OperationView, Secret, Session};

/// Of a statement that was refused: it never got one.
pub(crate) const NO_ID: Id = Id([0; ID_BYTES]);

/// What a call asked for that made an operation.
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    /// Redacted; empty for metadata calls.
    pub(crate) statement: Box<str>,
    /// As it was written, when query records show that.
    pub(crate) full: Option<Box<str>>,
    pub(crate) statement_bytes: u64,
    pub(crate) fingerprint: u64,
    pub(crate) digest: u64,
    /// When the call came.
    pub(crate) at: Instant,
}

/// Shown without the statement.
impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("method", &self.method).finish_non_exhaustive()
    }
}

const CANCELLERS: [Canceller; 3] =
    [Canceller::Client, Canceller::Operator, Canceller::OrphanPolicy];

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: Id,
    pub(crate) session: Arc<Session>,
    /// HiveServer2's; Beeswax has none.
    pub(crate) secret: Option<Secret>,
    pub(crate) asked: Asked,
    began_at: Timestamp,
    /// Milliseconds since the begin, plus one; 0 = not yet.
    first_row: AtomicU64,
    last_row: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) rows_written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Index in [`CANCELLERS`], plus one; 0 = nobody.
    cancelled: AtomicU8,
    failed: AtomicBool,
    sql_state: OnceLock<Box<str>>,
    pub(crate) results: Results,
    end: OnceLock<(OperationEnd, Duration)>,
}

impl Operation {
    pub(crate) fn new(id: Id, session: Arc<Session>, secret: Option<Secret>, asked: Asked) -> Self {
        // A clock that was set back meanwhile does not matter.
        let began_at = Timestamp::now();
        let began_at = began_at.checked_sub(asked.at.elapsed()).unwrap_or(began_at);
        Self {
            id,
            session,
            secret,
            asked,
            began_at,
            first_row: AtomicU64::new(0),
            last_row: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            rows_written: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cancelled: AtomicU8::new(0),
            failed: AtomicBool::new(false),
            sql_state: OnceLock::new(),
            results: Results::default(),
            end: OnceLock::new(),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.asked.at.elapsed()
    }

    /// Nobody uses its session any more. Beeswax's ends with its connection.
    pub(super) fn is_forgotten(&self) -> bool {
        self.secret.is_some() && self.session.is_forgotten()
    }

    /// A fetch brought so many rows in so many bytes.
    pub(crate) fn fetched(&self, rows: u64, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if rows > 0 {
            let now = self.age().as_millis() as u64 + 1;
            let _ = self.first_row.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
            self.last_row.store(now, Ordering::Relaxed);
            self.rows.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// The first who does it stays. True: that is `by`.
    pub(crate) fn cancel(&self, by: Canceller) -> bool {
        let index = CANCELLERS.iter().position(|known| *known == by).map_or(0, |at| at as u8 + 1);
        let set = self.cancelled.compare_exchange(0, index, Ordering::Relaxed, Ordering::Relaxed);
        set.is_ok()
    }

    /// The cancel was not carried out.
    pub(crate) fn not_cancelled(&self) {
        self.cancelled.store(0, Ordering::Relaxed);
    }

    fn cancelled_by(&self) -> Option<Canceller> {
        let index = usize::from(self.cancelled.load(Ordering::Relaxed)).checked_sub(1)?;
        CANCELLERS.get(index).copied()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.end.get().is_some()
    }

    /// The coordinator reported an error; the first state that it told stays.
    pub(crate) fn fail(&self, sql_state: &[u8]) {
        self.failed.store(true, Ordering::Relaxed);
        let state = String::from_utf8_lossy(sql_state);
        if !state.is_empty() && state.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let _ = self.sql_state.set(state.into());
        }
    }

    /// It is over. What happened before says how, if the client just closed it.
    pub(super) fn finish(&self, end: OperationEnd) {
        let end = match end {
            OperationEnd::Closed if self.cancelled_by().is_some() => OperationEnd::Cancelled,
            OperationEnd::Closed if self.failed.load(Ordering::Relaxed) => OperationEnd::Failed,
            end => end,
        };
        let _ = self.end.set((end, self.age()));
    }

    pub(super) fn view(&self) -> OperationView {
        let after = |millis: &AtomicU64| {
            let millis = millis.load(Ordering::Relaxed).checked_sub(1)?;
            Some(Duration::from_millis(millis))
        };
        let session = &self.session;
        let end = self.end.get();
        OperationView {
            id: if self.id == NO_ID { String::new() } else { self.id.to_string() },
            session: session.id.map(|id| id.to_string()).unwrap_or_default(),
            virtual_server: session.virtual_server.to_string(),
            pool: session.pool.to_string(),
            coordinator: session.place.to_string(),
            user: session.user.to_string(),
            do_as: session.do_as.to_string(),
            client: session.client.to_string(),
            statement: self.asked.statement.to_string(),
            statement_bytes: self.asked.statement_bytes,
            method: self.asked.method,
            fingerprint: self.asked.fingerprint,
            digest: self.asked.digest,
            began: self.began_at,
            age: end.map_or_else(|| self.age(), |(_, age)| *age),
            first_row: after(&self.first_row),
            last_row: after(&self.last_row),
            rows: self.rows.load(Ordering::Relaxed),
            rows_written: self.rows_written.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            cancelled: self.cancelled_by().is_some(),
            cancelled_by: self.cancelled_by(),
            sql_state: self.sql_state.get().map(|state| state.to_string()).unwrap_or_default(),
            end: end.map(|(end, _)| *end),
        }
    }
}
