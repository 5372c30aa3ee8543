//! Certificate files that a configuration names: found beside it, and looked at before anybody
//! connects.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oxpecker_config::model::{Certificate, CertificateFiles, Config, TlsClient, TlsServer};
use oxpecker_config::{Checked, Diagnostic, Severity};
use oxpecker_proxy::audit_certificates;

/// Makes relative names mean "beside the configuration", as those of secrets do.
pub(crate) fn make_absolute(config: &mut Config, base: &Path) {
    for virtual_server in &mut config.virtuals {
        if let Some(profile) = &mut virtual_server.tls_client {
            toward_clients(profile, base);
        }
        if let Some(profile) = &mut virtual_server.tls_server {
            toward_members(profile, base);
        }
    }
    for monitor in config.pools.iter_mut().filter_map(|pool| pool.monitor.as_mut()) {
        if let Some(profile) = &mut monitor.tls {
            toward_members(profile, base);
        }
    }
    for acme in &mut config.acmes {
        put_below(base, [&mut acme.state].into_iter().chain(&mut acme.ca_file));
    }
}

fn toward_clients(profile: &mut TlsClient, base: &Path) {
    for certificate in &mut profile.certificates {
        match certificate {
            Certificate::Files(files) => pair(files, base),
            Certificate::Acme { .. } => {}
        }
    }
    if let Some(auth) = &mut profile.client_auth {
        put_below(base, [&mut auth.ca_file].into_iter().chain(&mut auth.crl_file));
    }
}

fn toward_members(profile: &mut TlsServer, base: &Path) {
    put_below(base, profile.ca_file.iter_mut().chain(&mut profile.crl_file));
    if let Some(files) = &mut profile.certificate {
        pair(files, base);
    }
}

fn pair(files: &mut CertificateFiles, base: &Path) {
    let CertificateFiles { certificate, key, chain, passphrase: _ } = files;
    put_below(base, [certificate].into_iter().chain(key).chain(chain));
}

fn put_below<'p>(base: &Path, paths: impl Iterator<Item = &'p mut PathBuf>) {
    for path in paths {
        // An absolute path stays what it is.
        *path = base.join(&*path);
    }
}

/// Adds what is wrong with the files to the warnings; an error when the gateway would not start.
pub(crate) fn audit(mut checked: Checked) -> Result<Checked, Vec<Diagnostic>> {
    let mut is_fatal = false;
    for finding in audit_certificates(&checked.config, SystemTime::now()) {
        is_fatal |= finding.fatal;
        let severity = if finding.fatal { Severity::Error } else { Severity::Warning };
        let (table, key) = (&finding.table, finding.key);
        let found = checked.locate(severity, table, key, &finding.message, Some(&finding.help));
        // An inherited certificate is found with every heir.
        if !checked.warnings.contains(&found) {
            checked.warnings.push(found);
        }
    }
    if is_fatal { Err(checked.warnings) } else { Ok(checked) }
}
