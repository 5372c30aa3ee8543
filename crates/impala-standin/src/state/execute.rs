//! From a statement to a registered operation.

use super::Server;
use super::operation::{Limits, NewOperation, Operation};
use super::session::Session;
use crate::ids::Id;
use crate::query_options::{self, Level, Settings};
use crate::sql::{self, Batch, ColumnInfo, Effect, Type, Work};
use rusqlite::types::Value;
use std::sync::Arc;
use std::time::Duration;

/// Options of a single call that are no query options.
const RESERVED: &[&str] = &["impala.resultset.cache.size"];

/// A statement that was refused: its id and why.
pub(crate) struct Refused {
    pub(crate) id: Id,
    pub(crate) text: String,
}

/// An answer that is known: columns and rows.
type Answer = (Vec<ColumnInfo>, Vec<Vec<Value>>);

impl Server {
    /// Plans a statement and starts it. `overlay` holds the options of this one call.
    pub(crate) fn execute(
        self: &Arc<Self>,
        session: &Arc<Session>,
        statement: &str,
        overlay: &[(String, String)],
    ) -> Result<Arc<Operation>, Refused> {
        let id = Id::random_query();
        let refused = |text: String| Refused { id, text: text.trim_end().to_owned() };
        self.log(|| {
            let line: String = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("query {id} session {} user {}: {line}", session.id, session.effective_user())
        });
        let mut settings = session.with(|inner| inner.settings.clone());
        for (name, value) in overlay {
            if !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
                settings.set(name, value).map_err(refused)?;
            }
        }
        let plan = sql::plan(&self.engine, &self.context(session), statement).map_err(refused)?;
        let operation = |has_result_set| NewOperation {
            id,
            session: Arc::clone(session),
            operation_type: 0,
            statement: statement.to_owned(),
            kind: plan.kind,
            has_result_set,
            limits: Limits::new(&settings),
        };
        Ok(match plan.effect {
            Effect::Query(query) => self.start(operation(true), Work::Query(query)),
            Effect::Write(write) => {
                self.start(operation(write.summary.is_some()), Work::Write(write))
            }
            effect => match self.apply(session, &settings, effect).map_err(refused)? {
                Some((columns, rows)) => self.answered(operation(true), columns, &rows),
                None => {
                    let operation = self.add_operation(Operation::new(operation(false)));
                    operation.end(Ok(()));
                    operation
                }
            },
        })
    }

    /// Registers an operation whose answer is known.
    pub(crate) fn answered(
        &self,
        new: NewOperation,
        columns: Vec<ColumnInfo>,
        rows: &[Vec<Value>],
    ) -> Arc<Operation> {
        let mut batch = Batch::new(&columns);
        for row in rows {
            batch.push(|i| row.get(i).map_or(rusqlite::types::ValueRef::Null, Into::into));
        }
        let operation = self.add_operation(Operation::new(new));
        operation.answer(columns, batch);
        operation
    }

    fn start(self: &Arc<Self>, new: NewOperation, work: Work) -> Arc<Operation> {
        let context = self.context(&new.session);
        let operation = self.add_operation(Operation::new(new));
        let (server, running) = (Arc::clone(self), Arc::clone(&operation));
        let body = move || {
            let cancel = Arc::clone(&running.cancel);
            let done = sql::run(&server.engine, context, &work, &cancel, &*running);
            match (done, &work) {
                // DDL answers with a line of text.
                (Ok(()), Work::Write(write)) if write.summary.is_some() => {
                    let text = match (write.summary.as_deref(), running.rows_written()) {
                        (Some("Inserted"), rows) => {
                            format!("Inserted {} row(s)", rows.unwrap_or(0))
                        }
                        (text, _) => text.unwrap_or_default().to_owned(),
                    };
                    let columns = vec![ColumnInfo::new("summary", Type::String)];
                    let mut batch = Batch::new(&columns);
                    batch.push(|_| rusqlite::types::ValueRef::Text(text.as_bytes()));
                    running.answer(columns, batch);
                }
                (done, _) => running.end(done),
            }
        };
        let spawned = std::thread::Builder::new().name("query".into()).spawn(body);
        if let Err(error) = spawned {
            operation.end(Err(format!("no thread for the query: {error}")));
        }
        operation
    }

    /// Statements that change the session or the server.
    fn apply(
        self: &Arc<Self>,
        session: &Session,
        settings: &Settings,
        effect: Effect,
    ) -> Result<Option<Answer>, String> {
        match effect {
            Effect::Rows { columns, rows } => return Ok(Some((columns, rows))),
            Effect::ShowOptions { all } => return Ok(Some(options(settings, all))),
            Effect::Use(database) => session.with(|inner| inner.database = database),
            Effect::SetOption(name, value) => session.with(|inner| {
                inner.settings.set(&name, &value)?;
                if name.eq_ignore_ascii_case("idle_session_timeout") {
                    inner.idle_timeout =
                        Duration::from_secs(inner.settings.number("IDLE_SESSION_TIMEOUT"));
                }
                Ok::<(), String>(())
            })?,
            Effect::Shutdown { target, deadline_seconds } => {
                let own = format!("{}:{}", self.host, self.options.krpc_port);
                if target.as_ref().is_some_and(|target| *target != own) {
                    return Err(format!(
                        "RuntimeException: the stand-in can only shut down itself, {own}"
                    ));
                }
                self.begin_drain(deadline_seconds.map(Duration::from_secs));
                let text = self.drain_status().unwrap_or_default();
                let columns = vec![ColumnInfo::new("summary", Type::String)];
                return Ok(Some((columns, vec![vec![Value::Text(text)]])));
            }
            Effect::Kill(id) => {
                let operation = Id::parse(&id).and_then(|id| self.operation(id));
                let Some(operation) = operation else {
                    return Err(format!("Could not find query on any coordinator: {id}"));
                };
                let user = session.effective_user();
                if operation.user != user {
                    return Err(format!("User '{user}' is not authorized to kill the query."));
                }
                operation.stop(&format!("Cancelled by user '{user}' using KILL QUERY"));
                let columns = vec![ColumnInfo::new("result", Type::String)];
                return Ok(Some((columns, vec![vec![Value::Text("Query killed.".into())]])));
            }
            Effect::Nothing | Effect::Query(_) | Effect::Write(_) => {}
        }
        Ok(None)
    }
}

/// The answer to SET and SET ALL.
fn options(settings: &Settings, all: bool) -> Answer {
    let names = ["option", "value", "level"];
    let columns = names.iter().map(|name| ColumnInfo::new(*name, Type::String)).collect();
    let shown = |level| all || matches!(level, Level::Regular | Level::Advanced);
    let text = |text: &str| Value::Text(text.to_owned());
    let rows = query_options::ALL
        .iter()
        .filter(|option| shown(option.level))
        .map(|option| {
            vec![text(option.name), text(settings.get(option)), text(option.level.name())]
        })
        .collect();
    (columns, rows)
}
