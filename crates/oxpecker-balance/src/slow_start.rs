//! Slow start: a member that came back gets its share little by little, so that an empty cache is
//! not hit by everything the fullest coordinators cannot take.

use std::time::Duration;

use crate::spec::Now;

/// Effective weights are in thousandths of configured ones: fine enough that a member of weight 1
/// ramps smoothly, and 65,535,000 still fits 32 bits.
pub(crate) const WEIGHT_SCALE: u32 = 1000;

/// A member starts at a tenth of its weight: enough to warm up and to show that it works.
const START: u128 = 100;

/// The weight to balance by, [`WEIGHT_SCALE`] per unit, `since` the member came back.
pub(crate) fn effective_weight(
    weight: u16,
    since: Option<Now>,
    slow_start: Option<Duration>,
    now: Now,
) -> u32 {
    let full = u128::from(WEIGHT_SCALE);
    let share = match (since, slow_start) {
        (Some(since), Some(slow_start)) if !slow_start.is_zero() => {
            let elapsed = now.0.saturating_sub(since.0).as_nanos();
            (START + (full - START) * elapsed / slow_start.as_nanos()).min(full)
        }
        _ => full,
    };
    u32::from(weight) * share as u32
}

#[cfg(test)]
mod tests;
