//! HTTP/1.x responses, read as they arrive, and Basic credentials.
//! Source: RFC 9112; what impalad's own HTTP server does is in docs/impala.md, "HTTP".
//!
//! Heads, lines and bodies are bounded: what does not fit is an error, not memory.

use std::fmt;

use crate::text::clean;

#[cfg(test)]
mod tests;

/// Status line and header fields together; Apache, nginx and Jetty refuse at 8 KiB.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Body bytes decoded and not yet taken.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// A chunk's size line with extensions, or one trailer line.
const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// `100 Continue` and the like before the answer; one is usual.
const INTERIM_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The first bytes are no status line.
    NotHttp,
    HeadTooLong,
    /// A header line without colon, a length that is no number, or two that differ.
    Head,
    BodyTooLong,
    Chunk,
    TooManyInterim,
    /// The connection ended inside the response.
    CutOff,
    /// Bytes behind the end of the only response due.
    Surplus,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("the answer is not HTTP"),
            Self::HeadTooLong => write!(f, "the HTTP head is over {HEAD_BYTES_MAX} bytes"),
            Self::Head => f.write_str("the HTTP head is malformed"),
            Self::BodyTooLong => write!(f, "the HTTP body is over {BODY_BYTES_MAX} bytes"),
            Self::Chunk => f.write_str("the HTTP body's chunks are malformed"),
            Self::TooManyInterim => f.write_str("too many interim HTTP responses"),
            Self::CutOff => f.write_str("the connection ended inside the HTTP response"),
            Self::Surplus => f.write_str("bytes follow the end of the HTTP response"),
        }
    }
}

impl std::error::Error for HttpError {}

/// The parts of a response head that decide what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// For people; cleaned.
    pub reason: String,
    /// The server will not answer another request on this connection.
    pub closes: bool,
    body: BodyKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Length(u64),
    Chunked,
    UntilClose,
}

/// `user:password` for an `Authorization: Basic` header.
pub fn basic_credentials(user: &str, password: &str) -> String {
    base64(format!("{user}:{password}").as_bytes())
}

/// Reads one response, interim ones before it skipped. Feed it with [`ResponseReader::push`].
#[derive(Debug)]
pub struct ResponseReader {
    state: State,
    head: Option<Head>,
    /// Bytes of a head or line whose end has not come.
    pending: Vec<u8>,
    body: Vec<u8>,
    interim_count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// Left of a body with a length.
    Body(u64),
    UntilClose,
    ChunkSize,
    /// Left of this chunk.
    ChunkData(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailers,
    Complete,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    pub fn new() -> Self {
        Self {
            state: State::Head,
            head: None,
            pending: Vec::new(),
            body: Vec::new(),
            interim_count: 0,
        }
    }

    /// The final response's head, as soon as it is complete.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Some byte of the response was pushed.
    pub fn has_started(&self) -> bool {
        self.state != State::Head || !self.pending.is_empty() || self.interim_count > 0
    }

    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the body decoded so far, so that longer ones than [`BODY_BYTES_MAX`] can pass.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// The peer closed its side.
    pub fn closed(&mut self) -> Result<(), HttpError> {
        match self.state {
            State::UntilClose | State::Complete => {
                self.state = State::Complete;
                Ok(())
            }
            _ => Err(HttpError::CutOff),
        }
    }

    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), HttpError> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.push_head(bytes)?,
                State::Body(left) => {
                    let (rest, left) = self.push_body(bytes, left)?;
                    self.state = if left == 0 { State::Complete } else { State::Body(left) };
                    rest
                }
                State::UntilClose => self.push_body(bytes, u64::MAX)?.0,
                State::ChunkData(left) => {
                    let (rest, left) = self.push_body(bytes, left)?;
                    self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData(left) };
                    rest
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers => self.push_line(bytes)?,
                State::Complete => return Err(HttpError::Surplus),
            };
        }
        Ok(())
    }

    fn push_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], HttpError> {
        // Line by line, so that each byte is looked at a bounded number of times.
        let (line, rest) = split_line(bytes);
        self.pending.extend_from_slice(line);
        if !agrees(&self.pending, b"HTTP/1.") {
            return Err(HttpError::NotHttp);
        }
        if self.pending.len() > HEAD_BYTES_MAX {
            return Err(HttpError::HeadTooLong);
        }
        if !(self.pending.ends_with(b"\n\r\n") || self.pending.ends_with(b"\n\n")) {
            return Ok(rest);
        }
        let head = parse_head(&self.pending)?;
        self.pending.clear();
        if (100..200).contains(&head.status) {
            self.interim_count += 1;
            if self.interim_count > INTERIM_MAX {
                return Err(HttpError::TooManyInterim);
            }
            return Ok(rest);
        }
        self.state = match head.body {
            BodyKind::Length(0) => State::Complete,
            BodyKind::Length(length) => State::Body(length),
            BodyKind::Chunked => State::ChunkSize,
            BodyKind::UntilClose => State::UntilClose,
        };
        self.head = Some(head);
        Ok(rest)
    }

    /// Takes at most `left` bytes; gives back the others and what is still to come.
    fn push_body<'a>(&mut self, bytes: &'a [u8], left: u64) -> Result<(&'a [u8], u64), HttpError> {
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (taken, rest) = bytes.split_at(count);
        if self.body.len() + taken.len() > BODY_BYTES_MAX {
            return Err(HttpError::BodyTooLong);
        }
        self.body.extend_from_slice(taken);
        Ok((rest, left - count as u64))
    }

    fn push_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], HttpError> {
        let (line, rest) = split_line(bytes);
        self.pending.extend_from_slice(line);
        if self.pending.len() > CHUNK_LINE_BYTES_MAX {
            return Err(HttpError::Chunk);
        }
        if !self.pending.ends_with(b"\n") {
            return Ok(rest);
        }
        let line = trim_line_end(&self.pending);
        self.state = match self.state {
            State::ChunkSize => match chunk_size(line).ok_or(HttpError::Chunk)? {
                0 => State::Trailers,
                size => State::ChunkData(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => return Err(HttpError::Chunk),
            _ if line.is_empty() => State::Complete,
            _ => State::Trailers,
        };
        self.pending.clear();
        Ok(rest)
    }
}

/// The first line with its end, or all when there is no end.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}

/// RFC 9112, 2.2: a recipient may take a lone LF for a line end.
fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// One is a prefix of the other.
fn agrees(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.iter().zip(prefix).all(|(a, b)| a == b)
}

fn parse_head(bytes: &[u8]) -> Result<Head, HttpError> {
    let mut lines = bytes.split(|&b| b == b'\n').map(trim_line_end);
    let (version_minor, status, reason) =
        status_line(lines.next().unwrap_or(b"")).ok_or(HttpError::Head)?;
    // HTTP/1.0 closes unless it says otherwise.
    let mut closes = version_minor == 0;
    let mut chunked = false;
    let mut length = None;
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|&b| b == b':').ok_or(HttpError::Head)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let number = decimal(value).ok_or(HttpError::Head)?;
            if length.replace(number).is_some_and(|before| before != number) {
                return Err(HttpError::Head);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked |= has_token(value, b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            if has_token(value, b"close") {
                closes = true;
            } else if has_token(value, b"keep-alive") {
                closes = false;
            }
        }
    }
    let body = match (status, chunked, length) {
        // These never have a body, whatever the fields say.
        (100..=199 | 204 | 304, _, _) => BodyKind::Length(0),
        (_, true, _) => BodyKind::Chunked,
        (_, false, Some(length)) => BodyKind::Length(length),
        (_, false, None) => BodyKind::UntilClose,
    };
    closes |= body == BodyKind::UntilClose;
    Ok(Head { status, reason, closes, body })
}

fn status_line(line: &[u8]) -> Option<(u8, u16, String)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (&minor, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b" ")?;
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    if !minor.is_ascii_digit() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if !(rest.is_empty() || rest.starts_with(b" ")) {
        return None;
    }
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    Some((minor - b'0', status, clean(rest)))
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|&b| b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// Digits only: `str::parse` would also take a plus sign.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&b| b == b';').next().unwrap_or(b"").trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// RFC 4648, 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4usize {
            if at <= group.len() {
                let index = bits >> (18 - 6 * at) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
