//! Operations: one statement or metadata call each, from ExecuteStatement to CloseOperation.

use super::session::Session;
use crate::ids::Id;
use crate::query_options::Settings;
use crate::sql::{Batch, Cancel, ColumnInfo, Piece, Progress};
use crate::sync::{lock, wait, wait_for};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

/// Batches that wait for the client before the statement has to.
const QUEUE_BATCHES_MAX: usize = 16;
/// One fetch collects no more than this, whatever the client asks for.
const FETCH_ROWS_MAX: usize = 1 << 20;
const FETCH_BYTES_MAX: usize = 192 * 1024 * 1024;
/// A fetch that has rows waits this long for more of them.
const FETCH_LINGER: Duration = Duration::from_millis(50);

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Rows can be fetched, or there are none.
    Finished,
    Failed(String),
}

/// What a fetch found.
#[derive(Debug)]
pub(crate) enum Fetched {
    Rows {
        pieces: Vec<Piece>,
        start: i64,
        more: bool,
    },
    /// Nothing within the time: the client is to ask again.
    NotYet,
    Failed(String),
}

pub(crate) struct Operation {
    pub(crate) id: Id,
    pub(crate) session: Arc<Session>,
    /// `TOperationType`.
    pub(crate) operation_type: i32,
    pub(crate) statement: String,
    /// QUERY, DML, DDL …
    pub(crate) kind: &'static str,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) has_result_set: bool,
    pub(crate) started: SystemTime,
    pub(crate) cancel: Arc<Cancel>,
    pub(crate) limits: Limits,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    phase: Phase,
    columns: Option<Arc<[ColumnInfo]>>,
    queue: VecDeque<Piece>,
    /// The statement's thread is through.
    produced: bool,
    rows_fetched: i64,
    rows_written: Option<i64>,
    ended: Option<SystemTime>,
    last_active: Instant,
}

/// Facts for the web page, the query log and the profile.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) id: Id,
    pub(crate) session_id: Id,
    pub(crate) session_kind: &'static str,
    pub(crate) user: String,
    pub(crate) connected_user: String,
    pub(crate) database: String,
    pub(crate) statement: String,
    pub(crate) kind: &'static str,
    pub(crate) phase: Phase,
    pub(crate) started: SystemTime,
    pub(crate) ended: Option<SystemTime>,
    pub(crate) rows_fetched: i64,
    pub(crate) peer: String,
}

/// How an operation is called into being.
pub(crate) struct NewOperation {
    pub(crate) id: Id,
    pub(crate) session: Arc<Session>,
    pub(crate) operation_type: i32,
    pub(crate) statement: String,
    pub(crate) kind: &'static str,
    pub(crate) has_result_set: bool,
    pub(crate) limits: Limits,
}

/// The query options that matter here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a fetch waits for rows.
    pub(crate) fetch_timeout: Duration,
    /// How long GetOperationStatus waits for news.
    pub(crate) long_polling: Duration,
    /// Ends an operation that nobody fetches from; zero: never.
    pub(crate) idle: Duration,
    /// Ends a statement that runs too long; zero: never.
    pub(crate) execution: Duration,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            fetch_timeout: Duration::from_millis(settings.number("FETCH_ROWS_TIMEOUT_MS")),
            long_polling: Duration::from_millis(settings.number("LONG_POLLING_TIME_MS")),
            idle: Duration::from_secs(settings.number("QUERY_TIMEOUT_S")),
            execution: Duration::from_secs(settings.number("EXEC_TIME_LIMIT_S")),
        }
    }
}

impl Operation {
    pub(crate) fn new(new: NewOperation) -> Self {
        let NewOperation { id, session, operation_type, statement, kind, has_result_set, limits } =
            new;
        Self {
            id,
            operation_type,
            statement,
            kind,
            user: session.effective_user(),
            database: session.database(),
            has_result_set,
            started: SystemTime::now(),
            cancel: Arc::default(),
            limits,
            inner: Mutex::new(Inner {
                phase: Phase::Running,
                columns: None,
                queue: VecDeque::new(),
                produced: false,
                rows_fetched: 0,
                rows_written: None,
                ended: None,
                last_active: Instant::now(),
            }),
            changed: Condvar::new(),
            session,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// The whole answer at once.
    pub(crate) fn answer(&self, columns: Vec<ColumnInfo>, batch: Batch) {
        self.columns(columns);
        if batch.rows > 0 {
            self.rows(batch);
        }
        self.end(Ok(()));
    }

    /// The statement's thread is through.
    pub(crate) fn end(&self, result: Result<(), String>) {
        let mut inner = self.inner();
        inner.produced = true;
        inner.ended.get_or_insert_with(SystemTime::now);
        match result {
            Ok(()) if inner.phase == Phase::Running => inner.phase = Phase::Finished,
            Ok(()) => {}
            Err(text) => {
                inner.queue.clear();
                if !matches!(inner.phase, Phase::Failed(_)) {
                    inner.phase = Phase::Failed(text);
                }
            }
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Stops the statement; `why` is what the client reads. After the last row there is nothing to
    /// stop.
    pub(crate) fn stop(&self, why: &str) {
        {
            let mut inner = self.inner();
            let over = inner.produced && inner.queue.is_empty();
            if over || matches!(inner.phase, Phase::Failed(_)) {
                return;
            }
            inner.phase = Phase::Failed(why.to_owned());
            inner.queue.clear();
            inner.ended.get_or_insert_with(SystemTime::now);
        }
        self.cancel.cancel();
        self.changed.notify_all();
    }

    pub(crate) fn phase(&self) -> Phase {
        self.inner().phase.clone()
    }

    /// Waits at most that long while the statement runs.
    pub(crate) fn wait(&self, time: Duration) -> Phase {
        let until = Instant::now() + time;
        let mut inner = self.inner();
        while inner.phase == Phase::Running {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = wait_for(&self.changed, inner, left);
        }
        inner.phase.clone()
    }

    /// Waits until the statement has rows, is done or has failed.
    pub(crate) fn wait_finished(&self) -> Phase {
        let mut inner = self.inner();
        while inner.phase == Phase::Running {
            inner = wait(&self.changed, inner);
        }
        inner.phase.clone()
    }

    /// The result's columns. Waits for the first rows where only they tell the types.
    pub(crate) fn wait_columns(&self) -> Option<Arc<[ColumnInfo]>> {
        let mut inner = self.inner();
        while self.has_result_set
            && inner.columns.is_none()
            && !inner.produced
            && !matches!(inner.phase, Phase::Failed(_))
        {
            inner = wait(&self.changed, inner);
        }
        inner.columns.clone()
    }

    /// The number of rows a DML statement wrote.
    pub(crate) fn rows_written(&self) -> Option<i64> {
        self.inner().rows_written
    }

    pub(crate) fn rows_fetched(&self) -> i64 {
        self.inner().rows_fetched
    }

    /// Whether its thread still works.
    pub(crate) fn is_executing(&self) -> bool {
        !self.inner().produced
    }

    /// How long nobody has fetched, once execution was over.
    pub(crate) fn idle(&self) -> Duration {
        let inner = self.inner();
        if inner.produced { inner.last_active.elapsed() } else { Duration::ZERO }
    }

    /// Takes up to `rows_max` rows, waiting at most `timeout` for the first.
    pub(crate) fn fetch(&self, rows_max: usize, timeout: Duration) -> Fetched {
        let rows_max = rows_max.min(FETCH_ROWS_MAX);
        let mut until = Instant::now() + timeout;
        let mut pieces: Vec<Piece> = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        let mut inner = self.inner();
        loop {
            if let Phase::Failed(text) = &inner.phase {
                return Fetched::Failed(text.clone());
            }
            while rows < rows_max && bytes < FETCH_BYTES_MAX {
                let Some(mut piece) = inner.queue.pop_front() else { break };
                let wanted = rows_max - rows;
                if piece.rows() > wanted {
                    let rest = Piece { start: piece.start + wanted, ..piece.clone() };
                    piece.end = rest.start;
                    inner.queue.push_front(rest);
                }
                rows += piece.rows();
                bytes += piece.batch.bytes;
                if pieces.is_empty() {
                    // What is there should not wait long for what is not.
                    until = until.min(Instant::now() + FETCH_LINGER);
                }
                pieces.push(piece);
                self.changed.notify_all();
            }
            let full = rows >= rows_max || bytes >= FETCH_BYTES_MAX;
            let left = until.saturating_duration_since(Instant::now());
            if full || inner.produced || left.is_zero() {
                break;
            }
            inner = wait_for(&self.changed, inner, left);
        }
        let more = !(inner.produced && inner.queue.is_empty());
        if pieces.is_empty() && more && rows_max > 0 {
            return Fetched::NotYet;
        }
        let start = inner.rows_fetched;
        inner.rows_fetched += rows as i64;
        inner.last_active = Instant::now();
        Fetched::Rows { pieces, start, more }
    }

    pub(crate) fn summary(&self) -> Summary {
        let inner = self.inner();
        Summary {
            id: self.id,
            session_id: self.session.id,
            session_kind: self.session.kind.name(),
            user: self.user.clone(),
            connected_user: self.session.with(|s| s.user.clone()),
            database: self.database.clone(),
            statement: self.statement.clone(),
            kind: self.kind,
            phase: inner.phase.clone(),
            started: self.started,
            ended: inner.ended,
            rows_fetched: inner.rows_fetched,
            peer: self.session.peer.clone(),
        }
    }
}

impl Progress for Operation {
    fn columns(&self, columns: Vec<ColumnInfo>) {
        self.inner().columns = Some(columns.into());
        self.changed.notify_all();
    }

    fn rows(&self, batch: Batch) -> bool {
        let mut inner = self.inner();
        while inner.queue.len() >= QUEUE_BATCHES_MAX && inner.phase == Phase::Finished {
            inner = wait(&self.changed, inner);
        }
        if matches!(inner.phase, Phase::Failed(_)) {
            return false;
        }
        let end = batch.rows;
        inner.queue.push_back(Piece { batch: Arc::new(batch), start: 0, end });
        inner.phase = Phase::Finished;
        inner.last_active = Instant::now();
        drop(inner);
        self.changed.notify_all();
        true
    }

    fn written(&self, rows: i64) {
        self.inner().rows_written = Some(rows);
    }
}

impl Phase {
    /// The state's name in Beeswax, which the web pages use.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Phase::Running => "RUNNING",
            Phase::Finished => "FINISHED",
            Phase::Failed(_) => "EXCEPTION",
        }
    }
}
