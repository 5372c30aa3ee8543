//! The query record: one line of JSON for each operation when it is over.

use jiff::Timestamp;
use oxpecker_config::model::Statements;
use serde_json::json;

use super::registry::{Canceller, Operation, OperationEnd, OperationView};

/// The record's line. `view` is of `operation`.
pub(super) fn line(view: &OperationView, operation: &Operation, shows: Statements) -> String {
    let after = |duration: std::time::Duration| -> Option<Timestamp> {
        view.began.checked_add(duration).ok()
    };
    let shown = |time: Option<Timestamp>| time.map(|time| format!("{time:.3}"));
    let millis = |duration: std::time::Duration| duration.as_millis() as u64;
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let statement = match shows {
        Statements::Off => None,
        Statements::Redacted => known(&view.statement),
        // Begun before a reload: only the other is there.
        Statements::Full => known(operation.asked.full.as_deref().unwrap_or(&view.statement)),
    };
    json!({
        "record": "query",
        "query_id": known(&view.id),
        "session_id": known(&view.session),
        "virtual": view.virtual_server,
        "pool": view.pool,
        "coordinator": known(&view.coordinator),
        "user": view.user,
        "do_as": known(&view.do_as),
        "client": view.client,
        "method": view.method,
        "statement": statement,
        "statement_bytes": view.statement_bytes,
        "digest": format!("{:016x}", view.digest),
        "opened": shown(Some(view.began)),
        "first_row": shown(view.first_row.and_then(after)),
        "last_row": shown(view.last_row.and_then(after)),
        "closed": shown(after(view.age)),
        "first_row_ms": view.first_row.map(millis),
        "last_row_ms": view.last_row.map(millis),
        "total_ms": millis(view.age),
        "rows": view.rows,
        "rows_written": view.rows_written,
        "bytes_down": view.bytes,
        "end": view.end.map(OperationEnd::words),
        "ended_by": view.ended_by(),
        "cancelled": view.cancelled,
        "cancelled_by": view.cancelled_by.map(Canceller::words),
        "sql_state": known(&view.sql_state),
    })
    .to_string()
}
