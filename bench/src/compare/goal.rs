//! What Oxpecker must reach and aims at, and whether it did.

use std::fmt::Write;

use super::statistics::{Spread, ratio, spread};
use super::table::spread_text;
use super::{Outcome, Peer, Work};

struct Goal {
    text: &'static str,
    work: Work,
    measure: Measure,
    must: f64,
    aim: f64,
}

#[derive(Clone, Copy)]
enum Measure {
    /// Cost against this peer's, round by round.
    Ratio(Peer),
    /// How much slower the slowest of a hundred are than the middle one.
    Tail,
    /// Memory per connection, in kB of 1,000 bytes.
    Memory,
}

const GOALS: [Goal; 13] = [
    Goal {
        text: "endless stream against tuned HAProxy",
        work: Work::Stream,
        measure: Measure::Ratio(Peer::HaproxyTuned),
        must: 1.05,
        aim: 0.95,
    },
    Goal {
        text: "endless stream against HAProxy as shipped",
        work: Work::Stream,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 0.50,
        aim: 0.40,
    },
    Goal {
        text: "1 MB fetches against tuned HAProxy",
        work: Work::Fetch,
        measure: Measure::Ratio(Peer::HaproxyTuned),
        must: 0.95,
        aim: 0.88,
    },
    Goal {
        text: "64 connections, small exchanges, against HAProxy",
        work: Work::Small64,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 0.85,
        aim: 0.75,
    },
    Goal {
        text: "1,000 connections, p99/p50",
        work: Work::Small1000,
        measure: Measure::Tail,
        must: 2.5,
        aim: 2.0,
    },
    Goal {
        text: "connect-exchange-close against HAProxy",
        work: Work::Churn,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 1.0,
        aim: 0.93,
    },
    Goal {
        text: "idle connection, proportional memory, kB",
        work: Work::Idle,
        measure: Measure::Memory,
        must: 2.5,
        aim: 1.5,
    },
    Goal {
        text: "TLS: endless stream against HAProxy",
        work: Work::TlsStream,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 0.40,
        aim: 0.32,
    },
    Goal {
        text: "TLS: endless stream against Envoy",
        work: Work::TlsStream,
        measure: Measure::Ratio(Peer::Envoy),
        must: 0.50,
        aim: 0.42,
    },
    Goal {
        text: "TLS: 64 connections, small exchanges, against HAProxy",
        work: Work::TlsSmall64,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 0.88,
        aim: 0.80,
    },
    Goal {
        text: "TLS: full handshakes, ECDSA P-256, against HAProxy",
        work: Work::TlsChurn,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 0.55,
        aim: 0.48,
    },
    Goal {
        text: "TLS: full handshakes, RSA-2048, against HAProxy",
        work: Work::TlsChurnRsa,
        measure: Measure::Ratio(Peer::Haproxy),
        must: 0.78,
        aim: 0.71,
    },
    Goal {
        text: "TLS: idle connection, proportional memory, kB",
        work: Work::TlsIdle,
        measure: Measure::Memory,
        must: 12.0,
        aim: 9.0,
    },
];

/// One row for each goal.
pub(super) fn table(outcomes: &[Outcome], subject: Peer) -> String {
    let mut text = format!(
        "| work (CPU per unit, same run, median) | {} | must | | aim | |\n|---|---|---|---|---|---|\n",
        subject.title()
    );
    for goal in &GOALS {
        let reached = goal.measure(outcomes, subject);
        let value = reached.map_or("not measured".to_owned(), spread_text);
        let verdict = |limit: f64| match reached {
            None => "-",
            Some(spread) if spread.median <= limit => "met",
            Some(_) => "**not met**",
        };
        _ = writeln!(
            text,
            "| {} | {value} | ≤ {:.2} | {} | ≤ {:.2} | {} |",
            goal.text,
            goal.must,
            verdict(goal.must),
            goal.aim,
            verdict(goal.aim)
        );
    }
    text
}

impl Goal {
    fn measure(&self, outcomes: &[Outcome], subject: Peer) -> Option<Spread> {
        match self.measure {
            Measure::Ratio(base) => ratio(outcomes, self.work, subject, base),
            Measure::Tail => spread(outcomes, self.work, subject, |s| Some(s.p99 / s.p50)),
            Measure::Memory => spread(outcomes, self.work, subject, |s| Some(s.cost? / 1e3)),
        }
    }
}
