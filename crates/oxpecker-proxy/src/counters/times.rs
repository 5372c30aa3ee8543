//! How long connections took: the mean of the latest, and the longest, as HAProxy tells both.
//!
//! Written when a connection got its member and when it ended, never while it relays.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// HAProxy's `TIME_STATS_SAMPLES`: how many connections a mean remembers.
const SAMPLES: f64 = 1024.0;

/// Of a member or a pool.
#[derive(Debug, Default)]
pub(crate) struct Times(Mutex<Kinds>);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Kinds {
    /// In the pool's queue; nothing for most.
    pub(crate) queue: Moving,
    pub(crate) connect: Moving,
    /// From accept to close.
    pub(crate) total: Moving,
}

/// A mean that moves: what is long past counts less and less.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moving {
    count: f64,
    seconds: f64,
    max: Duration,
}

impl Moving {
    fn add(&mut self, time: Duration) {
        self.count = (self.count + 1.0).min(SAMPLES);
        self.seconds += (time.as_secs_f64() - self.seconds) / self.count;
        self.max = self.max.max(time);
    }

    pub(crate) fn mean(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }
}

impl Times {
    pub(crate) fn connected(&self, time: Duration) {
        self.lock().connect.add(time);
    }

    /// `queued`: `None` for a connection that never asked for a member.
    pub(crate) fn ended(&self, queued: Option<Duration>, total: Duration) {
        let mut kinds = self.lock();
        if let Some(queued) = queued {
            kinds.queue.add(queued);
        }
        kinds.total.add(total);
    }

    pub(crate) fn get(&self) -> Kinds {
        *self.lock()
    }

    pub(crate) fn forget_longest(&self) {
        let kinds = &mut *self.lock();
        for moving in [&mut kinds.queue, &mut kinds.connect, &mut kinds.total] {
            moving.max = Duration::ZERO;
        }
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Kinds::default();
    }

    /// Nothing here can be left half done.
    fn lock(&self) -> MutexGuard<'_, Kinds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_mean_is_that_of_all_at_first() {
        let times = Times::default();
        for seconds in [1, 2, 6] {
            times.ended(Some(Duration::ZERO), seconds * SECOND);
        }
        let kinds = times.get();
        assert_eq!((kinds.total.mean(), kinds.total.max()), (3 * SECOND, 6 * SECOND));
        assert_eq!((kinds.queue.mean(), kinds.connect.mean()), Default::default());
        times.forget_longest();
        assert_eq!(
            (times.get().total.mean(), times.get().total.max()),
            (3 * SECOND, Duration::ZERO)
        );
        times.connected(SECOND);
        assert_eq!(times.get().connect.mean(), SECOND);
        times.reset();
        assert_eq!(times.get(), Kinds::default());
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let times = Times::default();
        (0..10_000).for_each(|_| times.ended(None, SECOND));
        (0..10_000).for_each(|_| times.ended(None, 3 * SECOND));
        let mean = times.get().total.mean();
        assert!(mean > Duration::from_millis(2_990) && mean <= 3 * SECOND, "{mean:?}");
    }
}
