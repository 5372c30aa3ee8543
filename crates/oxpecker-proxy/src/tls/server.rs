//! The side toward clients: certificates chosen by name, swapped without touching connections.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use oxpecker_config::model::{Certificate, CertificateFiles, ClientAuth, TlsClient};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;

use super::keys::{self, KeyError};
use super::verify::{expiry_of, names_of};
use super::{provider, versions};

/// Better no start than a virtual server without its certificate.
pub(super) const ACME_MISSING: &str = "obtaining certificates by ACME is checked but not done yet \
    by this version; use certificate files, which are watched";

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
    #[error("{}", ACME_MISSING)]
    Acme,
}

/// A profile in use.
#[derive(Debug)]
pub(crate) struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificates: Arc<Certificates>,
    verifies_clients: bool,
}

impl ServerTls {
    /// Reads all files of the profile. `before` hands on its ticket keys, so that sessions resume
    /// over a reload.
    pub(crate) fn new(profile: &TlsClient, before: Option<&Self>) -> Result<Self, ServerTlsError> {
        if profile.certificates.iter().any(|c| matches!(c, Certificate::Acme { .. })) {
            return Err(ServerTlsError::Acme);
        }
        let certificates = Arc::new(Certificates::load(profile)?);
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
        Ok(Self { config: Arc::new(config), certificates, verifies_clients })
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

/// The certificates of a profile, found by the name that a client asks for.
#[derive(Debug)]
pub(crate) struct Certificates {
    entries: RwLock<Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Lower case; `*.` in front stands for one label.
    names: Vec<String>,
    key: Arc<CertifiedKey>,
    files: CertificateFiles,
    /// What the files looked like when they were last read, whether that went well or not.
    stamps: Vec<Option<Stamp>>,
}

/// What changes when somebody writes or replaces a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// One pair whose files have changed.
#[derive(Debug)]
pub(crate) struct Renewal {
    pub(crate) certificate: PathBuf,
    /// The new pair's names, or why the old one stays in use.
    pub(crate) result: Result<Vec<String>, KeyError>,
}

/// A certificate in use.
#[derive(Debug)]
pub(crate) struct InUse {
    pub(crate) certificate: PathBuf,
    pub(crate) expires: Option<SystemTime>,
}

impl Certificates {
    fn load(profile: &TlsClient) -> Result<Self, KeyError> {
        let mut entries = Vec::new();
        for certificate in &profile.certificates {
            if let Certificate::Files(files) = certificate {
                // Looked at first: a change while reading is then found the next time.
                let stamps = stamps(files);
                entries.push(Entry::new(keys::load(files)?, files.clone(), stamps));
            }
        }
        Ok(Self { entries: RwLock::new(entries) })
    }

    /// Reads pairs whose files have changed; handshakes from now on use the new ones. A pair that
    /// cannot be used leaves the old one in its place.
    pub(crate) fn refresh(&self) -> Vec<Renewal> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut renewals = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let stamps = stamps(&entry.files);
            if stamps == entry.stamps {
                continue;
            }
            let loaded = keys::load(&entry.files);
            let (entry, result) = match loaded {
                Ok(key) => {
                    let renewed = Entry::new(key, entry.files, stamps);
                    let names = renewed.names.clone();
                    (renewed, Ok(names))
                }
                Err(error) => (Entry { stamps, ..entry }, Err(error)),
            };
            renewals.push(Renewal { certificate: entry.files.certificate.clone(), result });
            self.entries.write().unwrap_or_else(PoisonError::into_inner)[index] = entry;
        }
        renewals
    }

    pub(crate) fn in_use(&self) -> Vec<InUse> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let in_use = |entry: &Entry| InUse {
            certificate: entry.files.certificate.clone(),
            expires: entry.key.cert.first().and_then(|certificate| expiry_of(certificate)),
        };
        entries.iter().map(in_use).collect()
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let name = name.map(str::to_ascii_lowercase);
        let fits = |entry: &&Entry| {
            let Some(name) = &name else { return false };
            entry.names.iter().any(|pattern| name_fits(pattern, name))
        };
        let exact = |entry: &&Entry| name.as_ref().is_some_and(|name| entry.names.contains(name));
        let found = entries.iter().find(exact).or_else(|| entries.iter().find(fits));
        found.or(entries.first()).map(|entry| Arc::clone(&entry.key))
    }
}

impl Entry {
    fn new(key: Arc<CertifiedKey>, files: CertificateFiles, stamps: Vec<Option<Stamp>>) -> Self {
        let names = key.cert.first().map(|certificate| names_of(certificate)).unwrap_or_default();
        Self { names, key, files, stamps }
    }
}

fn stamps(files: &CertificateFiles) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let meta = fs::metadata(path).ok()?;
        Some(Stamp { inode: meta.ino(), bytes: meta.len(), modified: meta.modified().ok() })
    };
    keys::files_of(files).map(stamp).collect()
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

/// `pattern` may begin with `*.`, which stands for exactly one label.
pub(crate) fn name_fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern == name,
        Some(parent) => {
            name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
        }
    }
}
