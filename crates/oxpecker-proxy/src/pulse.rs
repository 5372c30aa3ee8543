//! Signs of life of the worker threads, for whoever is asked whether the process lives.
//!
//! Each worker notes the time now and then, between its connections. A thread that is stuck notes
//! nothing, and nobody has to wait for it to find out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oxpecker_balance::spec::Now;
use tokio::time::MissedTickBehavior;

/// How often a worker notes the time.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// Longer than a busy machine keeps a thread from its turn, shorter than clients' own patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A worker thread that has said nothing for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silent {
    /// Its number, as in the name of the thread.
    pub worker: usize,
    pub since: Duration,
}

/// The latest sign of each worker.
#[derive(Debug)]
pub(crate) struct Pulse(Box<[Beat]>);

/// Milliseconds of the gateway's clock; in a cache line of its own, written by one thread.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Beat(AtomicU64);

impl Pulse {
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Beat::default()).collect())
    }

    /// Notes the time again and again, on the worker's own thread.
    pub(crate) async fn keep(&self, worker: usize, every: Duration, now: impl Fn() -> Now) {
        let mut beats = tokio::time::interval(every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.beat(worker, now());
        }
    }

    fn beat(&self, worker: usize, now: Now) {
        let millis = u64::try_from(now.0.as_millis()).unwrap_or(u64::MAX);
        self.0[worker].0.store(millis, Ordering::Relaxed);
    }

    /// The worker that has been silent longest, if that is too long.
    pub(crate) fn silent(&self, now: Now, patience: Duration) -> Option<Silent> {
        let since = |beat: &Beat| {
            now.0.saturating_sub(Duration::from_millis(beat.0.load(Ordering::Relaxed)))
        };
        let all = self.0.iter().map(since).enumerate();
        let (worker, since) = all.max_by_key(|(_, since)| *since)?;
        (since > patience).then_some(Silent { worker, since })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn at(seconds: u64) -> Now {
        Now(Duration::from_secs(seconds))
    }

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn silence_is_told_of_the_worker_that_keeps_it() {
        let pulse = Pulse::new(3);
        assert_eq!(pulse.silent(at(10), TEN), None, "they have just begun");
        pulse.beat(0, at(20));
        pulse.beat(2, at(21));
        let silent = Silent { worker: 1, since: Duration::from_secs(21) };
        assert_eq!(pulse.silent(at(21), TEN), Some(silent));
        pulse.beat(1, at(15));
        assert_eq!(pulse.silent(at(25), TEN), None, "as long as is allowed");
        let silent = Silent { worker: 1, since: Duration::from_secs(11) };
        assert_eq!(pulse.silent(at(26), TEN), Some(silent));
        pulse.beat(1, at(26));
        assert_eq!(pulse.silent(at(26), TEN), None, "it answers again");
    }

    #[test]
    fn a_clock_that_is_read_too_early_hurts_nobody() {
        let pulse = Pulse::new(1);
        pulse.beat(0, at(20));
        assert_eq!(pulse.silent(at(19), TEN), None);
        assert_eq!(Pulse::new(0).silent(at(99), TEN), None);
    }

    #[test]
    fn a_thread_that_is_stuck_gives_no_sign() {
        const EVERY: Duration = Duration::from_millis(1);
        const PATIENCE: Duration = Duration::from_millis(100);
        let pulse = Arc::new(Pulse::new(1));
        let began = Instant::now();
        let clock = move || Now(began.elapsed());
        let (work, todo) = mpsc::channel::<()>();
        let (enough, rest) = tokio::sync::oneshot::channel::<()>();
        let worker = thread::spawn({
            let pulse = Arc::clone(&pulse);
            move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.spawn(async move { pulse.keep(0, EVERY, clock).await });
                runtime.block_on(async {
                    // As a connection would do that waits where it must not.
                    let _ = todo.recv();
                    let _ = rest.await;
                    let _ = todo.recv();
                });
            }
        });
        let wait = |wanted: bool| {
            while pulse.silent(clock(), PATIENCE).is_some() != wanted {
                assert!(began.elapsed() < Duration::from_secs(60), "silent: {}", !wanted);
                thread::yield_now();
            }
        };
        wait(true);
        work.send(()).unwrap();
        wait(false);
        enough.send(()).unwrap();
        wait(true);
        drop(work);
        worker.join().unwrap();
    }
}
