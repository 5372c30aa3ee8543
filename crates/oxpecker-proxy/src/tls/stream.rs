//! A TLS connection over a [`Stream`], driven by hand.
//!
//! rustls shakes hands; then its keys are taken over and [`records`](super::records) does the
//! rest on the thread's scratch buffers: ciphertext is read into one and decrypted out of it into
//! the caller's, and what is sent is encrypted into it and written at once. A connection owns
//! memory only for a record that has not arrived completely and for ciphertext that the socket
//! refused; an idle one owns neither.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use oxpecker_wire::client_hello::{self, Parsed};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, ServerConfig};

use super::records::{OVERHEAD_BYTES_MAX, PLAIN_BYTES_MAX, RecordError, Records};
use crate::relay::SCRATCH_BYTES;
use crate::socket::Stream;

/// Room for the records that a full scratch buffer of plaintext turns into, one more for a new
/// key among them, and the part of a record that came with the last read.
const CIPHER_BYTES: usize =
    SCRATCH_BYTES + (SCRATCH_BYTES / PLAIN_BYTES_MAX + 2) * OVERHEAD_BYTES_MAX + 64;

/// Before the handshake is over nobody is owed a large buffer; rustls itself accepts handshake
/// messages of up to 64 KiB.
const HANDSHAKE_BYTES_MAX: usize = 80 * 1024;

thread_local! {
    static CIPHER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CIPHER_BYTES].into());
}

/// Who speaks for us. Boxed, because the handshake's state is large and does not last.
enum Session {
    Server(Box<UnbufferedServerConnection>),
    Client(Box<UnbufferedClientConnection>),
    Traffic(Box<Records>),
    /// The keys could not be taken over.
    Lost,
}

pub(crate) struct TlsStream {
    stream: Stream,
    session: Session,
    /// Ciphertext of a record that is not complete yet, or that nobody had room for.
    incoming: Vec<u8>,
    /// Ciphertext that the socket did not take, from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    server_name: Option<Box<str>>,
    /// Plaintext that came with the handshake.
    early: Vec<u8>,
    /// The peer said close_notify: what it sent is complete.
    peer_closed: bool,
    /// The peer's stream ended without it.
    truncated: bool,
    close_queued: bool,
}

impl TlsStream {
    pub(crate) fn server(stream: Stream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(stream, Session::Server(Box::new(session))))
    }

    pub(crate) fn client(
        stream: Stream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self::new(stream, Session::Client(Box::new(session))))
    }

    fn new(stream: Stream, session: Session) -> Self {
        Self {
            stream,
            session,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            server_name: None,
            early: Vec::new(),
            peer_closed: false,
            truncated: false,
            close_queued: false,
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What was agreed: version, cipher suite, protocol, certificates. `None` once payload has
    /// moved.
    pub(crate) fn agreed(&self) -> Option<&CommonState> {
        match &self.session {
            Session::Server(session) => Some(session),
            Session::Client(session) => Some(session),
            Session::Traffic(_) | Session::Lost => None,
        }
    }

    /// The name that the client asked for.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The peer ended the stream without saying that it was complete.
    pub(crate) fn was_truncated(&self) -> bool {
        self.truncated
    }

    /// Completes the handshake; bounded by the caller's timeout.
    pub(crate) async fn handshake(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_handshake(cx)).await
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let result = self.advance_handshake();
            // An alert that says what was wrong is worth sending before giving up.
            let flushed = self.poll_flush(cx);
            result?;
            ready!(flushed)?;
            if !self.agreed().is_some_and(|agreed| agreed.is_handshaking()) {
                return Poll::Ready(Ok(()));
            }
            let held = self.incoming.len();
            if held >= HANDSHAKE_BYTES_MAX {
                return Poll::Ready(Err(io::Error::other("handshake messages are too long")));
            }
            self.incoming.resize(held + 4096, 0);
            let read = self.stream.poll_read(cx, &mut self.incoming[held..]);
            let n = if let Poll::Ready(Ok(n)) = read { n } else { 0 };
            self.incoming.truncate(held + n);
            if ready!(read)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            // rustls tells the name to the choice of certificates only; the record wants it too.
            if self.server_name.is_none()
                && let Ok(Parsed::Complete(hello)) = client_hello::parse(&self.incoming)
            {
                self.server_name = hello.server_name.map(Into::into);
            }
        }
    }

    /// Works on all that has arrived; what of it is application data is kept for the first read.
    fn advance_handshake(&mut self) -> io::Result<()> {
        let mut at = 0;
        let result = loop {
            let step = self.step(at..self.incoming.len());
            at += step.discard;
            match step.outcome {
                Ok(Outcome::Again) => {}
                Ok(Outcome::Stop) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.incoming.drain(..at);
        if result.is_err() {
            // rustls holds the alert that tells the peer of it. As long as it has something to
            // send it does not look at what has arrived.
            while self.agreed().is_some_and(|agreed| agreed.wants_write())
                && matches!(self.step(0..0).outcome, Ok(Outcome::Again))
            {}
        }
        result
    }

    /// One call of rustls, with that part of what has arrived.
    fn step(&mut self, range: std::ops::Range<usize>) -> Step {
        let Self { session, incoming, outgoing, early, peer_closed, .. } = self;
        let rest = &mut incoming[range];
        match session {
            Session::Server(session) => {
                take_step(session.process_tls_records(rest), outgoing, early, peer_closed)
            }
            Session::Client(session) => {
                take_step(session.process_tls_records(rest), outgoing, early, peer_closed)
            }
            Session::Traffic(_) | Session::Lost => Step { discard: 0, outcome: Ok(Outcome::Stop) },
        }
    }

    /// What encrypts and decrypts after the handshake; takes over from rustls the first time.
    fn records(&mut self) -> io::Result<&mut Records> {
        if !matches!(self.session, Session::Traffic(_)) {
            let records = match std::mem::replace(&mut self.session, Session::Lost) {
                Session::Server(session) => Records::of_server(*session),
                Session::Client(session) => Records::of_client(*session),
                Session::Traffic(_) | Session::Lost => Err(RecordError::Unexpected),
            };
            self.session = Session::Traffic(Box::new(records.map_err(failed)?));
        }
        match &mut self.session {
            Session::Traffic(records) => Ok(records),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Reads plaintext into `plain`, a scratch buffer; `Ok(0)` is the end of
    /// the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        plain: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let n = self.early.len().min(plain.len());
            plain[..n].copy_from_slice(&self.early[..n]);
            self.early.drain(..n);
            if self.early.is_empty() {
                self.early = Vec::new();
            }
            return Poll::Ready(Ok(n));
        }
        if self.truncated || self.peer_closed {
            return Poll::Ready(Ok(0));
        }
        self.records()?;
        CIPHER.with_borrow_mut(|cipher| {
            let mut filled = self.incoming.len();
            cipher[..filled].copy_from_slice(&self.incoming);
            self.incoming = Vec::new();
            loop {
                // What is left from before may hold whole records: look before waiting for more.
                if filled > 0 {
                    let (used, n) = self.open(cx, &cipher[..filled], plain)?;
                    if n > 0 || self.peer_closed {
                        self.incoming = cipher[used..filled].to_vec();
                        return Poll::Ready(Ok(n));
                    }
                    cipher.copy_within(used..filled, 0);
                    filled -= used;
                }
                match self.stream.poll_read(cx, &mut cipher[filled..SCRATCH_BYTES]) {
                    Poll::Ready(Ok(0)) => {
                        self.truncated = true;
                        return Poll::Ready(Ok(0));
                    }
                    Poll::Ready(Ok(n)) => filled += n,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        self.incoming = cipher[..filled].to_vec();
                        return Poll::Pending;
                    }
                }
            }
        })
    }

    /// Decrypts what is whole of `cipher` and sends what has to be answered. Returns how much of
    /// it was used up, and how much plaintext there is.
    fn open(
        &mut self,
        cx: &mut Context<'_>,
        cipher: &[u8],
        plain: &mut [u8],
    ) -> io::Result<(usize, usize)> {
        debug_assert!(plain.len() >= 2 * PLAIN_BYTES_MAX);
        let Self { session, outgoing, .. } = self;
        let Session::Traffic(records) = session else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let held = outgoing.len();
        let opened = records.open(cipher, plain, outgoing);
        if let Err(error) = &opened
            && let Some(alert) = error.alert()
        {
            // An alert that says what was wrong is worth a try before giving up.
            let _ = records.seal_fatal(alert, outgoing);
        }
        if self.outgoing.len() > held {
            let flushed = self.poll_flush(cx);
            if opened.is_ok()
                && let Poll::Ready(Err(error)) = flushed
            {
                return Err(error);
            }
        }
        let opened = opened.map_err(failed)?;
        self.peer_closed |= opened.closed;
        Ok((opened.used, opened.plain))
    }

    /// Encrypts all of `plain`, at most a scratch buffer full, and writes what the socket takes.
    /// The rest is kept; nothing more is accepted until it is flushed.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        CIPHER.with_borrow_mut(|cipher| {
            let n = self.records()?.seal(plain, cipher).map_err(failed)?;
            let taken = match self.stream.poll_write(cx, &cipher[..n]) {
                Poll::Ready(result) => result?,
                Poll::Pending => 0,
            };
            if taken < n {
                self.outgoing.extend_from_slice(&cipher[taken..n]);
            }
            Poll::Ready(Ok(plain.len()))
        })
    }

    /// Ready when the socket has taken everything.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.outgoing.len() {
            self.sent += ready!(self.stream.poll_write(cx, &self.outgoing[self.sent..]))?;
        }
        if self.sent > 0 {
            self.outgoing = Vec::new();
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Says close_notify, then ends this side's stream.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.close_queued {
            self.close_queued = true;
            self.records()?;
            if let Session::Traffic(records) = &mut self.session {
                // With its keys used up, the end of the stream has to say it.
                let _ = records.seal_close(&mut self.outgoing);
            }
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(self.stream.shutdown_write())
    }

    /// Ends this side's stream without close_notify: what it carried was not complete.
    pub(crate) fn shutdown_truncated(&self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

fn failed(error: RecordError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What one call of rustls led to.
struct Step {
    /// Bytes at the front of the ciphertext that are done with.
    discard: usize,
    outcome: io::Result<Outcome>,
}

enum Outcome {
    Again,
    /// Nothing more to do with what is there.
    Stop,
}

/// Handles one state of a handshake. Payload that came right behind it goes to `early`.
fn take_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Vec<u8>,
    early: &mut Vec<u8>,
    peer_closed: &mut bool,
) -> Step {
    let UnbufferedStatus { mut discard, state } = status;
    let outcome = match state {
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            encode(outgoing, |room| data.encode(room)).map(|()| Outcome::Again)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // It lies in `outgoing`, which is flushed before anything else is sent.
            data.done();
            Ok(Outcome::Again)
        }
        Ok(ConnectionState::ReadTraffic(mut traffic)) => match traffic.next_record() {
            Some(Ok(record)) => {
                discard += record.discard;
                early.extend_from_slice(record.payload);
                Ok(Outcome::Again)
            }
            Some(Err(error)) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            None => Ok(Outcome::Again),
        },
        Ok(ConnectionState::PeerClosed) => {
            *peer_closed = true;
            Ok(Outcome::Again)
        }
        Ok(_) => Ok(Outcome::Stop),
    };
    Step { discard, outcome }
}

/// Appends what `data` encodes, which says how much room it needs.
fn encode(
    outgoing: &mut Vec<u8>,
    mut data: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> io::Result<()> {
    let held = outgoing.len();
    let mut room = 4096;
    loop {
        outgoing.resize(held + room, 0);
        match data(&mut outgoing[held..]) {
            Ok(n) => {
                outgoing.truncate(held + n);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(needed)) => room = needed.required_size,
            Err(error @ EncodeError::AlreadyEncoded) => {
                outgoing.truncate(held);
                return Err(io::Error::other(error));
            }
        }
    }
}
