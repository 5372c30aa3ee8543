//! Where configuration text and secrets come from. Nothing here opens a file: the binary
//! brings files and environment, tests bring maps.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where text outside the configuration comes from.
pub trait Source {
    /// Reads a secret such as `password = { file = "pass" }`.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// Looks up an environment variable.
    fn env(&self, name: &str) -> Option<String>;
}

/// One piece of the configuration. Several make one configuration together.
#[derive(Debug, Clone)]
pub struct Input {
    /// Shown in diagnostics, mostly a path.
    pub name: String,
    pub text: String,
}

impl Input {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A [`Source`] of given values, for tests and for callers without files.
#[derive(Debug, Clone, Default)]
pub struct Maps {
    pub files: BTreeMap<PathBuf, String>,
    pub env: BTreeMap<String, String>,
}

impl Source for Maps {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(path).cloned();
        text.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }
}
