//! The certificates in use, as others may show them.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::certificates::Pair;
use crate::state::Topology;

/// Certificates that end within this time are spoken of.
pub(super) const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Certificates that come by themselves are renewed with a third of their time left; with less
/// than half of that something is wrong.
const SOON_PART: u32 = 6;

/// To whom a certificate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// By a `tls_client` profile.
    Clients,
    /// By a `tls_server` profile.
    Members,
}

impl Side {
    /// The kind of profile, such as `tls_client`.
    pub fn profile_kind(self) -> &'static str {
        match self {
            Self::Clients => "tls_client",
            Self::Members => "tls_server",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    File(PathBuf),
    /// `[acme.AUTHORITY]`
    Acme {
        authority: String,
    },
}

/// A certificate that is in use, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    pub side: Side,
    /// The profile that names it.
    pub profile: String,
    /// The file, or `acme:AUTHORITY`; together with side, profile and names it is unique.
    pub name: String,
    pub source: CertificateSource,
    /// Subject alternative names of type DNS; of a certificate that is not there yet, the names
    /// that the authority is asked for.
    pub names: Vec<String>,
    /// `None`: there is no certificate yet, or it cannot be read.
    pub not_before: Option<SystemTime>,
    pub not_after: Option<SystemTime>,
    /// Why the last try to renew it failed; `None` when it did not.
    pub last_error: Option<String>,
}

/// How long a certificate still lasts, in the words of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Fine,
    Soon { days: u64 },
    Expired,
}

impl CertificateStatus {
    pub(super) fn of(
        side: Side,
        profile: &str,
        source: CertificateSource,
        pair: Option<&Pair>,
    ) -> Self {
        let validity = pair.and_then(|pair| pair.validity);
        Self {
            side,
            profile: profile.to_owned(),
            name: match &source {
                CertificateSource::File(path) => path.display().to_string(),
                CertificateSource::Acme { authority } => format!("acme:{authority}"),
            },
            source,
            names: pair.map(|pair| pair.names.clone()).unwrap_or_default(),
            not_before: validity.map(|validity| validity.not_before),
            not_after: validity.map(|validity| validity.not_after),
            last_error: None,
        }
    }

    pub(super) fn stage(&self, now: SystemTime) -> Stage {
        let Some(not_after) = self.not_after else { return Stage::Fine };
        let soon = match (&self.source, self.not_before) {
            (CertificateSource::Acme { .. }, Some(not_before)) => {
                not_after.duration_since(not_before).map_or(SOON, |life| SOON.min(life / SOON_PART))
            }
            _ => SOON,
        };
        match not_after.duration_since(now) {
            Err(_) => Stage::Expired,
            Ok(left) if left < soon => Stage::Soon { days: left.as_secs() / (24 * 3600) },
            Ok(_) => Stage::Fine,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.side, &self.profile, &self.name, &self.names)
            == (other.side, &other.profile, &other.name, &other.names)
    }
}

/// Every certificate once, however many virtual servers use its profile.
pub(crate) fn snapshot(topology: &Topology) -> Vec<CertificateStatus> {
    let toward_clients = topology.virtuals.iter().filter_map(|policy| policy.tls.server.as_ref());
    let of_virtuals = topology.virtuals.iter().filter_map(|policy| policy.tls.client.as_ref());
    let of_monitors = topology.pools.iter().filter_map(|pool| pool.monitor_tls.as_deref());
    let of_loads = topology.pools.iter().filter_map(|pool| pool.load_tls.as_deref());
    let of_members = of_virtuals.chain(of_monitors).chain(of_loads);
    let all = toward_clients
        .flat_map(|server| server.certificates.status(&server.profile))
        .chain(of_members.filter_map(|client| client.status()));
    let mut found: Vec<CertificateStatus> = Vec::new();
    for status in all {
        if !found.iter().any(|known| known.is_same(&status)) {
            found.push(status);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn ends_after(source: CertificateSource, life: Duration) -> CertificateStatus {
        CertificateStatus {
            not_before: Some(SystemTime::UNIX_EPOCH),
            not_after: Some(SystemTime::UNIX_EPOCH + life),
            ..CertificateStatus::of(Side::Clients, "p", source, None)
        }
    }

    #[test]
    fn a_certificate_in_a_file_ends_soon_two_weeks_before() {
        let status = ends_after(CertificateSource::File("x".into()), 90 * DAY);
        let at = |day: u32| status.stage(SystemTime::UNIX_EPOCH + day * DAY);
        assert_eq!(at(75), Stage::Fine);
        assert_eq!(at(80), Stage::Soon { days: 10 });
        assert_eq!(at(91), Stage::Expired);
    }

    #[test]
    fn a_short_certificate_that_renews_itself_is_not_always_soon() {
        let source = CertificateSource::Acme { authority: "a".into() };
        let status = ends_after(source, 6 * DAY);
        let at = |hours: u32| status.stage(SystemTime::UNIX_EPOCH + hours * DAY / 24);
        assert_eq!(at(0), Stage::Fine);
        assert_eq!(at(5 * 24 - 1), Stage::Fine);
        assert_eq!(at(5 * 24 + 1), Stage::Soon { days: 0 });
    }
}
