//! Commands of the running gateway, against a running gateway.

#![expect(clippy::unwrap_used, reason = "only tests are here")]

mod access;
mod change;
mod drain;
mod guide;
mod listing;
mod packaging;
mod top;
mod tty;

use std::path::PathBuf;
use std::process::{Command, Output};

use oxpecker_testkit::{Gateway, Launch, TempDir};

use crate::site::{PROGRAM, Site};

/// A gateway with an admin side, and how to reach it.
pub(crate) struct Managed {
    pub(crate) gateway: Gateway,
    socket: PathBuf,
}

impl Managed {
    #[track_caller]
    pub(crate) fn start(site: &Site) -> Self {
        Self::run("", &site.config())
    }

    /// With more lines in `[admin]`.
    #[track_caller]
    pub(crate) fn run(admin: &str, config: &str) -> Self {
        let dir = TempDir::new();
        let socket = dir.join("admin.sock");
        let config = format!(
            "[admin]\nlisten = \"off\"\nsocket = \"{}\"\n{admin}\n{config}",
            socket.display()
        );
        Self { gateway: Launch::within(dir, PROGRAM, &config).start(), socket }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(&format!("unix:{}", self.socket.display()));
        command.args(args);
        command
    }

    /// Exit status, standard output, standard error.
    #[track_caller]
    pub(crate) fn ask(&self, args: &[&str]) -> (i32, String, String) {
        run(self.command(args))
    }

    /// Standard output of a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let (status, out, err) = self.ask(args);
        assert_eq!((status, err.as_str()), (0, ""), "{args:?}: {out}");
        out
    }

    /// Standard error of a command that must fail.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let (status, out, err) = self.ask(args);
        assert_eq!((status, out.as_str()), (1, ""), "{args:?}: {err}");
        err
    }

    /// What a listing says with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let out = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }
}

/// The program with nothing of our environment that it listens to.
pub(crate) fn command(admin: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    for name in ["TOKEN", "TOKEN_FILE", "USER", "PASSWORD", "PASSWORD_FILE", "CA_FILE"] {
        command.env_remove(format!("OXPECKER_{name}"));
    }
    command.env("OXPECKER_ADMIN", admin);
    command
}

#[track_caller]
pub(crate) fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Words of each line: columns are for eyes.
pub(crate) fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}
