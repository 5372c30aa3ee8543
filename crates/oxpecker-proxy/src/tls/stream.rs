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
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic,
};
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
    /// Plaintext that came with the handshake. Left with rustls it would be in the way of the
    /// first write.
    early: Vec<u8>,
    /// rustls has looked at all of `incoming` and may remember where in it a handshake message
    /// begins: it must see those bytes again at every call, or it panics.
    looked: bool,
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
            early: Vec::new(),
            looked: true,
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

    /// Works on all that has arrived; what of it is application data is kept for the first read.
    fn advance_handshake(&mut self) -> io::Result<()> {
        let Self { session, incoming, outgoing, peer_closed, early, .. } = self;
        let mut at = 0;
        let result = loop {
            let store = |payload: &[u8]| early.extend_from_slice(payload);
            let rest = &mut incoming[at..];
            let step = match session {
                Session::Server(session) => take_step(session.process(rest), outgoing, store),
                Session::Client(session) => take_step(session.process(rest), outgoing, store),
            };
            at += step.discard;
            match step.outcome {
                Ok(Outcome::Again | Outcome::Data(_)) => {}
                Ok(Outcome::PeerClosed) => *peer_closed = true,
                Ok(Outcome::Stop) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        incoming.drain(..at);
        if result.is_err() {
            self.encode_alert();
        }
        result
    }

    /// After an error rustls holds the alert that tells the peer of it.
    fn encode_alert(&mut self) {
        // As long as it has something to send it does not look at what has arrived.
        while self.agreed().wants_write() {
            let Self { session, outgoing, .. } = self;
            let step = match session {
                Session::Server(session) => take_step(session.process(&mut []), outgoing, |_| {}),
                Session::Client(session) => take_step(session.process(&mut []), outgoing, |_| {}),
            };
            if !matches!(step.outcome, Ok(Outcome::Again)) {
                return;
            }
        }
    }

    /// Reads plaintext into `plain`, which must hold at least one record; `Ok(0)` is the end of
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
        CIPHER.with_borrow_mut(|cipher| {
            let mut filled = self.incoming.len();
            cipher[..filled].copy_from_slice(&self.incoming);
            self.incoming = Vec::new();
            // What is left from before may hold whole records: look before waiting for more.
            let mut fresh = !self.looked;
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
                        self.incoming = cipher[..filled].to_vec();
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
        self.looked = false;
        while plain.len() - n >= RECORD_BYTES_MAX {
            let store = |payload: &[u8]| plain[n..n + payload.len()].copy_from_slice(payload);
            let (rest, outgoing) = (&mut cipher[at..], &mut self.outgoing);
            let step = match &mut self.session {
                Session::Server(session) => take_step(session.process(rest), outgoing, store),
                Session::Client(session) => take_step(session.process(rest), outgoing, store),
            };
            at += step.discard;
            match step.outcome? {
                Outcome::Again => {}
                Outcome::Data(length) => n += length,
                Outcome::PeerClosed => self.peer_closed = true,
                Outcome::Stop => {
                    self.looked = true;
                    break;
                }
            }
        }
        Ok((at, n))
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
            let Self { session, incoming, outgoing, looked, .. } = self;
            let seen = if *looked { &mut incoming[..] } else { &mut [] };
            let n = match session {
                Session::Server(session) => {
                    in_traffic(session, seen, outgoing, |t| t.encrypt(plain, cipher))
                }
                Session::Client(session) => {
                    in_traffic(session, seen, outgoing, |t| t.encrypt(plain, cipher))
                }
            }?
            .map_err(io::Error::other)?;
            let taken = if !self.outgoing.is_empty() {
                0
            } else {
                match self.stream.poll_write(cx, &cipher[..n]) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => 0,
                }
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
            let Self { session, incoming, outgoing, looked, .. } = self;
            let seen = if *looked { &mut incoming[..] } else { &mut [] };
            let close = match session {
                Session::Server(session) => in_traffic(session, seen, outgoing, close_notify),
                Session::Client(session) => in_traffic(session, seen, outgoing, close_notify),
            }?;
            self.outgoing.extend_from_slice(&close);
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

/// Handles one state; `store` is given a record's plaintext.
fn take_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Vec<u8>,
    store: impl FnOnce(&[u8]),
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
                store(record.payload);
                Ok(Outcome::Data(record.payload.len()))
            }
            Some(Err(error)) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            None => Ok(Outcome::Again),
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

/// Lets rustls say first what it has to say by itself, then does `act`. `seen` is what has
/// arrived and was looked at; it holds no whole record.
fn in_traffic<S: Process, T>(
    session: &mut S,
    seen: &mut [u8],
    outgoing: &mut Vec<u8>,
    act: impl FnOnce(&mut WriteTraffic<'_, S::Data>) -> T,
) -> io::Result<T> {
    loop {
        match session.process(seen).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => return Ok(act(&mut traffic)),
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(outgoing, |room| data.encode(room))?;
            }
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

fn close_notify<Data>(traffic: &mut WriteTraffic<'_, Data>) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    loop {
        match traffic.queue_close_notify(&mut bytes) {
            Ok(n) => {
                bytes.truncate(n);
                return bytes;
            }
            Err(EncryptError::InsufficientSize(needed)) => bytes.resize(needed.required_size, 0),
            // The keys are used up: then the end of the stream has to say it.
            Err(EncryptError::EncryptExhausted) => return Vec::new(),
        }
    }
}

/// What the connections of both sides have in common.
trait Process {
    type Data;

    fn process<'c, 'i>(&'c mut self, tls: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Process for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, tls: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(tls)
    }
}

impl Process for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, tls: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(tls)
    }
}
