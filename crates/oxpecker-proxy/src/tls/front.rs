//! TLS on listeners that are not the data plane's: the admin side's. The same profiles, and
//! renewed certificates are taken up in place.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oxpecker_config::model::{Certificate, TlsClient};
use rustls::ServerConfig;

use super::TlsError;
use super::certificates::{Certificates, Renewal};
use super::changes::Changes;
use super::keys;
use super::server::{ServerTls, ServerTlsError};
use super::status::CertificateStatus;
use super::watch::{Reminders, remind};
use crate::control::Handle;
use crate::control::events::EventKind;
use crate::wording::chain;

/// How often files are looked at without a hint that they changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What pages are spoken in.
const HTTP: &[u8] = b"http/1.1";

/// A profile toward clients, in use somewhere else than at a virtual server.
#[derive(Debug)]
pub struct FrontTls {
    profile: TlsClient,
    server: ServerTls,
    config: Arc<ServerConfig>,
}

impl FrontTls {
    /// Reads every file that the profile names. `before` hands on its ticket keys.
    pub fn new(profile: &TlsClient, before: Option<&Self>) -> Result<Self, Box<TlsError>> {
        let failed = |source| Box::new(TlsError::Server { profile: profile.name.clone(), source });
        // The configuration names no authority here.
        let certificates = Certificates::load(profile, &HashMap::new(), |_| String::new())
            .map_err(|error| failed(ServerTlsError::from(error)))?;
        let before = before.map(|before| &before.server);
        let server = ServerTls::new(profile, certificates, before).map_err(failed)?;
        let mut config = ServerConfig::clone(&server.config);
        config.alpn_protocols = vec![HTTP.to_vec()];
        Ok(Self { profile: profile.clone(), server, config: Arc::new(config) })
    }

    /// For one handshake; a later one may find renewed certificates.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    pub fn status(&self) -> Vec<CertificateStatus> {
        self.server.certificates.status(&self.server.profile)
    }

    /// Looks after the certificates; runs for ever, on the caller's runtime.
    pub async fn watch(&self, control: &Handle) {
        let events = control.ring();
        let mut reminders = Reminders::default();
        let mut changes = Changes::new();
        loop {
            let files = self.profile.certificates.iter().filter_map(|certificate| {
                let Certificate::Files(files) = certificate else { return None };
                Some(keys::files_of(files))
            });
            changes.follow(files.flatten());
            let certificates = Arc::clone(&self.server.certificates);
            // A passphrase command, or a slow disk, must not hold up anybody.
            let renewed = tokio::task::spawn_blocking(move || certificates.refresh());
            for Renewal { certificate, result } in renewed.await.unwrap_or_default() {
                let certificate = certificate.display().to_string();
                match result {
                    Ok(names) => {
                        let text = "renewed certificate in use on the admin side";
                        tracing::info!(certificate, ?names, "{text}");
                        events.note("file", EventKind::Certificate, &certificate, text);
                    }
                    Err(error) => {
                        let text = "changed certificate cannot be used, keeping the old one";
                        let error = chain(&error);
                        tracing::error!(certificate, error, "{text}");
                        let text = format!("{text}: {error}");
                        events.note("file", EventKind::Certificate, &certificate, &text);
                    }
                }
            }
            for (status, stage) in reminders.due(self.status(), SystemTime::now()) {
                remind(&status, stage, events);
            }
            changes.wait(LOOK_EVERY).await;
        }
    }
}
