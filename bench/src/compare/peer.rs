//! The peers: their addresses, configurations and command lines. Every one has one worker, keeps
//! a log of connections, watches its member as far as it can, and lets a connection rest for 1 h.

mod config;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Options;
use super::certificate::Certificate;

/// Above the range client ports are taken from; see `netns`.
pub(crate) const BACKEND_PORT: u16 = 41_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// No proxy between.
    Direct,
    Oxpecker,
    /// Reading the protocol, every call on its way to where its handle belongs.
    OxpeckerAware,
    /// As shipped.
    Haproxy,
    /// With forced splicing and 1 MiB pipes.
    HaproxyTuned,
    Nginx,
    Envoy,
}

/// What a configuration refers to.
pub(crate) struct Place<'a> {
    pub(crate) listen: SocketAddr,
    pub(crate) backend: SocketAddr,
    pub(crate) syslog: SocketAddr,
    /// In memory; empty when the peer starts.
    pub(crate) directory: &'a Path,
    /// The proxy ends TLS with it.
    pub(crate) certificate: Option<&'a Certificate>,
}

impl Place<'_> {
    pub(crate) fn log_file(&self) -> PathBuf {
        self.directory.join("access.log")
    }

    /// HAProxy's statistics socket.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.directory.join("stats.sock")
    }
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Oxpecker => "oxpecker",
            Self::OxpeckerAware => "oxpecker-aware",
            Self::Haproxy => "haproxy",
            Self::HaproxyTuned => "haproxy-tuned",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
        }
    }

    /// As it is called in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Oxpecker => "Oxpecker",
            Self::OxpeckerAware => "Oxpecker aware",
            Self::Haproxy => "HAProxy",
            Self::HaproxyTuned => "HAProxy tuned",
            Self::Nginx => "nginx",
            Self::Envoy => "Envoy",
        }
    }

    pub(crate) fn listen(self) -> SocketAddr {
        let port = match self {
            Self::Direct => BACKEND_PORT,
            Self::Oxpecker => 42_000,
            Self::Haproxy => 42_001,
            Self::HaproxyTuned => 42_002,
            Self::Nginx => 42_003,
            Self::Envoy => 42_004,
            Self::OxpeckerAware => 42_005,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Does it log to the syslog sink, not to a file?
    pub(crate) fn logs_to_syslog(self) -> bool {
        matches!(self, Self::Oxpecker | Self::OxpeckerAware | Self::Haproxy | Self::HaproxyTuned)
    }

    /// Envoy does not pass the end of the backend's stream on to a TLS client while that one may
    /// still send.
    pub(crate) fn half_closes_tls(self) -> bool {
        self != Self::Envoy
    }

    pub(crate) fn ensure_present(self, options: &Options) -> anyhow::Result<()> {
        if let Some(program) = self.program(options) {
            let hint = match self {
                Self::Oxpecker | Self::OxpeckerAware => {
                    "cargo build --release -p oxpecker, or --oxpecker PATH"
                }
                _ => "scripts/bench-peers.sh",
            };
            anyhow::ensure!(program.exists(), "{} is missing; try {hint}", program.display());
        }
        Ok(())
    }

    fn program(self, options: &Options) -> Option<PathBuf> {
        Some(match self {
            Self::Direct => return None,
            Self::Oxpecker | Self::OxpeckerAware => options.oxpecker.clone(),
            Self::Haproxy | Self::HaproxyTuned => PathBuf::from("/usr/sbin/haproxy"),
            Self::Nginx => PathBuf::from("/usr/sbin/nginx"),
            Self::Envoy => options.envoy.clone(),
        })
    }

    pub(crate) fn config_file(self, place: &Place<'_>) -> PathBuf {
        // Envoy goes by the ending.
        place.directory.join(match self {
            Self::Oxpecker | Self::OxpeckerAware => "bench.toml",
            Self::Envoy => "bench.yaml",
            _ => "bench.conf",
        })
    }

    /// The configuration; nothing for `direct`.
    pub(crate) fn config(self, place: &Place<'_>) -> Option<String> {
        Some(match self {
            Self::Direct => return None,
            Self::Oxpecker => config::oxpecker(place),
            Self::OxpeckerAware => config::oxpecker_aware(place),
            Self::Haproxy => config::haproxy(place, false),
            Self::HaproxyTuned => config::haproxy(place, true),
            Self::Nginx => config::nginx(place),
            Self::Envoy => config::envoy(place),
        })
    }

    /// The command line that serves `place` in the foreground with one worker.
    pub(crate) fn command(self, options: &Options, place: &Place<'_>) -> Option<Vec<String>> {
        let file = self.config_file(place);
        let directory = format!("{}/", place.directory.display());
        let file = file.display().to_string();
        let arguments: Vec<&str> = match self {
            Self::Direct => return None,
            Self::Oxpecker | Self::OxpeckerAware => vec!["run", "-f", &file],
            Self::Haproxy | Self::HaproxyTuned => vec!["-db", "-f", &file],
            Self::Nginx => vec!["-p", &directory, "-e", "stderr", "-c", &file],
            Self::Envoy => vec![
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--file-flush-interval-msec",
                "1000",
                "--log-level",
                "warn",
                "--config-path",
                &file,
            ],
        };
        let mut command = vec![self.program(options)?.display().to_string()];
        command.extend(arguments.into_iter().map(str::to_owned));
        Some(command)
    }

    /// What the program says its version is, on one line.
    pub(crate) fn version(self, options: &Options) -> Option<String> {
        let flag = if matches!(self, Self::Oxpecker | Self::OxpeckerAware | Self::Envoy) {
            "--version"
        } else {
            "-v"
        };
        let output = Command::new(self.program(options)?).arg(flag).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| !line.trim().is_empty())?;
        // Envoy puts its whole path before it; HAProxy its address behind.
        let line = line.trim().rsplit_once("version:").map_or(line, |(_, version)| version);
        Some(line.trim().trim_end_matches(" - https://haproxy.org/").to_owned())
    }
}
