//! Rendezvous hash: every member draws a number for the source, the best draw wins.
//!
//! A draw depends on source and member name alone, so all replicas agree without talking, only a
//! lost member's sources move, and on its return it gets back exactly its own. For the same
//! reason slow start is left out: replicas do not share the moment at which a member came back.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::Candidate;
use crate::hash::{hash_address, mix};

pub(super) fn pick(candidates: &[Candidate], client: IpAddr) -> Option<usize> {
    let source = hash_address(client);
    let draws =
        candidates.iter().map(|c| Draw { hash: mix(source ^ c.name_hash), weight: c.weight });
    let best = draws.enumerate().max_by(|(_, a), (_, b)| a.compare(b));
    best.map(|(index, _)| index)
}

struct Draw {
    hash: u64,
    weight: u16,
}

impl Draw {
    /// By `weight / -log(hash)` with the hash as a fraction of 1, which makes the chance to win
    /// proportional to the weight (Mosharaf and others, "weighted rendezvous").
    fn compare(&self, other: &Self) -> Ordering {
        let by_hash = self.hash.cmp(&other.hash);
        if self.weight == other.weight {
            return by_hash; // The same result without the logarithms, as they never fall.
        }
        let this = u128::from(minus_log2(self.hash)) * u128::from(other.weight);
        let that = u128::from(minus_log2(other.hash)) * u128::from(self.weight);
        that.cmp(&this).then(by_hash)
    }
}

/// `-log2((hash + 1) / 2^64)` with [`FRACTION_BITS`] binary places, in integers: the last digit of
/// a floating-point logarithm may differ between machines, and then replicas would disagree.
fn minus_log2(hash: u64) -> u64 {
    let zeros = hash.leading_zeros().min(63);
    // From here 1.0 is 1 << 63, so the mantissa is at least 1 and below 2.
    let mut mantissa = (hash | 1) << zeros;
    let mut fraction = 0;
    for _ in 0..FRACTION_BITS {
        // Squaring doubles the logarithm, which moves its next binary digit before the point.
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let digit = (square >> 64) as u64;
        mantissa = (square >> digit) as u64;
        fraction = fraction << 1 | digit;
    }
    (u64::from(zeros + 1) << FRACTION_BITS) - fraction
}

/// Draws closer than this are told apart by their hash.
const FRACTION_BITS: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_is_right_at_known_points_and_never_rises() {
        let one = 1u64 << FRACTION_BITS;
        assert_eq!(minus_log2(1 << 63), one);
        assert_eq!(minus_log2(1 << 62), 2 * one);
        assert_eq!(minus_log2(0), 64 * one);
        let close = |hash: f64, got: u64| {
            let exact = -(hash / 2f64.powi(64)).log2();
            assert!((got as f64 / one as f64 - exact).abs() < 1e-8, "{hash}: {got}");
        };
        for step in 1..1000u64 {
            let hash = step << 54;
            close(hash as f64, minus_log2(hash));
            assert!(minus_log2(hash - 1) >= minus_log2(hash), "at {hash}");
        }
    }
}
