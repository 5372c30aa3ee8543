//! Which groups take part.

use super::*;

/// Members as priorities; a trailing `t` means already tried.
#[track_caller]
fn check(members: &str, min_active: u32, expected: u16) {
    let members = members.split_whitespace().map(|text| {
        let priority = text.trim_end_matches('t').parse().expect("a number");
        (priority, !text.ends_with('t'))
    });
    assert_eq!(floor(members, min_active), expected);
}

#[test]
fn lower_groups_join_when_too_few_are_active() {
    check("10 10 5 1", 1, 10);
    check("10 10 5 1", 2, 10);
    check("10 10 5 1", 3, 5);
    check("10 10 5 1", 4, 1);
    check("10 10 5 1", 9, 1);
    check("1 5 10", 2, 5);
}

#[test]
fn none_is_as_good_as_one() {
    check("10 5", 0, 10);
    check("0 0", 0, 0);
    check("65535 1", 1, 65535);
}

#[test]
fn retry_reaches_lower_groups_only_when_the_upper_are_exhausted() {
    check("10t 10 5", 2, 10);
    check("10t 10t 5", 2, 5);
    check("10t 5t 1", 1, 1);
    check("10t 5t", 1, 10);
}
