//! HiveServer2: TCLIService with Impala's additions. One function per call; arguments and replies
//! as in the Thrift definition, whose field numbers stand here as numbers.

mod metadata;
mod rows;
mod session;

use crate::ids::Id;
use crate::sql::{ColumnInfo, Type};
use crate::state::Server;
use crate::state::connections::Connection;
use crate::state::operation::{Fetched, Operation, Phase};
use crate::state::session::Session;
use crate::texts::Fault;
use crate::thrift_io::{Call, Reply, ReplyResult, Value};
use std::sync::Arc;
use thrift::protocol::TType;

/// `TStatusCode`.
const SUCCESS: i32 = 0;
const STILL_EXECUTING: i32 = 2;
const ERROR: i32 = 3;

/// `TOperationState`.
const RUNNING_STATE: i32 = 1;
const FINISHED_STATE: i32 = 2;
const ERROR_STATE: i32 = 5;

/// One call with everything around it.
struct Exchange<'a> {
    server: &'a Arc<Server>,
    connection: &'a Connection,
    call: &'a Call,
    /// Field 1 of the arguments: the request.
    request: &'a Value,
}

/// Answers one call.
pub(crate) fn call(
    server: &Arc<Server>,
    connection: &Connection,
    call: &Call,
    reply: &mut Reply,
) -> ReplyResult {
    let Some(handler) = handler(&call.method) else {
        return reply.unknown_method(call);
    };
    let exchange = Exchange { server, connection, call, request: call.arguments.required(1)? };
    handler(&exchange, reply)
}

type Handler<'x> = fn(&Exchange<'x>, &mut Reply) -> ReplyResult;

fn handler<'x>(method: &str) -> Option<Handler<'x>> {
    Some(match method {
        "OpenSession" => Exchange::open_session,
        "CloseSession" => Exchange::close_session,
        "GetInfo" => Exchange::get_info,
        "ExecuteStatement" => Exchange::execute_statement,
        "GetTypeInfo" | "GetCatalogs" | "GetSchemas" | "GetTables" | "GetTableTypes"
        | "GetColumns" | "GetFunctions" | "GetPrimaryKeys" | "GetCrossReference" => {
            Exchange::metadata
        }
        "GetOperationStatus" => Exchange::get_operation_status,
        "CancelOperation" => Exchange::cancel_operation,
        "CloseOperation" | "CloseImpalaOperation" => Exchange::close_operation,
        "GetResultSetMetadata" => Exchange::get_result_set_metadata,
        "FetchResults" => Exchange::fetch_results,
        "GetLog" => Exchange::get_log,
        "GetExecSummary" => Exchange::get_exec_summary,
        "GetRuntimeProfile" => Exchange::get_runtime_profile,
        "PingImpalaHS2Service" => Exchange::ping,
        "GetDelegationToken" | "CancelDelegationToken" | "RenewDelegationToken" => {
            Exchange::not_implemented
        }
        _ => return None,
    })
}

/// Field 1 of every reply.
fn status(out: &mut Reply, fault: Option<&Fault>) -> ReplyResult {
    out.structure(1, |out| match fault {
        None => out.i32(1, SUCCESS),
        Some(fault) => {
            out.i32(1, ERROR)?;
            if let Some(state) = fault.state {
                out.text(3, state)?;
            }
            out.text(5, &fault.message)
        }
    })
}

impl Exchange<'_> {
    /// A reply: the result struct at field 0, the status in it, then the rest.
    fn reply(
        &self,
        reply: &mut Reply,
        fault: Option<&Fault>,
        rest: impl FnOnce(&mut Reply) -> ReplyResult,
    ) -> ReplyResult {
        reply.message(self.call, |out| {
            out.structure(0, |out| {
                status(out, fault)?;
                rest(out)
            })
        })
    }

    fn fail(&self, reply: &mut Reply, fault: &Fault) -> ReplyResult {
        self.reply(reply, Some(fault), |_| Ok(()))
    }

    fn not_implemented(&self, reply: &mut Reply) -> ReplyResult {
        self.fail(reply, &Fault::not_implemented())
    }

    /// The session of the request's first field.
    fn session(&self) -> thrift::Result<Result<Arc<Session>, Fault>> {
        self.server.session_of_handle(self.connection, self.request.required(1)?)
    }

    /// The operation of the request's first field.
    fn operation(&self) -> thrift::Result<Result<Arc<Operation>, Fault>> {
        self.server.operation_of_handle(self.connection, self.request.required(1)?)
    }

    fn execute_statement(&self, reply: &mut Reply) -> ReplyResult {
        let statement =
            self.request.required(2).map(|_| self.request.text(2).unwrap_or_default())?;
        if let Err(fault) = self.server.refuse_when_draining() {
            return self.fail(reply, &fault);
        }
        let session = match self.session()? {
            Ok(session) => session,
            Err(fault) => return self.fail(reply, &fault),
        };
        match self.server.execute(&session, &statement, &self.request.text_map(3)) {
            Ok(operation) => self.reply(reply, None, |out| operation_handle(out, 2, &operation)),
            Err(refused) => self.fail(reply, &Fault::of_query(refused.id, &refused.text)),
        }
    }

    fn get_operation_status(&self, reply: &mut Reply) -> ReplyResult {
        let identifier = self.request.required(1)?.required(1)?;
        // Impala answers this one without looking: "no operation" has finished.
        if identifier.bytes(1).is_some_and(<[u8]>::is_empty) {
            return self.reply(reply, None, |out| out.i32(2, FINISHED_STATE));
        }
        let operation = match self.operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.reply(reply, Some(&fault), |out| out.i32(2, ERROR_STATE)),
        };
        let phase = operation.wait(operation.limits.long_polling);
        self.reply(reply, None, |out| {
            out.i32(
                2,
                match &phase {
                    Phase::Running => RUNNING_STATE,
                    Phase::Finished => FINISHED_STATE,
                    Phase::Failed(_) => ERROR_STATE,
                },
            )?;
            if let Phase::Failed(text) = &phase {
                let fault = Fault::of_query(operation.id, text);
                out.text(3, crate::texts::GENERAL)?;
                out.text(5, &fault.message)?;
            }
            Ok(())
        })
    }

    fn cancel_operation(&self, reply: &mut Reply) -> ReplyResult {
        match self.operation()? {
            Ok(operation) => {
                operation.stop("Cancelled");
                self.reply(reply, None, |_| Ok(()))
            }
            Err(fault) => self.fail(reply, &fault),
        }
    }

    /// CloseOperation, and CloseImpalaOperation, which also tells what a DML statement wrote.
    fn close_operation(&self, reply: &mut Reply) -> ReplyResult {
        let operation = match self.operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.fail(reply, &fault),
        };
        let with_result = self.call.method == "CloseImpalaOperation" && operation.kind == "DML";
        // Closing a statement that still runs cancels it, as in impalad; then there are no rows to
        // tell.
        let written = operation.rows_written();
        if !self.server.close_operation(&operation) {
            return self.fail(reply, &Fault::unknown_query(operation.id));
        }
        self.reply(reply, None, |out| match written {
            Some(rows) if with_result => out.structure(2, |out| out.count_map(1, &[("", rows)])),
            _ => Ok(()),
        })
    }

    fn get_result_set_metadata(&self, reply: &mut Reply) -> ReplyResult {
        let operation = match self.operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.fail(reply, &fault),
        };
        let columns = operation.wait_columns();
        self.reply(reply, None, |out| match &columns {
            Some(columns) => out.structure(2, |out| table_schema(out, columns)),
            None => Ok(()),
        })
    }

    fn fetch_results(&self, reply: &mut Reply) -> ReplyResult {
        let operation = match self.operation()? {
            Ok(operation) => operation,
            Err(fault) => return self.fail(reply, &fault),
        };
        match self.request.i32(2).unwrap_or(0) {
            0 => {}
            4 if operation.rows_fetched() == 0 => {}
            4 => {
                let text = "Restarting of fetch requires enabling of query result caching.";
                return self.fail(reply, &Fault::of_query(operation.id, text));
            }
            _ => return self.fail(reply, &Fault::unsupported()),
        }
        // Impala has no operation log to fetch and would take rows of the result; see README.md,
        // "Where it differs".
        let log_only = matches!(self.request.get(4), Some(Value::I16(1)));
        let wanted = if log_only { 0 } else { self.request.i64(3).unwrap_or(0) };
        let fetched =
            operation.fetch(usize::try_from(wanted).unwrap_or(0), operation.limits.fetch_timeout);
        let protocol = operation.session.protocol;
        match fetched {
            _ if log_only => self.reply(reply, None, |out| {
                out.bool(2, false)?;
                out.structure(3, |out| rows::write(out, protocol, &[], &[], 0))
            }),
            Fetched::Failed(text) => {
                self.server.close_operation(&operation);
                self.fail(reply, &Fault::of_query(operation.id, &text))
            }
            Fetched::NotYet => reply.message(self.call, |out| {
                out.structure(0, |out| {
                    out.structure(1, |out| out.i32(1, STILL_EXECUTING))?;
                    out.bool(2, true)
                })
            }),
            Fetched::Rows { pieces, start, more } => {
                let columns = operation.wait_columns().unwrap_or_else(|| Arc::from([]));
                self.reply(reply, None, |out| {
                    out.bool(2, more)?;
                    out.structure(3, |out| rows::write(out, protocol, &columns, &pieces, start))
                })
            }
        }
    }

    fn get_log(&self, reply: &mut Reply) -> ReplyResult {
        match self.operation()? {
            Ok(operation) => {
                let text = match operation.phase() {
                    Phase::Failed(text) => format!("Query {} failed:\n{text}\n\n", operation.id),
                    _ => String::new(),
                };
                self.reply(reply, None, |out| out.text(2, &text))
            }
            // The field is required: a client that misses it hangs.
            Err(fault) => self.reply(reply, Some(&fault), |out| out.text(2, "")),
        }
    }

    fn get_exec_summary(&self, reply: &mut Reply) -> ReplyResult {
        match self.ended_operation()? {
            Ok(summary) => self.reply(reply, None, |out| {
                out.structure(2, |out| out.i32(1, crate::profile::exec_state(&summary.phase)))
            }),
            Err(fault) => self.fail(reply, &fault),
        }
    }

    fn get_runtime_profile(&self, reply: &mut Reply) -> ReplyResult {
        let summary = match self.ended_operation()? {
            Ok(summary) => summary,
            Err(fault) => return self.fail(reply, &fault),
        };
        match self.request.i32(3).unwrap_or(0) {
            0 => {
                let profile = crate::profile::text(&summary, self.server);
                self.reply(reply, None, |out| out.text(2, &profile))
            }
            _ => self.fail(reply, &Fault::unsupported()),
        }
    }

    /// The operation of a call that works after the operation was closed: it names the session as
    /// well.
    fn ended_operation(&self) -> thrift::Result<Result<crate::state::operation::Summary, Fault>> {
        let session = self.server.session_of_handle(self.connection, self.request.required(2)?)?;
        if let Err(fault) = session {
            return Ok(Err(fault));
        }
        let ids = crate::state::handle_ids(self.request.required(1)?.required(1)?)?;
        Ok(ids
            .and_then(|(id, _)| self.server.summary(id).ok_or_else(|| Fault::query_not_found(id))))
    }

    fn ping(&self, reply: &mut Reply) -> ReplyResult {
        if let Err(fault) = self.session()? {
            return self.fail(reply, &fault);
        }
        let nanoseconds = i64::try_from(self.server.started_tick.elapsed().as_nanos()).unwrap_or(0);
        self.reply(reply, None, |out| {
            out.text(2, &self.server.version)?;
            out.text(3, &self.server.web_url())?;
            out.i64(4, nanoseconds)
        })
    }
}

/// A TOperationHandle. The secret is the session's: Impala's operations inherit it.
fn operation_handle(out: &mut Reply, field: i16, operation: &Operation) -> ReplyResult {
    handle(
        out,
        field,
        operation.id.bytes(),
        operation.session.secret.bytes(),
        operation.operation_type,
        operation.has_result_set,
    )
}

fn handle(
    out: &mut Reply,
    field: i16,
    guid: &[u8],
    secret: &[u8],
    operation_type: i32,
    has_result_set: bool,
) -> ReplyResult {
    out.structure(field, |out| {
        identifier(out, guid, secret)?;
        out.i32(2, operation_type)?;
        out.bool(3, has_result_set)
    })
}

/// A THandleIdentifier as field 1.
fn identifier(out: &mut Reply, guid: &[u8], secret: &[u8]) -> ReplyResult {
    out.structure(1, |out| {
        out.bytes(1, guid)?;
        out.bytes(2, secret)
    })
}

fn table_schema(out: &mut Reply, columns: &[ColumnInfo]) -> ReplyResult {
    out.list(1, TType::Struct, columns.len(), |out| {
        for (i, column) in columns.iter().enumerate() {
            out.elements_struct(|out| {
                out.text(1, &column.name)?;
                out.structure(2, |out| type_description(out, column.kind))?;
                out.i32(3, i32::try_from(i).unwrap_or(i32::MAX))
            })?;
        }
        Ok(())
    })
}

fn type_description(out: &mut Reply, kind: Type) -> ReplyResult {
    out.list(1, TType::Struct, 1, |out| {
        out.elements_struct(|out| {
            out.structure(1, |out| {
                out.i32(1, kind.hs2_id())?;
                match kind {
                    Type::Decimal { precision, scale } => {
                        qualifiers(out, &[("precision", precision.into()), ("scale", scale.into())])
                    }
                    Type::Varchar(length) | Type::Char(length) => {
                        let length = i32::try_from(length).unwrap_or(i32::MAX);
                        qualifiers(out, &[("characterMaximumLength", length)])
                    }
                    _ => Ok(()),
                }
            })
        })
    })
}

/// TTypeQualifiers: a map from names to a union, here always its i32.
fn qualifiers(out: &mut Reply, pairs: &[(&str, i32)]) -> ReplyResult {
    out.structure(2, |out| out.i32_union_map(1, pairs))
}

/// For metadata calls that failed: an empty handle beside the status, as Impala sends it.
fn empty_operation_handle(out: &mut Reply, field: i16, operation_type: i32) -> ReplyResult {
    handle(out, field, b"", b"", operation_type, false)
}

/// For the session part: a TSessionHandle.
fn session_handle(out: &mut Reply, field: i16, id: Id, secret: Id) -> ReplyResult {
    out.structure(field, |out| identifier(out, id.bytes(), secret.bytes()))
}
