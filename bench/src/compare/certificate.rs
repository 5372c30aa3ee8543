//! The certificates with which all peers end TLS, made anew for every comparison.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// P-256.
    Ecdsa,
    /// 2,048 bits.
    Rsa,
}

/// Self-signed, in PEM files.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(crate) both: PathBuf,
}

#[derive(Debug)]
pub(super) struct Certificates {
    ecdsa: Certificate,
    rsa: Certificate,
}

impl Certificates {
    pub(super) fn make(directory: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            ecdsa: make(directory, "ecdsa", &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])?,
            rsa: make(directory, "rsa", &["rsa:2048"])?,
        })
    }

    pub(super) fn of(&self, key: Key) -> &Certificate {
        match key {
            Key::Ecdsa => &self.ecdsa,
            Key::Rsa => &self.rsa,
        }
    }
}

fn make(directory: &Path, name: &str, kind: &[&str]) -> anyhow::Result<Certificate> {
    let file = |end: &str| directory.join(format!("{name}.{end}"));
    let made = Certificate { certificate: file("crt"), key: file("key"), both: file("pem") };
    let output = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-newkey"])
        .args(kind)
        .arg("-keyout")
        .arg(&made.key)
        .arg("-out")
        .arg(&made.certificate)
        .output()
        .context("run openssl; try scripts/bench-peers.sh")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let both = fs::read_to_string(&made.certificate)? + &fs::read_to_string(&made.key)?;
    fs::write(&made.both, both)?;
    Ok(made)
}
