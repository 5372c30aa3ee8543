//! A connection of the generator: a socket as it is, or TLS over it. Never waits unless told to
//! through [`Read`] and [`Write`].
//!
//! The client's own TLS is not what is measured: it verifies no certificate, resumes no session,
//! and knows exactly one version, suite and key exchange, so that every peer does the same work.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, LazyLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::poll;

/// Plaintext kept while the socket takes no more; beyond that `transmit` takes nothing.
const BUFFER_BYTES: usize = 64 * 1024;

static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap_or_else(|error| unreachable!("the suite is one of TLS 1.3: {error}"));
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelieveAnything))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
});

#[derive(Debug)]
pub(crate) enum Link {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

#[derive(Debug)]
pub(crate) struct Tls {
    socket: TcpStream,
    session: ClientConnection,
    /// Shut the socket when everything is sent.
    shut: bool,
}

impl Link {
    /// The handshake begins with the first bytes that are moved.
    pub(crate) fn new(socket: TcpStream, tls: bool) -> io::Result<Self> {
        if !tls {
            return Ok(Self::Plain(socket));
        }
        // Handshake and first request leave in separate writes.
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut session =
            ClientConnection::new(Arc::clone(&CONFIG), name).map_err(io::Error::other)?;
        session.set_buffer_limit(Some(BUFFER_BYTES));
        Ok(Self::Tls(Box::new(Tls { socket, session, shut: false })))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// Reads what is there; `None` if that is nothing yet, `Some(0)` at the end. `buffer` must
    /// have room for all that one reading can bring, 64 KiB: the socket would not say again that
    /// there is more.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Plain(socket) => poll::receive(socket, buffer),
            Self::Tls(tls) => tls.receive(buffer),
        }
    }

    /// Throws away what is there inside the kernel. Of TLS these are bytes of ciphertext, and
    /// nothing but throwing away works from then on.
    pub(crate) fn discard(&self, room: &mut [u8]) -> io::Result<Option<usize>> {
        poll::discard(self.socket(), room)
    }

    /// Takes what fits; `None` if that is nothing yet. What TLS takes goes out with later calls
    /// as long as [`Self::wants_write`].
    pub(crate) fn transmit(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Plain(socket) => poll::transmit(socket, bytes),
            Self::Tls(tls) => {
                let count = tls.session.writer().write(bytes)?;
                tls.flush()?;
                Ok((count > 0).then_some(count))
            }
        }
    }

    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.session.wants_write(),
        }
    }

    /// Sends what was taken before, as far as it goes.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Ends our direction.
    pub(crate) fn shut(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown(Shutdown::Write),
            Self::Tls(tls) => {
                tls.session.send_close_notify();
                tls.shut = true;
                tls.flush()
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => rustls::Stream::new(&mut tls.session, &mut tls.socket).read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => rustls::Stream::new(&mut tls.session, &mut tls.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => rustls::Stream::new(&mut tls.session, &mut tls.socket).flush(),
        }
    }
}

impl Tls {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.flush()?;
        loop {
            match self.session.reader().read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // nginx ends a direction without close_notify.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) => return Err(error),
            }
            match self.session.read_tls(&mut Nonblocking(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            self.session.process_new_packets().map_err(io::Error::other)?;
            self.flush()?;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Nonblocking(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if std::mem::take(&mut self.shut) {
            self.socket.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.session.send_close_notify();
        // The peer may be gone.
        _ = self.flush();
    }
}

/// The socket as a reader and writer that never waits.
struct Nonblocking<'s>(&'s TcpStream);

impl Read for Nonblocking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll::receive(self.0, buffer)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Nonblocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        poll::transmit(self.0, bytes)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A benchmark on loopback: to verify would cost the client time and show nothing.
#[derive(Debug)]
struct BelieveAnything;

impl ServerCertVerifier for BelieveAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256]
    }
}
