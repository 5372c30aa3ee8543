//! TLS: ended here for clients, begun anew toward members, by rustls with aws-lc-rs.

pub(crate) mod acme;
mod audit;
pub(crate) mod certificates;
mod changes;
pub(crate) mod client;
mod command;
mod front;
mod inspect;
pub(crate) mod keys;
mod rate;
mod records;
mod resumption;
pub(crate) mod server;
pub(crate) mod status;
mod stream;
mod verify;
pub(crate) mod watch;

pub(crate) use stream::TlsStream;

pub(crate) use client::explain;

pub use acme::AcmeError;
pub use audit::{CertificateFinding, audit_certificates};
pub use client::ClientTlsError;
pub use front::FrontTls;
pub use inspect::{
    MemberRefusal, ShownCertificate, inspect_certificate, try_member, unverified_client,
    verifying_client,
};
pub use keys::{KeyError, ask_passphrase};
pub use server::ServerTlsError;
pub use status::{CertificateSource, CertificateStatus, Side};

use std::sync::{Arc, LazyLock};

use acme::Slots;
use certificates::Certificates;
use oxpecker_config::model::{Acme, TlsServer, TlsVersion, TlsVersions, Virtual};
use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The provider with all its suites; profiles may narrow them.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// The provider with the suites of a profile, in its order; none named = all.
fn provider(suites: &[String]) -> Arc<CryptoProvider> {
    if suites.is_empty() {
        return Arc::clone(&PROVIDER);
    }
    let chosen = suites.iter().filter_map(|name| {
        let named = |suite: &&rustls::SupportedCipherSuite| suite.suite().as_str() == Some(name);
        PROVIDER.cipher_suites.iter().find(named).copied()
    });
    Arc::new(CryptoProvider { cipher_suites: chosen.collect(), ..(**PROVIDER).clone() })
}

fn versions(versions: TlsVersions) -> Vec<&'static SupportedProtocolVersion> {
    let all =
        [(TlsVersion::V1_3, &rustls::version::TLS13), (TlsVersion::V1_2, &rustls::version::TLS12)];
    let within = |version: TlsVersion| (versions.min..=versions.max).contains(&version);
    all.into_iter().filter(|(version, _)| within(*version)).map(|(_, version)| version).collect()
}

/// What a virtual server needs of TLS, toward both sides.
#[derive(Debug, Default)]
pub(crate) struct TlsSides {
    pub(crate) server: Option<server::ServerTls>,
    pub(crate) client: Option<client::ClientTls>,
    pub(crate) rate: Option<rate::SourceRate>,
}

/// Why a virtual server's TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("TLS profile `{profile}` (toward clients)")]
    Server {
        profile: String,
        #[source]
        source: ServerTlsError,
    },
    #[error("TLS profile `{profile}` (toward members)")]
    Client {
        profile: String,
        #[source]
        source: ClientTlsError,
    },
}

/// A profile toward members, for traffic or for probes.
pub(crate) fn client(profile: &TlsServer) -> Result<client::ClientTls, TlsError> {
    client::ClientTls::new(profile)
        .map_err(|source| TlsError::Client { profile: profile.name.clone(), source })
}

impl TlsSides {
    /// Reads every file that the virtual server's profiles name. What authorities issue is in
    /// `slots`; `acmes` is all of the configuration's.
    pub(crate) fn new(
        config: &Virtual,
        acmes: &[Acme],
        slots: &Slots,
        before: Option<&Self>,
    ) -> Result<Self, TlsError> {
        let old = before.and_then(|before| before.server.as_ref());
        let authority = |index: usize| acmes[index].name.clone();
        let server = config.tls_client.as_ref().map(|profile| {
            Certificates::load(profile, slots, authority)
                .map_err(ServerTlsError::from)
                .and_then(|certificates| server::ServerTls::new(profile, certificates, old))
                .map_err(|source| TlsError::Server { profile: profile.name.clone(), source })
        });
        let client = config.tls_server.as_ref().map(client);
        let limit = config.tls_client.as_ref().and_then(|profile| profile.handshakes_per_source);
        Ok(Self {
            server: server.transpose()?,
            client: client.transpose()?,
            rate: limit.map(rate::SourceRate::new),
        })
    }
}
