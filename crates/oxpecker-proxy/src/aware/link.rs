//! One side of a connection whose messages are read: framing, and buffers only for what waits.

mod patience;
mod pump;

use std::io;
use std::task::{Context, Poll, ready};

use oxpecker_wire::scan::Fault;
use oxpecker_wire::scan::frames::Frames;
use oxpecker_wire::scan::http::{Body, HttpFault};

use crate::endpoint::Endpoint;
use crate::relay::with_scratch;

pub(super) use patience::Patience;
pub(super) use pump::{PumpError, pump};

/// Most that is read before it is known where it goes; also what a client can make us keep that
/// sends its next call before the answer to the last. TLS wants room for two whole records.
const FILL_BYTES: usize = 32 * 1024;

/// Buffers larger than this are given back while a connection waits.
const IDLE_BYTES: usize = 1024;

/// How payload is taken out of what arrives.
#[derive(Debug)]
pub(super) enum Inward {
    Raw,
    Sasl(Frames),
    Http(Body),
}

/// How payload is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outward {
    Raw,
    Sasl,
    Chunked,
}

/// Why a side can no longer be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection ended")]
    Ended,
    #[error("nothing came in the middle of a message")]
    Stalled,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Thrift(#[from] Fault),
    #[error("{0}")]
    Http(#[from] HttpFault),
}

pub(super) struct Link {
    endpoint: Endpoint,
    pub(super) inward: Inward,
    pub(super) outward: Outward,
    /// Received, not used from `used` on.
    inbox: Vec<u8>,
    used: usize,
    /// Packed, not sent from `sent` on.
    outbox: Vec<u8>,
    sent: usize,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Link {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            inward: Inward::Raw,
            outward: Outward::Raw,
            inbox: Vec::new(),
            used: 0,
            outbox: Vec::new(),
            sent: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn use_sasl_frames(&mut self) {
        self.inward = Inward::Sasl(Frames::default());
        self.outward = Outward::Sasl;
    }

    /// For a relay that goes on without looking; what was received and not used comes first.
    pub(super) fn into_parts(self) -> (Endpoint, Vec<u8>) {
        let rest = self.inbox[self.used..].to_vec();
        (self.endpoint, rest)
    }

    /// What has arrived and was not used, framing included.
    pub(super) fn received(&self) -> &[u8] {
        &self.inbox[self.used..]
    }

    /// Uses up bytes of [`Link::received`] that are no payload.
    pub(super) fn skip(&mut self, count: usize) {
        self.used += count;
        self.tidy();
    }

    /// The payload at the front of what has arrived; empty when more must come.
    pub(super) fn payload(&mut self) -> Result<&[u8], Broken> {
        let (passed, count) = next(&mut self.inward, &self.inbox[self.used..])?;
        self.used += passed;
        Ok(&self.inbox[self.used..self.used + count])
    }

    /// No more payload comes in this HTTP body.
    pub(super) fn payload_is_over(&self) -> bool {
        matches!(&self.inward, Inward::Http(body) if body.is_done())
    }

    /// The connection's end is the body's.
    pub(super) fn may_end(&self) -> bool {
        matches!(&self.inward, Inward::Http(body) if body.may_end_with_the_connection())
    }

    /// So much of [`Link::payload`] was used.
    pub(super) fn took(&mut self, count: usize) {
        took(&mut self.inward, count);
        self.used += count;
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.used == self.inbox.len() {
            self.inbox.clear();
            self.used = 0;
        }
    }

    /// Nothing waits on either way.
    pub(super) fn give_back_memory(&mut self) {
        for buffer in [&mut self.inbox, &mut self.outbox] {
            if buffer.is_empty() && buffer.capacity() > IDLE_BYTES {
                *buffer = Vec::new();
            }
        }
    }

    /// Receives more; `Ok(0)` is the end. Cancel safe.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }

    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        with_scratch(|scratch| {
            let n = ready!(self.endpoint.poll_read(cx, &mut scratch[..FILL_BYTES]))?;
            self.inbox.drain(..self.used);
            self.used = 0;
            self.inbox.extend_from_slice(&scratch[..n]);
            self.bytes_in += n as u64;
            Poll::Ready(Ok(n))
        })
    }

    /// Receives until there is payload.
    pub(super) async fn more(&mut self) -> Result<(), Broken> {
        std::future::poll_fn(|cx| self.poll_more(cx)).await
    }

    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(match ready!(self.poll_fill(cx))? {
            0 => Err(Broken::Ended),
            _ => Ok(()),
        })
    }

    /// Ends when the peer has left. What it sends meanwhile, as far as one read brings it, is kept.
    pub(super) async fn left(&mut self) {
        std::future::poll_fn(|cx| {
            if self.used < self.inbox.len() {
                return Poll::Pending;
            }
            match ready!(self.poll_fill(cx)) {
                Ok(1..) => Poll::Pending,
                Ok(0) | Err(_) => Poll::Ready(()),
            }
        })
        .await;
    }

    /// The peer has closed while nobody waited for it to say anything, as far as is known already.
    pub(super) fn is_dead(&self) -> bool {
        self.endpoint.stream().is_known_to_have_left()
    }

    /// Ready when the peer has closed, or says something although nobody asked: either way nothing
    /// good comes of it any more.
    pub(super) fn poll_useless(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.used < self.inbox.len() {
            return Poll::Ready(());
        }
        self.poll_fill(cx).map(|_| ())
    }

    /// Packs payload for sending.
    pub(super) fn queue(&mut self, payload: &[u8]) {
        match self.outward {
            _ if payload.is_empty() => {}
            Outward::Raw => self.outbox.extend_from_slice(payload),
            Outward::Sasl => {
                self.outbox.extend_from_slice(&(payload.len() as u32).to_be_bytes());
                self.outbox.extend_from_slice(payload);
            }
            Outward::Chunked => {
                self.outbox.extend_from_slice(format!("{:x}\r\n", payload.len()).as_bytes());
                self.outbox.extend_from_slice(payload);
                self.outbox.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Bytes that have their framing, or need none.
    pub(super) fn queue_bare(&mut self, bytes: &[u8]) {
        self.outbox.extend_from_slice(bytes);
    }

    /// Sends all that is queued.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends all that is queued to a peer that may take its time only up to `patience`.
    pub(super) async fn flush_within(&mut self, patience: Patience) -> io::Result<()> {
        match patience.within(self.flush()).await {
            Some(result) => result,
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.outbox.len() {
            let n = ready!(self.endpoint.poll_write(cx, &self.outbox[self.sent..]))?;
            self.sent += n;
            self.bytes_out += n as u64;
        }
        self.outbox.clear();
        self.sent = 0;
        self.endpoint.poll_flush(cx)
    }

    /// Sends what is taken of `bytes` and keeps the rest.
    fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let taken = if self.outbox.is_empty() {
            match self.endpoint.poll_write(cx, bytes) {
                Poll::Pending => 0,
                Poll::Ready(result) => result?,
            }
        } else {
            0
        };
        self.bytes_out += taken as u64;
        self.outbox.extend_from_slice(&bytes[taken..]);
        Ok(())
    }
}

fn next(inward: &mut Inward, bytes: &[u8]) -> Result<(usize, usize), Broken> {
    Ok(match inward {
        Inward::Raw => (0, bytes.len()),
        Inward::Sasl(frames) => frames.next(bytes)?,
        Inward::Http(body) => body.next(bytes)?,
    })
}

fn took(inward: &mut Inward, count: usize) {
    match inward {
        Inward::Raw => {}
        Inward::Sasl(frames) => frames.took(count),
        Inward::Http(body) => body.took(count),
    }
}
