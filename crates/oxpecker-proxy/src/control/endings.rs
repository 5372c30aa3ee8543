//! The last connections that did not end in order.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::EndingView;

/// Older ones are forgotten; the access log has them all.
pub(crate) const ENDINGS_MAX: usize = 1000;

/// Its lock is taken when a connection ends badly, and by readers.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    ring: Mutex<VecDeque<EndingView>>,
}

impl Endings {
    pub(crate) fn note(&self, ending: EndingView) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if ring.len() >= ENDINGS_MAX { ring.pop_front() } else { None };
        ring.push_back(ending);
        drop(ring);
        // Freed when nobody waits for the lock.
        drop(oldest);
    }

    /// The newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<EndingView> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().take(limit).cloned().collect()
    }
}
