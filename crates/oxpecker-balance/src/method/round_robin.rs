//! Round robin with interleaved weights: 5:1:1 gives `aabacaa`, not `aaaaabc`.

use super::Candidate;

pub(super) fn pick(candidates: &mut [Candidate]) -> Option<usize> {
    pick_among(candidates, |_| true)
}

/// Takes the turn of one candidate that is `eligible`.
///
/// nginx's smooth rotation: everyone earns credit by weight, the richest is picked and pays what
/// all earned together. Credit therefore adds up to zero, and who could not take part keeps its own.
pub(super) fn pick_among(
    candidates: &mut [Candidate],
    eligible: impl Fn(&Candidate) -> bool,
) -> Option<usize> {
    let mut earned = 0;
    let mut richest: Option<(usize, i64)> = None;
    for (index, candidate) in candidates.iter_mut().enumerate() {
        if !eligible(candidate) {
            continue;
        }
        candidate.credit += i64::from(candidate.effective_weight);
        earned += i64::from(candidate.effective_weight);
        if richest.is_none_or(|(_, credit)| candidate.credit > credit) {
            richest = Some((index, candidate.credit));
        }
    }
    let (index, _) = richest?;
    candidates[index].credit -= earned;
    Some(index)
}
