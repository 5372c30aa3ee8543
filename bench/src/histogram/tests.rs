//! Percentiles are right to the promised width.

use super::*;

#[test]
fn percentiles_are_within_the_width_of_a_bucket() {
    let mut histogram = Histogram::new();
    for micros in 1..=10_000 {
        histogram.record(Duration::from_micros(micros));
    }
    for (share, micros) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
        let seen = histogram.percentile(share).as_secs_f64() * 1e6;
        assert!((seen / micros - 1.0).abs() < 0.016, "{share}: {seen} instead of {micros}");
    }
}

#[test]
fn ends_of_the_range_are_counted() {
    let mut histogram = Histogram::new();
    assert_eq!(histogram.percentile(0.5), Duration::ZERO);
    histogram.record(Duration::ZERO);
    histogram.record(Duration::MAX);
    assert_eq!(histogram.percentile(0.5), Duration::ZERO);
    assert!(histogram.percentile(1.0) > Duration::from_secs(3_600));
    histogram.clear();
    assert_eq!(histogram.percentile(1.0), Duration::ZERO);
}
