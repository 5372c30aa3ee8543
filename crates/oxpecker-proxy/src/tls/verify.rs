//! Reading certificates, and the two ways of not using the system of authorities.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::PROVIDER;

/// The names that a certificate is for: its subject alternative names, in lower case.
pub(crate) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

/// The addresses that a certificate is for.
pub(super) fn addresses_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else { return Vec::new() };
    let address = |name: &GeneralName<'_>| {
        let GeneralName::IPAddress(bytes) = name else { return None };
        let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok();
        four.or_else(|| <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok())
    };
    let addresses = alternatives.value.general_names.iter().filter_map(address);
    addresses.map(|address| address.to_string()).collect()
}

/// From when until when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

pub(crate) fn validity_of(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let time = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    let validity = parsed.validity();
    Some(Validity {
        // Authorities' own certificates may begin before 1970; what matters is the end.
        not_before: time(validity.not_before.timestamp()).unwrap_or(SystemTime::UNIX_EPOCH),
        not_after: time(validity.not_after.timestamp())?,
    })
}

/// Trusts what it is told to: any certificate, or those with known fingerprints. The peer must
/// still prove that it has the certificate's key.
#[derive(Debug)]
pub(super) struct Lax {
    /// SHA-256 of the whole certificate; `None` = any.
    pins: Option<Vec<[u8; 32]>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Lax {
    pub(super) fn new(pins: Option<Vec<[u8; 32]>>) -> Arc<Self> {
        let algorithms = PROVIDER.signature_verification_algorithms;
        Arc::new(Self { pins, algorithms })
    }
}

impl ServerCertVerifier for Lax {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
        match &self.pins {
            Some(pins) if !pins.iter().any(|pin| pin == found.as_ref()) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
