//! HTTP/1.1 heads, and bodies by length or in chunks, strictly by RFC 9112.
//!
//! A gateway and the server behind it must never disagree on where a message ends, or one client
//! could put words into another's mouth. So nothing here guesses: two lengths, a length beside
//! chunks, a lone line feed, folded lines, blanks before a colon are faults.

use std::fmt;

/// A Kerberos ticket with many groups in it makes a head of some 50 KB.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A chunk's size line with its extensions, or one trailer line.
const CHUNK_LINE_BYTES_MAX: u16 = 1024;

/// What is wrong with a message; the connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpFault {
    HeadTooLong,
    StartLine,
    Version,
    HeaderLine,
    ContentLength,
    /// A transfer coding that is not `chunked`, or `chunked` beside a length.
    TransferEncoding,
    Chunk,
}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTooLong => "the HTTP head is too long",
            Self::StartLine => "the HTTP start line is malformed",
            Self::Version => "the HTTP version is neither 1.0 nor 1.1",
            Self::HeaderLine => "an HTTP header line is malformed",
            Self::ContentLength => "the HTTP content length is malformed or given twice",
            Self::TransferEncoding => "the HTTP transfer encoding is not plain `chunked`",
            Self::Chunk => "the HTTP body's chunks are malformed",
        })
    }
}

impl std::error::Error for HttpFault {}

/// Looks for the empty line behind a head.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadEnd {
    matched: u8,
    length: usize,
}

impl HeadEnd {
    /// Returns how many bytes were used, and whether the head ends behind them.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), HttpFault> {
        const END: &[u8; 4] = b"\r\n\r\n";
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == END[usize::from(self.matched)] {
                self.matched += 1;
            } else {
                self.matched = u8::from(byte == b'\r');
            }
            if self.matched == 4 {
                *self = Self::default();
                return Ok((at + 1, true));
            }
            self.length += 1;
            if self.length > HEAD_BYTES_MAX {
                return Err(HttpFault::HeadTooLong);
            }
        }
        Ok((bytes.len(), false))
    }
}

/// How a message's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
    /// Replies only.
    UntilClose,
}

/// The parts of a head that matter on the way. Borrows the head's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    lines: &'a [u8],
    /// The sender, or the receiver at the sender's wish, closes behind this message.
    pub closes: bool,
    pub framing: Framing,
}

impl<'a> Head<'a> {
    /// All header lines in order: name as sent, and value without blanks around it.
    pub fn lines(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        // Judged already: every line has a colon.
        self.lines.split(|&b| b == b'\n').filter_map(|line| {
            let colon = line.iter().position(|&b| b == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
    }

    /// The value of the first line of that name.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let is = |found: &[u8]| found.eq_ignore_ascii_case(name.as_bytes());
        self.lines().find(|(found, _)| is(found)).map(|(_, value)| value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub head: Head<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    pub status: u16,
    pub head: Head<'a>,
}

/// Reads a whole head, its empty line included.
pub fn request(bytes: &[u8]) -> Result<Request<'_>, HttpFault> {
    let (start, lines) = split_start(bytes)?;
    let mut words = start.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HttpFault::StartLine);
    };
    if method.is_empty() || !method.iter().all(|&b| is_token(b)) || target.is_empty() {
        return Err(HttpFault::StartLine);
    }
    if !target.iter().all(u8::is_ascii_graphic) {
        return Err(HttpFault::StartLine);
    }
    let (head, framing) = head(lines, version)?;
    Ok(Request {
        method,
        target,
        head: Head { framing: framing.unwrap_or(Framing::Length(0)), ..head },
    })
}

/// Reads a whole head, its empty line included.
pub fn response(bytes: &[u8]) -> Result<Response<'_>, HttpFault> {
    let (start, lines) = split_start(bytes)?;
    let (version, rest) = start.split_first_chunk::<8>().ok_or(HttpFault::StartLine)?;
    let rest = rest.strip_prefix(b" ").ok_or(HttpFault::StartLine)?;
    let (digits, rest) = rest.split_first_chunk::<3>().ok_or(HttpFault::StartLine)?;
    let ends = rest.is_empty() || rest.starts_with(b" ");
    if !ends || !digits.iter().all(u8::is_ascii_digit) {
        return Err(HttpFault::StartLine);
    }
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let (head, framing) = head(lines, version)?;
    let framing = match (status, framing) {
        // These never have a body, whatever the lines say.
        (100..=199 | 204 | 304, _) => Framing::Length(0),
        (_, framing) => framing.unwrap_or(Framing::UntilClose),
    };
    let closes = head.closes || framing == Framing::UntilClose;
    Ok(Response { status, head: Head { closes, framing, ..head } })
}

fn split_start(bytes: &[u8]) -> Result<(&[u8], &[u8]), HttpFault> {
    let end = bytes.iter().position(|&b| b == b'\n').ok_or(HttpFault::StartLine)?;
    let start = bytes[..end].strip_suffix(b"\r").ok_or(HttpFault::StartLine)?;
    Ok((start, &bytes[end + 1..]))
}

fn head<'a>(lines: &'a [u8], version: &[u8]) -> Result<(Head<'a>, Option<Framing>), HttpFault> {
    let is_1_0 = match version {
        b"HTTP/1.0" => true,
        b"HTTP/1.1" => false,
        _ => return Err(HttpFault::Version),
    };
    let mut closes = is_1_0;
    let mut framing = None;
    let mut rest = lines;
    loop {
        let end = rest.iter().position(|&b| b == b'\n').ok_or(HttpFault::HeaderLine)?;
        let line = rest[..end].strip_suffix(b"\r").ok_or(HttpFault::HeaderLine)?;
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let (name, value) = header_line(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if framing.is_some() {
                return Err(HttpFault::ContentLength);
            }
            framing = Some(Framing::Length(decimal(value).ok_or(HttpFault::ContentLength)?));
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let plain = value.eq_ignore_ascii_case(b"chunked");
            if framing.is_some() || !plain || is_1_0 {
                return Err(HttpFault::TransferEncoding);
            }
            framing = Some(Framing::Chunked);
        } else if name.eq_ignore_ascii_case(b"connection") {
            closes = match () {
                () if has_token(value, b"close") => true,
                () if has_token(value, b"keep-alive") => false,
                () => closes,
            };
        }
    }
    if !rest.is_empty() {
        return Err(HttpFault::HeaderLine);
    }
    Ok((Head { lines, closes, framing: Framing::UntilClose }, framing))
}

fn header_line(line: &[u8]) -> Result<(&[u8], &[u8]), HttpFault> {
    let colon = line.iter().position(|&b| b == b':').ok_or(HttpFault::HeaderLine)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let clean = |&b: &u8| b == b'\t' || !(b.is_ascii_control());
    if name.is_empty() || !name.iter().all(|&b| is_token(b)) || !value.iter().all(clean) {
        return Err(HttpFault::HeaderLine);
    }
    Ok((name, value.trim_ascii()))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a list such as `keep-alive, Upgrade` has this word.
pub fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|&b| b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// Digits only: `str::parse` would also take a plus sign.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    ChunkSize {
        size: u64,
        digits: u8,
    },
    /// Behind the digits, up to the line's end.
    ChunkExtension {
        size: u64,
    },
    ChunkData(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// In a trailer line.
    Trailer {
        empty: bool,
    },
    Done,
}

/// Takes the payload out of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    state: State,
    after_cr: bool,
    line_bytes: u16,
}

impl Body {
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize { size: 0, digits: 0 },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, after_cr: false, line_bytes: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The connection's end is the body's.
    pub fn may_end_with_the_connection(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    /// The payload at the front of `bytes`: how many bytes to pass over, and how many to take.
    /// Call again with what is behind, until [`Body::is_done`].
    pub fn next(&mut self, bytes: &[u8]) -> Result<(usize, usize), HttpFault> {
        let mut passed = 0;
        loop {
            let rest = &bytes[passed..];
            let take = match self.state {
                State::Length(left) | State::ChunkData(left) => {
                    usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()))
                }
                State::UntilClose => rest.len(),
                State::Done => 0,
                _ => {
                    let Some(&byte) = rest.first() else { return Ok((passed, 0)) };
                    self.line_byte(byte)?;
                    passed += 1;
                    continue;
                }
            };
            return Ok((passed, take));
        }
    }

    /// So many bytes of the payload that [`Body::next`] showed were taken.
    pub fn took(&mut self, count: usize) {
        let count = count as u64;
        self.state = match self.state {
            State::Length(left) if left <= count => State::Done,
            State::Length(left) => State::Length(left - count),
            State::ChunkData(left) if left <= count => State::ChunkEnd,
            State::ChunkData(left) => State::ChunkData(left - count),
            state => state,
        };
    }

    /// A byte of the lines around chunks.
    fn line_byte(&mut self, byte: u8) -> Result<(), HttpFault> {
        if self.after_cr {
            self.after_cr = false;
            self.line_bytes = 0;
            if byte != b'\n' {
                return Err(HttpFault::Chunk);
            }
            self.state = match self.state {
                State::ChunkSize { size: 0, .. } | State::ChunkExtension { size: 0 } => {
                    State::Trailer { empty: true }
                }
                State::ChunkSize { size, .. } | State::ChunkExtension { size } => {
                    State::ChunkData(size)
                }
                State::ChunkEnd => State::ChunkSize { size: 0, digits: 0 },
                State::Trailer { empty: true } => State::Done,
                _ => State::Trailer { empty: true },
            };
            return Ok(());
        }
        self.line_bytes += 1;
        if self.line_bytes > CHUNK_LINE_BYTES_MAX {
            return Err(HttpFault::Chunk);
        }
        match self.state {
            State::ChunkSize { digits: 0, .. } if !byte.is_ascii_hexdigit() => {
                return Err(HttpFault::Chunk);
            }
            _ if byte == b'\r' => self.after_cr = true,
            _ if byte != b'\t' && byte.is_ascii_control() => return Err(HttpFault::Chunk),
            State::ChunkSize { size, digits } => match char::from(byte).to_digit(16) {
                Some(digit) if digits < 16 => {
                    let size = size << 4 | u64::from(digit);
                    self.state = State::ChunkSize { size, digits: digits + 1 };
                }
                None if byte == b';' => self.state = State::ChunkExtension { size },
                _ => return Err(HttpFault::Chunk),
            },
            State::ChunkEnd => return Err(HttpFault::Chunk),
            State::Trailer { .. } => self.state = State::Trailer { empty: false },
            _ => {}
        }
        Ok(())
    }
}
