//! A client's connection, as it is or inside TLS, and the certificate for the latter.

use crate::options::Options;
use crate::sync::lock;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A client that does not even take the word that this is the end is not waited for.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a certificate and its key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    /// May be the same file.
    pub key: PathBuf,
}

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("failed to read {}", path.display())]
    Pem {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("{} does not belong to its key, or cannot be used", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

/// What a stand-in shows on its ports, where there is TLS.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) clients: Option<Arc<ServerConfig>>,
    pub(crate) web: Option<Arc<ServerConfig>>,
}

impl Certificates {
    pub(crate) fn load(options: &Options) -> Result<Self, CertificateError> {
        let load = |files: &Option<CertificateFiles>| files.as_ref().map(server_config).transpose();
        Ok(Self { clients: load(&options.tls)?, web: load(&options.web_tls)? })
    }
}

/// TLS 1.2 and 1.3, as impalad's default, `--ssl_minimum_version=tlsv1.2`, and as there no client
/// is asked for a certificate.
fn server_config(files: &CertificateFiles) -> Result<Arc<ServerConfig>, CertificateError> {
    let CertificateFiles { certificate, key } = files;
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |source| CertificateError::Pem { path, source }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(failed(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
    let unusable = |source| CertificateError::Unusable { path: files.certificate.clone(), source };
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(unusable)?;
    Ok(Arc::new(config))
}

/// Clones share the connection; one thread at a time uses it.
#[derive(Clone)]
pub(crate) struct Stream(Kind);

#[derive(Clone)]
enum Kind {
    Clear(Arc<TcpStream>),
    Tls(Arc<Tls>),
}

struct Tls(Mutex<StreamOwned<ServerConnection, TcpStream>>);

impl Stream {
    /// The handshake happens at the first read, as with Thrift's sockets: who says nothing holds up
    /// the thread that reads.
    pub(crate) fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        let Some(config) = tls else { return Ok(Self(Kind::Clear(Arc::new(stream)))) };
        let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let tls = Tls(Mutex::new(StreamOwned::new(session, stream)));
        Ok(Self(Kind::Tls(Arc::new(tls))))
    }

    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Kind::Clear(stream) => stream.set_read_timeout(timeout),
            Kind::Tls(tls) => lock(&tls.0).sock.set_read_timeout(timeout),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Clear(stream) => (&**stream).read(out),
            Kind::Tls(tls) => match lock(&tls.0).read(out) {
                // Who ends without a word has ended, for Thrift's sockets too.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Clear(stream) => (&**stream).write(bytes),
            Kind::Tls(tls) => lock(&tls.0).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.0 {
            Kind::Clear(stream) => (&**stream).flush(),
            Kind::Tls(tls) => lock(&tls.0).flush(),
        }
    }
}

/// The last word is close_notify. When the connection was cut nobody hears it.
impl Drop for Tls {
    fn drop(&mut self) {
        let stream = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !stream.conn.is_handshaking() {
            stream.conn.send_close_notify();
            let _ = stream.sock.set_write_timeout(Some(GOODBYE_TIMEOUT));
            let _ = stream.flush();
        }
    }
}
