//! What grew between two looks, per second.

use std::time::Duration;

use oxpecker_api::{Counts, Traffic};

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Rates {
    pub(super) connections: f64,
    pub(super) bits_in: f64,
    pub(super) bits_out: f64,
}

impl Rates {
    /// 0 where a counter was reset in between.
    pub(super) fn between(
        (counts, traffic): (Counts, Traffic),
        (new_counts, new_traffic): (Counts, Traffic),
        time: Duration,
    ) -> Self {
        let seconds = time.as_secs_f64();
        let rate = |old: u64, new: u64| {
            if seconds > 0.0 { new.saturating_sub(old) as f64 / seconds } else { 0.0 }
        };
        Self {
            connections: rate(counts.total, new_counts.total),
            bits_in: rate(traffic.bits_in, new_traffic.bits_in),
            bits_out: rate(traffic.bits_out, new_traffic.bits_out),
        }
    }
}

impl std::ops::Add for Rates {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            bits_in: self.bits_in + other.bits_in,
            bits_out: self.bits_out + other.bits_out,
        }
    }
}

/// One decimal below 10, else as the statistics write it.
pub(super) fn show(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { oxpecker_api::normalized(rate.round() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_no_negative_rate() {
        let of = |total, bits_in| {
            (Counts { total, ..Counts::default() }, Traffic { bits_in, ..Traffic::default() })
        };
        let rates = Rates::between(of(10, 1000), of(14, 3000), Duration::from_secs(2));
        assert_eq!(rates, Rates { connections: 2.0, bits_in: 1000.0, bits_out: 0.0 });
        let reset = Rates::between(of(10, 1000), of(1, 0), Duration::from_secs(2));
        assert_eq!(reset, Rates::default());
        assert_eq!(Rates::between(of(1, 1), of(9, 9), Duration::ZERO), Rates::default());
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(show(0.0), "0.0");
        assert_eq!(show(9.94), "9.9");
        assert_eq!(show(12.3), "12");
        assert_eq!(show(15_640.0), "15.6K");
    }
}
