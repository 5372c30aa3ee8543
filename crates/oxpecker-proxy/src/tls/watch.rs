//! Looks after certificates while the gateway runs: renewed files are taken up, and those that
//! end soon are spoken of.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxpecker_config::model::{Certificate, Virtual};

use super::certificates::Renewal;
use super::changes::Changes;
use super::keys;
use super::status::{CertificateStatus, Side, Stage, snapshot};
use crate::control::events::{EventKind, Events};
use crate::state::Shared;
use crate::wording::chain;

/// How often files are looked at without a hint that they changed. Asking the file system costs a
/// few microseconds a file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate that ends soon is warned of this often.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Runs for ever. Idempotent: whatever it missed it finds the next time.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut reminders = Reminders::default();
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
                let text = match result {
                    Ok(names) => {
                        tracing::info!(
                            virtual_server = %name, certificate = %certificate.display(), ?names,
                            "renewed certificate in use"
                        );
                        format!("renewed certificate in use at {name}: {}", names.join(", "))
                    }
                    Err(error) => {
                        let error = chain(&error);
                        tracing::error!(
                            virtual_server = %name, certificate = %certificate.display(), error,
                            "changed certificate cannot be used, keeping the old one"
                        );
                        format!("changed certificate cannot be used at {name}: {error}")
                    }
                };
                let subject = certificate.display().to_string();
                shared.events.note("file", EventKind::Certificate, &subject, &text);
            }
        }
        let now = SystemTime::now();
        for (status, stage) in reminders.due(snapshot(&topology), now) {
            remind(&status, stage, &shared.events);
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

/// What was said of which certificate, and when.
#[derive(Debug, Default)]
pub(super) struct Reminders {
    said: HashMap<Key, (Stage, SystemTime)>,
}

type Key = (Side, String, String, Vec<String>);

impl Reminders {
    /// Those to speak of now: what became worse at once, what stays bad once a day.
    pub(super) fn due(
        &mut self,
        all: Vec<CertificateStatus>,
        now: SystemTime,
    ) -> Vec<(CertificateStatus, Stage)> {
        let mut due = Vec::new();
        let mut said = HashMap::new();
        for status in all {
            let stage = status.stage(now);
            if stage == Stage::Fine {
                continue;
            }
            let key =
                (status.side, status.profile.clone(), status.name.clone(), status.names.clone());
            let before = self.said.get(&key).filter(|(before, at)| {
                let is_worse = stage == Stage::Expired && *before != Stage::Expired;
                !is_worse && now.duration_since(*at).is_ok_and(|age| age < REMIND_EVERY)
            });
            said.insert(key, before.copied().unwrap_or((stage, now)));
            if before.is_none() {
                due.push((status, stage));
            }
        }
        self.said = said;
        due
    }
}

pub(super) fn remind(status: &CertificateStatus, stage: Stage, events: &Events) {
    let CertificateStatus { profile, name: certificate, names, .. } = status;
    let date = status.not_after.and_then(|at| Timestamp::try_from(at).ok());
    let date = date.map_or_else(|| "-".to_owned(), |date| date.to_string());
    let text = match stage {
        Stage::Fine => return,
        Stage::Soon { days } => {
            tracing::warn!(profile, certificate, ?names, date, days, "certificate expires soon");
            format!("expires in {days} days, at {date}")
        }
        Stage::Expired => {
            tracing::error!(profile, certificate, ?names, date, "certificate has expired");
            format!("has expired, at {date}")
        }
    };
    events.note("clock", EventKind::Certificate, certificate, &text);
}

#[cfg(test)]
mod tests {
    use super::super::status::CertificateSource;
    use super::*;

    #[test]
    fn once_a_day_and_at_the_end() {
        const HOUR: Duration = Duration::from_secs(3600);
        let source = CertificateSource::File("x.pem".into());
        let status = CertificateStatus {
            not_after: Some(SystemTime::UNIX_EPOCH + 400 * HOUR),
            ..CertificateStatus::of(Side::Clients, "p", source, None)
        };
        let mut reminders = Reminders::default();
        let mut said = Vec::new();
        for hour in 0..460 {
            let due = reminders.due(vec![status.clone()], SystemTime::UNIX_EPOCH + hour * HOUR);
            said.extend(due.into_iter().map(|(_, stage)| (hour, stage == Stage::Expired)));
        }
        let soon = (0..14).map(|day| (65 + 24 * day, false));
        let expired = (0..3).map(|day| (401 + 24 * day, true));
        assert_eq!(said, soon.chain(expired).collect::<Vec<_>>());
        // Renewed and bad again: from the beginning.
        assert!(reminders.due(Vec::new(), SystemTime::UNIX_EPOCH + 461 * HOUR).is_empty());
        assert_eq!(reminders.due(vec![status], SystemTime::UNIX_EPOCH + 462 * HOUR).len(), 1);
    }
}
