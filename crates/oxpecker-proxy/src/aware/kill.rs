//! Ending what clients have open, for an operator or by policy.

use std::sync::Arc;

use oxpecker_wire::errand as call;
use oxpecker_wire::scan::handle::Id;
use oxpecker_wire::scan::method::Dialect;

use super::errand::{self, Answer, ErrandError};
use super::registry::{Canceller, Operation, OperationEnd, Session};
use crate::state::Shared;

/// What a kill came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// The coordinator has done it; the client reads of it in the answer to its next call.
    Done,
    /// There was nothing to end any more.
    Over,
}

/// Why something could not be killed. It goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    #[error("there is no {kind} `{id}`")]
    Unknown { kind: &'static str, id: String },
    #[error(transparent)]
    Errand(#[from] ErrandError),
}

/// Cancels the operation with this id, as Impala prints it.
pub(crate) async fn operation(shared: &Shared, id: &str) -> Result<Killed, KillError> {
    let found = Id::parse(id.trim().as_bytes()).and_then(|id| shared.sessions.operation(id));
    let found = found.ok_or_else(|| unknown("operation", id))?;
    if found.is_over() {
        return Ok(Killed::Over);
    }
    Ok(cancel(shared, &found, Canceller::Operator).await?)
}

/// Closes the session with this id, and all that it has open.
pub(crate) async fn session(shared: &Shared, id: &str) -> Result<Killed, KillError> {
    let found = Id::parse(id.trim().as_bytes()).and_then(|id| shared.sessions.session(id));
    let found = found.ok_or_else(|| unknown("session", id))?;
    Ok(close(shared, &found, OperationEnd::SessionKilled).await?)
}

fn unknown(kind: &'static str, id: &str) -> KillError {
    KillError::Unknown { kind, id: id.to_owned() }
}

/// The coordinator cancels it; it stays open until its client closes it.
pub(super) async fn cancel(
    shared: &Shared,
    operation: &Arc<Operation>,
    by: Canceller,
) -> Result<Killed, ErrandError> {
    let (dialect, call) = match (operation.session.id, operation.secret) {
        (None, _) => (Dialect::Beeswax, call::cancel_query(operation.id)),
        (Some(_), Some(secret)) => {
            (Dialect::Hs2, call::cancel_operation(operation.id, secret.bytes()))
        }
        (Some(_), None) => return Err(ErrandError::NoSecret),
    };
    // Before the client reads of it, and perhaps closes it.
    let is_first = operation.cancel(by);
    match errand::run(shared, &operation.session, dialect, &call).await {
        Ok(Answer::Done) => Ok(Killed::Done),
        Ok(Answer::Unknown) => {
            shared.sessions.ended(operation, OperationEnd::Closed);
            Ok(Killed::Over)
        }
        Err(error) => {
            if is_first {
                operation.not_cancelled();
            }
            Err(error)
        }
    }
}

pub(super) async fn close(
    shared: &Shared,
    session: &Arc<Session>,
    end: OperationEnd,
) -> Result<Killed, ErrandError> {
    let (Some(id), Some(secret)) = (session.id, session.secret()) else {
        return Err(ErrandError::NoSecret);
    };
    let call = call::close_session(id, secret.bytes());
    let answer = errand::run(shared, session, Dialect::Hs2, &call).await?;
    shared.sessions.closed(session, end);
    Ok(match answer {
        Answer::Done => Killed::Done,
        Answer::Unknown => Killed::Over,
    })
}
