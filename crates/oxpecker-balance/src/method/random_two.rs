//! Two at random by weight, then the lighter of them: nearly as even as least connections, and
//! many gateways that know nothing of each other do not all run to the same idle member.

use super::Candidate;
use crate::hash::mix;

/// A small random sequence, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Less than `bound`, which is at least 1. The bias of multiplying instead of rejecting is
    /// below one in 2^30 for any sum of weights a pool can have.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mix(self.0)) * u128::from(bound)) >> 64) as u64
    }
}

pub(super) fn pick(candidates: &[Candidate], random: &mut Random) -> Option<usize> {
    let first = draw(candidates, None, random)?;
    let Some(second) = draw(candidates, Some(first), random) else {
        return Some(first);
    };
    if candidates[second].is_lighter_than(&candidates[first]) { Some(second) } else { Some(first) }
}

/// One candidate by weight, other than `except`.
fn draw(candidates: &[Candidate], except: Option<usize>, random: &mut Random) -> Option<usize> {
    let others = || candidates.iter().enumerate().filter(|&(index, _)| Some(index) != except);
    let total: u64 = others().map(|(_, c)| u64::from(c.effective_weight)).sum();
    if total == 0 {
        return None;
    }
    let mut left = random.below(total);
    for (index, candidate) in others() {
        match left.checked_sub(u64::from(candidate.effective_weight)) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    None
}
