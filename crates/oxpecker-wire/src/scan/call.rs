//! Calls: which method, the handles they name, and who wants what.

use super::handle::Handle;
use super::header::{Header, HeaderScanner};
use super::method::{Dialect, Method, Names};
use super::text::Window;
use super::walker::{ELEMENT, Path, Scalar, Visitor, Walker, path};
use super::{Fault, Progress};
use crate::thrift::MessageKind;

/// Of a statement as much is kept as a person reads in a log.
pub const STATEMENT_BYTES_MAX: usize = 4 * 1024;
const NAME_BYTES_MAX: usize = 256;
/// A Beeswax id has 33 bytes.
const QUERY_ID_BYTES_MAX: usize = 64;
/// Names of configuration keys that matter here are shorter.
const KEY_BYTES_MAX: usize = 64;

/// Who the session shall work for, as OpenSession's configuration says. Keys know no case. Hive's
/// `hive.server2.proxy.user` means nothing to Impala.
const DO_AS_KEY: &[u8] = b"impala.doas.user";

/// What is known of a call. All there is to its head is known when the scanner says
/// [`Progress::Head`]; the statement of ExecuteStatement comes behind.
#[derive(Debug)]
pub struct Call {
    dialect: Dialect,
    header: Option<Header>,
    method: Method,
    first: Option<Handle>,
    second: Option<Handle>,
    pub query_id: Window,
    pub statement: Window,
    /// OpenSession's user name, or the first Beeswax query's; worth something without a login only.
    pub user: Window,
    pub do_as: Window,
    /// FetchResults: most rows wanted.
    pub rows_max: Option<i64>,
    /// FetchResults of Hive's clients: lines of a log, no rows.
    pub fetches_log: bool,
    key: Window,
    header_bytes: u64,
    /// Where in the secret or id the next bytes belong.
    at: usize,
    is_value: bool,
    head_is_over: bool,
    has_two_handles: bool,
}

impl Call {
    pub fn method(&self) -> Method {
        self.method
    }

    pub fn names(&self) -> Names {
        self.method.names(self.dialect)
    }

    /// `None` until it is complete.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Servers answer by the method, not by the kind of message: also a call that says that it wants
    /// no answer.
    pub fn expects_reply(&self) -> bool {
        self.header.is_some() && self.method != Method::clean
    }

    /// The handle in field 1.1; [`Call::names`] says whether of a session or an operation.
    pub fn handle(&self) -> Option<&Handle> {
        self.first.as_ref()
    }

    /// The session's, of the two calls that name an operation's as well.
    pub fn second_handle(&self) -> Option<&Handle> {
        self.second.as_ref()
    }

    fn clear(&mut self) {
        self.header = None;
        self.method = Method::Unknown;
        self.first = None;
        self.second = None;
        self.query_id.clear();
        self.statement.clear();
        self.user.clear();
        self.do_as.clear();
        self.rows_max = None;
        self.fetches_log = false;
        self.head_is_over = false;
        self.has_two_handles = false;
    }

    fn begin(&mut self, header: Header, header_bytes: u64) {
        self.header_bytes = header_bytes;
        self.method = header.method(self.dialect);
        self.header = Some(header);
        self.head_is_over = self.is_all_head();
    }

    /// Nothing but its name is needed to know where it goes.
    fn is_all_head(&self) -> bool {
        self.names() == Names::Nothing && self.method != Method::OpenSession
    }
}

const GUID: Path = path(&[1, 1, 1, 1]);
const SECRET: Path = path(&[1, 1, 1, 2]);
const SECOND_GUID: Path = path(&[1, 2, 1, 1]);
const SECOND_SECRET: Path = path(&[1, 2, 1, 2]);
const FIELD_1: Path = path(&[1]);
const FIELD_1_1: Path = path(&[1, 1]);
const FIELD_1_2: Path = path(&[1, 2]);
const FIELD_1_3: Path = path(&[1, 3]);
const FIELD_1_4: Path = path(&[1, 4]);
const CONFIGURATION: Path = path(&[1, 4, ELEMENT]);

impl Visitor for Call {
    fn scalar(&mut self, path: Path, value: Scalar) {
        match (self.method, path, value) {
            (Method::FetchResults, FIELD_1_3, Scalar::I64(rows)) => self.rows_max = Some(rows),
            (Method::FetchResults, FIELD_1_4, Scalar::I16(kind)) => self.fetches_log = kind != 0,
            _ => {}
        }
    }

    fn string(&mut self, path: Path, length: u32, at: u64) -> bool {
        self.at = 0;
        let at = self.header_bytes + at;
        let names = self.names();
        let two_handles = match (path, names) {
            (GUID, _) => self.first.get_or_insert(Handle::EMPTY).begin_guid(length),
            (SECRET, _) => self.first.get_or_insert(Handle::EMPTY).begin_secret(length, at),
            (SECOND_GUID, Names::OperationAndSession) => {
                self.second.get_or_insert(Handle::EMPTY).begin_guid(length)
            }
            (SECOND_SECRET, Names::OperationAndSession) => {
                self.second.get_or_insert(Handle::EMPTY).begin_secret(length, at)
            }
            (CONFIGURATION, _) if self.method == Method::OpenSession => {
                if !self.is_value {
                    self.key.clear();
                } else if self.is_do_as() {
                    self.do_as.clear();
                }
                false
            }
            // Of two, servers take the last.
            _ => return self.window(path).map(Window::clear).is_some(),
        };
        self.has_two_handles |= two_handles;
        true
    }

    fn part(&mut self, path: Path, bytes: &[u8]) {
        let at = self.at;
        match path {
            GUID => {
                if let Some(handle) = &mut self.first {
                    handle.guid_part(at, bytes);
                }
            }
            SECRET => {
                if let Some(handle) = &mut self.first {
                    handle.secret_part(at, bytes);
                }
            }
            SECOND_GUID => {
                if let Some(handle) = &mut self.second {
                    handle.guid_part(at, bytes);
                }
            }
            SECOND_SECRET => {
                if let Some(handle) = &mut self.second {
                    handle.secret_part(at, bytes);
                }
            }
            CONFIGURATION if !self.is_value => self.key.push(bytes),
            CONFIGURATION if self.is_do_as() => self.do_as.push(bytes),
            CONFIGURATION => {}
            _ => {
                if let Some(window) = self.window(path) {
                    window.push(bytes);
                }
            }
        }
        self.at = at.saturating_add(bytes.len());
    }

    fn container(&mut self, path: Path, _: u32) -> bool {
        self.is_value = false;
        path == FIELD_1_4 && self.method == Method::OpenSession
    }

    fn ended(&mut self, path: Path) -> bool {
        if self.has_two_handles {
            return true;
        }
        if path == CONFIGURATION {
            self.is_value = !self.is_value;
        }
        if self.head_is_over {
            return false;
        }
        self.head_is_over = match self.names() {
            Names::Session | Names::Operation | Names::Query => path == FIELD_1_1,
            Names::OperationAndSession => {
                matches!(path, FIELD_1_1 | FIELD_1_2)
                    && self.first.is_some()
                    && self.second.is_some()
            }
            Names::QueryId => path == FIELD_1,
            Names::Unknown => matches!(path, FIELD_1_1 | FIELD_1),
            Names::Nothing => false,
        };
        self.head_is_over
    }
}

impl Call {
    fn is_do_as(&self) -> bool {
        self.key.kept().eq_ignore_ascii_case(DO_AS_KEY)
    }

    /// Where a string that is no part of a handle is kept.
    fn window(&mut self, path: Path) -> Option<&mut Window> {
        match (self.method, path) {
            (Method::ExecuteStatement, FIELD_1_2) => Some(&mut self.statement),
            (Method::OpenSession, FIELD_1_2) => Some(&mut self.user),
            (Method::query | Method::executeAndWait, FIELD_1_1) => Some(&mut self.statement),
            (Method::query | Method::executeAndWait, FIELD_1_4) => Some(&mut self.user),
            _ => match (self.names(), path) {
                (Names::Query, FIELD_1_1) | (Names::QueryId, FIELD_1) => Some(&mut self.query_id),
                _ => None,
            },
        }
    }
}

/// Finds calls in a client's stream.
#[derive(Debug)]
pub struct CallScanner {
    header: HeaderScanner,
    walker: Walker,
    call: Call,
    position: u64,
    head_was_said: bool,
}

impl CallScanner {
    pub fn new(dialect: Dialect) -> Self {
        Self {
            header: HeaderScanner::default(),
            walker: Walker::new(),
            call: Call {
                dialect,
                header: None,
                method: Method::Unknown,
                first: None,
                second: None,
                query_id: Window::new(QUERY_ID_BYTES_MAX),
                statement: Window::new(STATEMENT_BYTES_MAX),
                user: Window::new(NAME_BYTES_MAX),
                do_as: Window::new(NAME_BYTES_MAX),
                rows_max: None,
                fetches_log: false,
                key: Window::new(KEY_BYTES_MAX),
                header_bytes: 0,
                at: 0,
                is_value: false,
                head_is_over: false,
                has_two_handles: false,
            },
            position: 0,
            head_was_said: false,
        }
    }

    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Bytes of this message so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Forgets the message; ready for the next.
    pub fn reset(&mut self) {
        self.header.reset();
        self.walker.reset();
        self.call.clear();
        self.position = 0;
        self.head_was_said = false;
    }

    /// Takes the next piece of a message; returns how many bytes of it were used. After
    /// [`Progress::End`] the next piece begins a message, and what was known of this is forgotten
    /// only by [`CallScanner::reset`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Progress), Fault> {
        let mut used = 0;
        if self.call.header.is_none() {
            let (count, header) = self.header.feed(bytes)?;
            used = count;
            self.position += count as u64;
            let Some(header) = header else { return Ok((used, Progress::More)) };
            if !matches!(header.kind, MessageKind::Call | MessageKind::Oneway) {
                return Err(Fault::MessageKind(header.kind as u8));
            }
            self.call.begin(header, self.position);
            if self.call.head_is_over {
                self.head_was_said = true;
                return Ok((used, Progress::Head));
            }
        }
        let count = self.walker.feed(&bytes[used..], &mut self.call)?;
        used += count;
        self.position += count as u64;
        if self.call.has_two_handles {
            return Err(Fault::TwoHandles);
        }
        let over = self.walker.is_done();
        if !self.head_was_said && (over || self.call.head_is_over) {
            self.head_was_said = true;
            return Ok((used, Progress::Head));
        }
        Ok((used, if over { Progress::End } else { Progress::More }))
    }

    /// Gives memory back; for connections that wait.
    pub fn release(&mut self) {
        self.call.statement.release();
        self.call.user.release();
        self.call.do_as.release();
    }
}
