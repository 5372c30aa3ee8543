//! What authorities are answered when they look whether a name is ours.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::super::PROVIDER;

/// RFC 8737, section 6.2.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// Open challenges of all authorities. They are open for the seconds that an authority looks.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    /// By name: a handshake that shows what the authority wants to see.
    handshakes: RwLock<HashMap<String, Arc<ServerConfig>>>,
    handshakes_open: AtomicUsize,
    /// By token: what is to be answered on HTTP.
    answers: RwLock<HashMap<String, String>>,
}

/// A challenge that is answered for as long as this lives.
#[derive(Debug)]
pub(super) enum Open {
    Handshake { challenges: Arc<Challenges>, name: String },
    Answer { challenges: Arc<Challenges>, token: String },
}

impl Challenges {
    /// Whether it is worth looking who a client is.
    pub(crate) fn await_handshakes(&self) -> bool {
        self.handshakes_open.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn handshake(&self, name: &str) -> Option<Arc<ServerConfig>> {
        self.handshakes.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn answer(&self, token: &str) -> Option<String> {
        self.answers.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// Answers TLS-ALPN-01 for `name`; `digest` is that of the key authorization.
    pub(super) fn open_handshake(
        self: &Arc<Self>,
        name: &str,
        digest: &[u8],
    ) -> Result<Open, String> {
        let config = handshake(name, digest).map_err(|error| error.to_string())?;
        let mut handshakes = self.handshakes.write().unwrap_or_else(PoisonError::into_inner);
        handshakes.insert(name.to_owned(), Arc::new(config));
        self.handshakes_open.store(handshakes.len(), Ordering::Relaxed);
        Ok(Open::Handshake { challenges: Arc::clone(self), name: name.to_owned() })
    }

    /// Answers HTTP-01.
    pub(super) fn open_answer(self: &Arc<Self>, token: &str, answer: &str) -> Open {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), answer.to_owned());
        Open::Answer { challenges: Arc::clone(self), token: token.to_owned() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        match self {
            Self::Handshake { challenges, name } => {
                let mut handshakes =
                    challenges.handshakes.write().unwrap_or_else(PoisonError::into_inner);
                handshakes.remove(name);
                challenges.handshakes_open.store(handshakes.len(), Ordering::Relaxed);
            }
            Self::Answer { challenges, token } => {
                challenges.answers.write().unwrap_or_else(PoisonError::into_inner).remove(token);
            }
        }
    }
}

/// RFC 8737, section 3: a self-signed certificate for the name alone, with the digest in it.
fn handshake(
    name: &str,
    digest: &[u8],
) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PROVIDER.key_provider.load_private_key(key.serialize_der().try_into()?)?;
    // The ordinary way in refuses a certificate with an extension that it does not know.
    let pair = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // The stream's own record layer works with them.
    config.enable_secret_extraction = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_open_for_as_long_as_somebody_wants_it() {
        let challenges = Arc::new(Challenges::default());
        assert!(!challenges.await_handshakes());
        let open = challenges.open_handshake("a.example.com", &[7; 32]).expect("a certificate");
        assert!(challenges.await_handshakes());
        assert!(challenges.handshake("b.example.com").is_none());
        let config = challenges.handshake("a.example.com").expect("an open challenge");
        assert_eq!(config.alpn_protocols, [PROTOCOL]);
        drop(open);
        assert!(!challenges.await_handshakes());
        assert!(challenges.handshake("a.example.com").is_none());
        let open = challenges.open_answer("token", "token.thumb");
        assert_eq!(challenges.answer("token").as_deref(), Some("token.thumb"));
        drop(open);
        assert_eq!(challenges.answer("token"), None);
    }
}
