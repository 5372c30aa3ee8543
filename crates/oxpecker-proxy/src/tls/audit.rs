//! What is wrong with the certificates that a configuration names, before anybody connects.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxpecker_config::model::{Certificate, CertificateFiles, Config, TlsClient, Virtual};

use super::client::ClientTls;
use super::keys;
use super::server::name_fits;
use super::verify::{expiry_of, names_of};

/// A certificate that ends within this time is remarked.
pub(super) const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// One thing to tell an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFinding {
    /// The gateway would not start with it.
    pub fatal: bool,
    /// Table and key that name the file, such as `profile.tls_client.front` and `certificates`.
    pub table: String,
    pub key: &'static str,
    pub message: String,
    pub help: String,
}

/// Opens every certificate, key and authority file of the configuration. Connects nowhere.
pub fn audit_certificates(config: &Config, now: SystemTime) -> Vec<CertificateFinding> {
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for virtual_server in &config.virtuals {
        if let Some(profile) = &virtual_server.tls_client {
            if !seen.contains(&&profile.name) {
                seen.push(&profile.name);
                audit_profile(profile, now, &mut findings);
            }
            audit_name(virtual_server, profile, &mut findings);
        }
        let monitor = config.pools[virtual_server.pool].monitor.as_ref();
        let of_monitor = monitor.and_then(|monitor| monitor.tls.as_ref());
        for profile in virtual_server.tls_server.iter().chain(of_monitor) {
            if seen.contains(&&profile.name) {
                continue;
            }
            seen.push(&profile.name);
            if let Err(error) = ClientTls::new(profile) {
                findings.push(CertificateFinding {
                    fatal: true,
                    table: format!("profile.tls_server.{}", profile.name),
                    key: "ca_file",
                    message: chain(&error),
                    help: "the files must be PEM and readable by the gateway's user".to_owned(),
                });
            }
        }
    }
    findings
}

fn audit_profile(profile: &TlsClient, now: SystemTime, findings: &mut Vec<CertificateFinding>) {
    let mut add = |fatal, message, help: &str| {
        findings.push(CertificateFinding {
            fatal,
            table: format!("profile.tls_client.{}", profile.name),
            key: "certificates",
            message,
            help: help.to_owned(),
        });
    };
    for files in files_of(profile) {
        let path = files.certificate.display();
        let pair = match keys::load(files) {
            Ok(pair) => pair,
            Err(error) => {
                add(true, chain(&error), "`openssl x509 -in FILE -noout -text` shows what it holds");
                continue;
            }
        };
        let Some(expires) = pair.cert.first().and_then(|certificate| expiry_of(certificate)) else {
            continue;
        };
        let date = Timestamp::try_from(expires).map_or_else(|_| "-".into(), |at| at.to_string());
        match expires.duration_since(now) {
            Err(_) => add(
                false,
                format!("the certificate in {path} expired on {date}"),
                "clients that verify refuse it: renew it; the files are watched",
            ),
            Ok(left) if left < SOON => add(
                false,
                format!("the certificate in {path} expires on {date}, in {} days", left.as_secs() / 86_400),
                "renew it in time; the files are watched and taken up without a reload",
            ),
            Ok(_) => {}
        }
    }
}

/// Some certificate of the profile must be for the name that clients are told.
fn audit_name(
    virtual_server: &Virtual,
    profile: &TlsClient,
    findings: &mut Vec<CertificateFinding>,
) {
    let Some(name) = &virtual_server.public_name else { return };
    let mut all = Vec::new();
    for certificate in &profile.certificates {
        match certificate {
            Certificate::Acme { names, .. } => all.extend(names.iter().cloned()),
            // What cannot be read was told of already.
            Certificate::Files(files) => match keys::load_certificates(&files.certificate) {
                Ok(chain) => all.extend(chain.first().map(|first| names_of(first)).unwrap_or_default()),
                Err(_) => return,
            },
        }
    }
    let name = name.to_ascii_lowercase();
    if !all.iter().any(|pattern| name_fits(pattern, &name)) {
        findings.push(CertificateFinding {
            fatal: false,
            table: format!("virtual.{}", virtual_server.name),
            key: "public_name",
            message: format!(
                "no certificate of profile `{}` is for `{name}`: they are for {}",
                profile.name,
                if all.is_empty() { "no name at all".to_owned() } else { all.join(", ") }
            ),
            help: format!("issue one with the subject alternative name DNS:{name}"),
        });
    }
}

fn files_of(profile: &TlsClient) -> impl Iterator<Item = &CertificateFiles> {
    profile.certificates.iter().filter_map(|certificate| match certificate {
        Certificate::Files(files) => Some(files),
        Certificate::Acme { .. } => None,
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
