//! The file that keeps run-time changes over a restart.
//!
//! Its directory is kept open: after a chroot its name means something else. A file that cannot be
//! read is never overwritten, it is moved aside by the next save.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use oxpecker_config::edit::{self, Edit};

use crate::wording;

/// A change takes some hundred bytes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

const MODE: Mode = Mode::from_bits_truncate(0o640);

#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    directory: io::Result<OwnedFd>,
    /// What is there could not be read.
    is_broken: bool,
}

/// Why changes could not be saved. What was saved before is still there.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("no file to save changes in is configured: set `state_file` in [admin]")]
    NoFile,
    #[error(
        "failed to write {}: {}; the directory must exist, and the gateway's user must be \
         allowed to write in it",
        path.display(), wording::in_words(source)
    )]
    Write { path: PathBuf, source: io::Error },
}

/// Why the changes of before are not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("{0}")]
    Read(io::Error),
    #[error("{0}")]
    Text(String),
}

impl StateFile {
    /// The file need not be there yet.
    pub(crate) fn open(path: &Path) -> (Self, Result<Vec<Edit>, LoadError>) {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = File::open(parent).map(OwnedFd::from);
        let mut state = Self { path: path.to_owned(), directory, is_broken: false };
        let edits = state.load();
        state.is_broken = edits.is_err();
        (state, edits)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> Result<Vec<Edit>, LoadError> {
        let text = match File::open(&self.path) {
            Ok(file) => {
                let mut text = String::new();
                let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
                match read.map_err(LoadError::Read)? {
                    length if length as u64 > BYTES_MAX => {
                        return Err(LoadError::Text(format!("larger than {BYTES_MAX} bytes")));
                    }
                    _ => text,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LoadError::Read(error)),
        };
        edit::parse(&self.path.display().to_string(), &text).map_err(|problems| {
            let more = problems.len().saturating_sub(1);
            let first = problems.first().map_or_else(String::new, |problem| {
                format!("{}:{}: {}", problem.line, problem.column, problem.message)
            });
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            LoadError::Text(format!("line {first}{more}"))
        })
    }

    /// All or nothing: what was there stays until the new text is on the disk. Returns where a
    /// broken file went.
    pub(crate) fn write(&mut self, text: &str) -> Result<Option<PathBuf>, SaveError> {
        let kept = self.try_write(text);
        kept.map_err(|source| SaveError::Write { path: self.path.clone(), source })
    }

    fn try_write(&mut self, text: &str) -> io::Result<Option<PathBuf>> {
        let directory = match &self.directory {
            Ok(directory) => directory,
            Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
        };
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let beside = |suffix: &str| {
            let bytes = [name.as_bytes(), suffix.as_bytes()].concat();
            PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
        };
        let new = beside(".new");
        // A link that somebody else put there must not be followed; what a crash left may go.
        let _ = unlinkat(directory, &new, UnlinkatFlags::NoRemoveDir);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(directory, &new, flags, MODE)?);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let kept = if self.is_broken {
            let bad = beside(".bad");
            match renameat(directory, name, directory, &bad) {
                Ok(()) => Some(self.path.with_file_name(bad)),
                Err(nix::errno::Errno::ENOENT) => None,
                Err(error) => return Err(error.into()),
            }
        } else {
            None
        };
        renameat(directory, &new, directory, name)?;
        fsync(directory)?;
        self.is_broken = false;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use oxpecker_config::edit::Edit;
    use oxpecker_testkit::TempDir;

    use super::*;

    fn change() -> Edit {
        Edit::RemoveNode { node: "a".into() }
    }

    #[test]
    fn what_is_saved_is_found_again() {
        let dir = TempDir::new();
        let path = dir.join("state.toml");
        let (mut state, edits) = StateFile::open(&path);
        assert!(edits.unwrap().is_empty());
        assert_eq!(state.write(&edit::write(&[change()])).unwrap(), None);
        let (_, edits) = StateFile::open(&path);
        assert_eq!(edits.unwrap(), [change()]);
        assert!(!dir.join("state.toml.new").exists());
    }

    #[test]
    fn a_broken_file_is_named_and_moved_aside_once() {
        let dir = TempDir::new();
        let path = dir.write("state.toml", "[[change]]\ndo = \"fly\"\n");
        let (mut state, edits) = StateFile::open(&path);
        let error = edits.unwrap_err().to_string();
        assert!(error.starts_with("line 2:6: `fly` is nothing"), "{error}");
        let bad = dir.join("state.toml.bad");
        assert_eq!(state.write(&edit::write(&[])).unwrap(), Some(bad.clone()));
        assert!(std::fs::read_to_string(&bad).unwrap().contains("fly"));
        assert_eq!(state.write(&edit::write(&[])).unwrap(), None);
    }

    #[test]
    fn without_a_directory_saving_fails_and_says_so() {
        let dir = TempDir::new();
        let (mut state, edits) = StateFile::open(&dir.join("not-there/state.toml"));
        assert!(edits.unwrap().is_empty());
        let error = state.write("x").unwrap_err().to_string();
        assert!(error.contains("the directory must exist"), "{error}");
    }
}
