//! Where an issued certificate is found by all profiles that ask for it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::super::certificates::Pair;

/// One certificate of an authority: the same for every profile that names the same names, and
/// kept over reloads.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Name of the `[acme.NAME]` table.
    pub(crate) authority: String,
    /// Asked for, in the configuration's order.
    pub(crate) names: Vec<String>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    pair: Option<Arc<Pair>>,
    /// Why the last try failed.
    error: Option<String>,
}

/// By authority and names.
pub(crate) type Slots = HashMap<(String, Vec<String>), Arc<Slot>>;

impl Slot {
    pub(in super::super) fn new(authority: &str, names: &[String], pair: Option<Pair>) -> Self {
        let state = State { pair: pair.map(Arc::new), error: None };
        Self { authority: authority.to_owned(), names: names.to_vec(), state: RwLock::new(state) }
    }

    /// `None`: handshakes for these names cannot succeed yet.
    pub(crate) fn pair(&self) -> Option<Arc<Pair>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).pair.clone()
    }

    pub(crate) fn error(&self) -> Option<String> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).error.clone()
    }

    /// Handshakes from now on use this one.
    pub(in super::super) fn install(&self, pair: Pair) {
        let state = State { pair: Some(Arc::new(pair)), error: None };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub(in super::super) fn set_error(&self, error: Option<String>) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).error = error;
    }
}
