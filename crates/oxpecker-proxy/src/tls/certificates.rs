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

use super::acme::{Slot, Slots};
use super::keys::{self, KeyError};
use super::status::{CertificateSource, CertificateStatus, Side};
use super::verify::{Validity, names_of, validity_of};
use crate::wording::chain;

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
enum Entry {
    Files(Box<Watched>),
    Issued(Arc<Slot>),
}

#[derive(Debug, Clone)]
struct Watched {
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
    /// Reads the files of the profile; what an authority issues is found in `slots`. `authority`
    /// tells the name of an authority by its number.
    pub(crate) fn load(
        profile: &TlsClient,
        slots: &Slots,
        authority: impl Fn(usize) -> String,
    ) -> Result<Self, KeyError> {
        let mut entries = Vec::new();
        for certificate in &profile.certificates {
            match certificate {
                Certificate::Files(files) => {
                    // Looked at first: a change while reading is then found the next time.
                    let stamps = stamps(files);
                    let pair = Arc::new(Pair::new(keys::load(files)?));
                    let files = asking_anew(files);
                    let watched = Watched { pair, files, stamps, doubt: false, error: None };
                    entries.push(Entry::Files(Box::new(watched)));
                }
                Certificate::Acme { acme, names } => {
                    let slot = slots.get(&(authority(*acme), names.clone())).cloned();
                    entries.extend(slot.map(Entry::Issued));
                }
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
        for (index, entry) in entries.into_iter().enumerate() {
            let Entry::Files(watched) = entry else { continue };
            let stamps = stamps(&watched.files);
            let has_changed = stamps != watched.stamps;
            if !has_changed && !watched.doubt {
                continue;
            }
            let certificate = watched.files.certificate.clone();
            let mut now = Box::new(Watched { stamps, doubt: false, ..*watched });
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
            self.entries.write().unwrap_or_else(PoisonError::into_inner)[index] = Entry::Files(now);
        }
        renewals
    }

    pub(super) fn status(&self, profile: &str) -> Vec<CertificateStatus> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let status = |entry: &Entry| match entry {
            Entry::Files(watched) => CertificateStatus {
                last_error: watched.error.clone(),
                ..CertificateStatus::of(
                    Side::Clients,
                    profile,
                    CertificateSource::File(watched.files.certificate.clone()),
                    Some(&watched.pair),
                )
            },
            Entry::Issued(slot) => {
                let source = CertificateSource::Acme { authority: slot.authority.clone() };
                let pair = slot.pair();
                let status = CertificateStatus::of(Side::Clients, profile, source, pair.as_deref());
                let names = if pair.is_some() { status.names } else { slot.names.clone() };
                CertificateStatus { names, last_error: slot.error(), ..status }
            }
        };
        entries.iter().map(status).collect()
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = || entries.iter().filter_map(Entry::pair);
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let exact = pairs().find(|pair| pair.names.contains(&name));
            let fits = |pair: &Arc<Pair>| pair.names.iter().any(|p| name_fits(p, &name));
            match exact.or_else(|| pairs().find(fits)) {
                Some(pair) => Some(Some(pair)),
                // Rather no certificate than one for another name.
                None => entries.iter().any(|entry| entry.is_awaited(&name)).then_some(None),
            }
        });
        found.unwrap_or_else(|| pairs().next()).map(|pair| Arc::clone(&pair.key))
    }
}

impl Entry {
    fn pair(&self) -> Option<Arc<Pair>> {
        match self {
            Self::Files(watched) => Some(Arc::clone(&watched.pair)),
            Self::Issued(slot) => slot.pair(),
        }
    }

    /// An authority was asked for a certificate for this name.
    fn is_awaited(&self, name: &String) -> bool {
        matches!(self, Self::Issued(slot) if slot.names.contains(name))
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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::super::PROVIDER;
    use super::*;

    fn pair(names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.self_signed(&key).expect("a certificate");
        let key = key.serialize_der().try_into().expect("a key");
        let key = PROVIDER.key_provider.load_private_key(key).expect("a usable key");
        Pair::new(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
    }

    fn issued(names: &[&str], pair: Option<Pair>) -> (Arc<Slot>, Entry) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let slot = Arc::new(Slot::new("ca", &names, pair));
        (Arc::clone(&slot), Entry::Issued(slot))
    }

    #[test]
    fn an_awaited_name_gets_none_rather_than_anothers() {
        let (awaited, first) = issued(&["a.example.com"], None);
        let (_, second) = issued(&["b.example.com"], Some(pair(&["b.example.com"])));
        let (_, third) = issued(&["*.c.example.com"], Some(pair(&["*.c.example.com"])));
        let certificates = Certificates { entries: RwLock::new(vec![first, second, third]) };
        let names = |name: Option<&str>| {
            let found = certificates.find(name)?;
            Some(names_of(&found.cert[0]).join(","))
        };
        assert_eq!(names(Some("A.example.com")), None);
        assert_eq!(names(Some("x.c.example.com")).as_deref(), Some("*.c.example.com"));
        // Those that nobody was asked for, and those who do not ask, get the first there is.
        assert_eq!(names(Some("z.example.com")).as_deref(), Some("b.example.com"));
        assert_eq!(names(None).as_deref(), Some("b.example.com"));
        let status = certificates.status("front");
        assert_eq!((status[0].names.len(), status[0].not_after), (1, None));
        assert!(status[1].not_after.is_some());

        awaited.install(pair(&["a.example.com"]));
        assert_eq!(names(Some("a.example.com")).as_deref(), Some("a.example.com"));
        assert_eq!(names(None).as_deref(), Some("a.example.com"));
        awaited.set_error(Some("refused".to_owned()));
        assert_eq!(certificates.status("front")[0].last_error.as_deref(), Some("refused"));
    }
}
