//! Fewest open connections for the weight; ties go round by weight, so an idle pool still spreads.
//!
//! Turns are counted among the tied alone: who is busier just now is not owed anything for it.

use super::{Candidate, round_robin};

pub(super) fn pick(candidates: &mut [Candidate]) -> Option<usize> {
    let mut rest = candidates.iter();
    let mut lightest = *rest.next()?;
    for candidate in rest {
        if candidate.is_lighter_than(&lightest) {
            lightest = *candidate;
        }
    }
    round_robin::pick_among(candidates, |candidate| candidate.is_as_light_as(&lightest))
}
