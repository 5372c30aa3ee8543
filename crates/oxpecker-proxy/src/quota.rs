//! Says a thing at most once a minute.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(60);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Lets one through a minute and counts the others.
#[derive(Debug, Default)]
pub(crate) struct OncePer {
    /// Milliseconds since the start, plus one; 0 = never yet.
    last: AtomicU64,
    held_back: AtomicU64,
}

impl OncePer {
    /// `Some(n)`: say it, and that it was held back `n` times before.
    pub(crate) fn minute(&self) -> Option<u64> {
        let now = START.elapsed().as_millis() as u64 + 1;
        let last = self.last.load(Ordering::Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= PAUSE.as_millis() as u64;
        let won = due
            && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if won {
            return Some(self.held_back.swap(0, Ordering::Relaxed));
        }
        self.held_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}
