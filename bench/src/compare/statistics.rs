//! Medians, ranges, and ratios formed inside a round.

use super::measure::Sample;
use super::{Outcome, Peer, Work};

/// Median, least and greatest of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `None` if there are no values.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

/// All good samples of one peer on one work, with their rounds.
pub(super) fn samples(
    outcomes: &[Outcome],
    work: Work,
    peer: Peer,
) -> impl Iterator<Item = (usize, &Sample)> {
    outcomes
        .iter()
        .filter(move |outcome| outcome.work == work && outcome.peer == peer)
        .filter_map(|outcome| Some((outcome.round, outcome.result.as_ref().ok()?)))
}

pub(super) fn spread(
    outcomes: &[Outcome],
    work: Work,
    peer: Peer,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Option<Spread> {
    Spread::of(samples(outcomes, work, peer).filter_map(|(_, sample)| value(sample)))
}

/// Cost of `peer` over cost of `base`, round by round; rounds in which either failed do not count.
pub(super) fn ratio(outcomes: &[Outcome], work: Work, peer: Peer, base: Peer) -> Option<Spread> {
    let bases: Vec<_> = samples(outcomes, work, base).collect();
    Spread::of(samples(outcomes, work, peer).filter_map(|(round, sample)| {
        let (_, base) = bases.iter().find(|(base_round, _)| *base_round == round)?;
        let base_cost = base.cost.filter(|&cost| cost > 0.0)?;
        Some(sample.cost? / base_cost)
    }))
}

#[cfg(test)]
mod tests;
