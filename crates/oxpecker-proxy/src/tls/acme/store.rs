//! What is kept on disk: an account for each authority, and for each certificate its key, its chain
//! and how the last try went. All of it is for the gateway's user alone.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use oxpecker_config::model::Acme;
use serde_json::{Value, json};

use super::super::certificates::Pair;
use super::super::keys::{self, KeyError};
use crate::wording;

const ACCOUNT: &str = "account.json";

/// Names of files may have 255 bytes, names of hosts 253.
const STEM_BYTES_MAX: usize = 200;

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("failed to {what} {}: {}", path.display(), wording::in_words(source))]
    Io { what: &'static str, path: PathBuf, state: PathBuf, source: io::Error },
    #[error("others may write in {}, and could put keys of their own there", path.display())]
    Open { path: PathBuf },
}

impl StoreError {
    pub(super) fn help(&self) -> String {
        match self {
            Self::Io { state, .. } => format!(
                "it and what is in it must belong to the gateway's user: install -d -m 0700 -o \
                 USER {0} && chown -R USER {0}",
                state.display()
            ),
            Self::Open { path } => format!("chmod go-w {}", path.display()),
        }
    }
}

/// One authority's directory, `STATE/NAME`.
#[derive(Debug, Clone)]
pub(super) struct Store {
    state: PathBuf,
    dir: PathBuf,
}

/// How it stands with a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Directory of the authority that issued what is there.
    pub(super) issued_by: Option<String>,
    /// Tries since the last one that went well.
    pub(super) failures: u32,
    pub(super) tried_at: Option<SystemTime>,
    /// Not before this.
    pub(super) retry_at: Option<SystemTime>,
    /// The authority itself said so.
    pub(super) is_told: bool,
    pub(super) error: Option<String>,
}

impl Store {
    pub(super) fn new(acme: &Acme) -> Self {
        Self { state: acme.state.clone(), dir: acme.state.join(&acme.name) }
    }

    /// What is wrong with the directories as they are, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        match fs::metadata(&self.state) {
            Ok(meta) if !meta.is_dir() => {
                Some(format!("{} is not a directory", self.state.display()))
            }
            Ok(_) => self.refuse_others().err().map(|error| error.to_string()),
            Err(_) => None,
        }
    }

    /// Makes the directory, for nobody else.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| self.failed(what, path, source)
        };
        for dir in [&self.state, &self.dir] {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(dir).map_err(failed("make", dir))?;
            self.refuse_others()?;
        }
        let mode = fs::metadata(&self.dir).map_err(failed("look at", &self.dir))?.permissions();
        if mode.mode() & 0o077 != 0 {
            tracing::warn!(directory = %self.dir.display(), "keys are kept here, closing it for others");
            fs::set_permissions(&self.dir, Permissions::from_mode(0o700))
                .map_err(failed("close", &self.dir))?;
        }
        Ok(())
    }

    /// Whoever may write in the directory above could put another one in the place of ours.
    fn refuse_others(&self) -> Result<(), StoreError> {
        let path = &self.state;
        let meta =
            fs::metadata(path).map_err(|source| self.failed("look at", path.clone(), source))?;
        if meta.permissions().mode() & 0o022 != 0 {
            return Err(StoreError::Open { path: path.clone() });
        }
        Ok(())
    }

    pub(super) fn account(&self) -> Option<Value> {
        self.json(ACCOUNT)
    }

    pub(super) fn set_account(&self, account: &Value) -> Result<(), StoreError> {
        self.write(ACCOUNT, account.to_string().as_bytes())
    }

    /// The authority does not know it any more.
    pub(super) fn forget_account(&self) {
        let _ = fs::remove_file(self.dir.join(ACCOUNT));
    }

    /// Where key and chain of a certificate are.
    pub(super) fn pair_file(&self, names: &[String]) -> PathBuf {
        self.dir.join(format!("{}.pem", stem(names)))
    }

    /// `None`: there is none.
    pub(super) fn pair(&self, names: &[String]) -> Option<Result<Pair, KeyError>> {
        let path = self.pair_file(names);
        match fs::read_to_string(&path) {
            Ok(text) => Some(keys::from_text(&path, &text).map(Pair::new)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => Some(Err(KeyError::Read { path, source })),
        }
    }

    /// Another certificate for the first of the names: better than none while the right one is
    /// not there, as when a name was added.
    pub(super) fn similar(&self, names: &[String], now: SystemTime) -> Option<Pair> {
        let files = fs::read_dir(&self.dir).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        files.filter(|path| path.extension().is_some_and(|extension| extension == "pem")).find_map(
            |path| {
                let text = fs::read_to_string(&path).ok()?;
                let pair = Pair::new(keys::from_text(&path, &text).ok()?);
                let is_valid = pair.validity.is_some_and(|validity| validity.not_after > now);
                (is_valid && pair.names.contains(names.first()?)).then_some(pair)
            },
        )
    }

    pub(super) fn set_pair(&self, names: &[String], pem: &str) -> Result<(), StoreError> {
        self.write(&format!("{}.pem", stem(names)), pem.as_bytes())
    }

    pub(super) fn record(&self, names: &[String]) -> Record {
        let found = self.json(&format!("{}.json", stem(names))).unwrap_or_default();
        let text = |key: &str| found[key].as_str().map(str::to_owned);
        let time = |key: &str| found[key].as_str()?.parse::<Timestamp>().ok().map(SystemTime::from);
        Record {
            issued_by: text("issued_by"),
            failures: found["failures"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0),
            tried_at: time("tried_at"),
            retry_at: time("retry_at"),
            is_told: found["retry_at_is_the_authoritys"].as_bool().unwrap_or(false),
            error: text("error"),
        }
    }

    pub(super) fn set_record(&self, names: &[String], record: &Record) -> Result<(), StoreError> {
        let time = |at: Option<SystemTime>| Some(Timestamp::try_from(at?).ok()?.to_string());
        let value = json!({
            "names": names,
            "issued_by": record.issued_by,
            "failures": record.failures,
            "tried_at": time(record.tried_at),
            "retry_at": time(record.retry_at),
            "retry_at_is_the_authoritys": record.is_told,
            "error": record.error,
        });
        self.write(&format!("{}.json", stem(names)), format!("{value:#}\n").as_bytes())
    }

    /// What is no JSON is as good as not there: it is written anew.
    fn json(&self, name: &str) -> Option<Value> {
        let path = self.dir.join(name);
        let text = fs::read_to_string(&path).ok()?;
        serde_json::from_str(&text)
            .inspect_err(|error| {
                tracing::warn!(file = %path.display(), %error, "state is broken, ignoring it");
            })
            .ok()
    }

    /// In one step: a reader, or a start after a crash, sees the old content or the new.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        let new = self.dir.join(format!(".{name}.new"));
        let write = || -> io::Result<()> {
            let _ = fs::remove_file(&new);
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| self.failed("write", path.clone(), source))
    }

    fn failed(&self, what: &'static str, path: PathBuf, source: io::Error) -> StoreError {
        StoreError::Io { what, path, state: self.state.clone(), source }
    }
}

/// The first name, for people, and a mark of all of them.
fn stem(names: &[String]) -> String {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mark = digest(&SHA256, sorted.join(",").as_bytes());
    let mark: String = mark.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let first: String =
        names.first().map(String::as_str).unwrap_or("-").chars().take(STEM_BYTES_MAX).collect();
    format!("{first}-{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_for_all_names_in_any_order() {
        let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let one = stem(&names(&["a.example.com", "b.example.com"]));
        assert!(one.starts_with("a.example.com-") && one.len() == 22, "{one}");
        assert_ne!(one, stem(&names(&["a.example.com"])));
        let turned = stem(&names(&["b.example.com", "a.example.com"]));
        assert_eq!(turned[14..], one[14..]);
        assert!(stem(&names(&[&"x".repeat(253)])).len() < 240);
    }
}
