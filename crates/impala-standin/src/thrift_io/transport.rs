//! Where Thrift bytes come from and go to: a bare socket, a socket with SASL's length-prefixed
//! frames, or memory.

use crate::stream::Stream;
use std::io::{self, Cursor, Read, Write};

/// Impala buffers this much before it writes, so a larger reply spans several SASL frames.
const BUFFER_BYTES: usize = 128 * 1024;
/// More than any statement a test will send; Impala's own limit is 2 GiB.
const MESSAGE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes of incoming calls.
pub(crate) struct Source {
    from: From,
    buffer: Box<[u8]>,
    position: usize,
    filled: usize,
    message_bytes_left: u64,
}

enum From {
    Raw(Stream),
    /// `left` bytes of the current frame have not been read from the socket.
    Sasl {
        stream: Stream,
        left: u64,
    },
    Memory(Cursor<Vec<u8>>),
}

impl Source {
    pub(crate) fn raw(stream: Stream) -> Self {
        Self::new(From::Raw(stream))
    }

    pub(crate) fn sasl(stream: Stream) -> Self {
        Self::new(From::Sasl { stream, left: 0 })
    }

    pub(crate) fn memory(bytes: Vec<u8>) -> Self {
        Self::new(From::Memory(Cursor::new(bytes)))
    }

    fn new(from: From) -> Self {
        let buffer = match from {
            From::Memory(_) => Vec::new(),
            _ => vec![0; 16 * 1024],
        };
        Self {
            from,
            buffer: buffer.into(),
            position: 0,
            filled: 0,
            message_bytes_left: MESSAGE_BYTES_MAX,
        }
    }

    /// Each message has the whole allowance.
    pub(super) fn start_message(&mut self) {
        self.message_bytes_left = MESSAGE_BYTES_MAX;
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = if self.position < self.filled {
            let n = out.len().min(self.filled - self.position);
            out[..n].copy_from_slice(&self.buffer[self.position..self.position + n]);
            self.position += n;
            n
        } else if let From::Memory(cursor) = &mut self.from {
            cursor.read(out)?
        } else if out.len() >= self.buffer.len() {
            self.from.read(out)?
        } else {
            self.filled = self.from.read(&mut self.buffer)?;
            let n = out.len().min(self.filled);
            out[..n].copy_from_slice(&self.buffer[..n]);
            self.position = n;
            n
        };
        self.message_bytes_left = self
            .message_bytes_left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other("the message is too long"))?;
        Ok(read)
    }
}

impl Read for From {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            From::Raw(stream) => stream.read(out),
            From::Memory(cursor) => cursor.read(out),
            From::Sasl { stream, left } => {
                while *left == 0 {
                    let mut header = [0; 4];
                    stream.read_exact(&mut header)?;
                    *left = u64::from(u32::from_be_bytes(header));
                }
                let wanted = out.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let n = stream.read(&mut out[..wanted])?;
                *left -= n as u64;
                Ok(n)
            }
        }
    }
}

/// Bytes of outgoing replies. A small reply leaves in one write, a large one in pieces.
pub(crate) struct Sink {
    to: To,
    /// For SASL, the first four bytes are kept free for the length.
    buffer: Vec<u8>,
}

enum To {
    Raw(Stream),
    Sasl(Stream),
    Memory,
}

const SASL_HEADER: [u8; 4] = [0; 4];

impl Sink {
    pub(crate) fn raw(stream: Stream) -> Self {
        Self { to: To::Raw(stream), buffer: Vec::new() }
    }

    pub(crate) fn sasl(stream: Stream) -> Self {
        Self { to: To::Sasl(stream), buffer: SASL_HEADER.to_vec() }
    }

    pub(crate) fn memory() -> Self {
        Self { to: To::Memory, buffer: Vec::new() }
    }

    /// What was written to memory.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    fn send(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Memory => return Ok(()),
            To::Raw(stream) => {
                if !self.buffer.is_empty() {
                    stream.write_all(&self.buffer)?;
                }
                self.buffer.clear();
            }
            To::Sasl(stream) => {
                let length = self.buffer.len() - SASL_HEADER.len();
                if length > 0 {
                    let length = u32::try_from(length).map_err(io::Error::other)?;
                    self.buffer[..SASL_HEADER.len()].copy_from_slice(&length.to_be_bytes());
                    stream.write_all(&self.buffer)?;
                }
                self.buffer.truncate(SASL_HEADER.len());
            }
        }
        Ok(())
    }
}

impl Write for Sink {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.to, To::Memory) {
            self.buffer.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let n = bytes.len().min(BUFFER_BYTES);
        if self.buffer.len() + n > BUFFER_BYTES {
            self.send()?;
        }
        self.buffer.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
