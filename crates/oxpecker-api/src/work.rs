//! Impala's sessions and operations, and how far a drain is.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// As Impala prints it; empty for Beeswax, where the connection is the session.
    pub id: String,
    #[serde(rename = "virtual")]
    pub virtual_server: String,
    pub pool: String,
    pub coordinator: String,
    pub user: String,
    /// Whom the user acts for; empty = for itself.
    pub do_as: String,
    pub client: String,
    pub opened: String,
    pub idle_seconds: f64,
    pub connections: u32,
    pub operations_open: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The query id, as Impala prints it.
    pub id: String,
    pub session: String,
    #[serde(rename = "virtual")]
    pub virtual_server: String,
    pub coordinator: String,
    pub user: String,
    pub do_as: String,
    pub client: String,
    /// Literals replaced; empty for metadata calls.
    pub statement: String,
    pub method: String,
    pub began: String,
    pub age_seconds: f64,
    pub first_row_seconds: Option<f64>,
    pub last_row_seconds: Option<f64>,
    pub rows: u64,
    pub rows_written: u64,
    pub bytes: u64,
    pub cancelled: bool,
    /// `None` while it is open.
    pub end: Option<String>,
    pub pool: String,
    /// Equal for statements that differ in their literals and layout only.
    pub digest: String,
    /// `client`, `operator` or `orphan policy`.
    pub cancelled_by: Option<String>,
    /// Of the error that it failed with.
    pub sql_state: Option<String>,
}

/// Operations whose statements are equal but for their literals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    pub digest: String,
    pub statement: String,
    pub count: u64,
    pub errors: u64,
    pub seconds_total: f64,
    pub seconds_mean: f64,
    pub seconds_max: f64,
    pub rows: u64,
    pub bytes: u64,
    pub last: String,
}

/// What is left at a member that drains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    pub member: String,
    /// Those that end with the coordinator: passed on unread, or a session of Beeswax.
    pub connections: u32,
    /// Operations that run, or have rows that nobody fetched yet.
    pub operations: u32,
    /// Open operations that were read to their end: they hold nobody up.
    pub operations_read: u32,
    /// Without an operation they hold nobody up: their clients open others.
    pub sessions: u32,
    /// Nothing is left that a client would miss.
    pub done: bool,
}
