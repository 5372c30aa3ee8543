//! Running a planned statement in a thread of its own: rows go out in batches through a bounded
//! queue, and [`Cancel`] wakes it wherever it is: stepping in SQLite, sleeping, or waiting for a
//! slow client.

use super::batch::{BATCH_ROWS, Batch};
use super::engine::{Context, Engine};
use super::errors;
use super::plan::{Query, Write};
use super::types::{ColumnInfo, Type};
use rusqlite::InterruptHandle;
use rusqlite::types::{Value, ValueRef};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A batch is handed on after this time even when it is not full, so that slow rows are seen.
const BATCH_AGE_MAX: Duration = Duration::from_millis(100);

/// The way to stop a running statement.
#[derive(Default)]
pub(crate) struct Cancel {
    state: Mutex<CancelState>,
    changed: Condvar,
}

#[derive(Default)]
struct CancelState {
    cancelled: bool,
    interrupt: Option<InterruptHandle>,
}

impl Cancel {
    fn state(&self) -> MutexGuard<'_, CancelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    pub(crate) fn cancel(&self) {
        let mut state = self.state();
        state.cancelled = true;
        // Only the connection that works for this statement: a later one on it must not be hit, see
        // `release`.
        if let Some(interrupt) = &state.interrupt {
            interrupt.interrupt();
        }
        self.changed.notify_all();
    }

    /// Sleeps; true when cancelled meanwhile.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.cancelled);
        waited.unwrap_or_else(PoisonError::into_inner).0.cancelled
    }

    /// Lets `cancel` interrupt that connection; false when it is too late.
    fn attach(&self, interrupt: InterruptHandle) -> bool {
        let mut state = self.state();
        state.interrupt = Some(interrupt);
        !state.cancelled
    }

    /// The connection goes back to the pool.
    fn release(&self) {
        self.state().interrupt = None;
    }
}

/// Who hears about a running statement.
pub(crate) trait Progress {
    /// The result's columns are known.
    fn columns(&self, columns: Vec<ColumnInfo>);
    /// Takes rows, waiting while the client is behind; false when nobody wants more.
    fn rows(&self, batch: Batch) -> bool;
    /// Rows were written.
    fn written(&self, rows: i64);
}

/// What to run.
pub(crate) enum Work {
    Query(Query),
    Write(Write),
}

/// Runs to the end. The text of a failure is for the client.
pub(crate) fn run(
    engine: &Engine,
    context: Context,
    work: &Work,
    cancel: &Arc<Cancel>,
    progress: &dyn Progress,
) -> Result<(), String> {
    let connection =
        engine.checkout(context, Some(Arc::clone(cancel))).map_err(|e| errors::message(&e))?;
    let attached = cancel.attach(connection.get_interrupt_handle());
    let done = match work {
        _ if !attached => Ok(()),
        Work::Query(query) => read(&connection, query, progress),
        Work::Write(write) => write_all(&connection, write).map(|rows| progress.written(rows)),
    };
    cancel.release();
    if cancel.is_cancelled() {
        return Err("Cancelled".into());
    }
    done.map_err(|error| errors::message(&error))
}

fn write_all(connection: &rusqlite::Connection, write: &Write) -> rusqlite::Result<i64> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut rows = 0;
    for (i, sql) in write.statements.iter().enumerate() {
        match connection.execute(sql, []) {
            // An INSERT OVERWRITE reports what it inserted, not what it removed before.
            Ok(changed) if i + 1 == write.statements.len() => rows = changed,
            Ok(_) => {}
            Err(error) => {
                if !connection.is_autocommit() {
                    connection.execute_batch("ROLLBACK")?;
                }
                return Err(error);
            }
        }
    }
    connection.execute_batch("COMMIT")?;
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn read(
    connection: &rusqlite::Connection,
    query: &Query,
    progress: &dyn Progress,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&query.sql)?;
    let mut rows = statement.raw_query();
    let known: Option<Vec<ColumnInfo>> = query.known_columns();
    let mut held: Vec<Vec<Value>> = Vec::new();
    let mut finished = false;
    let columns = match known {
        // Told at once: the client may ask before the first row is there.
        Some(columns) => columns,
        None => {
            // Expressions without a type: the first rows decide.
            let begun = Instant::now();
            while held.len() < BATCH_ROWS && begun.elapsed() < BATCH_AGE_MAX {
                let Some(row) = rows.next()? else {
                    finished = true;
                    break;
                };
                held.push((0..query.columns.len()).map(|i| row.get(i)).collect::<Result<_, _>>()?);
            }
            query
                .columns
                .iter()
                .enumerate()
                .map(|(i, c)| {
                    ColumnInfo::new(c.name.clone(), c.kind.unwrap_or_else(|| guess(&held, i)))
                })
                .collect()
        }
    };
    progress.columns(columns.clone());
    let mut batch = Batch::new(&columns);
    for row in &held {
        batch.push(|i| ValueRef::from(&row[i]));
    }
    drop(held);
    let mut begun = Instant::now();
    while !finished {
        if batch.rows >= BATCH_ROWS || (batch.rows > 0 && begun.elapsed() >= BATCH_AGE_MAX) {
            if !progress.rows(std::mem::replace(&mut batch, Batch::new(&columns))) {
                return Ok(());
            }
            begun = Instant::now();
        }
        match rows.next()? {
            // `get_ref` fails only for a column that is not there.
            Some(row) => batch.push(|i| row.get_ref(i).unwrap_or(ValueRef::Null)),
            None => finished = true,
        }
    }
    if batch.rows > 0 {
        progress.rows(batch);
    }
    Ok(())
}

/// The type that holds all values of a column; NULLs alone make a STRING.
fn guess(rows: &[Vec<Value>], column: usize) -> Type {
    let mut kind = None;
    for row in rows {
        kind = match (&row[column], kind) {
            (Value::Null, kind) => kind,
            (Value::Integer(_), None | Some(Type::BigInt)) => Some(Type::BigInt),
            (Value::Integer(_) | Value::Real(_), Some(Type::Double)) => Some(Type::Double),
            (Value::Real(_), None | Some(Type::BigInt)) => Some(Type::Double),
            _ => Some(Type::String),
        };
    }
    kind.unwrap_or(Type::String)
}
