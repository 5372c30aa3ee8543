//! Impala's functions that SQLite lacks. Those that ask who is asking see the session of the
//! running statement.

use super::engine::Context;
use super::run::Cancel;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For whom a connection to SQLite works just now.
#[derive(Default)]
pub(crate) struct Caller {
    inner: Mutex<(Context, Option<Arc<Cancel>>)>,
}

impl Caller {
    pub(crate) fn set(&self, context: Context, cancel: Option<Arc<Cancel>>) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = (context, cancel);
    }

    fn context<T>(&self, read: impl FnOnce(&Context) -> T) -> T {
        read(&self.inner.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    fn cancel(&self) -> Option<Arc<Cancel>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// `repeat` and `concat` cannot make a text longer than this: SQLite's own limit is near.
const TEXT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Adds the functions to a connection.
pub(crate) fn register(connection: &Connection, caller: &Arc<Caller>) -> rusqlite::Result<()> {
    let text = |name: &str, read: fn(&Context) -> String| {
        let caller = Arc::clone(caller);
        connection.create_scalar_function(name, 0, FunctionFlags::SQLITE_UTF8, move |_| {
            Ok(caller.context(read))
        })
    };
    text("version", |c| c.version.clone())?;
    text("user", |c| c.user.clone())?;
    text("session_user", |c| c.user.clone())?;
    text("effective_user", |c| c.effective_user.clone())?;
    text("logged_in_user", |c| c.effective_user.clone())?;
    text("current_database", |c| c.database.clone())?;
    text("current_session", |c| c.session_id.clone())?;
    text("coordinator", |c| c.coordinator.clone())?;
    text("now", |_| crate::clock::timestamp(std::time::SystemTime::now()))?;
    text("uuid", |_| {
        let hex = crate::ids::Id::random().to_string().replace(':', "");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    })?;
    {
        let caller = Arc::clone(caller);
        connection.create_scalar_function("pid", 0, FunctionFlags::SQLITE_UTF8, move |_| {
            Ok(caller.context(|c| c.pid))
        })?;
    }
    {
        let caller = Arc::clone(caller);
        connection.create_scalar_function(
            "sleep",
            1,
            FunctionFlags::SQLITE_UTF8,
            move |arguments| {
                let milliseconds: i64 = arguments.get(0)?;
                let time = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
                match caller.cancel() {
                    Some(cancel) if cancel.sleep(time) => Err(user_error("Cancelled")),
                    Some(_) => Ok(true),
                    None => Ok(false),
                }
            },
        )?;
    }
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("repeat", 2, pure, |arguments| {
        let (text, count): (String, i64) = (arguments.get(0)?, arguments.get(1)?);
        let count = usize::try_from(count).unwrap_or(0);
        if text.len().saturating_mul(count) > TEXT_BYTES_MAX {
            return Err(user_error("repeat: the text would be too long"));
        }
        Ok(text.repeat(count))
    })?;
    connection.create_scalar_function("unix_timestamp", 0, FunctionFlags::SQLITE_UTF8, |_| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(since.map_or(0, |d| d.as_secs() as i64))
    })?;
    for (name, range) in [("year", 0..4), ("month", 5..7), ("day", 8..10), ("hour", 11..13)] {
        connection.create_scalar_function(name, 1, pure, move |arguments| {
            let text: Option<String> = arguments.get(0)?;
            Ok(text
                .as_deref()
                .and_then(|t| t.get(range.clone()))
                .and_then(|t| t.parse::<i64>().ok()))
        })?;
    }
    Ok(())
}

fn user_error(text: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(text.into())
}
