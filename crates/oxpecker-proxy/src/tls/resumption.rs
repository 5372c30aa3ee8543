//! Sessions with members that may be resumed, each no longer than the certificate that it was begun
//! under is valid.
//!
//! A resumed session shows no certificate. Every resumption brings the means for the next one, so
//! without this a member whose certificate has ended would be believed until the gateway is
//! restarted, and then be refused all of a sudden.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
    WebPkiServerVerifier,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, NamedGroup, SignatureScheme};

use super::verify::expiry_of;

/// Names of members whose sessions are kept: what rustls keeps by default.
const NAMES_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Sessions {
    cache: ClientSessionMemoryCache,
    /// When the first of the certificates that were shown for a name ends.
    ends: Mutex<HashMap<ServerName<'static>, SystemTime>>,
}

impl Sessions {
    pub(super) fn new() -> Arc<Self> {
        let cache = ClientSessionMemoryCache::new(NAMES_MAX);
        Arc::new(Self { cache, ends: Mutex::default() })
    }

    /// A certificate was shown and believed.
    fn note(&self, name: ServerName<'static>, end: SystemTime, now: SystemTime) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match ends.get(&name) {
            // Several members may have the name, and only one of them a new certificate.
            Some(before) if *before <= now => {
                while self.cache.take_tls13_ticket(&name).is_some() {}
                self.cache.remove_tls12_session(&name);
                end
            }
            Some(before) => end.min(*before),
            None => end,
        };
        ends.insert(name, end);
    }

    /// Sessions of unknown names are from before they were noted: there are none.
    fn is_over(&self, name: &ServerName<'_>) -> bool {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&name.to_owned()).is_none_or(|end| *end <= SystemTime::now())
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.cache.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.cache.set_tls12_session(name, value);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(name).filter(|_| !self.is_over(name))
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.cache.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.cache.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(name).filter(|_| !self.is_over(name))
    }
}

/// Verifies members' certificates by the authorities, and notes when they end.
#[derive(Debug)]
pub(super) struct Dated {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    pub(super) sessions: Arc<Sessions>,
}

impl ServerCertVerifier for Dated {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(certificate, chain, name, ocsp, now)?;
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        // Without a date that can be read there shall be no resumption.
        self.sessions.note(name.to_owned(), expiry_of(certificate).unwrap_or(now), now);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
