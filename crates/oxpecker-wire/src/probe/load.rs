//! How much a coordinator has to do, by its own account: a number on its metrics page.
//!
//! The page is read line by line and forgotten, so it costs a line however long it is. Both of
//! impalad's web servers have it, also the one without a log-in (`--metrics_webserver_port`).

use std::fmt;

use super::http::{PIECE_BYTES, check_start, get, host_value, http_error, status_error};
use super::{ProbeError, Stage};
use crate::http::ResponseReader;

/// Planning, queued, running, and not closed yet: what a statement costs its coordinator.
const METRIC: &[u8] = b"impala_server_num_queries_registered";

/// Real pages have some 300 KB.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longer lines are texts for people.
const LINE_BYTES_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    Answer(ProbeError),
    /// The page has no such metric.
    NotTold,
    /// Over 4 MiB.
    TooLong,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(error) => error.fmt(f),
            Self::NotTold => {
                f.write_str("the page does not tell `impala_server_num_queries_registered`")
            }
            Self::TooLong => write!(f, "the page has more than {PAGE_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for LoadError {}

/// One question, on a connection of its own.
#[derive(Debug)]
pub struct LoadPage {
    response: ResponseReader,
    line: Vec<u8>,
    seen: usize,
}

impl LoadPage {
    /// With what to send. `host` is the `Host` header.
    pub fn ask(host: &str) -> (Self, Vec<u8>) {
        let page = Self { response: ResponseReader::new(), line: Vec::new(), seen: 0 };
        (page, get(&host_value(host), "/metrics_prometheus", "close"))
    }

    /// What the coordinator sent, in pieces of any size. `None`: more is needed. With an answer, or
    /// an error, the connection is of no more use.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<u32>, LoadError> {
        check_start(&self.response, bytes, Stage::Page).map_err(LoadError::Answer)?;
        for piece in bytes.chunks(PIECE_BYTES) {
            let pushed = self.response.push(piece);
            pushed.map_err(|error| LoadError::Answer(http_error(Stage::Page, error)))?;
            if let Some(told) = self.read_body()? {
                return Ok(Some(told));
            }
        }
        if self.response.is_complete() { self.last_line().map(Some) } else { Ok(None) }
    }

    /// The coordinator closed its side.
    pub fn closed(&mut self) -> Result<u32, LoadError> {
        match self.response.closed() {
            Ok(()) => self.last_line(),
            Err(_) => Err(LoadError::Answer(ProbeError::Closed { during: Stage::Page })),
        }
    }

    fn read_body(&mut self) -> Result<Option<u32>, LoadError> {
        let Some(head) = self.response.head() else { return Ok(None) };
        if head.status != 200 {
            return Err(LoadError::Answer(status_error(Stage::Page, head)));
        }
        let body = self.response.take_body();
        self.seen += body.len();
        if self.seen > PAGE_BYTES_MAX {
            return Err(LoadError::TooLong);
        }
        for part in body.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                let told = number_in(&self.line);
                self.line.clear();
                if told.is_some() {
                    return Ok(told);
                }
            }
        }
        Ok(None)
    }

    fn last_line(&self) -> Result<u32, LoadError> {
        number_in(&self.line).ok_or(LoadError::NotTold)
    }
}

/// The metric's value, if this is its line.
fn number_in(line: &[u8]) -> Option<u32> {
    let rest = line.strip_prefix(METRIC)?;
    let value = std::str::from_utf8(rest.strip_prefix(b" ")?).ok()?.trim();
    // Prometheus' numbers are floating ones.
    let value: f64 = value.parse().ok()?;
    (0.0..=f64::from(u32::MAX)).contains(&value).then_some(value as u32)
}
