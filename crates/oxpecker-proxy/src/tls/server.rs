//! The side toward clients: versions, suites, tickets, and certificates of clients.

use std::sync::Arc;

use oxpecker_config::model::{ClientAuth, TlsClient};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::certificates::Certificates;
use super::keys::{self, KeyError};
use super::{provider, versions};

/// Why a profile toward clients cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("failed to set up TLS")]
    Rustls(#[from] rustls::Error),
    #[error("failed to set up the verification of client certificates: {0}")]
    Verifier(String),
    #[error("failed to set up session tickets")]
    Tickets(#[source] rustls::Error),
}

/// A profile in use.
#[derive(Debug)]
pub(crate) struct ServerTls {
    /// The profile's name.
    pub(crate) profile: String,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificates: Arc<Certificates>,
    verifies_clients: bool,
}

impl ServerTls {
    /// With the certificates of the profile, read already. `before` hands on its ticket keys, so
    /// that sessions resume over a reload.
    pub(crate) fn new(
        profile: &TlsClient,
        certificates: Certificates,
        before: Option<&Self>,
    ) -> Result<Self, ServerTlsError> {
        let certificates = Arc::new(certificates);
        let builder = ServerConfig::builder_with_provider(provider(&profile.cipher_suites))
            .with_protocol_versions(&versions(profile.versions))?;
        let builder = match &profile.client_auth {
            None => builder.with_no_client_auth(),
            Some(auth) => builder.with_client_cert_verifier(client_verifier(auth)?),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = profile.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        // The stream's own record layer works with them.
        config.enable_secret_extraction = true;
        // Resumption is by tickets: nothing to keep here for every client.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if profile.tickets {
            config.ticketer = match before {
                // A ticket lets a client in without its certificate being looked at again, so it
                // must not outlive the authorities and revocations that it was given under.
                Some(before)
                    if before.config.ticketer.enabled()
                        && !before.verifies_clients
                        && profile.client_auth.is_none() =>
                {
                    Arc::clone(&before.config.ticketer)
                }
                _ => rustls::crypto::aws_lc_rs::Ticketer::new().map_err(ServerTlsError::Tickets)?,
            };
        } else {
            config.send_tls13_tickets = 0;
        }
        let verifies_clients = profile.client_auth.is_some();
        let profile = profile.name.clone();
        Ok(Self { profile, config: Arc::new(config), certificates, verifies_clients })
    }
}

fn client_verifier(
    auth: &ClientAuth,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, ServerTlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in keys::load_certificates(&auth.ca_file)? {
        roots.add(certificate)?;
    }
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&super::PROVIDER));
    if let Some(path) = &auth.crl_file {
        builder = builder.with_crls(keys::load_crls(path)?);
    }
    if auth.optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| ServerTlsError::Verifier(error.to_string()))
}
