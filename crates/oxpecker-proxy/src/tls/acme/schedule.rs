//! When to renew, and when to try again.

use std::time::{Duration, SystemTime};

use super::super::verify::Validity;

/// What fails for a reason that passes (authority not reachable, overloaded): first and longest
/// pause.
const PASSING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// What the authority refuses. Public authorities take about five failures an hour.
const REFUSED: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(6 * 3600));

/// However long an authority asks to wait.
const TOLD_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a try failed, as far as it matters for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Passing,
    Refused,
}

/// When a certificate is to be renewed. Short-lived ones, for which `renew_before` is more than
/// half of their life: when a third of it is left.
pub(super) fn renew_at(validity: Validity, renew_before: Duration) -> SystemTime {
    let life = validity.not_after.duration_since(validity.not_before).unwrap_or_default();
    let left = if renew_before > life / 2 { life / 3 } else { renew_before };
    validity.not_after.checked_sub(left).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A little earlier, so that not all certificates and gateways come at once; `random` is in 0..1.
pub(super) fn spread(renew_at: SystemTime, validity: Validity, random: f64) -> SystemTime {
    let life = validity.not_after.duration_since(validity.not_before).unwrap_or_default();
    renew_at.checked_sub(life.mul_f64(random / 50.0)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The pause after `failures` tries have failed, twice as long each time, and up to a fifth more
/// or less; `random` is in 0..1. What the authority asked for with Retry-After is the least.
pub(super) fn pause(kind: Kind, failures: u32, told: Option<Duration>, random: f64) -> Duration {
    let (first, longest) = match kind {
        Kind::Passing => PASSING,
        Kind::Refused => REFUSED,
    };
    let factor = 2u32.saturating_pow(failures.saturating_sub(1));
    let pause = first.saturating_mul(factor).min(longest).mul_f64(0.8 + 0.4 * random);
    pause.max(told.unwrap_or_default().min(TOLD_MAX))
}

/// In 0..1.
pub(super) fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers there would be no TLS either.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn valid_for(life: Duration) -> Validity {
        let not_before = SystemTime::UNIX_EPOCH;
        Validity { not_before, not_after: not_before + life }
    }

    fn renewed_after(life: Duration, renew_before: Duration) -> Duration {
        let at = renew_at(valid_for(life), renew_before);
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    #[test]
    fn renewal_is_when_it_was_configured_or_at_two_thirds() {
        assert_eq!(renewed_after(90 * DAY, 30 * DAY), 60 * DAY);
        assert_eq!(renewed_after(47 * DAY, 20 * DAY), 27 * DAY);
        assert_eq!(renewed_after(45 * DAY, 30 * DAY), 30 * DAY);
        assert_eq!(renewed_after(6 * DAY, 30 * DAY), 4 * DAY);
        assert_eq!(renewed_after(Duration::ZERO, 30 * DAY), Duration::ZERO);
    }

    #[test]
    fn spreading_never_comes_later_and_takes_a_fiftieth_of_the_life() {
        let validity = valid_for(100 * DAY);
        let at = renew_at(validity, 30 * DAY);
        assert_eq!(spread(at, validity, 0.0), at);
        assert_eq!(spread(at, validity, 1.0), at - 2 * DAY);
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let middle = |kind, failures| pause(kind, failures, None, 0.5).as_secs();
        assert_eq!([1, 2, 3, 4].map(|n| middle(Kind::Passing, n)), [5, 10, 20, 40]);
        assert_eq!(middle(Kind::Passing, 60), 3600);
        assert_eq!([1, 2, 3].map(|n| middle(Kind::Refused, n)), [300, 600, 1200]);
        assert_eq!(middle(Kind::Refused, u32::MAX), 6 * 3600);
        for random in [0.0, 0.3, 1.0] {
            let pause = pause(Kind::Passing, 2, None, random);
            assert!(pause >= Duration::from_secs(8) && pause <= Duration::from_secs(12));
            assert!((0.0..=1.0).contains(&super::random()));
        }
    }

    #[test]
    fn an_authoritys_own_word_is_the_least_but_not_for_ever() {
        assert_eq!(pause(Kind::Refused, 1, Some(HOUR), 0.5), HOUR);
        assert_eq!(pause(Kind::Refused, 3, Some(Duration::from_secs(1)), 0.5).as_secs(), 1200);
        assert_eq!(pause(Kind::Passing, 1, Some(1000 * DAY), 0.5), 7 * DAY);
    }
}
