//! Looks after certificates while the gateway runs: renewed files are taken up, and those that
//! end soon are spoken of.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::audit::{SOON, chain};
use super::server::{Certificates, Renewal};
use crate::state::Shared;

/// How soon a renewed file is in use. Asking the file system costs a few microseconds a file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate that ends soon is warned of this often.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Runs for ever. Idempotent: whatever it missed it finds the next time.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut reminded: Option<SystemTime> = None;
    loop {
        let topology = shared.topology();
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
        tokio::time::sleep(LOOK_EVERY).await;
    }
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
