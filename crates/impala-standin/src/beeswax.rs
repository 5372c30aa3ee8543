//! Beeswax: the older service. There is no session handle: the session is the connection, and
//! queries are named by the text of their id. Cancel and close may come over any connection.

use crate::ids::Id;
use crate::query_options;
use crate::state::Server;
use crate::state::connections::Connection;
use crate::state::operation::{Fetched, Operation, Phase, Summary};
use crate::state::session::Session;
use crate::texts::{Fault, GENERAL, NOT_OFFERED, SYNTAX};
use crate::thrift_io::{Call, Reply, ReplyResult, Value};
use std::sync::Arc;
use thrift::ApplicationErrorKind;
use thrift::protocol::{TOutputProtocol, TType};

/// `QueryState`.
const RUNNING: i32 = 3;
const FINISHED: i32 = 4;
const EXCEPTION: i32 = 5;

struct Exchange<'a> {
    server: &'a Arc<Server>,
    connection: &'a Connection,
    session: &'a Arc<Session>,
    call: &'a Call,
}

/// Answers one call.
pub(crate) fn call(
    server: &Arc<Server>,
    connection: &Connection,
    session: &Arc<Session>,
    call: &Call,
    reply: &mut Reply,
) -> ReplyResult {
    let exchange = Exchange { server, connection, session, call };
    let arguments = &call.arguments;
    match call.method.as_str() {
        "query" | "executeAndWait" => exchange.query(reply),
        "explain" => exchange.explain(reply),
        "fetch" => exchange.fetch(reply),
        "get_state" => exchange.get_state(reply),
        "get_results_metadata" => exchange.get_results_metadata(reply),
        "get_log" => exchange.get_log(reply),
        "close" | "CloseInsert" => exchange.close(reply),
        "Cancel" => exchange.cancel(reply),
        "GetRuntimeProfile" => exchange.profile(reply),
        "GetExecSummary" => exchange.summary(reply),
        "clean" => reply.message(call, |_| Ok(())),
        "echo" => {
            let text = arguments.text(1).unwrap_or_default();
            reply.message(call, |out| out.text(0, &text))
        }
        "dump_config" => reply.message(call, |out| out.text(0, "")),
        "get_default_configuration" => exchange.default_configuration(reply),
        "PingImpalaService" => reply.message(call, |out| {
            out.structure(0, |out| {
                out.text(1, &server.version)?;
                out.text(2, &server.web_url())
            })
        }),
        "ResetCatalog" | "ResetTable" => reply.message(call, |out| {
            out.structure(0, |out| {
                out.structure(1, |out| {
                    out.i32(1, 1)?;
                    out.text_list(
                        2,
                        &["Not supported: use INVALIDATE METADATA or REFRESH\n".into()],
                    )
                })
            })
        }),
        _ => reply.unknown_method(call),
    }
}

/// The field of the result struct that holds a BeeswaxException; 0 where none is declared.
fn exception_field(method: &str) -> i16 {
    match method {
        "fetch" | "close" | "CloseInsert" | "GetExecSummary" => 2,
        "get_state" | "get_results_metadata" | "get_log" => 0,
        _ => 1,
    }
}

impl Exchange<'_> {
    fn raise(&self, reply: &mut Reply, fault: &Fault) -> ReplyResult {
        let field = exception_field(&self.call.method);
        if field == 0 {
            let text = format!(
                "TException - service has thrown: BeeswaxException(message={})",
                fault.message
            );
            return reply.exception(self.call, ApplicationErrorKind::Unknown, text);
        }
        reply.message(self.call, |out| {
            out.structure(field, |out| {
                out.text(1, &fault.message)?;
                out.text(2, "")?;
                out.structure(3, |out| {
                    out.text(1, "")?;
                    out.text(2, "")
                })?;
                out.i32(4, 0)?;
                out.text(5, fault.state.unwrap_or(GENERAL))
            })
        })
    }

    fn query_handle(&self, reply: &mut Reply, id: Id, log_context: &str) -> ReplyResult {
        reply.message(self.call, |out| {
            out.structure(0, |out| {
                out.text(1, &id.to_string())?;
                out.text(2, log_context)
            })
        })
    }

    /// Takes over the user of the first query where nobody logged in, and checks that the session
    /// is usable.
    fn prepare(&self, query: &Value) -> Result<Vec<(String, String)>, Fault> {
        self.server.refuse_when_draining()?;
        self.session.touch(self.connection.id, None)?;
        let user = query.text(4).filter(|name| !name.is_empty());
        self.session.with(|inner| {
            if inner.user.is_empty() {
                inner.user = user.unwrap_or_else(|| "anonymous".into());
            }
        });
        let options = query.text_list(3);
        Ok(options
            .iter()
            .filter_map(|option| option.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect())
    }

    fn query(&self, reply: &mut Reply) -> ReplyResult {
        let query = self.call.arguments.required(1)?;
        let overlay = match self.prepare(query) {
            Ok(overlay) => overlay,
            Err(fault) => return self.raise(reply, &fault),
        };
        let statement = query.text(1).unwrap_or_default();
        let operation = match self.server.execute(self.session, &statement, &overlay) {
            Ok(operation) => operation,
            Err(refused) => {
                let fault = Fault::of_query(refused.id, &refused.text);
                return self.raise(reply, &Fault { state: Some(SYNTAX), ..fault });
            }
        };
        let id = operation.id.to_string();
        if self.call.method == "query" {
            return self.query_handle(reply, operation.id, &id);
        }
        if let Phase::Failed(text) = operation.wait_finished() {
            self.server.close_operation(&operation);
            return self.raise(reply, &Fault::of_query(operation.id, &text));
        }
        let context = self.call.arguments.text(2).filter(|context| !context.is_empty());
        self.query_handle(reply, operation.id, &context.unwrap_or(id))
    }

    fn explain(&self, reply: &mut Reply) -> ReplyResult {
        let query = self.call.arguments.required(1)?;
        let prepared = self.prepare(query).and_then(|overlay| {
            let statement = format!("explain {}", query.text(1).unwrap_or_default());
            let executed = self.server.execute(self.session, &statement, &overlay);
            executed.map_err(|refused| Fault {
                state: Some(SYNTAX),
                ..Fault::of_query(refused.id, &refused.text)
            })
        });
        let operation = match prepared {
            Ok(operation) => operation,
            Err(fault) => return self.raise(reply, &fault),
        };
        let lines = match operation.fetch(1000, operation.limits.fetch_timeout) {
            Fetched::Rows { pieces, .. } => print(&pieces),
            _ => Vec::new(),
        };
        self.server.close_operation(&operation);
        let text = String::from_utf8_lossy(&lines.join(&b'\n')).into_owned();
        reply.message(self.call, |out| out.structure(0, |out| out.text(1, &text)))
    }

    /// The operation a QueryHandle names, whoever asks.
    fn any_operation(&self) -> thrift::Result<Result<Arc<Operation>, Fault>> {
        let text = match self.call.method.as_str() {
            "get_log" => self.call.arguments.text(1),
            _ => self.call.arguments.required(1)?.text(1),
        };
        let id = Id::parse(&text.unwrap_or_default()).unwrap_or(Id::ZERO);
        Ok(self.server.operation(id).ok_or_else(|| Fault::unknown_query(id)))
    }

    /// The same for calls that only the same user may make.
    fn operation(&self) -> thrift::Result<Result<Arc<Operation>, Fault>> {
        let operation = self.any_operation()?;
        Ok(operation.and_then(|operation| {
            self.session.touch(self.connection.id, None)?;
            let user = self.session.effective_user();
            if user.is_empty() || operation.user == user {
                Ok(operation)
            } else {
                Err(Fault::other_user(&user, &operation.user))
            }
        }))
    }

    fn fetch(&self, reply: &mut Reply) -> ReplyResult {
        let operation = match self.operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.raise(reply, &fault),
        };
        if self.call.arguments.bool(2) == Some(true) {
            let message = "Does not support start over".into();
            return self.raise(reply, &Fault { state: Some(NOT_OFFERED), message });
        }
        let rows_max = usize::try_from(self.call.arguments.i32(3).unwrap_or(0)).unwrap_or(0);
        let fetched = operation.fetch(rows_max, operation.limits.fetch_timeout);
        let (lines, start, more, ready) = match fetched {
            Fetched::Rows { pieces, start, more } => (print(&pieces), start, more, true),
            Fetched::NotYet => (Vec::new(), operation.rows_fetched(), true, false),
            Fetched::Failed(text) => {
                self.server.close_operation(&operation);
                return self.raise(reply, &Fault::of_query(operation.id, &text));
            }
        };
        let columns = if ready { operation.wait_columns() } else { None };
        let names: Vec<_> = columns.iter().flat_map(|c| c.iter()).map(|c| c.name.clone()).collect();
        reply.message(self.call, |out| {
            out.structure(0, |out| {
                out.bool(1, ready)?;
                out.text_list(2, &names)?;
                out.list(3, TType::String, lines.len(), |out| {
                    lines.iter().try_for_each(|line| out.elements().write_bytes(line))
                })?;
                out.i64(4, start)?;
                out.bool(5, more)
            })
        })
    }

    fn get_state(&self, reply: &mut Reply) -> ReplyResult {
        match self.operation()? {
            Ok(operation) => {
                let state = match operation.wait(operation.limits.long_polling) {
                    Phase::Running => RUNNING,
                    Phase::Finished => FINISHED,
                    Phase::Failed(_) => EXCEPTION,
                };
                reply.message(self.call, |out| out.i32(0, state))
            }
            Err(fault) => self.raise(reply, &fault),
        }
    }

    fn get_results_metadata(&self, reply: &mut Reply) -> ReplyResult {
        let operation = match self.operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.raise(reply, &fault),
        };
        let columns = operation.wait_columns().unwrap_or_else(|| Arc::from([]));
        reply.message(self.call, |out| {
            out.structure(0, |out| {
                out.structure(1, |out| {
                    out.list(1, TType::Struct, columns.len(), |out| {
                        columns.iter().try_for_each(|column| {
                            out.elements_struct(|out| {
                                out.text(1, &column.name)?;
                                out.text(2, column.kind.base_name())
                            })
                        })
                    })
                })?;
                out.text(4, "\t")
            })
        })
    }

    fn get_log(&self, reply: &mut Reply) -> ReplyResult {
        match self.operation()? {
            Ok(operation) => {
                let text = match operation.phase() {
                    Phase::Failed(text) => Fault::of_query(operation.id, &text).message,
                    _ => String::new(),
                };
                reply.message(self.call, |out| out.text(0, &text))
            }
            Err(fault) => self.raise(reply, &fault),
        }
    }

    fn close(&self, reply: &mut Reply) -> ReplyResult {
        let operation = match self.any_operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.raise(reply, &fault),
        };
        let insert = self.call.method == "CloseInsert";
        if insert && let Phase::Failed(text) = operation.phase() {
            self.server.close_operation(&operation);
            return self.raise(reply, &Fault::of_query(operation.id, &text));
        }
        let written = operation.rows_written().unwrap_or(0);
        if !self.server.close_operation(&operation) {
            return self.raise(reply, &Fault::unknown_query(operation.id));
        }
        reply.message(self.call, |out| match insert {
            true => out.structure(0, |out| out.count_map(1, &[("", written)])),
            false => Ok(()),
        })
    }

    fn cancel(&self, reply: &mut Reply) -> ReplyResult {
        match self.any_operation()? {
            Ok(operation) => {
                operation.stop("Cancelled");
                reply.message(self.call, |out| out.structure(0, |out| out.i32(1, 0)))
            }
            Err(fault) => self.raise(reply, &fault),
        }
    }

    /// A query that may be closed already.
    fn ended_operation(&self) -> thrift::Result<Result<Summary, Fault>> {
        let text = self.call.arguments.required(1)?.text(1).unwrap_or_default();
        let id = Id::parse(&text).unwrap_or(Id::ZERO);
        Ok(self.server.summary(id).ok_or_else(|| Fault::query_not_found(id)))
    }

    fn profile(&self, reply: &mut Reply) -> ReplyResult {
        match self.ended_operation()? {
            Ok(summary) => {
                let text = crate::profile::text(&summary, self.server);
                reply.message(self.call, |out| out.text(0, &text))
            }
            Err(fault) => self.raise(reply, &fault),
        }
    }

    fn summary(&self, reply: &mut Reply) -> ReplyResult {
        match self.ended_operation()? {
            Ok(summary) => {
                let state = crate::profile::exec_state(&summary.phase);
                reply.message(self.call, |out| out.structure(0, |out| out.i32(1, state)))
            }
            Err(fault) => self.raise(reply, &fault),
        }
    }

    fn default_configuration(&self, reply: &mut Reply) -> ReplyResult {
        let options = query_options::ALL;
        reply.message(self.call, |out| {
            out.list(0, TType::Struct, options.len(), |out| {
                options.iter().try_for_each(|option| {
                    out.elements_struct(|out| {
                        out.text(1, option.name)?;
                        out.text(2, option.default)?;
                        out.text(3, "")?;
                        out.i32(4, option.level.number())
                    })
                })
            })
        })
    }
}

/// Rows as lines of text, columns separated by tabs.
fn print(pieces: &[crate::sql::Piece]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for piece in pieces {
        for row in piece.start..piece.end {
            let mut line = Vec::new();
            for (i, column) in piece.batch.columns.iter().enumerate() {
                if i > 0 {
                    line.push(b'\t');
                }
                column.print(row, &mut line);
            }
            lines.push(line);
        }
    }
    lines
}
