//! Sessions and operations as others see them: copies of one moment.

use std::time::Duration;

use jiff::Timestamp;

use crate::record::Close;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationEnd {
    /// The client closed it.
    Closed,
    /// The coordinator reported an error.
    Failed,
    /// It was cancelled, and then closed.
    Cancelled,
    /// Its session was closed first.
    SessionClosed,
    /// An operator had its session closed.
    SessionKilled,
    /// Its session was not heard of for so long that it was closed or forgotten here.
    Abandoned,
    /// Its coordinator was lost.
    CoordinatorLost,
    /// There are more operations than are remembered; it may still run.
    Forgotten,
    /// This gateway stopped; it may still run.
    GatewayStopped,
    /// It never began: no coordinator was available.
    NoCoordinator,
    /// It never began: the coordinator did not let the client in.
    LoginRefused,
    /// It never began: no coordinator knows the session.
    UnknownSession,
    /// Its coordinator lives, but did not say whether it began.
    AnswerLost,
    /// The client left before it was told that it began; it may still run.
    ClientGone,
    /// An operator ended the client's connection before that; it may still run.
    ConnectionKilled,
}

impl OperationEnd {
    /// The same in words, as records have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::SessionClosed => "session closed",
            Self::SessionKilled => "session killed",
            Self::Abandoned => "session abandoned",
            Self::CoordinatorLost => "coordinator lost",
            Self::Forgotten => "forgotten",
            Self::GatewayStopped => "gateway stopped",
            Self::NoCoordinator => "no coordinator",
            Self::LoginRefused => "log-in refused",
            Self::UnknownSession => "unknown session",
            Self::AnswerLost => "answer lost",
            Self::ClientGone => "client gone",
            Self::ConnectionKilled => "connection killed",
        }
    }

    /// Of a statement whose client's connection ended before its call was answered.
    pub(in crate::aware) fn of_close(close: Close) -> Self {
        match close {
            Close::Finished
            | Close::ClientGone { .. }
            | Close::ClientGoneEarly
            | Close::ClientLeftQueue
            | Close::ClientTimeout
            | Close::Unreadable => Self::ClientGone,
            Close::OperatorKilled => Self::ConnectionKilled,
            Close::OperatorDrain => Self::GatewayStopped,
            _ => Self::CoordinatorLost,
        }
    }

    /// Nothing came of it, as far as the client was told.
    pub(super) fn is_failure(self) -> bool {
        match self {
            Self::Failed
            | Self::CoordinatorLost
            | Self::NoCoordinator
            | Self::LoginRefused
            | Self::UnknownSession
            | Self::AnswerLost => true,
            Self::Closed
            | Self::Cancelled
            | Self::SessionClosed
            | Self::SessionKilled
            | Self::Abandoned
            | Self::Forgotten
            | Self::GatewayStopped
            | Self::ClientGone
            | Self::ConnectionKilled => false,
        }
    }
}

/// Who cancelled an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceller {
    Client,
    /// By a command to this gateway.
    Operator,
    /// This gateway, because no client was left.
    OrphanPolicy,
}

impl Canceller {
    /// The same in words, as records have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Operator => "operator",
            Self::OrphanPolicy => "orphan policy",
        }
    }
}

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// As Impala prints it; empty for Beeswax, where the connection is the session.
    pub id: String,
    pub virtual_server: String,
    pub pool: String,
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
    /// The query id, as Impala prints it; empty for a statement that was refused, which gets none.
    pub id: String,
    pub session: String,
    pub virtual_server: String,
    pub pool: String,
    pub coordinator: String,
    pub user: String,
    pub do_as: String,
    pub client: String,
    /// The begin of its text with every literal replaced by `?`; empty for metadata calls.
    pub statement: String,
    /// Of the whole text.
    pub statement_bytes: u64,
    /// Method of the call that made it.
    pub method: &'static str,
    /// Equal for texts that are equal byte by byte.
    pub fingerprint: u64,
    /// Equal for statements that differ in their literals and layout only.
    pub digest: u64,
    /// When the call that made it came.
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
    /// As far as it went through this gateway.
    pub cancelled_by: Option<Canceller>,
    /// Of the error that it failed with, where the coordinator told one.
    pub sql_state: String,
    pub end: Option<OperationEnd>,
}

impl OperationView {
    /// Who brought its end about, in words as records have it.
    pub fn ended_by(&self) -> Option<&'static str> {
        use OperationEnd as End;
        Some(match self.end? {
            End::Closed | End::SessionClosed | End::ClientGone => "client",
            End::Cancelled => match self.cancelled_by {
                Some(Canceller::Operator) => "operator",
                Some(Canceller::OrphanPolicy) => "gateway",
                Some(Canceller::Client) | None => "client",
            },
            End::Failed | End::CoordinatorLost | End::LoginRefused | End::AnswerLost => {
                "coordinator"
            }
            End::SessionKilled | End::ConnectionKilled => "operator",
            End::Abandoned
            | End::Forgotten
            | End::GatewayStopped
            | End::NoCoordinator
            | End::UnknownSession => "gateway",
        })
    }
}
