//! Certificates and keys from files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use oxpecker_config::model::{CertificateFiles, Passphrase};
use pkcs8::EncryptedPrivateKeyInfo;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{PROVIDER, command};

/// A file of certificates and keys is a few kilobytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("failed to read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not in PEM format: {problem}", path.display())]
    NotPem { path: PathBuf, problem: String },
    #[error("{} holds no certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no private key", path.display())]
    NoKey { path: PathBuf },
    #[error("the key in {} is encrypted: give its `passphrase`", path.display())]
    PassphraseMissing { path: PathBuf },
    #[error("the passphrase does not open the key in {}", path.display())]
    PassphraseWrong { path: PathBuf },
    #[error(
        "the key in {} is encrypted in OpenSSL's old form, which is weak; convert it with: \
         openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.key",
        path.display(), path.display()
    )]
    LegacyEncryption { path: PathBuf },
    /// Only the program: its arguments may hold a token.
    #[error("the passphrase command `{program}` failed: {problem}")]
    PassphraseCommand { program: String, problem: String },
    #[error("the key in {} cannot be used: {problem}", path.display())]
    Unusable { path: PathBuf, problem: rustls::Error },
    #[error("the certificate in {} does not belong to the key in {}", certificate.display(), key.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {} is broken: {problem}", path.display())]
    Broken { path: PathBuf, problem: rustls::Error },
}

/// Reads a pair and makes sure that its halves belong together.
pub(crate) fn load(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, KeyError> {
    let text = read(&files.certificate)?;
    let mut chain = certificates(&files.certificate, &text)?;
    if chain.is_empty() {
        return Err(KeyError::NoCertificate { path: files.certificate.clone() });
    }
    if let Some(path) = &files.chain {
        chain.extend(certificates(path, &read(path)?)?);
    }
    let key_path = files.key.as_ref().unwrap_or(&files.certificate);
    let key_text = match &files.key {
        Some(path) => read(path)?,
        None => text,
    };
    let key = private_key(key_path, &key_text, files.passphrase.as_ref())?;
    let key = PROVIDER
        .key_provider
        .load_private_key(key)
        .map_err(|problem| KeyError::Unusable { path: key_path.clone(), problem })?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) => Ok(Arc::new(pair)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(KeyError::Mismatch {
            certificate: files.certificate.clone(),
            key: key_path.clone(),
        }),
        Err(problem) => Err(KeyError::Broken { path: files.certificate.clone(), problem }),
    }
}

/// All certificates of a file, such as a bundle of authorities.
pub(crate) fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    let found = certificates(path, &read(path)?)?;
    if found.is_empty() {
        return Err(KeyError::NoCertificate { path: path.to_owned() });
    }
    Ok(found)
}

/// All revocation lists of a file.
pub(crate) fn load_crls(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, KeyError> {
    let text = read(path)?;
    CertificateRevocationListDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|problem| not_pem(path, &problem))
}

/// The bytes of the files of a pair, to see whether they have changed.
pub(crate) fn files_of(files: &CertificateFiles) -> impl Iterator<Item = &PathBuf> {
    [Some(&files.certificate), files.key.as_ref(), files.chain.as_ref()].into_iter().flatten()
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |source| KeyError::Read { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes"))));
    }
    fs::read(path).map_err(failed)
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|problem| not_pem(path, &problem))
}

fn not_pem(path: &Path, problem: &pem::Error) -> KeyError {
    KeyError::NotPem { path: path.to_owned(), problem: problem.to_string() }
}

fn private_key(
    path: &Path,
    text: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDer<'static>, KeyError> {
    let legacy = text.windows(10).any(|window| window == b"Proc-Type:");
    if legacy {
        return Err(KeyError::LegacyEncryption { path: path.to_owned() });
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => return Ok(key),
        Err(pem::Error::NoItemsFound) => {}
        Err(problem) => return Err(not_pem(path, &problem)),
    }
    let Some(der) = encrypted_key(text) else {
        return Err(KeyError::NoKey { path: path.to_owned() });
    };
    let passphrase = match passphrase {
        None => return Err(KeyError::PassphraseMissing { path: path.to_owned() }),
        Some(Passphrase::Value(secret)) => secret.reveal().to_owned(),
        Some(Passphrase::Command(command)) => ask(command)?,
    };
    let wrong = || KeyError::PassphraseWrong { path: path.to_owned() };
    let info = EncryptedPrivateKeyInfo::try_from(&der[..]).map_err(|_| wrong())?;
    let document = info.decrypt(passphrase.as_bytes()).map_err(|_| wrong())?;
    PrivateKeyDer::try_from(document.as_bytes().to_vec()).map_err(|_| wrong())
}

/// rustls' reader passes encrypted keys by; this finds the first.
fn encrypted_key(text: &[u8]) -> Option<Vec<u8>> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    // What stands around it may be a comment in any encoding.
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let pem = format!("{BEGIN}{}{END}\n", body.replace('\r', ""));
    let (_, document) = pkcs8::Document::from_pem(&pem).ok()?;
    Some(document.as_bytes().to_vec())
}

fn ask(words: &[String]) -> Result<String, KeyError> {
    // The configuration's check refuses a command without a program.
    let (program, arguments) = words.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
    let failed =
        |problem: String| KeyError::PassphraseCommand { program: program.to_owned(), problem };
    let (status, printed) = command::output(Command::new(program).args(arguments))
        .map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    let text = String::from_utf8(printed).map_err(|_| failed("not text".to_owned()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
