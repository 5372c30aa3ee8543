//! When a member counts as up or down: probes in a row, and connects of clients that failed in a row.
//!
//! Never opens a socket: the data plane probes and connects, and tells what it found.

use std::time::Duration;

use crate::outcome::Cause;
use crate::spec::{Health, Now, PoolSpec, ProbeOutcome, Thresholds};

/// How much evidence changes a member's health; the same for all members of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) thresholds: Thresholds,
    /// 0 = connect failures never take a member out.
    pub(crate) connect_failures_max: u32,
    /// `None` when a monitor is there to bring the member back.
    pub(crate) retry_after: Option<Duration>,
}

impl Rules {
    pub(crate) fn of(pool: &PoolSpec) -> Self {
        Self {
            thresholds: pool.thresholds,
            connect_failures_max: pool.connect_failures_max,
            retry_after: (!pool.monitored).then_some(pool.connect_failures_retry),
        }
    }
}

/// A health that was left for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) from: Health,
    pub(crate) to: Health,
    pub(crate) cause: Cause,
}

/// The judge of one member.
#[derive(Debug)]
pub(crate) struct Monitor {
    rules: Rules,
    health: Health,
    since: Now,
    cause: Option<Cause>,
    /// Probes in a row with the same result; a change of health starts both over.
    passed: u32,
    failed: u32,
    connect_failures: u32,
}

impl Monitor {
    pub(crate) fn new(rules: Rules, now: Now) -> Self {
        Self {
            rules,
            health: Health::Unknown,
            since: now,
            cause: None,
            passed: 0,
            failed: 0,
            connect_failures: 0,
        }
    }

    /// What was recorded last, for views.
    pub(crate) fn recorded(&self) -> (Health, Now, Option<Cause>) {
        (self.health, self.since, self.cause)
    }

    /// The health to act on: as recorded, but a member whose time out is over counts as unknown
    /// even before [`Monitor::lapse`] records it.
    pub(crate) fn health(&self, now: Now) -> Health {
        if self.retry_due(now) { Health::Unknown } else { self.health }
    }

    pub(crate) fn set_rules(&mut self, rules: Rules, now: Now) {
        if self.rules.retry_after.is_none() && rules.retry_after.is_some() {
            // Nobody probes any more: what the probes found would stay true for ever.
            *self = Self::new(rules, now);
        }
        self.rules = rules;
    }

    pub(crate) fn probed(&mut self, outcome: ProbeOutcome, now: Now) -> Option<Transition> {
        match outcome {
            ProbeOutcome::Passed => (self.passed, self.failed) = (self.passed.saturating_add(1), 0),
            ProbeOutcome::Failed => (self.passed, self.failed) = (0, self.failed.saturating_add(1)),
            ProbeOutcome::Quiescing => (self.passed, self.failed) = (0, 0),
        }
        let enough = match (self.health, outcome) {
            // Nothing is known yet, so the first probe is the best evidence there is.
            (Health::Unknown, _) => true,
            // The coordinator itself says so; there is nothing to doubt.
            (_, ProbeOutcome::Quiescing) => true,
            (_, ProbeOutcome::Passed) => self.passed >= self.rules.thresholds.rise,
            (_, ProbeOutcome::Failed) => self.failed >= self.rules.thresholds.fall,
        };
        let to = match outcome {
            ProbeOutcome::Passed => Health::Up,
            ProbeOutcome::Failed => Health::Down,
            ProbeOutcome::Quiescing => Health::Quiescing,
        };
        if enough { self.turn_to(to, Cause::Probe, now) } else { None }
    }

    /// A client's connect succeeded.
    pub(crate) fn connected(&mut self, now: Now) -> Option<Transition> {
        self.connect_failures = 0;
        let unwatched = self.rules.retry_after.is_some();
        if unwatched && self.health == Health::Down {
            self.turn_to(Health::Unknown, Cause::Connected, now)
        } else {
            None
        }
    }

    /// A client's connect failed.
    pub(crate) fn connect_failed(&mut self, now: Now) -> Option<Transition> {
        if self.retry_due(now) {
            // The retry failed too: out for another round, and to the outside nothing changed.
            self.since = now;
            return None;
        }
        self.connect_failures = self.connect_failures.saturating_add(1);
        let max = self.rules.connect_failures_max;
        if max > 0 && self.connect_failures >= max {
            self.turn_to(Health::Down, Cause::ConnectFailures, now)
        } else {
            None
        }
    }

    /// Records that a member that failed without a monitor may be tried again.
    pub(crate) fn lapse(&mut self, now: Now) -> Option<Transition> {
        if !self.retry_due(now) {
            return None;
        }
        let transition = self.turn_to(Health::Unknown, Cause::RetryAfterFailures, now);
        // One client tests the member for all: if its connect fails, the member is out again.
        self.connect_failures = self.rules.connect_failures_max.saturating_sub(1);
        transition
    }

    fn retry_due(&self, now: Now) -> bool {
        let waited = now.0.saturating_sub(self.since.0);
        self.health == Health::Down && self.rules.retry_after.is_some_and(|after| waited >= after)
    }

    fn turn_to(&mut self, to: Health, cause: Cause, now: Now) -> Option<Transition> {
        let from = std::mem::replace(&mut self.health, to);
        if from == to {
            return None;
        }
        (self.since, self.cause) = (now, Some(cause));
        (self.passed, self.failed, self.connect_failures) = (0, 0, 0);
        Some(Transition { from, to, cause })
    }
}

#[cfg(test)]
mod tests;
