//! What is wrong with the certificates that a configuration names, before anybody connects.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use oxpecker_config::model::{
    Acme, Certificate, CertificateFiles, Config, TlsClient, TlsServer, Virtual,
};

use super::acme;
use super::certificates::name_fits;
use super::client::ClientTls;
use super::keys::{self, KeyError};
use super::status::{CertificateSource, CertificateStatus, SOON, Side, Stage};
use super::verify::{names_of, validity_of};
use crate::wording::chain;

const READABLE: &str = "the files must be PEM and readable by the gateway's user";

/// How bad it is: `fatal` and `broken` of a finding.
const FATAL: (bool, bool) = (true, false);
const BROKEN: (bool, bool) = (false, true);

/// One thing to tell an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFinding {
    /// The gateway would not start with it.
    pub fatal: bool,
    /// It would start, and clients that verify certificates would leave.
    pub broken: bool,
    /// Table and key that name the file, such as `profile.tls_client.front` and `certificates`.
    pub table: String,
    pub key: &'static str,
    pub message: String,
    pub help: String,
}

/// Opens every certificate, key and authority file of the configuration, and runs the commands
/// that print passphrases. Connects nowhere.
pub fn audit_certificates(config: &Config, now: SystemTime) -> Vec<CertificateFinding> {
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for virtual_server in &config.virtuals {
        if let Some(profile) = &virtual_server.tls_client {
            if !seen.contains(&&profile.name) {
                seen.push(&profile.name);
                audit_profile(profile, now, &mut findings);
                findings.extend(audit_issued(profile, config, now));
            }
            audit_name(virtual_server, profile, &mut findings);
        }
    }
    let of_admin = config.admin.as_ref().and_then(|admin| admin.tls_client.as_ref());
    if let Some(profile) = of_admin.filter(|profile| !seen.contains(&&profile.name)) {
        audit_profile(profile, now, &mut findings);
    }
    // A profile of the other kind may have the same name.
    seen.clear();
    let of_virtuals = config.virtuals.iter().filter_map(|v| v.tls_server.as_ref());
    let monitors = config.pools.iter().filter_map(|pool| pool.monitor.as_ref());
    let loads = config.pools.iter().filter_map(|pool| pool.load.as_ref()?.tls.as_ref());
    let monitors = monitors.filter_map(|monitor| monitor.tls.as_ref());
    for profile in of_virtuals.chain(monitors).chain(loads) {
        if !seen.contains(&&profile.name) {
            seen.push(&profile.name);
            findings.extend(audit_members(profile));
        }
    }
    for authority in acme::used(config) {
        findings.extend(audit_authority(authority));
    }
    findings
}

/// Issued certificates that nobody renewed.
fn audit_issued(profile: &TlsClient, config: &Config, now: SystemTime) -> Vec<CertificateFinding> {
    let mut findings = Vec::new();
    for certificate in &profile.certificates {
        let Certificate::Acme { acme, names } = certificate else { continue };
        let acme = &config.acmes[*acme];
        let Some(pair) = acme::stored(acme, names) else { continue };
        let source = CertificateSource::Acme { authority: acme.name.clone() };
        let status = CertificateStatus::of(Side::Clients, &profile.name, source, Some(&pair));
        let verb = match status.stage(now) {
            Stage::Fine => continue,
            Stage::Soon { .. } => "expires",
            Stage::Expired => "expired",
        };
        let date = status.not_after.and_then(|at| Timestamp::try_from(at).ok());
        let date = date.map_or_else(|| "-".to_owned(), |at| at.to_string());
        findings.push(CertificateFinding {
            fatal: false,
            broken: status.stage(now) == Stage::Expired,
            table: format!("profile.tls_client.{}", profile.name),
            key: "certificates",
            message: format!(
                "the certificate that `{}` issued for {} {verb} on {date}, and was not renewed",
                acme.name,
                names.join(", ")
            ),
            help: "the gateway's log says why: `failed to obtain a certificate`".to_owned(),
        });
    }
    findings
}

/// What must be there before an authority is asked for anything.
fn audit_authority(authority: &Acme) -> Option<CertificateFinding> {
    let finding = |fatal, key, message, help: &str| CertificateFinding {
        fatal,
        broken: false,
        table: format!("acme.{}", authority.name),
        key,
        message,
        help: help.to_owned(),
    };
    if let Some(Err(error)) = authority.ca_file.as_deref().map(keys::load_certificates) {
        return Some(finding(true, "ca_file", chain(&error), READABLE));
    }
    let problem = acme::state_problem(authority)?;
    let help = "accounts and keys are kept there: it must be a directory where the gateway's user, \
                and nobody else, may write";
    Some(finding(false, "state", problem, help))
}

/// The first thing that is wrong with a profile toward members.
fn audit_members(profile: &TlsServer) -> Option<CertificateFinding> {
    let error = ClientTls::new(profile).err()?;
    let is_bad = |path: &PathBuf| keys::load_certificates(path).is_err();
    let key = match profile {
        TlsServer { ca_file: Some(path), .. } if is_bad(path) => "ca_file",
        TlsServer { crl_file: Some(path), .. } if keys::load_crls(path).is_err() => "crl_file",
        TlsServer { certificate: Some(_), .. } => "certificate",
        _ => "ca_file",
    };
    Some(CertificateFinding {
        fatal: true,
        broken: false,
        table: format!("profile.tls_server.{}", profile.name),
        key,
        message: chain(&error),
        help: READABLE.to_owned(),
    })
}

fn audit_profile(profile: &TlsClient, now: SystemTime, findings: &mut Vec<CertificateFinding>) {
    let mut add_to = |key, (fatal, broken), message, help: &str| {
        findings.push(CertificateFinding {
            fatal,
            broken,
            table: format!("profile.tls_client.{}", profile.name),
            key,
            message,
            help: help.to_owned(),
        });
    };
    if let Some(auth) = &profile.client_auth {
        if let Err(error) = keys::load_certificates(&auth.ca_file) {
            add_to("client_ca_file", FATAL, chain(&error), READABLE);
        }
        if let Some(Err(error)) = auth.crl_file.as_ref().map(|path| keys::load_crls(path)) {
            add_to("client_crl_file", FATAL, chain(&error), READABLE);
        }
    }
    let mut add = |weight, message, help: &str| add_to("certificates", weight, message, help);
    for files in files_of(profile) {
        let path = files.certificate.display();
        let pair = match keys::load(files) {
            Ok(pair) => pair,
            Err(error) => {
                add(FATAL, chain(&error), help_for(&error));
                continue;
            }
        };
        let validity = pair.cert.first().and_then(|certificate| validity_of(certificate));
        let Some(expires) = validity.map(|validity| validity.not_after) else { continue };
        let date = Timestamp::try_from(expires).map_or_else(|_| "-".into(), |at| at.to_string());
        match expires.duration_since(now) {
            Err(_) => add(
                BROKEN,
                format!("the certificate in {path} expired on {date}"),
                "clients that verify refuse it: renew it; the files are watched",
            ),
            Ok(left) if left < SOON => add(
                (false, false),
                format!(
                    "the certificate in {path} expires on {date}, in {} days",
                    left.as_secs() / 86_400
                ),
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
                Ok(chain) => {
                    all.extend(chain.first().map(|first| names_of(first)).unwrap_or_default())
                }
                Err(_) => return,
            },
        }
    }
    let name = name.to_ascii_lowercase();
    if !all.iter().any(|pattern| name_fits(pattern, &name)) {
        findings.push(CertificateFinding {
            fatal: false,
            broken: true,
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

fn help_for(error: &KeyError) -> &'static str {
    match error {
        // HAProxy reads all files of one.
        KeyError::Read { source, .. } if source.kind() == io::ErrorKind::IsADirectory => {
            "name each certificate's file: directories are not read"
        }
        KeyError::Read { .. } => READABLE,
        _ => "`openssl x509 -in FILE -noout -text` shows what it holds",
    }
}
