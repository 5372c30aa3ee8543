//! What a delivery has done so far, for whoever wants to show it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::delivery::Shared;

/// Counts since the process began, and how things are now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// A delivery is configured.
    pub enabled: bool,
    pub files_shipped: u64,
    pub bytes_shipped: u64,
    /// Files deleted from a full spool.
    pub files_lost: u64,
    /// Records in them, and records that could not be written into the spool.
    pub records_lost: u64,
    /// In the spool now, the one being written included.
    pub spool_files: u64,
    pub spool_bytes: u64,
    pub spool_bytes_max: u64,
    pub last_success: Option<SystemTime>,
    pub last_failure: Option<Failure>,
    /// The last attempt failed; files stay in the spool until one succeeds.
    pub failing: bool,
}

/// Why a file could not be delivered, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub at: SystemTime,
    /// One line, without credentials.
    pub text: String,
}

/// A view of a delivery; clones are cheap.
#[derive(Debug, Clone)]
pub struct Watch(pub(crate) Arc<Shared>);

impl Watch {
    pub fn status(&self) -> Status {
        let mut status = self.0.counts.get();
        if let Some(spool) = &*self.0.spool() {
            status.enabled = true;
            (status.spool_files, status.spool_bytes) = spool.held();
            status.spool_bytes_max = spool.bytes_max();
        }
        status
    }
}

/// The part of the status that outlives a spool.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<Status>);

impl Counts {
    pub(crate) fn get(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn shipped(&self, bytes: u64) {
        self.change(|status| {
            status.files_shipped += 1;
            status.bytes_shipped += bytes;
            status.last_success = Some(SystemTime::now());
            status.failing = false;
        });
    }

    pub(crate) fn failed(&self, text: String) {
        self.change(|status| {
            status.last_failure = Some(Failure { at: SystemTime::now(), text });
            status.failing = true;
        });
    }

    pub(crate) fn lost(&self, files: u64, records: u64) {
        self.change(|status| {
            status.files_lost += files;
            status.records_lost += records;
        });
    }
}
