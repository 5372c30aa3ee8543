//! What certificate a server shows, whoever it is: for diagnosis, never for traffic.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oxpecker_config::model::{Host, TlsServer};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::PROVIDER;
use super::certificates::name_fits;
use super::client::{ClientTls, ClientTlsError, explain};
use super::verify::{Lax, addresses_of, names_of, validity_of};

/// What is told of a server's certificate. It was not verified.
#[derive(Debug, Clone)]
pub struct ShownCertificate {
    /// Subject alternative names, in lower case, and addresses.
    pub names: Vec<String>,
    pub subject: String,
    pub issuer: String,
    pub not_after: Option<SystemTime>,
    /// Issuer and subject are the same.
    pub is_self_signed: bool,
}

impl ShownCertificate {
    /// A client that asks for `name` would accept it.
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| name_fits(pattern, &name.to_ascii_lowercase()))
    }
}

/// Begins TLS with the server at `address` and hangs up. `Ok(None)`: no TLS is spoken there.
/// Blocks for `patience` at most at each step.
///
/// # Errors
/// Of kind `InvalidData` when TLS is spoken and no certificate was shown, such as by a server that
/// knows only TLS 1.1; of another kind when there was no connection.
pub fn inspect_certificate(
    address: SocketAddr,
    server_name: &str,
    patience: Duration,
) -> io::Result<Option<ShownCertificate>> {
    let name = ServerName::try_from(server_name.to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(unverified_client(), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    while tls.is_handshaking() {
        while tls.wants_write() {
            tls.write_tls(&mut stream)?;
        }
        stream.flush()?;
        // Certificates first: a server may want one of us and end the handshake after its own.
        if tls.peer_certificates().is_some() {
            break;
        }
        match tls.read_tls(&mut stream as &mut dyn Read) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            // A Thrift server without TLS waits for more, or hangs up.
            Err(error) if is_silence(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let processed = tls.process_new_packets();
        if tls.peer_certificates().is_some() {
            break;
        }
        match processed {
            Ok(_) => {}
            // What a server says in TLS, it does not like to say to us.
            Err(error @ (rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_))) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(tls.peer_certificates().and_then(|chain| chain.first()).map(describe))
}

fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionReset, TimedOut, WouldBlock};
    matches!(error.kind(), ConnectionReset | TimedOut | WouldBlock)
}

fn describe(certificate: &CertificateDer<'_>) -> ShownCertificate {
    let parsed = X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed);
    let subject = parsed.as_ref().map_or(String::new(), |parsed| parsed.subject().to_string());
    let issuer = parsed.as_ref().map_or(String::new(), |parsed| parsed.issuer().to_string());
    ShownCertificate {
        names: [names_of(certificate), addresses_of(certificate)].concat(),
        not_after: validity_of(certificate).map(|validity| validity.not_after),
        is_self_signed: parsed.is_some() && subject == issuer,
        subject,
        issuer,
    }
}

/// Why connections to a member would end in the TLS handshake.
#[derive(Debug, Clone)]
pub struct MemberRefusal {
    /// What the gateway would log.
    pub text: String,
    /// Only the name in the certificate is wrong.
    pub for_another_name: bool,
}

/// Shakes hands with a member as connections of clients would, by the same profile. `Ok(None)`: all
/// is well. Blocks for `patience` at most at each step.
///
/// # Errors
/// When no connection could be made at all.
pub fn try_member(
    address: SocketAddr,
    host: &Host,
    profile: &TlsServer,
    patience: Duration,
) -> io::Result<Option<MemberRefusal>> {
    let plain = |text: String| Some(MemberRefusal { text, for_another_name: false });
    let tls = ClientTls::new(profile).and_then(|tls| Ok((tls.name_of(host)?, tls)));
    let (name, tls) = match tls {
        Ok(found) => found,
        Err(error) => return Ok(plain(error.to_string())),
    };
    let mut tls = ClientConnection::new(tls.config(), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    while tls.is_handshaking() {
        let Err(error) = tls.complete_io(&mut stream) else { continue };
        let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let for_another_name = matches!(
            of_tls,
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ))
        );
        return Ok(Some(MemberRefusal { text: explain(&error), for_another_name }));
    }
    Ok(None)
}

/// A client that believes everybody: for looking, never for anything that must not be read or
/// changed by others.
pub fn unverified_client() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(Lax::new(None))
        .with_no_client_auth();
    Arc::new(config)
}

/// What a careful client needs: verifies by `ca_file`, or by the system's authorities.
pub fn verifying_client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ClientTlsError> {
    let roots = super::client::roots(ca_file)?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()
        .map_err(ClientTlsError::Rustls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
