//! Certificate files that a configuration names: found beside it, and looked at before anybody
//! connects.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oxpecker_config::model::{
    Certificate, CertificateFiles, Config, Passphrase, Secret, TlsClient, TlsServer,
};
use oxpecker_config::{Checked, Diagnostic, Severity};
use oxpecker_proxy::{ask_passphrase, audit_certificates};

/// Makes relative names mean "beside the configuration", as those of secrets do.
pub(crate) fn make_absolute(config: &mut Config, base: &Path) {
    for_each_profile(config, |profile| match profile {
        Profile::TowardClients(profile) => {
            if let Some(auth) = &mut profile.client_auth {
                put_below(base, [&mut auth.ca_file].into_iter().chain(&mut auth.crl_file));
            }
        }
        Profile::TowardMembers(profile) => {
            put_below(base, profile.ca_file.iter_mut().chain(&mut profile.crl_file));
        }
    });
    for_each_pair(config, |CertificateFiles { certificate, key, chain, passphrase: _ }| {
        put_below(base, [certificate].into_iter().chain(key).chain(chain));
    });
    for acme in &mut config.acmes {
        put_below(base, [&mut acme.state].into_iter().chain(&mut acme.ca_file));
    }
}

/// Runs each command that prints a passphrase once, however many keys and profiles name it. One
/// that fails stays as it is: whoever needs its answer runs it again and says what is wrong.
fn ask_passphrases(config: &mut Config) {
    let mut answers: HashMap<Vec<String>, Option<Secret>> = HashMap::new();
    for_each_pair(config, |files| {
        let Some(Passphrase::Command(command)) = &files.passphrase else { return };
        let answer = match answers.get(command) {
            Some(answer) => answer.clone(),
            None => {
                let answer = ask_passphrase(command).ok();
                answers.insert(command.clone(), answer.clone());
                answer
            }
        };
        if let Some(answer) = answer {
            files.passphrase = Some(Passphrase::Asked { command: command.clone(), answer });
        }
    });
}

enum Profile<'c> {
    TowardClients(&'c mut TlsClient),
    TowardMembers(&'c mut TlsServer),
}

fn for_each_profile(config: &mut Config, mut change: impl FnMut(Profile<'_>)) {
    if let Some(profile) = config.admin.as_mut().and_then(|admin| admin.tls_client.as_mut()) {
        change(Profile::TowardClients(profile));
    }
    for virtual_server in &mut config.virtuals {
        if let Some(profile) = &mut virtual_server.tls_client {
            change(Profile::TowardClients(profile));
        }
        if let Some(profile) = &mut virtual_server.tls_server {
            change(Profile::TowardMembers(profile));
        }
    }
    for monitor in config.pools.iter_mut().filter_map(|pool| pool.monitor.as_mut()) {
        if let Some(profile) = &mut monitor.tls {
            change(Profile::TowardMembers(profile));
        }
    }
}

/// Certificates with their keys, on both sides.
fn for_each_pair(config: &mut Config, mut change: impl FnMut(&mut CertificateFiles)) {
    for_each_profile(config, |profile| match profile {
        Profile::TowardClients(profile) => {
            for certificate in &mut profile.certificates {
                if let Certificate::Files(files) = certificate {
                    change(files);
                }
            }
        }
        Profile::TowardMembers(profile) => profile.certificate.iter_mut().for_each(&mut change),
    });
}

fn put_below<'p>(base: &Path, paths: impl Iterator<Item = &'p mut PathBuf>) {
    for path in paths {
        // An absolute path stays what it is.
        *path = base.join(&*path);
    }
}

/// Adds what is wrong with the files to the warnings; an error when the gateway would not start.
pub(crate) fn audit(mut checked: Checked) -> Result<Checked, Vec<Diagnostic>> {
    ask_passphrases(&mut checked.config);
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
