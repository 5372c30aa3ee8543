//! The ramp, point by point.

use super::*;

#[track_caller]
fn check(weight: u16, seconds_since: Option<f64>, slow_start: Option<u64>, expected: u32) {
    let now = Now(Duration::from_secs(1000));
    let since = seconds_since.map(|s| Now(now.0 - Duration::from_secs_f64(s)));
    let slow_start = slow_start.map(Duration::from_secs);
    let got = effective_weight(weight, since, slow_start, now);
    assert_eq!(got, expected, "{weight} {seconds_since:?} {slow_start:?}");
}

#[test]
fn weight_grows_linearly_from_a_tenth() {
    check(1, Some(0.0), Some(60), 100);
    check(1, Some(30.0), Some(60), 550);
    check(10, Some(30.0), Some(60), 5500);
    check(1, Some(60.0), Some(60), 1000);
    check(1, Some(900.0), Some(60), 1000);
    check(u16::MAX, Some(900.0), Some(60), 65_535_000);
}

#[test]
fn no_ramp_means_full_weight() {
    check(7, None, Some(60), 7000);
    check(7, Some(0.0), None, 7000);
    check(7, Some(0.0), Some(0), 7000);
    check(0, Some(0.0), Some(60), 0);
}

#[test]
fn clock_that_stood_still_does_not_underflow() {
    let later = Some(Now(Duration::from_secs(5)));
    assert_eq!(effective_weight(1, later, Some(Duration::from_secs(60)), Now::default()), 100);
}
