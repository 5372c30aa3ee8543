//! Waiting for a state, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what anything here takes on a busy machine; only a bug waits so long.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Short enough not to be felt, long enough not to burn the two cores of a CI machine.
const POLL: Duration = Duration::from_millis(5);

/// Returns the first `Some`.
///
/// # Panics
/// When `state` stays `None` until the deadline; `what` is the sentence that did not come true.
#[track_caller]
pub fn wait_for<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = state() {
            return value;
        }
        assert!(Instant::now() < until, "not within {DEADLINE:?}: {what}");
        thread::sleep(POLL);
    }
}

/// # Panics
/// When `state` stays false until the deadline.
#[track_caller]
pub fn wait_until(what: &str, mut state: impl FnMut() -> bool) {
    wait_for(what, || state().then_some(()));
}
