//! The side toward members: whom to believe, and what went wrong in words.

use std::io;
use std::path::Path;
use std::sync::Arc;

use oxpecker_config::model::{Host, TlsServer, Verify};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use super::certificates::Pair;
use super::keys::{self, KeyError};
use super::resumption::{Dated, Sessions};
use super::status::{CertificateSource, CertificateStatus, Side};
use super::verify::Lax;
use super::{TlsStream, provider, versions};
use crate::socket::Stream;

/// Why a profile toward members cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientTlsError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("failed to set up TLS")]
    Rustls(#[from] rustls::Error),
    #[error("failed to read the system's certificate authorities: {0}")]
    SystemRoots(String),
    #[error("failed to set up the verification of members: {0}")]
    Verifier(String),
    #[error("`{0}` cannot be a name in a certificate")]
    Name(String),
}

/// A profile in use.
#[derive(Debug)]
pub(crate) struct ClientTls {
    config: Arc<ClientConfig>,
    /// What is known of the certificate that members are shown.
    shown: Option<CertificateStatus>,
    /// The same for every member.
    name: Option<ServerName<'static>>,
}

impl ClientTls {
    pub(crate) fn new(profile: &TlsServer) -> Result<Self, ClientTlsError> {
        let builder = ClientConfig::builder_with_provider(provider(&profile.cipher_suites))
            .with_protocol_versions(&versions(profile.versions))?;
        let sessions = Sessions::new();
        let builder = match &profile.verify {
            Verify::Required => {
                let (verifier, sessions) = (verifier(profile)?, Arc::clone(&sessions));
                let dated = Dated { verifier, sessions };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(dated))
            }
            Verify::Pinned(pins) => {
                builder.dangerous().with_custom_certificate_verifier(Lax::new(Some(pins.clone())))
            }
            Verify::None => builder.dangerous().with_custom_certificate_verifier(Lax::new(None)),
        };
        let mut shown = None;
        let mut config = match &profile.certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let pair = keys::load(files)?;
                let source = CertificateSource::File(files.certificate.clone());
                let facts = Pair::new(Arc::clone(&pair));
                let status =
                    CertificateStatus::of(Side::Members, &profile.name, source, Some(&facts));
                shown = Some(status);
                builder
                    .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)))
            }
        };
        // The stream's own record layer works with them.
        config.enable_secret_extraction = true;
        if profile.verify == Verify::Required {
            config.resumption = Resumption::store(sessions);
        }
        let name = profile.server_name.as_deref().map(server_name).transpose()?;
        Ok(Self { config: Arc::new(config), shown, name })
    }

    pub(super) fn status(&self) -> Option<CertificateStatus> {
        self.shown.clone()
    }

    /// Begins TLS with a member; the error says in words what was wrong.
    pub(crate) async fn connect(&self, stream: Stream, host: &Host) -> Result<TlsStream, String> {
        let name = self.name_of(host).map_err(|error| error.to_string())?;
        let result = async {
            let mut tls = TlsStream::client(stream, Arc::clone(&self.config), name)?;
            tls.handshake().await.map(|()| tls)
        };
        result.await.map_err(|error| explain(&error))
    }

    /// The same settings for a handshake of another kind.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name that this member's certificate must carry.
    pub(super) fn name_of(&self, host: &Host) -> Result<ServerName<'static>, ClientTlsError> {
        match (&self.name, host) {
            (Some(name), _) => Ok(name.clone()),
            (None, Host::Ip(ip)) => Ok(ServerName::IpAddress((*ip).into())),
            (None, Host::Name(name)) => server_name(name),
        }
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, ClientTlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| ClientTlsError::Name(name.to_owned()))
}

/// The authorities of a file, or the system's.
pub(super) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, ClientTlsError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in keys::load_certificates(path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = found.errors.first().map_or("there are none".into(), ToString::to_string);
                return Err(ClientTlsError::SystemRoots(why));
            }
        }
    }
    Ok(roots)
}

fn verifier(profile: &TlsServer) -> Result<Arc<WebPkiServerVerifier>, ClientTlsError> {
    let roots = roots(profile.ca_file.as_deref())?;
    let mut builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&super::PROVIDER));
    if let Some(path) = &profile.crl_file {
        builder = builder.with_crls(keys::load_crls(path)?);
    }
    builder.build().map_err(|error| ClientTlsError::Verifier(error.to_string()))
}

/// What a failed handshake means, for the log.
pub(crate) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(error) = inner else { return error.to_string() };
    match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
                let names = if names.is_empty() { "no name".into() } else { names.join(", ") };
                format!("the certificate is for {names}, not for {}", expected.to_str())
            }
            CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the certificate has expired ({problem})")
            }
            CertificateError::UnknownIssuer => {
                "the certificate is signed by an authority that is not trusted, or by itself: \
                 see `ca_file`"
                    .to_owned()
            }
            CertificateError::Revoked => "the certificate was revoked".to_owned(),
            CertificateError::UnknownRevocationStatus => {
                "no revocation list that was given is of the authority that signed the certificate"
                    .to_owned()
            }
            // webpki's name for it. `openssl req -x509` makes such certificates unless told not to.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                "the certificate is an authority's (CA:TRUE), as self-signed ones often are: no \
                 `ca_file` makes it valid, but `verify = \"pinned\"` takes it"
                    .to_owned()
            }
            CertificateError::ApplicationVerificationFailure => {
                "the certificate has none of the pinned fingerprints".to_owned()
            }
            problem => format!("the certificate is refused: {problem}"),
        },
        // Only a server has certificates to choose from; `Certificates::find` found none.
        rustls::Error::General(text) if text.contains("no server certificate chain") => {
            "there is no certificate yet for the name that is asked for: see [acme]".to_owned()
        }
        rustls::Error::InvalidMessage(_) => {
            format!("the other side does not speak TLS there ({error})")
        }
        error => error.to_string(),
    }
}

/// rustls passes on how its library shows names to programmers: `DnsName("a.example.com")`.
fn bare_name(shown: &str) -> &str {
    let inner = |kind| shown.strip_prefix(kind)?.strip_suffix(')');
    let inner = inner("DnsName(").or_else(|| inner("IpAddress("));
    inner.map_or(shown, |name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_people_write_them() {
        let shown = ["DnsName(\"*.example.com\")", "IpAddress(10.0.0.1)", "DirectoryName"];
        assert_eq!(shown.map(bare_name), ["*.example.com", "10.0.0.1", "DirectoryName"]);
    }
}
