//! Durations and sizes: what is taken, what is refused, and that showing is the inverse of reading.

use std::time::Duration;

use proptest::prelude::*;

use super::{BadDuration, parse_duration, parse_size, show_duration, show_size};

#[track_caller]
fn check(text: &str, milliseconds: u64) {
    assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "for {text:?}");
}

#[test]
fn every_unit_and_sums() {
    check("5s", 5000);
    check("50000ms", 50_000);
    check("1h", 3_600_000);
    check("1h30m", 5_400_000);
    check("2d", 172_800_000);
    check("0s", 0);
    check(" 1m 30s ", 90_000);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, problem) in [
        ("", BadDuration::Empty),
        ("5", BadDuration::NoUnit("5".into())),
        ("1h5", BadDuration::NoUnit("5".into())),
        ("5sec", BadDuration::UnknownUnit("sec".into())),
        ("1.5s", BadDuration::NotANumber("1.5s".into())),
        ("-5s", BadDuration::NotANumber("-5s".into())),
        ("366d", BadDuration::TooLong),
        ("99999999999999999999d", BadDuration::TooLong),
    ] {
        assert_eq!(parse_duration(text), Err(problem), "for {text:?}");
    }
}

proptest! {
    #[test]
    fn shown_durations_read_back(milliseconds in 0u64..31_536_000_000) {
        let duration = Duration::from_millis(milliseconds);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
    }

    #[test]
    fn any_text_is_answered(text in ".*") {
        let _ = parse_duration(&text);
    }
}

#[test]
fn sizes_have_one_binary_unit() {
    for (text, bytes) in
        [("64KiB", 64 << 10), (" 5 MiB ", 5 << 20), ("1GiB", 1 << 30), ("2TiB", 2 << 40)]
    {
        assert_eq!(parse_size(text), Some(bytes), "for {text:?}");
        assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
    }
    for text in ["", "5", "MiB", "5MB", "1.5GiB", "-1KiB", "1GiB1KiB", "99999999999999TiB", "ü5KiB"]
    {
        assert_eq!(parse_size(text), None, "for {text:?}");
    }
}
