//! What can be said about a query afterwards: a profile in Impala's form, with what a stand-in
//! knows.

use crate::clock;
use crate::state::Server;
use crate::state::operation::{Phase, Summary};
use std::time::SystemTime;

/// `TExecState`.
pub(crate) fn exec_state(phase: &Phase) -> i32 {
    match phase {
        Phase::Running => 3,
        Phase::Finished => 4,
        Phase::Failed(_) => 6,
    }
}

/// The runtime profile as text.
pub(crate) fn text(summary: &Summary, server: &Server) -> String {
    let ended = summary.ended.unwrap_or_else(SystemTime::now);
    let time = ended.duration_since(summary.started).unwrap_or_default();
    let status = match &summary.phase {
        Phase::Failed(text) => text.as_str(),
        _ => "OK",
    };
    format!(
        "Query (id={}):\n  Summary:\n    Session ID: {}\n    Session Type: {}\n    Start Time: {}\n    \
         End Time: {}\n    Duration: {}\n    Query Type: {}\n    Query State: {}\n    Query Status: {status}\n    \
         Impala Version: {}\n    User: {}\n    Connected User: {}\n    Delegated User: {}\n    \
         Network Address: {}\n    Default Db: {}\n    Sql Statement: {}\n    Coordinator: {}:{}\n    \
         Rows Fetched: {} ({})\n",
        summary.id,
        summary.session_id,
        summary.session_kind,
        clock::timestamp(summary.started),
        clock::timestamp(ended),
        clock::duration(time),
        summary.kind,
        summary.phase.name(),
        server.version,
        summary.user,
        summary.connected_user,
        if summary.user == summary.connected_user { "" } else { summary.user.as_str() },
        summary.peer,
        summary.database,
        summary.statement,
        server.host,
        server.options.krpc_port,
        summary.rows_fetched,
        summary.rows_fetched,
    )
}
