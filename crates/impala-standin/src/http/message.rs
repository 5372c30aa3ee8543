//! Reading HTTP/1.1 requests: request line, headers, body. Everything has a bound.

use std::io::{self, BufRead, BufReader, Read};

/// Impala's line buffer is smaller.
const LINE_BYTES_MAX: u64 = 64 * 1024;
const HEADERS_MAX: usize = 200;
const STEP_BYTES: usize = 64 * 1024;

pub(crate) struct Reader<R> {
    input: BufReader<R>,
}

/// `POST /path?query HTTP/1.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestLine {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// HTTP/1.0: the connection ends with the answer.
    pub(crate) is_old: bool,
}

/// Headers; names in lower case.
#[derive(Debug, Default)]
pub(crate) struct Head {
    headers: Vec<(String, String)>,
}

impl RequestLine {
    /// A parameter of the query string, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| decode(value))
        })
    }

    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        self.parameter(name).is_some()
    }
}

impl Head {
    /// The last header of that name.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.last(name).is_some_and(|v| v.eq_ignore_ascii_case(value))
    }
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(16 * 1024, input) }
    }

    /// Waits for a request; `None` when the client has hung up.
    pub(crate) fn request_line(&mut self) -> io::Result<Option<RequestLine>> {
        let Some(line) = self.line()? else { return Ok(None) };
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_old = words.next() == Some("HTTP/1.0");
        let (method, path, query) = (method.into(), path.into(), query.into());
        Ok(Some(RequestLine { method, path, query, is_old }))
    }

    pub(crate) fn headers(&mut self) -> io::Result<Head> {
        let mut head = Head::default();
        loop {
            let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(head);
            }
            if head.headers.len() >= HEADERS_MAX {
                return Err(io::Error::other("too many headers"));
            }
            if let Some((name, value)) = line.split_once(':') {
                head.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }

    /// The body, by its length or in chunks; empty when neither is given.
    pub(crate) fn body(&mut self, head: &Head, max: usize) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if head
            .last("transfer-encoding")
            .is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"))
        {
            loop {
                let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let length = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
                if length == 0 {
                    self.headers()?; // Trailers, up to the empty line.
                    return Ok(body);
                }
                self.append(&mut body, length, max)?;
                self.line()?;
            }
        }
        if let Some(length) = head.last("content-length") {
            let length = length.parse().map_err(io::Error::other)?;
            self.append(&mut body, length, max)?;
        }
        Ok(body)
    }

    /// Memory grows only as bytes arrive.
    fn append(&mut self, body: &mut Vec<u8>, length: usize, max: usize) -> io::Result<()> {
        if body.len().checked_add(length).is_none_or(|total| total > max) {
            return Err(io::Error::other("the request is too long"));
        }
        let end = body.len() + length;
        while body.len() < end {
            let start = body.len();
            body.resize(end.min(start + STEP_BYTES), 0);
            self.input.read_exact(&mut body[start..])?;
        }
        Ok(())
    }

    /// A line without its end; `None` at the end of the stream.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(io::Error::other("a line without end"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

/// Undoes percent and plus encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        match (byte, digits.and_then(|d| u8::from_str_radix(d, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<(RequestLine, Vec<u8>)> {
        let mut reader = Reader::new(bytes);
        let line = reader.request_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = reader.headers()?;
        Ok((line, reader.body(&head, 1000)?))
    }

    #[test]
    fn reads_bodies_by_length_and_in_chunks() {
        let (line, body) =
            read(b"POST /cliservice?doAs=a%20b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd").unwrap();
        assert_eq!(
            (line.path.as_str(), line.parameter("doAs")),
            ("/cliservice", Some("a b".into()))
        );
        assert_eq!(body, b"abc");
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunked).unwrap().1, b"abcde");
    }

    #[test]
    fn refuses_what_is_broken_or_too_long() {
        for broken in [
            &b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            b"POST / HTTP/1.1\r\nContent-Le",
        ] {
            assert!(read(broken).is_err(), "{}", String::from_utf8_lossy(broken));
        }
        assert!(read(&[b'x'; 70_000]).is_err());
    }
}
