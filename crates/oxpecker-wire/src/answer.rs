//! Answers that a gateway gives in a coordinator's place, in the words that clients recover from.
//! Source: docs/impala.md, "Error texts".
//!
//! Hue opens a new session when it reads `Invalid session`; impala-shell knows `Invalid or unknown
//! query handle`. So the texts are Impala's, to the line feed.

use crate::scan::Method;
use crate::scan::handle::{Handle, Id};
use crate::scan::header::Header;
use crate::scan::method::{Dialect, Names};
use crate::thrift::{MessageKind, Writer};

/// SQLSTATE of nearly everything.
pub const GENERAL: &str = "HY000";
/// SQLSTATE of what happened to the connection behind a call.
pub const LINK_FAILURE: &str = "08S01";

const ERROR_STATUS: i32 = 3;
const ERROR_STATE: i32 = 5;
/// `TApplicationException.type`: nothing more precise is known.
const UNKNOWN_EXCEPTION: i32 = 0;

/// Impala's text for a session that its coordinator does not know.
pub fn invalid_session(id: Id) -> String {
    format!("Invalid session id: {id}\n")
}

/// Impala's text, since 4.5, for an operation that its coordinator does not know.
pub fn unknown_query(id: Id) -> String {
    format!("Query {id} failed:\nInvalid or unknown query handle: {id}.\n\n")
}

/// Impala's text for a handle whose parts have not 16 bytes each.
pub fn malformed_handle(handle: &Handle) -> String {
    let (guid, secret) = handle.lengths();
    format!(
        "Malformed THandleIdentifier (guid size: {guid}, expected 16, secret size: {secret}, expected 16)\n"
    )
}

/// The coordinator refuses new work because it leaves.
pub fn is_shutting_down(error: &[u8]) -> bool {
    contains(error, b"Server is being shut down")
}

/// The coordinator does not know the handle, in the words of Impala or of Hive.
pub fn is_unknown_handle(error: &[u8]) -> bool {
    [
        &b"Invalid session id"[..],
        b"Invalid or unknown query handle",
        b"Query id ",
        b"Invalid SessionHandle",
        b"Invalid OperationHandle",
        b"Invalid query handle",
        b"Session does not exist",
    ]
    .iter()
    .any(|text| contains(error, text))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Tells the caller of `header` that its call failed. A whole message, without any framing.
pub fn failure(dialect: Dialect, header: &Header, sql_state: &str, message: &str) -> Vec<u8> {
    let method = header.method(dialect);
    match (dialect, method.names(dialect)) {
        (Dialect::Hs2, Names::Unknown) => exception(header, message),
        (Dialect::Hs2, _) => hs2_failure(method, header, sql_state, message),
        (Dialect::Beeswax, _) => beeswax_failure(method, header, sql_state, message),
    }
}

fn hs2_failure(method: Method, header: &Header, sql_state: &str, message: &str) -> Vec<u8> {
    let mut reply = Writer::answer(MessageKind::Reply, header.name(), header.sequence);
    reply.field_struct(0).field_struct(1).field_i32(1, ERROR_STATUS);
    reply.field_binary(3, sql_state.as_bytes()).field_binary(5, message.as_bytes()).stop();
    // Clients hang when a field that the definition calls required is missing.
    match method {
        Method::OpenSession => drop(reply.field_i32(2, crate::hs2::PROTOCOL_V6)),
        Method::GetInfo => drop(reply.field_struct(2).field_binary(1, b"").stop()),
        Method::GetLog => drop(reply.field_binary(2, b"")),
        Method::GetOperationStatus => drop(reply.field_i32(2, ERROR_STATE)),
        _ => {}
    }
    reply.stop().stop();
    reply.finish()
}

fn beeswax_failure(method: Method, header: &Header, sql_state: &str, message: &str) -> Vec<u8> {
    // Where the method declares its BeeswaxException; some declare none.
    let field = match method {
        Method::query | Method::executeAndWait | Method::explain => 1,
        Method::Cancel | Method::GetRuntimeProfile => 1,
        Method::fetch | Method::close | Method::GetExecSummary | Method::CloseInsert => 2,
        _ => return exception(header, message),
    };
    let mut reply = Writer::answer(MessageKind::Reply, header.name(), header.sequence);
    reply.field_struct(field).field_binary(1, message.as_bytes()).field_i32(4, 0);
    reply.field_binary(5, sql_state.as_bytes()).stop().stop();
    reply.finish()
}

fn exception(header: &Header, message: &str) -> Vec<u8> {
    let mut reply = Writer::answer(MessageKind::Exception, header.name(), header.sequence);
    reply.field_binary(1, message.as_bytes()).field_i32(2, UNKNOWN_EXCEPTION).stop();
    reply.finish()
}

/// `TGetInfoType.CLI_DBMS_NAME`: impalad looks for the session before it tells. Spark does not; but
/// anything else that could be asked there ends the connection, and with it the client's sessions.
const DBMS_NAME: i32 = 17;

/// Harmless questions that tell whether a coordinator knows a handle, in the order to ask them: the
/// next one if a coordinator says only that it shuts down.
///
/// A session is asked for with `GetInfo`, which Impala refuses on its way out before it looks at
/// the handle; then with its ping, at which other servers end the connection.
pub fn questions(names: Names, id: Id, secret: &[u8]) -> Vec<Vec<u8>> {
    let handle = |method: &str| {
        let mut call = Writer::call(method);
        call.field_struct(1).field_struct(1).field_struct(1);
        call.field_binary(1, &id.0).field_binary(2, secret).stop();
        call
    };
    let end = |mut call: Writer| {
        call.stop().stop();
        call.finish()
    };
    if matches!(names, Names::Operation | Names::OperationAndSession) {
        let mut call = handle("GetOperationStatus");
        call.field_i32(2, 0).field_bool(3, false).stop();
        return vec![end(call)];
    }
    let (mut info, mut ping) = (handle("GetInfo"), handle(crate::hs2::PING));
    info.stop().field_i32(2, DBMS_NAME);
    ping.stop();
    vec![end(info), end(ping)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::header::HeaderScanner;
    use crate::scan::{CallScanner, Progress};

    #[track_caller]
    fn header(name: &str, sequence: u8) -> Header {
        let mut bytes = b"\x80\x01\0\x01\0\0\0".to_vec();
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&[0, 0, 0, sequence]);
        HeaderScanner::default().feed(&bytes).unwrap().1.unwrap()
    }

    /// docs/impala.md, "Worked bytes".
    #[test]
    fn a_failed_statement_is_the_worked_one() {
        let id = Id::parse(b"7766554433221100:ffeeddccbbaa9988").unwrap();
        let header = header("ExecuteStatement", 0);
        let reply = failure(Dialect::Hs2, &header, GENERAL, &invalid_session(id));
        let worked =
            b"\x80\x01\0\x02\0\0\0\x10ExecuteStatement\0\0\0\0\x0c\0\0\x0c\0\x01\x08\0\x01\
            \0\0\0\x03\x0b\0\x03\0\0\0\x05HY000\x0b\0\x05\0\0\0\x36Invalid session id: \
            7766554433221100:ffeeddccbbaa9988\n\0\0\0";
        assert_eq!(reply, worked);
    }

    #[track_caller]
    fn check_questions(names: Names, methods: &[&str]) {
        let (id, secret) = (Id([7; 16]), [9; 16]);
        let asked: Vec<_> = questions(names, id, &secret)
            .iter()
            .map(|message| {
                let mut calls = CallScanner::new(Dialect::Hs2);
                let (mut used, mut progress) = calls.feed(message).unwrap();
                if progress == Progress::Head {
                    let (more, after) = calls.feed(&message[used..]).unwrap();
                    (used, progress) = (used + more, after);
                }
                assert_eq!((used, progress), (message.len(), Progress::End));
                let handle = calls.call().handle().unwrap();
                assert_eq!((handle.id(), handle.secret()), (Some(id), Some(&secret[..])));
                calls.call().method().name().unwrap()
            })
            .collect();
        assert_eq!(asked, methods);
    }

    #[test]
    fn questions_carry_the_handle() {
        check_questions(Names::Session, &["GetInfo", "PingImpalaHS2Service"]);
        check_questions(Names::Operation, &["GetOperationStatus"]);
    }

    #[test]
    fn a_failed_beeswax_query_is_the_worked_one() {
        let reply = failure(Dialect::Beeswax, &header("query", 3), GENERAL, "no");
        let worked = b"\x80\x01\0\x02\0\0\0\x05query\0\0\0\x03\x0c\0\x01\x0b\0\x01\0\0\0\x02no\
            \x08\0\x04\0\0\0\0\x0b\0\x05\0\0\0\x05HY000\0\0";
        assert_eq!(reply, worked);
    }

    #[test]
    fn an_undeclared_failure_is_an_exception() {
        for (dialect, name) in [(Dialect::Hs2, "Foo"), (Dialect::Beeswax, "get_state")] {
            let reply = failure(dialect, &header(name, 0), GENERAL, "no");
            assert_eq!(reply[3], MessageKind::Exception as u8);
        }
    }
}
