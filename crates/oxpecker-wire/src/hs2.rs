//! The HiveServer2 calls that probes need: OpenSession, PingImpalaHS2Service, CloseSession.
//! Source: docs/impala.md, "HiveServer2 calls" and "Worked bytes".

use std::fmt;

use crate::thrift::{Fault, Limits, ReadError, Reader, Reply, Type, Writer, read_reply};

/// `HIVE_CLI_SERVICE_PROTOCOL_V6` on the wire: what impala-shell and impyla ask for.
pub const PROTOCOL_V6: i32 = 5;
pub const OPEN_SESSION: &str = "OpenSession";
pub const CLOSE_SESSION: &str = "CloseSession";
pub const PING: &str = "PingImpalaHS2Service";

/// `TStatusCode`; Impala never sends INVALID_HANDLE, Hive may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusCode {
    Success,
    SuccessWithInfo,
    StillExecuting,
    Error,
    InvalidHandle,
    Other(i32),
}

impl StatusCode {
    fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Success,
            1 => Self::SuccessWithInfo,
            2 => Self::StillExecuting,
            3 => Self::Error,
            4 => Self::InvalidHandle,
            other => Self::Other(other),
        }
    }
}

/// `TStatus`, the first field of nearly every reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    pub code: StatusCode,
    pub sql_state: &'a [u8],
    pub error_message: &'a [u8],
}

impl Status<'_> {
    pub fn is_success(&self) -> bool {
        matches!(self.code, StatusCode::Success | StatusCode::SuccessWithInfo)
    }
}

/// Names a session. Whoever holds the secret may use it, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionHandle {
    pub guid: Vec<u8>,
    pub secret: Vec<u8>,
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionHandle {{ guid: {:02x?}, secret: *** }}", self.guid)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession<'a> {
    pub status: Status<'a>,
    /// Absent when the session was refused.
    pub session: Option<SessionHandle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping<'a> {
    pub status: Status<'a>,
    pub version: Option<&'a [u8]>,
    pub webserver_address: Option<&'a [u8]>,
}

pub fn open_session_call(user: &str) -> Vec<u8> {
    let mut call = Writer::call(OPEN_SESSION);
    call.field_struct(1).field_i32(1, PROTOCOL_V6).field_binary(2, user.as_bytes()).stop().stop();
    call.finish()
}

pub fn ping_call(session: &SessionHandle) -> Vec<u8> {
    session_call(PING, session)
}

pub fn close_session_call(session: &SessionHandle) -> Vec<u8> {
    session_call(CLOSE_SESSION, session)
}

pub fn read_open_session(
    bytes: &[u8],
    limits: Limits,
) -> Result<(Reply<'_, OpenSession<'_>>, usize), ReadError> {
    read_reply(bytes, limits, OPEN_SESSION, |reader| {
        let mut status = None;
        let mut session = None;
        while let Some((kind, id)) = reader.field()? {
            match (kind, id) {
                (Type::Struct, 1) => status = Some(read_status(reader)?),
                (Type::Struct, 3) => session = read_session_handle(reader)?,
                _ => reader.skip(kind)?,
            }
        }
        Ok(OpenSession { status: status.ok_or(Fault::FieldMissing("status"))?, session })
    })
}

pub fn read_ping(bytes: &[u8], limits: Limits) -> Result<(Reply<'_, Ping<'_>>, usize), ReadError> {
    read_reply(bytes, limits, PING, |reader| {
        let (mut status, mut version, mut webserver_address) = (None, None, None);
        while let Some((kind, id)) = reader.field()? {
            match (kind, id) {
                (Type::Struct, 1) => status = Some(read_status(reader)?),
                (Type::String, 2) => version = Some(reader.binary()?),
                (Type::String, 3) => webserver_address = Some(reader.binary()?),
                _ => reader.skip(kind)?,
            }
        }
        let status = status.ok_or(Fault::FieldMissing("status"))?;
        Ok(Ping { status, version, webserver_address })
    })
}

pub fn read_close_session(
    bytes: &[u8],
    limits: Limits,
) -> Result<(Reply<'_, Status<'_>>, usize), ReadError> {
    read_reply(bytes, limits, CLOSE_SESSION, |reader| {
        let mut status = None;
        while let Some((kind, id)) = reader.field()? {
            match (kind, id) {
                (Type::Struct, 1) => status = Some(read_status(reader)?),
                _ => reader.skip(kind)?,
            }
        }
        Ok(status.ok_or(Fault::FieldMissing("status"))?)
    })
}

/// Calls whose only argument is the session.
fn session_call(method: &str, session: &SessionHandle) -> Vec<u8> {
    let mut call = Writer::call(method);
    // Arguments, request, TSessionHandle, THandleIdentifier.
    call.field_struct(1).field_struct(1).field_struct(1);
    call.field_binary(1, &session.guid).field_binary(2, &session.secret);
    call.stop().stop().stop().stop();
    call.finish()
}

fn read_status<'a>(reader: &mut Reader<'a>) -> Result<Status<'a>, ReadError> {
    let mut code = None;
    let (mut sql_state, mut error_message): (&[u8], &[u8]) = (b"", b"");
    while let Some((kind, id)) = reader.field()? {
        match (kind, id) {
            (Type::I32, 1) => code = Some(StatusCode::from_number(reader.i32()?)),
            (Type::String, 3) => sql_state = reader.binary()?,
            (Type::String, 5) => error_message = reader.binary()?,
            _ => reader.skip(kind)?,
        }
    }
    let code = code.ok_or(Fault::FieldMissing("statusCode"))?;
    Ok(Status { code, sql_state, error_message })
}

fn read_session_handle(reader: &mut Reader<'_>) -> Result<Option<SessionHandle>, ReadError> {
    let mut handle = None;
    while let Some((kind, id)) = reader.field()? {
        match (kind, id) {
            (Type::Struct, 1) => {
                let (mut guid, mut secret) = (None, None);
                while let Some((kind, id)) = reader.field()? {
                    match (kind, id) {
                        (Type::String, 1) => guid = Some(reader.binary()?.to_vec()),
                        (Type::String, 2) => secret = Some(reader.binary()?.to_vec()),
                        _ => reader.skip(kind)?,
                    }
                }
                handle = guid.zip(secret).map(|(guid, secret)| SessionHandle { guid, secret });
            }
            _ => reader.skip(kind)?,
        }
    }
    Ok(handle)
}

#[cfg(test)]
mod tests;
