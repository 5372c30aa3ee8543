//! The changes made at run time: over which configuration of the files, and which of them are
//! saved already. The configuration in force is always files + changes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oxpecker_config::edit::{self, Edit, EditError};
use oxpecker_config::model::Config;

use super::state_file::{SaveError, StateFile};

/// More than this many changes nobody made by hand; a script that adds members for ever is told.
const EDITS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Changes {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What the files say; `None` until a first configuration is in force.
    files: Option<Arc<Config>>,
    edits: Vec<Edit>,
    saved: Vec<Edit>,
    state: Option<StateFile>,
}

/// What a save came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub file: PathBuf,
    pub changes: usize,
    /// Where a file went that could not be read at start.
    pub kept_broken: Option<PathBuf>,
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what is kept in the state file.
    pub(crate) fn begin(&self, state: StateFile, edits: Vec<Edit>) {
        let mut inner = self.lock();
        inner.saved.clone_from(&edits);
        inner.edits = edits;
        inner.state = Some(state);
    }

    /// `files` with the changes that fit, and those that do not.
    pub(crate) fn over(&self, files: &Config) -> (Config, Vec<(Edit, EditError)>) {
        let mut config = files.clone();
        let dropped = edit::apply(&self.lock().edits, &mut config);
        (config, dropped)
    }

    /// The configuration in force with one more change.
    pub(crate) fn with(&self, edit: &Edit) -> Result<Option<Config>, EditError> {
        let inner = self.lock();
        if inner.edits.len() >= EDITS_MAX {
            return Err(EditError::TooMany { max: EDITS_MAX });
        }
        let Some(files) = &inner.files else { return Ok(None) };
        let mut edits = inner.edits.clone();
        let mut config = Config::clone(files);
        edit::apply(&edits, &mut config);
        // Judged by what is there now; put together anew, for one change may undo another.
        edit::apply_one(&edit::with_was(edit.clone(), &config), &mut config)?;
        edit::push(&mut edits, edit::with_was(edit.clone(), files));
        let mut config = Config::clone(files);
        edit::apply(&edits, &mut config);
        Ok(Some(config))
    }

    /// A configuration of the files is in force; what gave way to it is forgotten.
    pub(crate) fn set_files(&self, files: &Config, dropped: &[(Edit, EditError)]) {
        let mut inner = self.lock();
        inner.edits.retain(|edit| !dropped.iter().any(|(gone, _)| gone == edit));
        inner.files = Some(Arc::new(files.clone()));
    }

    /// A change is in force.
    pub(crate) fn add(&self, edit: Edit) {
        let mut inner = self.lock();
        let Some(files) = inner.files.clone() else { return };
        edit::push(&mut inner.edits, edit::with_was(edit, &files));
    }

    pub(crate) fn edits(&self) -> Vec<Edit> {
        self.lock().edits.clone()
    }

    /// Changes that the state file does not have, or has and that are undone.
    pub(crate) fn unsaved(&self) -> usize {
        let inner = self.lock();
        let new = inner.edits.iter().filter(|edit| !inner.saved.contains(edit)).count();
        new + inner.saved.iter().filter(|edit| !inner.edits.contains(edit)).count()
    }

    /// Writes all changes to the state file. Waits for the disk.
    pub(crate) fn save(&self) -> Result<Saved, SaveError> {
        // Held while the disk works: two saves must not meet, and a change waits for a moment.
        let mut inner = self.lock();
        let Inner { state, edits, saved, .. } = &mut *inner;
        let state = state.as_mut().ok_or(SaveError::NoFile)?;
        let kept_broken = state.write(&edit::write(edits))?;
        saved.clone_from(edits);
        Ok(Saved { file: state.path().to_owned(), changes: edits.len(), kept_broken })
    }
}
