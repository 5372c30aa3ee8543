//! Which statements cost most: sums over operations whose statements differ in literals only.
//!
//! Taken when an operation is over, under a lock of its own. Bounded: when the table is full, the
//! quarter goes that cost least for how long it was not seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{OperationEnd, OperationView};

/// Kinds of statements that are remembered.
const KINDS_MAX: usize = 1024;
/// How many make room for others at once, so that not every operation has to look for one.
const KINDS_FORGOTTEN: usize = KINDS_MAX / 4;
/// As much of a statement is kept.
const STATEMENT_BYTES_MAX: usize = 1024;
/// What was not seen for so long counts half.
const HALF_LIFE: Duration = Duration::from_secs(3600);

/// What all operations of one kind of statement cost.
#[derive(Debug, Clone)]
pub struct StatementView {
    pub digest: u64,
    /// The begin of the first one's text with literals replaced, or the method of a metadata call.
    pub statement: String,
    pub count: u64,
    pub errors: u64,
    pub total: Duration,
    pub max: Duration,
    pub rows: u64,
    pub bytes: u64,
    /// When the latest was over.
    pub last: Timestamp,
}

impl StatementView {
    pub fn mean(&self) -> Duration {
        self.total.div_f64(self.count.max(1) as f64)
    }
}

#[derive(Debug)]
struct Kind {
    view: StatementView,
    seen: Instant,
}

impl Kind {
    fn value(&self) -> f64 {
        let halves = self.seen.elapsed().as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.view.total.as_secs_f64() * (-halves).exp2()
    }
}

#[derive(Debug, Default)]
pub(super) struct Top {
    kinds: Mutex<HashMap<u64, Kind>>,
}

impl Top {
    /// An operation is over.
    pub(super) fn add(&self, operation: &OperationView) {
        // Nothing is known of what it was.
        if operation.method.is_empty() {
            return;
        }
        let mut kinds = self.kinds();
        if kinds.len() >= KINDS_MAX && !kinds.contains_key(&operation.digest) {
            forget(&mut kinds);
        }
        let now = Timestamp::now();
        let kind = kinds.entry(operation.digest).or_insert_with(|| Kind {
            view: StatementView {
                digest: operation.digest,
                statement: text(operation),
                count: 0,
                errors: 0,
                total: Duration::ZERO,
                max: Duration::ZERO,
                rows: 0,
                bytes: 0,
                last: now,
            },
            seen: Instant::now(),
        });
        kind.seen = Instant::now();
        let view = &mut kind.view;
        view.count += 1;
        view.errors += u64::from(operation.end.is_some_and(OperationEnd::is_failure));
        view.total = view.total.saturating_add(operation.age);
        view.max = view.max.max(operation.age);
        view.rows = view.rows.saturating_add(operation.rows);
        view.bytes = view.bytes.saturating_add(operation.bytes);
        view.last = now;
    }

    /// The `count` that cost most time, most first.
    pub(super) fn views(&self, count: usize) -> Vec<StatementView> {
        let mut views: Vec<_> = self.kinds().values().map(|kind| kind.view.clone()).collect();
        views.sort_by_key(|view| std::cmp::Reverse(view.total));
        views.truncate(count);
        views
    }

    pub(super) fn reset(&self) {
        self.kinds().clear();
    }

    /// Nothing here can be left half done.
    fn kinds(&self) -> MutexGuard<'_, HashMap<u64, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget(kinds: &mut HashMap<u64, Kind>) {
    let mut values: Vec<_> = kinds.iter().map(|(digest, kind)| (kind.value(), *digest)).collect();
    if values.len() > KINDS_FORGOTTEN {
        values.select_nth_unstable_by(KINDS_FORGOTTEN, |a, b| a.0.total_cmp(&b.0));
    }
    for (_, digest) in values.into_iter().take(KINDS_FORGOTTEN) {
        kinds.remove(&digest);
    }
}

fn text(operation: &OperationView) -> String {
    // Neither is there for metadata calls; with `statements = "off"` there is no text either.
    if operation.statement.is_empty() {
        return operation.method.to_owned();
    }
    let text = &operation.statement;
    let longest = STATEMENT_BYTES_MAX.min(text.len());
    let end = (0..=longest).rev().find(|&at| text.is_char_boundary(at));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests;
