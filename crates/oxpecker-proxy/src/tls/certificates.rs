//! The certificates of a profile toward clients: chosen by name, and swapped without touching
//! connections.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use oxpecker_config::model::{Certificate, CertificateFiles, Passphrase, TlsClient};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::audit::chain;
use super::keys::{self, KeyError};
use super::status::{CertificateSource, CertificateStatus, Side};
use super::verify::{Validity, names_of, validity_of};

/// A certificate with its key, and what it says of itself.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Lower case; `*.` in front stands for one label.
    pub(crate) names: Vec<String>,
    pub(crate) validity: Option<Validity>,
    pub(crate) key: Arc<CertifiedKey>,
}

impl Pair {
    pub(crate) fn new(key: Arc<CertifiedKey>) -> Self {
        let first = key.cert.first();
        Self {
            names: first.map(|certificate| names_of(certificate)).unwrap_or_default(),
            validity: first.and_then(|certificate| validity_of(certificate)),
            key,
        }
    }
}

/// The certificates of a profile, found by the name that a client asks for.
#[derive(Debug)]
pub(crate) struct Certificates {
    entries: RwLock<Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    pair: Arc<Pair>,
    files: CertificateFiles,
    /// What the files looked like when they were last read, whether that went well or not.
    stamps: Vec<Option<Stamp>>,
    /// Something was wrong with changed files when they were looked at for the first time: whoever
    /// writes them may not be done.
    doubt: bool,
    /// Why the files are not in use as they are now.
    error: Option<String>,
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

impl Certificates {
    /// Reads the files of the profile.
    pub(crate) fn load(profile: &TlsClient) -> Result<Self, KeyError> {
        let mut entries = Vec::new();
        for certificate in &profile.certificates {
            if let Certificate::Files(files) = certificate {
                // Looked at first: a change while reading is then found the next time.
                let stamps = stamps(files);
                let pair = Arc::new(Pair::new(keys::load(files)?));
                let files = asking_anew(files);
                entries.push(Entry { pair, files, stamps, doubt: false, error: None });
            }
        }
        Ok(Self { entries: RwLock::new(entries) })
    }

    /// Reads pairs whose files have changed; handshakes from now on use the new ones. A pair that
    /// cannot be used leaves the old one in its place, and is spoken of when it is still the same
    /// at the next call.
    pub(crate) fn refresh(&self) -> Vec<Renewal> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut renewals = Vec::new();
        for (index, watched) in entries.into_iter().enumerate() {
            let stamps = stamps(&watched.files);
            let has_changed = stamps != watched.stamps;
            if !has_changed && !watched.doubt {
                continue;
            }
            let certificate = watched.files.certificate.clone();
            let mut now = Entry { stamps, doubt: false, ..watched };
            match keys::load(&now.files) {
                Ok(key) => {
                    now.pair = Arc::new(Pair::new(key));
                    now.error = None;
                    let result = Ok(now.pair.names.clone());
                    renewals.push(Renewal { certificate, result });
                }
                Err(error) if has_changed => {
                    now.doubt = true;
                    tracing::debug!(
                        certificate = %certificate.display(), error = chain(&error),
                        "changed certificate cannot be used yet, looking again"
                    );
                }
                Err(error) => {
                    now.error = Some(chain(&error));
                    renewals.push(Renewal { certificate, result: Err(error) });
                }
            }
            self.entries.write().unwrap_or_else(PoisonError::into_inner)[index] = now;
        }
        renewals
    }

    pub(super) fn status(&self, profile: &str) -> Vec<CertificateStatus> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let status = |entry: &Entry| CertificateStatus {
            last_error: entry.error.clone(),
            ..CertificateStatus::of(
                Side::Clients,
                profile,
                CertificateSource::File(entry.files.certificate.clone()),
                Some(&entry.pair),
            )
        };
        entries.iter().map(status).collect()
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = || entries.iter().map(|entry| &entry.pair);
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let exact = pairs().find(|pair| pair.names.contains(&name));
            let fits = |pair: &&Arc<Pair>| pair.names.iter().any(|p| name_fits(p, &name));
            exact.or_else(|| pairs().find(fits))
        });
        found.or_else(|| pairs().next()).map(|pair| Arc::clone(&pair.key))
    }
}

/// When the files are read again, the answer of a passphrase command may be another one.
fn asking_anew(files: &CertificateFiles) -> CertificateFiles {
    let passphrase = match &files.passphrase {
        Some(Passphrase::Asked { command, .. }) => Some(Passphrase::Command(command.clone())),
        other => other.clone(),
    };
    CertificateFiles { passphrase, ..files.clone() }
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
