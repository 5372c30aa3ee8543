//! Replies: how it went, the handles they give out, and how many rows pass.

use super::call::Call;
use super::handle::Handle;
use super::header::{Header, HeaderScanner};
use super::method::{Dialect, Method};
use super::text::Window;
use super::walker::{ELEMENT, Path, Scalar, Visitor, Walker, path};
use super::{Fault, Progress};
use crate::thrift::MessageKind;

/// Impala's longest texts are a few hundred bytes; a stack trace of Hive's is cut.
pub const ERROR_BYTES_MAX: usize = 1024;
const SQL_STATE_BYTES_MAX: usize = 8;
const QUERY_ID_BYTES_MAX: usize = 64;
const WEB_ADDRESS_BYTES_MAX: usize = 256;

/// `TStatusCode`.
const ERROR_STATUS: i32 = 3;
const INVALID_HANDLE_STATUS: i32 = 4;

/// What is known of a reply.
#[derive(Debug)]
pub struct Reply {
    dialect: Dialect,
    header: Option<Header>,
    method: Method,
    handle: Option<Handle>,
    /// HiveServer2's status code.
    pub status: Option<i32>,
    /// Also GetOperationStatus's own.
    pub sql_state: Window,
    /// The status's, the operation's, or an exception's.
    pub error: Window,
    /// HiveServer2's or Beeswax's operation state, of the calls that ask for it.
    pub operation_state: Option<i32>,
    pub has_result_set: Option<bool>,
    pub has_more_rows: Option<bool>,
    /// Of a fetch: rows in this reply.
    pub rows: u64,
    /// Of a close: rows that the statement wrote.
    pub rows_written: Option<i64>,
    /// Beeswax: the id of a new query.
    pub query_id: Window,
    pub web_address: Window,
    exception_is_declared: bool,
    rows_are_counted: bool,
    header_bytes: u64,
    at: usize,
    head_is_over: bool,
}

impl Reply {
    pub fn method(&self) -> Method {
        self.method
    }

    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// It is this call's, by name and number.
    pub fn answers(&self, call: &Call) -> bool {
        match (self.header(), call.header()) {
            (Some(reply), Some(call)) => {
                reply.sequence == call.sequence && reply.name() == call.name()
            }
            _ => false,
        }
    }

    /// The handle it gives out: OpenSession's session, or a new operation.
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// The call failed, as far as this reply has been read.
    pub fn is_error(&self) -> bool {
        self.exception_is_declared
            || matches!(self.status, Some(ERROR_STATUS | INVALID_HANDLE_STATUS))
            || self.header.as_ref().is_some_and(|header| header.kind == MessageKind::Exception)
    }

    fn clear(&mut self) {
        self.header = None;
        self.method = Method::Unknown;
        self.handle = None;
        self.status = None;
        self.sql_state.clear();
        self.error.clear();
        self.operation_state = None;
        self.has_result_set = None;
        self.has_more_rows = None;
        self.rows = 0;
        self.rows_written = None;
        self.query_id.clear();
        self.web_address.clear();
        self.exception_is_declared = false;
        self.rows_are_counted = false;
        self.head_is_over = false;
    }

    fn begin(&mut self, header: Header, header_bytes: u64) {
        self.header_bytes = header_bytes;
        self.method = header.method(self.dialect);
        self.header = Some(header);
        self.head_is_over = self.is_plain();
    }

    /// Nothing in it changes what is done with it.
    fn is_plain(&self) -> bool {
        self.method != Method::OpenSession && !self.method.makes_operation()
    }

    fn is_exception(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.kind == MessageKind::Exception)
    }

    fn window(&mut self, path: Path) -> Option<&mut Window> {
        if self.is_exception() {
            return (path == FIELD_1).then_some(&mut self.error);
        }
        if self.dialect == Dialect::Beeswax {
            return match (path, self.method) {
                (EXCEPTION_1_MESSAGE | EXCEPTION_2_MESSAGE, _) => Some(&mut self.error),
                (EXCEPTION_1_STATE | EXCEPTION_2_STATE, _) => Some(&mut self.sql_state),
                (FIELD_0_1, Method::query | Method::executeAndWait) => Some(&mut self.query_id),
                (FIELD_0_2, Method::PingImpalaService) => Some(&mut self.web_address),
                _ => None,
            };
        }
        match (path, self.method) {
            (SQL_STATE, _) | (FIELD_0_3, Method::GetOperationStatus) => Some(&mut self.sql_state),
            (ERROR_MESSAGE, _) | (FIELD_0_5, Method::GetOperationStatus) => Some(&mut self.error),
            (FIELD_0_3, Method::PingImpalaHS2Service) => Some(&mut self.web_address),
            _ => None,
        }
    }

    /// Where the handle of this method's reply is.
    fn handle_paths(&self) -> Option<(Path, Path)> {
        match self.method {
            _ if self.dialect == Dialect::Beeswax => None,
            Method::OpenSession => Some((path(&[0, 3, 1, 1]), path(&[0, 3, 1, 2]))),
            method if method.makes_operation() => Some((path(&[0, 2, 1, 1]), path(&[0, 2, 1, 2]))),
            _ => None,
        }
    }
}

const RESULT: Path = path(&[0]);
const FIELD_1: Path = path(&[1]);
const FIELD_2: Path = path(&[2]);
const FIELD_0_1: Path = path(&[0, 1]);
const FIELD_0_2: Path = path(&[0, 2]);
const FIELD_0_3: Path = path(&[0, 3]);
const FIELD_0_5: Path = path(&[0, 5]);
const STATUS: Path = path(&[0, 1, 1]);
const SQL_STATE: Path = path(&[0, 1, 3]);
const ERROR_MESSAGE: Path = path(&[0, 1, 5]);
const HAS_RESULT_SET: Path = path(&[0, 2, 3]);
const ROWS: Path = path(&[0, 3, 2]);
const COLUMNS: Path = path(&[0, 3, 3]);
const ROWS_WRITTEN: Path = path(&[0, 2, 1]);
const ROWS_WRITTEN_ENTRY: Path = path(&[0, 2, 1, ELEMENT]);
const FIELD_0_1_ENTRY: Path = path(&[0, 1, ELEMENT]);
const EXCEPTION_1_MESSAGE: Path = path(&[1, 1]);
const EXCEPTION_2_MESSAGE: Path = path(&[2, 1]);
const EXCEPTION_1_STATE: Path = path(&[1, 5]);
const EXCEPTION_2_STATE: Path = path(&[2, 5]);

/// `0.3.3.*.N.1`: the values of a column, whatever its type.
fn is_column_values(path_: Path) -> bool {
    const PREFIX: Path = path(&[0, 3, 3, ELEMENT]);
    path_ >> 16 == PREFIX && path_ & 0xff == path(&[1])
}

impl Visitor for Reply {
    fn scalar(&mut self, path: Path, value: Scalar) {
        match (self.dialect, self.method, path, value) {
            // Its status is a string: it has none.
            (Dialect::Hs2, Method::GetQueryId, ..) => {}
            (Dialect::Hs2, _, STATUS, Scalar::I32(code)) => self.status = Some(code),
            (Dialect::Hs2, Method::GetOperationStatus, FIELD_0_2, Scalar::I32(state))
            | (Dialect::Beeswax, Method::get_state, RESULT, Scalar::I32(state)) => {
                self.operation_state = Some(state);
            }
            (Dialect::Hs2, Method::FetchResults, FIELD_0_2, Scalar::Bool(more))
            | (Dialect::Beeswax, Method::fetch, FIELD_0_5, Scalar::Bool(more)) => {
                self.has_more_rows = Some(more);
            }
            (Dialect::Hs2, Method::CloseImpalaOperation, ROWS_WRITTEN_ENTRY, Scalar::I64(rows))
            | (Dialect::Beeswax, Method::CloseInsert, FIELD_0_1_ENTRY, Scalar::I64(rows)) => {
                let before = self.rows_written.unwrap_or(0);
                self.rows_written = Some(before.saturating_add(rows));
            }
            (Dialect::Hs2, method, HAS_RESULT_SET, Scalar::Bool(has))
                if method.makes_operation() =>
            {
                self.has_result_set = Some(has);
            }
            _ => {}
        }
    }

    fn string(&mut self, path: Path, length: u32, at: u64) -> bool {
        self.at = 0;
        if let Some((guid, secret)) = self.handle_paths() {
            if path == guid {
                self.handle.get_or_insert(Handle::EMPTY).begin_guid(length);
                return true;
            }
            if path == secret {
                let at = self.header_bytes + at;
                self.handle.get_or_insert(Handle::EMPTY).begin_secret(length, at);
                return true;
            }
        }
        self.window(path).is_some()
    }

    fn part(&mut self, path: Path, bytes: &[u8]) {
        let at = self.at;
        self.at = at.saturating_add(bytes.len());
        if let (Some((guid, secret)), Some(handle)) = (self.handle_paths(), &mut self.handle) {
            if path == guid {
                return handle.guid_part(at, bytes);
            }
            if path == secret {
                return handle.secret_part(at, bytes);
            }
        }
        if let Some(window) = self.window(path) {
            window.push(bytes);
        }
    }

    fn container(&mut self, path: Path, count: u32) -> bool {
        match (self.dialect, self.method) {
            (Dialect::Hs2, Method::FetchResults) => {
                if path == ROWS && count > 0 {
                    self.rows = u64::from(count);
                } else if is_column_values(path) && !self.rows_are_counted {
                    self.rows = u64::from(count);
                    self.rows_are_counted = true;
                }
                // Only columns, and of them only the first one's length.
                path == COLUMNS && !self.rows_are_counted
            }
            (Dialect::Beeswax, Method::fetch) => {
                if path == FIELD_0_3 {
                    self.rows = u64::from(count);
                }
                false
            }
            (Dialect::Hs2, Method::CloseImpalaOperation) => path == ROWS_WRITTEN,
            (Dialect::Beeswax, Method::CloseInsert) => path == FIELD_0_1,
            _ => false,
        }
    }

    fn ended(&mut self, path: Path) -> bool {
        if self.dialect == Dialect::Beeswax && matches!(path, FIELD_1 | FIELD_2) {
            self.exception_is_declared = true;
        }
        if self.head_is_over {
            return false;
        }
        self.head_is_over = match (self.dialect, self.method) {
            (Dialect::Beeswax, _) => path == RESULT,
            (Dialect::Hs2, Method::OpenSession) => path == FIELD_0_3,
            (Dialect::Hs2, _) => path == FIELD_0_2,
        };
        self.head_is_over
    }
}

/// Finds replies in a member's stream.
#[derive(Debug)]
pub struct ReplyScanner {
    header: HeaderScanner,
    walker: Walker,
    reply: Reply,
    position: u64,
    head_was_said: bool,
}

impl ReplyScanner {
    pub fn new(dialect: Dialect) -> Self {
        Self {
            header: HeaderScanner::default(),
            walker: Walker::new(),
            reply: Reply {
                dialect,
                header: None,
                method: Method::Unknown,
                handle: None,
                status: None,
                sql_state: Window::new(SQL_STATE_BYTES_MAX),
                error: Window::new(ERROR_BYTES_MAX),
                operation_state: None,
                has_result_set: None,
                has_more_rows: None,
                rows: 0,
                rows_written: None,
                query_id: Window::new(QUERY_ID_BYTES_MAX),
                web_address: Window::new(WEB_ADDRESS_BYTES_MAX),
                exception_is_declared: false,
                rows_are_counted: false,
                header_bytes: 0,
                at: 0,
                head_is_over: false,
            },
            position: 0,
            head_was_said: false,
        }
    }

    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// Bytes of this message so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Forgets the message; ready for the next.
    pub fn reset(&mut self) {
        self.header.reset();
        self.walker.reset();
        self.reply.clear();
        self.position = 0;
        self.head_was_said = false;
    }

    /// As [`super::CallScanner::feed`]. The head of a reply that gives out a handle ends behind it;
    /// of others it is the header.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Progress), Fault> {
        let mut used = 0;
        if self.reply.header.is_none() {
            let (count, header) = self.header.feed(bytes)?;
            used = count;
            self.position += count as u64;
            let Some(header) = header else { return Ok((used, Progress::More)) };
            self.reply.begin(header, self.position);
            if self.reply.head_is_over {
                self.head_was_said = true;
                return Ok((used, Progress::Head));
            }
        }
        let count = self.walker.feed(&bytes[used..], &mut self.reply)?;
        used += count;
        self.position += count as u64;
        let over = self.walker.is_done();
        if !self.head_was_said && (over || self.reply.head_is_over) {
            self.head_was_said = true;
            return Ok((used, Progress::Head));
        }
        Ok((used, if over { Progress::End } else { Progress::More }))
    }

    /// Gives memory back; for connections that wait.
    pub fn release(&mut self) {
        self.reply.error.release();
    }
}
