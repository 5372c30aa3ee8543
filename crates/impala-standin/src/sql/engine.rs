//! The database: one SQLite file for `default`, one more for each database made with CREATE
//! DATABASE. Connections are opened with the session's database as SQLite's `main` and all others
//! attached by name.

use super::functions::{self, Caller};
use super::run::Cancel;
use super::sample;
use rusqlite::Connection;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The database every session starts in.
pub(crate) const DEFAULT: &str = "default";
/// SQLite attaches ten files to a connection unless compiled otherwise.
const OTHER_DATABASES_MAX: usize = 9;
/// Idle connections kept per database.
const POOL_MAX: usize = 8;
/// How long a writer waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Our own directories in the temporary one are called this, then the process id.
const DIRECTORY_PREFIX: &str = "impala-standin-";

/// What statements may ask about their session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) effective_user: String,
    pub(crate) session_id: String,
    pub(crate) coordinator: String,
    pub(crate) version: String,
    pub(crate) pid: i32,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("failed to prepare the directory `{path}`")]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to open the database `{path}`")]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
}

/// The files, and idle connections to them.
pub(crate) struct Engine {
    file: PathBuf,
    /// Removed at the end: nobody asked to keep the data.
    private_directory: Option<PathBuf>,
    idle: Mutex<HashMap<String, Vec<Pooled>>>,
}

struct Pooled {
    connection: Connection,
    caller: Arc<Caller>,
    /// The databases known when it was opened.
    attached: Vec<String>,
}

/// A connection in use; goes back to the pool when dropped.
pub(crate) struct Checkout<'e> {
    engine: &'e Engine,
    database: String,
    pooled: Option<Pooled>,
}

impl Engine {
    /// Opens the given file, or a fresh one in the temporary directory.
    pub(crate) fn open(file: Option<&Path>, with_sample: bool) -> Result<Self, EngineError> {
        let (file, private_directory) = match file {
            Some(file) => (file.to_owned(), None),
            None => {
                let directory = private_directory()?;
                (directory.join("default.db"), Some(directory))
            }
        };
        let engine = Self { file, private_directory, idle: Mutex::default() };
        let failed = |source| EngineError::Open { path: engine.file.clone(), source };
        let connection = engine.connect(DEFAULT, &[]).map_err(failed)?;
        if with_sample {
            sample::fill(&connection.connection).map_err(failed)?;
        }
        drop(connection);
        Ok(engine)
    }

    /// A connection for one statement of that session.
    pub(crate) fn checkout(
        &self,
        context: Context,
        cancel: Option<Arc<Cancel>>,
    ) -> rusqlite::Result<Checkout<'_>> {
        let database = context.database.clone();
        let known = self.databases();
        if !known.contains(&database) {
            return Err(user_error(format!("Database does not exist: {database}")));
        }
        let idle = self.idle().get_mut(&database).and_then(Vec::pop);
        let pooled = match idle.filter(|idle| idle.attached == known) {
            Some(pooled) => pooled,
            None => self.connect(&database, &known)?,
        };
        pooled.caller.set(context, cancel);
        Ok(Checkout { engine: self, database, pooled: Some(pooled) })
    }

    fn connect(&self, database: &str, known: &[String]) -> rusqlite::Result<Pooled> {
        let connection = Connection::open(self.path(database))?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Readers and writers do not wait for each other, and nothing has to survive a power cut.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(0);
        for other in known.iter().filter(|name| *name != database) {
            let path = self.path(other);
            let name = super::translate::identifier(other);
            connection.execute(&format!("ATTACH ?1 AS {name}"), [path.to_string_lossy()])?;
        }
        rusqlite::vtab::series::load_module(&connection)?;
        let caller = Arc::new(Caller::default());
        functions::register(&connection, &caller)?;
        Ok(Pooled { connection, caller, attached: known.to_vec() })
    }

    /// All databases in order, `default` among them.
    pub(crate) fn databases(&self) -> Vec<String> {
        let mut names = vec![DEFAULT.to_owned()];
        let (Some(directory), Some(file)) = (self.file.parent(), self.file.file_name()) else {
            return names;
        };
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let prefix = format!("{}.", file.to_string_lossy());
        if let Ok(entries) = fs::read_dir(directory) {
            names.extend(entries.flatten().filter_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str()?.strip_prefix(&prefix)?.strip_suffix(".database")?;
                Some(name.to_owned())
            }));
        }
        names.sort();
        names
    }

    pub(crate) fn has_database(&self, name: &str) -> bool {
        self.databases().iter().any(|known| known == name)
    }

    /// Makes a database; the text is for the client.
    pub(crate) fn create_database(&self, name: &str) -> Result<(), String> {
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain || name.is_empty() || ["main", "temp"].contains(&name) {
            return Err(format!("AnalysisException: Invalid database name: {name}"));
        }
        if self.databases().len() > OTHER_DATABASES_MAX {
            return Err("AnalysisException: The stand-in holds ten databases at most".into());
        }
        let made = Connection::open(self.path(name))
            .and_then(|c| c.pragma_update(None, "journal_mode", "WAL"));
        made.map_err(|error| format!("ImpalaRuntimeException: {error}"))
    }

    /// Removes a database with everything in it.
    pub(crate) fn drop_database(&self, name: &str) -> Result<(), String> {
        let path = self.path(name);
        self.idle().clear();
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.clone().into_os_string();
            file.push(suffix);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("ImpalaRuntimeException: {error}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, database: &str) -> PathBuf {
        if database == DEFAULT {
            return self.file.clone();
        }
        let mut path = self.file.clone().into_os_string();
        path.push(format!(".{database}.database"));
        path.into()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Pooled>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.remove_private();
    }
}

impl Engine {
    /// Removes what nobody asked to keep. Whoever still holds a connection works on removed files.
    pub(crate) fn remove_private(&self) {
        self.idle().clear();
        if let Some(directory) = &self.private_directory {
            // Nothing to be done about a failure; the next start sweeps up after dead processes.
            let _ = fs::remove_dir_all(directory);
        }
    }
}

impl Deref for Checkout<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.pooled.as_ref().expect("only drop takes it").connection
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        let Some(pooled) = self.pooled.take() else { return };
        pooled.caller.set(Context::default(), None);
        let mut idle = self.engine.idle();
        let pool = idle.entry(self.database.clone()).or_default();
        // A statement that was interrupted in a transaction leaves it open.
        if pool.len() < POOL_MAX && pooled.connection.is_autocommit() {
            pool.push(pooled);
        }
    }
}

/// Makes our directory, and removes those of processes that were killed.
fn private_directory() -> Result<PathBuf, EngineError> {
    let base = std::env::temp_dir();
    for entry in fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|n| n.strip_prefix(DIRECTORY_PREFIX))
            .and_then(|n| n.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let unique = crate::ids::Id::random().to_string().replace(':', "");
    let path = base.join(format!("{DIRECTORY_PREFIX}{}-{unique}", std::process::id()));
    match fs::create_dir(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(EngineError::Directory { path, source }),
    }
}

pub(crate) fn user_error(text: String) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(text.into())
}
