//! Keys and keytabs: readable by who needs them and by nobody else.

use std::ffi::CString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{User, getgrouplist};
use oxpecker_config::model::Certificate;

use super::Patient;
use crate::finding::{Report, Section};

/// Bits that let everybody read or change.
const OPEN_TO_OTHERS: u32 = 0o006;

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let section = report.section("Files");
    // Without `user` the service manager gives one, which is not known here.
    let gateway = patient.config.process.user.as_deref();
    for key in key_files(patient) {
        secret(section, "private key", key, gateway);
    }
    let impala = patient.options.impala_user.as_str();
    let is_here = matches!(User::from_name(impala), Ok(Some(_)));
    if !is_here && !patient.options.keytabs.is_empty() {
        section.note(format!(
            "there is no user `{impala}` on this machine (--impala-user): whether it may read the \
             keytabs is not known"
        ));
    }
    for keytab in &patient.options.keytabs {
        secret(section, "keytab", keytab, is_here.then_some(impala));
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

/// `reader`: the user who has to read it, if known.
fn secret(section: &mut Section, what: &str, path: &Path, reader: Option<&str>) {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            section.fault(
                format!("{what} {shown} cannot be looked at: {error}"),
                "whoever needs it cannot read it either",
                format!("`ls -l {shown}` as the user that needs it"),
            );
            return;
        }
    };
    let mode = metadata.mode() & 0o777;
    let owner = nix::unistd::Uid::from_raw(metadata.uid());
    let owner = User::from_uid(owner).ok().flatten().map_or(owner.to_string(), |user| user.name);
    if mode & OPEN_TO_OTHERS != 0 {
        section.fault(
            format!("{what} {shown} is open to everybody (mode {mode:o})"),
            "whoever has an account on this machine can pretend to be the service",
            match reader {
                Some(reader) => format!("chown {reader} {shown} && chmod 0400 {shown}"),
                None => format!("chmod 0640 {shown}"),
            },
        );
        return;
    }
    match reader.and_then(|name| User::from_name(name).ok().flatten()) {
        Some(user) if !may_read(&user, &metadata) => section.fault(
            format!(
                "user `{}` cannot read {what} {shown} (mode {mode:o}, owner {owner})",
                user.name
            ),
            "the service that needs it does not start",
            format!("chown {} {shown} && chmod 0400 {shown}", user.name),
        ),
        _ => section
            .fine(format!("{what} {shown} is closed to others (mode {mode:o}, owner {owner})")),
    }
}

/// By the bits of the file alone: those of the directories above it are not looked at.
fn may_read(user: &User, metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    if user.uid.is_root() {
        return true;
    }
    if user.uid.as_raw() == metadata.uid() {
        return mode & 0o400 != 0;
    }
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let groups = getgrouplist(&name, user.gid).unwrap_or_else(|_| vec![user.gid]);
    let in_group = groups.iter().any(|group| group.as_raw() == metadata.gid());
    mode & if in_group { 0o040 } else { 0o004 } != 0
}
