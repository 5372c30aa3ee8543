//! Probes by plain HTTP: a page's status, and impalad's web port with its drain flag.

use std::ops::RangeInclusive;

use super::{Conversation, ProbeError, Progress, Speaks, Stage, State, Verdict};
use crate::http::{Head, HttpError, ResponseReader};
use crate::text::clean;

/// Pieces in which a body is decoded and scanned; below `BODY_BYTES_MAX`.
pub(super) const PIECE_BYTES: usize = 16 * 1024;
/// Kept of the text scanned so far; longer than any value looked for.
const OVERLAP_BYTES: usize = 1024;

/// `GET path` must answer with one of the statuses. The body is not waited for.
#[derive(Debug)]
pub struct HttpProbe {
    host: String,
    path: String,
    expected: Vec<RangeInclusive<u16>>,
    response: ResponseReader,
}

impl HttpProbe {
    /// `host` is the `Host` header. Without expected statuses 200 to 399 pass, HAProxy's rule.
    pub fn new(host: &str, path: &str, expected: Vec<RangeInclusive<u16>>) -> Self {
        let expected = if expected.is_empty() { vec![200..=399] } else { expected };
        let response = ResponseReader::new();
        Self { host: host_value(host), path: path_value(path), expected, response }
    }
}

impl Conversation for HttpProbe {
    fn start(&mut self) -> Vec<u8> {
        get(&self.host, &self.path, "close")
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        check_start(&self.response, bytes, Stage::Page)?;
        // In pieces, so that a body behind the head cannot fail a probe that does not read it.
        for piece in bytes.chunks(PIECE_BYTES) {
            self.response.push(piece).map_err(|error| http_error(Stage::Page, error))?;
            if let Some(head) = self.response.head() {
                if self.expected.iter().any(|range| range.contains(&head.status)) {
                    return Ok(Progress::Done(Verdict::bare(State::Alive)));
                }
                return Err(status_error(Stage::Page, head));
            }
        }
        Ok(Progress::NeedMore)
    }

    fn closed(&mut self) -> Result<Progress, ProbeError> {
        Err(ProbeError::Closed { during: Stage::Page })
    }

    fn stage(&self) -> Stage {
        Stage::Page
    }
}

/// impalad's web port: `GET /healthz` must be 200, then `GET /?json` tells whether it drains.
///
/// `/healthz` stays 200 through a graceful shutdown (docs/impala.md, "Health and
/// shutdown"), hence the second page. Where that page cannot be had (the metrics web server has
/// none, a login may guard it) the member counts as alive: whether it drains is then for another
/// monitor to find out.
/// The page is not parsed as JSON: the first `"is_quiescing":` in it is looked at. Quotes inside
/// JSON strings are escaped, so no value can pretend to be that key.
#[derive(Debug)]
pub struct HealthzProbe {
    host: String,
    stage: Stage,
    response: ResponseReader,
    scan: Scan,
    /// The second request is on the first one's connection.
    kept_alive: bool,
}

impl HealthzProbe {
    pub fn new(host: &str) -> Self {
        Self {
            host: host_value(host),
            stage: Stage::Page,
            response: ResponseReader::new(),
            scan: Scan::default(),
            kept_alive: false,
        }
    }

    fn advance(&mut self) -> Result<Progress, ProbeError> {
        let Some(head) = self.response.head() else { return Ok(Progress::NeedMore) };
        let (status, closes) = (head.status, head.closes);
        if self.stage == Stage::Page {
            if status != 200 {
                return Err(status_error(self.stage, head));
            }
            self.response.take_body();
            if closes {
                return Ok(self.second_request(true));
            }
            if self.response.is_complete() {
                return Ok(self.second_request(false));
            }
            return Ok(Progress::NeedMore);
        }
        if status != 200 {
            return Ok(Progress::Done(Verdict::bare(State::Alive)));
        }
        self.scan.push(&self.response.take_body());
        let settled = self.scan.quiescing == Some(true) && self.scan.version.is_some();
        if settled || self.response.is_complete() {
            return Ok(Progress::Done(self.scan.verdict()));
        }
        Ok(Progress::NeedMore)
    }

    fn second_request(&mut self, reconnect: bool) -> Progress {
        self.stage = Stage::DrainPage;
        self.response = ResponseReader::new();
        self.kept_alive = !reconnect;
        let send = get(&self.host, "/?json", "close");
        if reconnect { Progress::Reconnect { send } } else { Progress::Send(send) }
    }
}

impl Conversation for HealthzProbe {
    fn start(&mut self) -> Vec<u8> {
        get(&self.host, "/healthz", "keep-alive")
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ProbeError> {
        check_start(&self.response, bytes, self.stage)?;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.response.push(piece).map_err(|error| http_error(self.stage, error))?;
            match self.advance()? {
                Progress::NeedMore => {}
                // What follows belongs to an answer that is no longer read.
                progress => return Ok(progress),
            }
        }
        Ok(Progress::NeedMore)
    }

    fn closed(&mut self) -> Result<Progress, ProbeError> {
        match (self.stage, self.response.closed()) {
            (_, Ok(())) => self.advance(),
            // A server may close a kept-alive connection without having said so: ask once more.
            (Stage::DrainPage, Err(_)) if self.kept_alive && !self.response.has_started() => {
                Ok(self.second_request(true))
            }
            (Stage::DrainPage, Err(_)) => Ok(Progress::Done(self.scan.verdict())),
            (during, Err(_)) => Err(ProbeError::Closed { during }),
        }
    }

    fn stage(&self) -> Stage {
        self.stage
    }
}

/// Looks for two keys in a text of any length, keeping only its end.
#[derive(Debug, Default)]
struct Scan {
    window: Vec<u8>,
    quiescing: Option<bool>,
    version: Option<String>,
}

impl Scan {
    fn push(&mut self, text: &[u8]) {
        self.window.extend_from_slice(text);
        if self.quiescing.is_none() {
            self.quiescing = match value_of(&self.window, b"\"is_quiescing\"") {
                Some([b't', b'r', b'u', b'e', ..]) => Some(true),
                Some([b'f', b'a', b'l', b's', b'e', ..]) => Some(false),
                _ => None,
            };
        }
        if self.version.is_none() {
            self.version = value_of(&self.window, b"\"version\"")
                .and_then(|value| value.strip_prefix(b"\""))
                // Up to the first escape: Impala's version is two lines, the first is the name.
                .and_then(|value| {
                    let end = value.iter().position(|&b| b == b'"' || b == b'\\')?;
                    Some(clean(&value[..end]))
                });
        }
        let surplus = self.window.len().saturating_sub(OVERLAP_BYTES);
        self.window.drain(..surplus);
    }

    fn verdict(&self) -> Verdict {
        let quiescing = self.quiescing == Some(true);
        let state = if quiescing { State::Quiescing } else { State::Alive };
        Verdict { version: self.version.clone(), ..Verdict::bare(state) }
    }
}

/// What follows `key`, a colon and white space.
fn value_of<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(key.len()).position(|window| window == key)?;
    let rest = text.get(at + key.len()..)?.trim_ascii_start();
    Some(rest.strip_prefix(b":")?.trim_ascii_start())
}

/// A wrong protocol is named before its bytes are taken for a bad status line.
pub(super) fn check_start(
    response: &ResponseReader,
    bytes: &[u8],
    during: Stage,
) -> Result<(), ProbeError> {
    if !response.has_started() && bytes.first().is_some_and(|&first| first != b'H') {
        return Err(ProbeError::Speaks { found: Speaks::of(bytes), during });
    }
    Ok(())
}

pub(super) fn http_error(during: Stage, error: HttpError) -> ProbeError {
    ProbeError::Http { during, error }
}

pub(super) fn status_error(during: Stage, head: &Head) -> ProbeError {
    match head.status {
        status @ (401 | 403) => ProbeError::HttpCredentials { during, status },
        status => ProbeError::HttpStatus { during, status, reason: head.reason.clone() },
    }
}

/// A `Host` value that cannot end its line.
pub(super) fn host_value(host: &str) -> String {
    host.chars().filter(|c| c.is_ascii_graphic()).collect()
}

/// A path that cannot end the request line; what does not belong there is percent-encoded.
pub(super) fn path_value(path: &str) -> String {
    let mut value = if path.starts_with('/') { String::new() } else { String::from("/") };
    for byte in path.bytes() {
        if byte.is_ascii_graphic() {
            value.push(char::from(byte));
        } else {
            value += &format!("%{byte:02X}");
        }
    }
    value
}

pub(super) fn get(host: &str, path: &str, connection: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: oxpecker-probe\r\nAccept: */*\r\n\
         Connection: {connection}\r\n\r\n"
    )
    .into_bytes()
}
