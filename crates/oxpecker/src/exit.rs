//! Exit statuses; the manual lists the same.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Fine = 0,
    /// Something failed at run time.
    Failure = 1,
    Usage = 2,
    /// The configuration has errors.
    Configuration = 3,
    /// Warnings under `--strict`.
    Warnings = 4,
    /// A check of `doctor` or `verify` failed.
    CheckFailed = 5,
    /// A drain's deadline came before its end: the process cut connections, or `drain --wait` gave up.
    DrainCut = 6,
}

impl Exit {
    /// What an error that reached `main` means.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.downcast_ref::<Self>().copied().unwrap_or(Self::Failure)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fine => "fine",
            Self::Failure => "failed",
            Self::Usage => "wrong usage",
            Self::Configuration => "configuration not usable",
            Self::Warnings => "warnings",
            Self::CheckFailed => "a check failed",
            Self::DrainCut => "connections were cut",
        })
    }
}

impl std::error::Error for Exit {}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
