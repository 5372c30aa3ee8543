//! Looks after certificates while the gateway runs: renewed files are taken up, and those that
//! end soon are spoken of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxpecker_config::model::{Certificate, Virtual};

use super::audit::{SOON, chain};
use super::changes::Changes;
use super::keys;
use super::server::{Certificates, Renewal};
use crate::state::Shared;

/// How often files are looked at without a hint that they changed. Asking the file system costs a
/// few microseconds a file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate that ends soon is warned of this often.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Runs for ever. Idempotent: whatever it missed it finds the next time.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut reminded: Option<SystemTime> = None;
    let mut changes = Changes::new();
    loop {
        let topology = shared.topology();
        changes.follow(topology.virtuals.iter().flat_map(|policy| files_of(&policy.config)));
        for policy in &topology.virtuals {
            let Some(server) = &policy.tls.server else { continue };
            let name = &policy.config.name;
            let certificates = Arc::clone(&server.certificates);
            // A passphrase command, or a slow disk, must not hold up probes and signals.
            let refresh = tokio::task::spawn_blocking(move || certificates.refresh());
            for Renewal { certificate, result } in refresh.await.unwrap_or_default() {
                match result {
                    Ok(names) => tracing::info!(
                        virtual_server = %name, certificate = %certificate.display(), ?names,
                        "renewed certificate in use"
                    ),
                    Err(error) => tracing::error!(
                        virtual_server = %name, certificate = %certificate.display(),
                        error = chain(&error),
                        "changed certificate cannot be used, keeping the old one"
                    ),
                }
            }
        }
        let now = SystemTime::now();
        let due = reminded.is_none_or(|at| now.duration_since(at).is_ok_and(|d| d >= REMIND_EVERY));
        if due && !topology.virtuals.is_empty() {
            reminded = Some(now);
            for policy in &topology.virtuals {
                if let Some(server) = &policy.tls.server {
                    remind(&policy.config.name, &server.certificates, now);
                }
            }
        }
        changes.wait(LOOK_EVERY).await;
    }
}

/// What is looked at for a virtual server.
fn files_of(config: &Virtual) -> impl Iterator<Item = &PathBuf> {
    let certificates = config.tls_client.iter().flat_map(|profile| &profile.certificates);
    let files = certificates.filter_map(|certificate| match certificate {
        Certificate::Files(files) => Some(keys::files_of(files)),
        Certificate::Acme { .. } => None,
    });
    files.flatten()
}

fn remind(virtual_server: &str, certificates: &Certificates, now: SystemTime) {
    for in_use in certificates.in_use() {
        let Some(expires) = in_use.expires else { continue };
        let certificate = in_use.certificate.display();
        let date = Timestamp::try_from(expires).map_or_else(|_| "-".into(), |t| t.to_string());
        match expires.duration_since(now) {
            Err(_) => {
                tracing::error!(virtual_server, %certificate, date, "certificate has expired");
            }
            Ok(left) if left < SOON => {
                let days = left.as_secs() / (24 * 3600);
                tracing::warn!(virtual_server, %certificate, date, days, "certificate expires soon");
            }
            Ok(_) => {}
        }
    }
}
