//! A client of HTTP 1.1 that sends exactly what it is told, and reads one answer a connection.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::client::connect;
use crate::wait::DEADLINE;

/// Whom to ask, and what to say of oneself.
#[derive(Debug, Clone)]
pub struct Http {
    to: To,
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum To {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Http {
    pub fn tcp(address: SocketAddr) -> Self {
        let host = ("host".to_owned(), address.to_string());
        Self { to: To::Tcp(address), headers: vec![host] }
    }

    pub fn unix(path: impl Into<PathBuf>) -> Self {
        let host = ("host".to_owned(), "localhost".to_owned());
        Self { to: To::Unix(path.into()), headers: vec![host] }
    }

    /// Instead of one of that name, if there is one.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn basic(self, user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {pair}"))
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// As scripts do that change something.
    pub fn by_script(self) -> Self {
        self.header("x-oxpecker-request", "1")
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "")
    }

    /// # Panics
    /// When nobody accepts, or what comes is no answer.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let mut stream = self.open();
        // Whoever is refused early may find the connection closed.
        let _ = stream.write_all(head.as_bytes());
        let mut reader = BufReader::new(stream);
        read_reply(&mut reader).unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    /// A connection on which to say what one likes.
    #[track_caller]
    pub fn open(&self) -> Box<dyn Stream> {
        match &self.to {
            To::Tcp(address) => Box::new(connect(*address)),
            To::Unix(path) => {
                let stream = UnixStream::connect(path)
                    .unwrap_or_else(|error| panic!("failed to open {}: {error}", path.display()));
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                Box::new(stream)
            }
        }
    }

    /// Asks for a stream of events, and returns where their lines come.
    #[track_caller]
    pub fn events(&self, path: &str) -> Events {
        let mut head = format!("GET {path} HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        let mut stream = self.open();
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader).expect("an answer to the stream");
        Events { status, headers, reader, rest: String::new() }
    }
}

/// Both kinds of socket.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A stream of events (`text/event-stream`).
pub struct Events {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    reader: BufReader<Box<dyn Stream>>,
    rest: String,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Events {
    /// Name and data of the next event; `None` at the end.
    pub fn next_event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some(end) = self.rest.find("\n\n") {
                let event: String = self.rest.drain(..end + 2).collect();
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
                };
                let (name, data) = (field("event:"), field("data:"));
                if name.is_empty() && data.is_empty() {
                    // A comment that keeps the connection alive.
                    continue;
                }
                return Some((name, data));
            }
            let chunk = read_chunk(&mut self.reader)?;
            self.rest.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    /// Waits for an event of this name; its data.
    ///
    /// # Panics
    /// When the stream ends before.
    #[track_caller]
    pub fn wait(&mut self, name: &str) -> String {
        loop {
            let event = self.next_event();
            let (found, data) = event.unwrap_or_else(|| panic!("the stream ended before `{name}`"));
            if found == name {
                return data;
            }
        }
    }
}

impl Reply {
    /// Empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Reads one answer; `None` when the connection ends before it is complete.
pub fn read_reply(reader: &mut impl BufRead) -> Option<Reply> {
    let (status, headers) = read_head(reader)?;
    let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
    let mut body = Vec::new();
    if find("transfer-encoding").is_some() {
        loop {
            let chunk = read_chunk(reader)?;
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
    } else if let Some(length) = find("content-length") {
        body.resize(length.parse().ok()?, 0);
        // An answer to HEAD has a length and no body.
        if reader.read_exact(&mut body).is_err() {
            body.clear();
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Reply { status, headers, body })
}

fn read_head(reader: &mut impl BufRead) -> Option<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some((status, headers))
}

/// Empty at the end of the body.
fn read_chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let size = usize::from_str_radix(line.trim_end().split(';').next()?, 16).ok()?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    Some(chunk)
}
