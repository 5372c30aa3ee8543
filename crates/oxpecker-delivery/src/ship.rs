//! The shipping thread: closes files when their interval is over, and takes closed ones to the
//! store, oldest first, with growing pauses while the store refuses.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::delivery::Shared;
use crate::settings::Naming;
use crate::spool::Waiting;
use crate::store::{PutError, Store};

/// Between attempts; doubles up to the second. An outage ends with a delay of a minute at most.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A store that goes on refusing for the same reason is mentioned this often.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// The clock may be set; a file is due by it.
const CLOCK_CHECK: Duration = Duration::from_secs(30);

/// Where files go.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) store: Store,
    pub(crate) naming: Naming,
}

type Targets = watch::Receiver<Option<Arc<Target>>>;

/// Runs until `stop`, and then on until nothing waits or an attempt fails.
pub(crate) async fn run(shared: &Shared, mut targets: Targets, stop: &Notify) {
    tokio::select! {
        () = close_due(shared) => {}
        () = ship(shared, targets.clone()) => {}
        () = stop.notified() => {}
    }
    // A put that was cut off is made once more: it replaces what may have arrived.
    if let Some(spool) = &mut *shared.spool() {
        spool.not_delivered();
    }
    let target = targets.borrow_and_update().clone();
    let mut trouble = Trouble::default();
    if let Some(target) = target {
        while ship_next(shared, &target, &mut trouble).await == Some(Duration::ZERO) {}
    }
}

/// Files without new lines end with their interval, too.
async fn close_due(shared: &Shared) {
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let due = {
            let now = Timestamp::now();
            let mut spool = shared.spool();
            let had = spool.as_ref().map(|spool| spool.due_in(now).is_some());
            let due = spool.as_mut().and_then(|spool| {
                spool.close_due(now);
                spool.due_in(now)
            });
            if had == Some(true) && due.is_none() {
                shared.changed.notify_waiters();
            }
            due
        };
        tokio::select! {
            () = sleep(due.unwrap_or(CLOCK_CHECK).min(CLOCK_CHECK)) => {}
            () = changed => {}
        }
    }
}

/// Ends when its [`Delivery`](crate::Delivery) is gone.
async fn ship(shared: &Shared, mut targets: Targets) {
    let mut trouble = Trouble::default();
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        // Before looking: what changes in between is not missed.
        changed.as_mut().enable();
        let target = targets.borrow_and_update().clone();
        let attempt = async {
            match &target {
                Some(target) => ship_next(shared, target, &mut trouble).await,
                None => None,
            }
        };
        let outcome = tokio::select! {
            outcome = attempt => outcome,
            // A reload chose another target: what goes on is given up, nothing is lost by it.
            is_new = targets.changed() => {
                if is_new.is_err() {
                    return;
                }
                trouble = Trouble::default();
                continue;
            }
        };
        let is_new = tokio::select! {
            () = changed, if outcome.is_none() => None,
            () = sleep(outcome.unwrap_or_default()), if outcome.is_some() => None,
            is_new = targets.changed() => Some(is_new),
        };
        match is_new {
            None => {}
            // What was said of the old one does not hold for the new one.
            Some(Ok(())) => trouble = Trouble::default(),
            Some(Err(_)) => return,
        }
    }
}

/// Takes the oldest file to the store. The pause to make before the next; `None` = there is
/// nothing to deliver.
async fn ship_next(shared: &Shared, target: &Target, trouble: &mut Trouble) -> Option<Duration> {
    let file = shared.spool().as_mut()?.next()?;
    let content = match fs::read(&file.path) {
        Ok(content) => content,
        Err(error) => {
            unreadable(shared, &file, &error);
            return Some(Duration::ZERO);
        }
    };
    let (key, bytes) = (file.stem.key(&target.naming), content.len() as u64);
    let result = target.store.put(&key, content).await;
    let mut spool = shared.spool();
    let spool = spool.as_mut()?;
    match result {
        Ok(()) => {
            spool.delivered(&file);
            shared.counts.shipped(bytes);
            tracing::debug!(key, bytes, "access log delivered");
            trouble.is_over();
            Some(Duration::ZERO)
        }
        Err(error) => {
            spool.not_delivered();
            let (files, bytes) = spool.held();
            trouble.report(&error, files, bytes, spool.bytes_max());
            shared.counts.failed(error.text);
            Some(trouble.pause())
        }
    }
}

/// One bad file must not hold up the others.
fn unreadable(shared: &Shared, file: &Waiting, error: &io::Error) {
    tracing::error!(
        file = %file.path.display(), %error,
        "failed to read a file in the spool, leaving it there until the next start"
    );
    shared.counts.failed(format!("failed to read {}: {error}", file.path.display()));
    if let Some(spool) = &mut *shared.spool() {
        spool.not_delivered();
        spool.forget(file);
    }
}

/// Attempts that failed one after another.
#[derive(Debug, Default)]
struct Trouble {
    attempts: u32,
    since: Option<Instant>,
    told: Option<(String, Instant)>,
}

impl Trouble {
    fn report(&mut self, error: &PutError, files: u64, bytes: u64, bytes_max: u64) {
        self.attempts = self.attempts.saturating_add(1);
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let is_known = self.told.as_ref().is_some_and(|(text, at)| {
            *text == error.text && now.duration_since(*at) < REMIND_EVERY
        });
        if is_known {
            return;
        }
        self.told = Some((error.text.clone(), now));
        let PutError { text, help, needs_a_person } = error;
        let for_secs = now.duration_since(since).as_secs();
        const MESSAGE: &str = "failed to deliver access logs, they stay in the spool";
        if *needs_a_person {
            tracing::error!(error = %text, help, files, bytes, bytes_max, for_secs, "{MESSAGE}");
        } else {
            tracing::warn!(error = %text, help, files, bytes, bytes_max, for_secs, "{MESSAGE}");
        }
    }

    /// Doubles, give or take a quarter: gateways of one site must not come back all at once.
    fn pause(&self) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(10);
        let pause = (PAUSE_MIN * 2_u32.pow(doublings)).min(PAUSE_MAX);
        let nanos = Timestamp::now().subsec_nanosecond().unsigned_abs() % 1000;
        pause.mul_f64(0.75 + f64::from(nanos) / 2000.0)
    }

    fn is_over(&mut self) {
        if let Some(since) = self.since {
            let for_secs = since.elapsed().as_secs();
            tracing::info!(attempts = self.attempts, for_secs, "access logs are delivered again");
        }
        *self = Self::default();
    }
}
