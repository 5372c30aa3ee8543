//! Sessions and operations as others see them: copies of one moment.

use std::time::Duration;

use jiff::Timestamp;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationEnd {
    /// The client closed it.
    Closed,
    /// The coordinator reported an error.
    Failed,
    /// Its session was closed first.
    SessionClosed,
    /// Its coordinator was lost.
    CoordinatorLost,
}

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// As Impala prints it; empty for Beeswax, where the connection is the session.
    pub id: String,
    pub virtual_server: String,
    pub coordinator: String,
    pub user: String,
    /// Whom the user acts for.
    pub do_as: String,
    pub client: String,
    pub opened: Timestamp,
    pub idle: Duration,
    /// Client connections that use it now.
    pub connections: u32,
    pub operations_open: u32,
}

/// An operation at one moment, or at its end.
#[derive(Debug, Clone)]
pub struct OperationView {
    /// The query id, as Impala prints it.
    pub id: String,
    pub session: String,
    pub virtual_server: String,
    pub coordinator: String,
    pub user: String,
    pub do_as: String,
    pub client: String,
    /// The begin of its text with every literal replaced by `?`; empty for metadata calls.
    pub statement: String,
    /// Method of the call that made it.
    pub method: &'static str,
    /// Equal for texts that are equal byte by byte.
    pub fingerprint: u64,
    pub began: Timestamp,
    pub age: Duration,
    pub first_row: Option<Duration>,
    pub last_row: Option<Duration>,
    pub rows: u64,
    /// Rows that the statement wrote.
    pub rows_written: u64,
    /// Bytes of fetch replies.
    pub bytes: u64,
    pub cancelled: bool,
    pub end: Option<OperationEnd>,
}
