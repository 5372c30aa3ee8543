//! What is counted of a member beside its traffic. All of it only grows while the process lives.
//!
//! Written when a connection opens or closes and when a probe is over, never while one relays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oxpecker_balance::spec::{Health, Now};

use super::{Histogram, Times};
use crate::control::ProbeFailure;
use crate::record::Close;

#[derive(Debug, Default)]
pub(crate) struct MemberCounters {
    /// Clients' connects that succeeded.
    pub(crate) connects: Histogram,
    /// Of the latest connections.
    pub(crate) times: Times,
    pub(crate) connect_failures: AtomicU64,
    pub(crate) tls_failures: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) redispatches: AtomicU64,
    pub(crate) member_aborts: AtomicU64,
    pub(crate) client_aborts: AtomicU64,
    /// Milliseconds of the balancer's clock, plus one; 0 = never.
    last_chosen: AtomicU64,
    health: Mutex<HealthSpan>,
    /// Of probes that passed.
    pub(crate) probe_times: Histogram,
    probe: Mutex<ProbeFacts>,
}

#[derive(Debug, Default)]
struct HealthSpan {
    times_down: u64,
    downtime: Duration,
    down_since: Option<Duration>,
    reason: String,
}

/// How a member's health has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) times_down: u64,
    pub(crate) downtime: Duration,
    /// What gave it the health it has.
    pub(crate) reason: String,
}

/// What the probes of a member found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProbeFacts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) in_a_row: u32,
    pub(crate) last: Option<ProbeResult>,
    pub(crate) version: Option<String>,
    pub(crate) webserver_address: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProbeResult {
    pub(crate) at: Timestamp,
    pub(crate) duration: Duration,
    /// Passed, or alive and leaving.
    pub(crate) passed: bool,
    pub(crate) failure: Option<ProbeFailure>,
    /// In words.
    pub(crate) result: String,
    pub(crate) version: Option<String>,
    pub(crate) webserver_address: Option<String>,
}

impl MemberCounters {
    /// A client's connect succeeded.
    pub(crate) fn connected(&self, time: Duration) {
        self.connects.add(time);
        self.times.connected(time);
    }

    pub(crate) fn ended(&self, close: Close) {
        match close {
            Close::MemberGone => add(&self.member_aborts),
            Close::ClientGone { .. } => add(&self.client_aborts),
            _ => {}
        }
    }

    pub(crate) fn chosen(&self, now: Now) {
        let millis = u64::try_from(now.0.as_millis()).unwrap_or(u64::MAX - 1);
        self.last_chosen.store(millis + 1, Ordering::Relaxed);
    }

    /// How long ago a connection came.
    pub(crate) fn last_chosen(&self, now: Now) -> Option<Duration> {
        let millis = self.last_chosen.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.0.saturating_sub(Duration::from_millis(millis)))
    }

    pub(crate) fn health_changed(&self, to: Health, reason: &str, now: Now) {
        let mut span = lock(&self.health);
        if let Some(since) = span.down_since.take() {
            span.downtime += now.0.saturating_sub(since);
        }
        if to == Health::Down {
            span.times_down += 1;
            span.down_since = Some(now.0);
        }
        reason.clone_into(&mut span.reason);
    }

    pub(crate) fn health(&self, now: Now) -> Span {
        let span = lock(&self.health);
        let still = span.down_since.map_or(Duration::ZERO, |since| now.0.saturating_sub(since));
        Span {
            times_down: span.times_down,
            downtime: span.downtime + still,
            reason: span.reason.clone(),
        }
    }

    pub(crate) fn probed(&self, result: ProbeResult) {
        if result.passed {
            self.probe_times.add(result.duration);
        }
        let mut facts = lock(&self.probe);
        let agrees = facts.last.as_ref().is_some_and(|last| last.passed == result.passed);
        facts.in_a_row = if agrees { facts.in_a_row.saturating_add(1) } else { 1 };
        match result.passed {
            true => facts.passed += 1,
            false => facts.failed += 1,
        }
        // A probe that failed heard nothing; what it said before still tells what it is.
        facts.version = result.version.clone().or_else(|| facts.version.take());
        let address = result.webserver_address.clone();
        facts.webserver_address = address.or_else(|| facts.webserver_address.take());
        facts.last = Some(result);
    }

    pub(crate) fn probe(&self) -> ProbeFacts {
        lock(&self.probe).clone()
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Nothing here can be left half done, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now(Duration::from_secs(seconds))
    }

    #[test]
    fn time_down_is_summed_and_goes_on() {
        let counters = MemberCounters::default();
        counters.health_changed(Health::Up, "probe passed", at(1));
        counters.health_changed(Health::Down, "no answer", at(10));
        counters.health_changed(Health::Up, "probe passed", at(15));
        counters.health_changed(Health::Down, "again", at(20));
        let span = counters.health(at(22));
        let expected =
            Span { times_down: 2, downtime: Duration::from_secs(7), reason: "again".to_owned() };
        assert_eq!(span, expected);
    }

    #[test]
    fn probes_in_a_row_are_counted_anew_when_they_disagree() {
        let counters = MemberCounters::default();
        let probe = |passed, version: Option<&str>| {
            counters.probed(ProbeResult {
                at: Timestamp::UNIX_EPOCH,
                duration: Duration::from_millis(1),
                passed,
                failure: (!passed).then_some(ProbeFailure::Connect),
                result: String::new(),
                version: version.map(str::to_owned),
                webserver_address: None,
            });
            counters.probe().in_a_row
        };
        let rows = [true, true, false, false, false, true];
        let rows: Vec<_> = rows.map(|passed| probe(passed, passed.then_some("4.4"))).into();
        assert_eq!(rows, [1, 2, 1, 2, 3, 1]);
        probe(false, None);
        let facts = counters.probe();
        assert_eq!((facts.passed, facts.failed), (3, 4));
        assert_eq!(facts.version.as_deref(), Some("4.4"));
    }

    #[test]
    fn the_last_choice_is_some_time_ago() {
        let counters = MemberCounters::default();
        assert_eq!(counters.last_chosen(at(5)), None);
        counters.chosen(at(0));
        assert_eq!(counters.last_chosen(at(5)), Some(Duration::from_secs(5)));
    }
}
