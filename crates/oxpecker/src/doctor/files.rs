//! Keys and keytabs: readable by who needs them and by nobody else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use oxpecker_config::model::Certificate;

use super::Patient;
use crate::finding::{Report, Section};

/// Bits that let others read.
const READABLE_BY_OTHERS: u32 = 0o004;

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let section = report.section("Files");
    for key in key_files(patient) {
        secret(section, "private key", key);
    }
    for keytab in &patient.options.keytabs {
        secret(section, "keytab", keytab);
    }
}

fn key_files<'a>(patient: &'a Patient<'_>) -> Vec<&'a Path> {
    let of_clients = patient.config.virtuals.iter().filter_map(|v| v.tls_client.as_ref());
    let of_clients = of_clients.flat_map(|profile| &profile.certificates);
    let of_clients = of_clients.filter_map(|certificate| match certificate {
        Certificate::Files(files) => Some(files),
        Certificate::Acme { .. } => None,
    });
    let of_members = patient.config.virtuals.iter().filter_map(|v| v.tls_server.as_ref());
    let of_members = of_members.filter_map(|profile| profile.certificate.as_ref());
    let mut paths: Vec<_> = of_clients
        .chain(of_members)
        .map(|files| files.key.as_deref().unwrap_or(&files.certificate))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

fn secret(section: &mut Section, what: &str, path: &Path) {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) => section.fault(
            format!("{what} {shown} cannot be looked at: {error}"),
            "whoever needs it cannot read it either",
            format!("`ls -l {shown}` as the user that runs the gateway"),
        ),
        Ok(metadata) if metadata.mode() & READABLE_BY_OTHERS != 0 => section.fault(
            format!("{what} {shown} can be read by everybody (mode {:o})", metadata.mode() & 0o777),
            "whoever has an account on this machine can pretend to be the service",
            format!("chmod 0640 {shown}"),
        ),
        Ok(metadata) => section.fine(format!(
            "{what} {shown} is closed to others (mode {:o}, owner {})",
            metadata.mode() & 0o777,
            metadata.uid(),
        )),
    }
}
