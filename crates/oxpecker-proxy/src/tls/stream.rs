//! A TLS connection over a [`Stream`], driven by hand.
//!
//! rustls works on the thread's scratch buffers: ciphertext is read into one, records are
//! decrypted out of it into the caller's, and what is sent is encrypted into it and written at
//! once. A connection owns memory only for a record that has not arrived completely and for
//! ciphertext that the socket refused; an idle one owns neither.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use oxpecker_wire::client_hello::{self, Parsed};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, ServerConfig};

use crate::relay::SCRATCH_BYTES;
use crate::socket::Stream;

/// Room for the records that a full scratch buffer of plaintext turns into: 16 KiB each, with a
/// header, a type byte and a tag.
const CIPHER_BYTES: usize = SCRATCH_BYTES + (SCRATCH_BYTES / (16 * 1024) + 2) * 64;

/// Most plaintext that one record carries (RFC 8446, section 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Before the handshake is over nobody is owed a large buffer; rustls itself accepts handshake
/// messages of up to 64 KiB.
const HANDSHAKE_BYTES_MAX: usize = 80 * 1024;

thread_local! {
    static CIPHER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CIPHER_BYTES].into());
}

enum Session {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

pub(crate) struct TlsStream {
    stream: Stream,
    session: Session,
    /// Ciphertext of a record that is not complete yet.
    incoming: Vec<u8>,
    /// Ciphertext that the socket did not take, from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    server_name: Option<Box<str>>,
    /// rustls may hold plaintext that came with the handshake: the first read must look before
    /// it waits, or the connection hangs.
    look_first: bool,
    /// The peer said close_notify: what it sent is complete.
    peer_closed: bool,
    /// The peer's stream ended without it.
    truncated: bool,
    close_queued: bool,
}

impl TlsStream {
    pub(crate) fn server(stream: Stream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(stream, Session::Server(session)))
    }

    pub(crate) fn client(
        stream: Stream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self::new(stream, Session::Client(session)))
    }

    fn new(stream: Stream, session: Session) -> Self {
        Self {
            stream,
            session,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            server_name: None,
            look_first: true,
            peer_closed: false,
            truncated: false,
            close_queued: false,
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What was agreed: version, cipher suite, protocol, certificates.
    pub(crate) fn agreed(&self) -> &CommonState {
        match &self.session {
            Session::Server(session) => session,
            Session::Client(session) => session,
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

    /// Completes the handshake; bounded by the caller's timeout. Application data that came
    /// with it stays in `incoming` and is found by the first read.
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
            if !self.agreed().is_handshaking() {
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

    /// Works on what has arrived. Stops at the end of the handshake: what follows is read later.
    fn advance_handshake(&mut self) -> io::Result<()> {
        let Self { session, incoming, outgoing, peer_closed, .. } = self;
        let mut at = 0;
        let result = loop {
            let step = match session {
                Session::Server(session) => {
                    take_step(session.process_tls_records(&mut incoming[at..]), outgoing, None)
                }
                Session::Client(session) => {
                    take_step(session.process_tls_records(&mut incoming[at..]), outgoing, None)
                }
            };
            at += step.discard;
            match step.outcome {
                Ok(Outcome::Again) => {}
                Ok(Outcome::PeerClosed) => *peer_closed = true,
                Ok(Outcome::Stop | Outcome::Data(_)) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        incoming.drain(..at);
        result
    }

    /// Reads plaintext into `plain`, which must hold at least one record; `Ok(0)` is the end of
    /// the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        plain: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.truncated || (self.peer_closed && !self.look_first) {
            return Poll::Ready(Ok(0));
        }
        CIPHER.with_borrow_mut(|cipher| {
            let mut filled = self.incoming.len();
            cipher[..filled].copy_from_slice(&self.incoming);
            self.incoming = Vec::new();
            // What is left from before may hold whole records: look before waiting for more.
            let mut fresh = filled > 0 || std::mem::take(&mut self.look_first);
            loop {
                if fresh {
                    let (at, n) = self.decrypt(&mut cipher[..filled], plain)?;
                    cipher.copy_within(at..filled, 0);
                    filled -= at;
                    if n > 0 || self.peer_closed {
                        self.incoming = cipher[..filled].to_vec();
                        // An answer to a key update goes out now or with the next data.
                        let _ = self.poll_flush(cx)?;
                        return Poll::Ready(Ok(n));
                    }
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
                fresh = true;
            }
        })
    }

    /// Decrypts the whole records of `cipher` that `plain` has room for. Returns how much of it
    /// was used up, and how much plaintext there is.
    fn decrypt(&mut self, cipher: &mut [u8], plain: &mut [u8]) -> io::Result<(usize, usize)> {
        debug_assert!(plain.len() >= RECORD_BYTES_MAX);
        let (mut at, mut n) = (0, 0);
        while plain.len() - n >= RECORD_BYTES_MAX {
            let (rest, out) = (&mut cipher[at..], &mut plain[n..]);
            let outgoing = &mut self.outgoing;
            let step = match &mut self.session {
                Session::Server(session) => {
                    take_step(session.process_tls_records(rest), outgoing, Some(out))
                }
                Session::Client(session) => {
                    take_step(session.process_tls_records(rest), outgoing, Some(out))
                }
            };
            at += step.discard;
            match step.outcome? {
                Outcome::Again => {}
                Outcome::Data(length) => n += length,
                Outcome::PeerClosed => self.peer_closed = true,
                Outcome::Stop => break,
            }
        }
        Ok((at, n))
    }

    /// Encrypts all of `plain`, at most a scratch buffer full, and writes what the socket takes.
    /// The rest is kept; nothing more is accepted until it is flushed.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, plain: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        CIPHER.with_borrow_mut(|cipher| {
            let n = match &mut self.session {
                Session::Server(session) => encrypt(session.process_tls_records(&mut []), plain, cipher),
                Session::Client(session) => encrypt(session.process_tls_records(&mut []), plain, cipher),
            }?;
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
            let outgoing = &mut self.outgoing;
            match &mut self.session {
                Session::Server(session) => queue_close(session.process_tls_records(&mut []), outgoing),
                Session::Client(session) => queue_close(session.process_tls_records(&mut []), outgoing),
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

/// What one call of rustls led to.
struct Step {
    /// Bytes at the front of the ciphertext that are done with.
    discard: usize,
    outcome: io::Result<Outcome>,
}

enum Outcome {
    Again,
    /// So much plaintext was put into the caller's buffer.
    Data(usize),
    PeerClosed,
    /// Nothing more to do with what is there.
    Stop,
}

/// Handles one state. With `plain` absent (during the handshake) application data is left alone.
fn take_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Vec<u8>,
    plain: Option<&mut [u8]>,
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
        Ok(ConnectionState::ReadTraffic(mut traffic)) => match plain {
            None => Ok(Outcome::Stop),
            Some(plain) => match traffic.next_record() {
                Some(Ok(record)) => {
                    discard += record.discard;
                    let length = record.payload.len();
                    plain[..length].copy_from_slice(record.payload);
                    Ok(Outcome::Data(length))
                }
                Some(Err(error)) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                None => Ok(Outcome::Again),
            },
        },
        Ok(ConnectionState::PeerClosed) => Ok(Outcome::PeerClosed),
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

fn encrypt<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &[u8],
    cipher: &mut [u8],
) -> io::Result<usize> {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            traffic.encrypt(plain, cipher).map_err(io::Error::other)
        }
        Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

fn queue_close<Data>(status: UnbufferedStatus<'_, '_, Data>, outgoing: &mut Vec<u8>) {
    let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else { return };
    let held = outgoing.len();
    let mut room = 64;
    loop {
        outgoing.resize(held + room, 0);
        match traffic.queue_close_notify(&mut outgoing[held..]) {
            Ok(n) => return outgoing.truncate(held + n),
            Err(EncryptError::InsufficientSize(needed)) => room = needed.required_size,
            // The keys are used up: then the end of the stream has to say it.
            Err(EncryptError::EncryptExhausted) => return outgoing.truncate(held),
        }
    }
}
