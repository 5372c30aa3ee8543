//! Health after rows of probes and connects, as strings.

use super::*;

const RULES: Rules = Rules {
    thresholds: Thresholds { rise: 2, fall: 3 },
    connect_failures_max: 2,
    retry_after: None,
};
const UNWATCHED: Rules = Rules { retry_after: Some(Duration::from_secs(10)), ..RULES };

fn letter(health: Health) -> char {
    match health {
        Health::Unknown => '?',
        Health::Up => 'U',
        Health::Down => 'D',
        Health::Quiescing => 'Q',
    }
}

/// One step per second: `+` passed probe, `-` failed, `q` quiescing; `c` connected, `x` connect
/// failed; `.` nothing; `e` lapse. Expected is the health to act on after each.
#[track_caller]
fn check_with(rules: Rules, steps: &str, expected: &str) {
    let mut monitor = Monitor::new(rules, Now::default());
    let mut got = String::new();
    for (second, step) in steps.chars().enumerate() {
        let now = Now(Duration::from_secs(second as u64));
        let before = monitor.recorded().0;
        let transition = match step {
            '+' => monitor.probed(ProbeOutcome::Passed, now),
            '-' => monitor.probed(ProbeOutcome::Failed, now),
            'q' => monitor.probed(ProbeOutcome::Quiescing, now),
            'c' => monitor.connected(now),
            'x' => monitor.connect_failed(now),
            'e' => monitor.lapse(now),
            _ => None,
        };
        let after = monitor.recorded().0;
        assert_eq!(transition.is_some(), before != after, "step {second} of {steps}");
        if let Some(transition) = transition {
            assert_eq!((transition.from, transition.to), (before, after));
            assert_eq!(monitor.recorded(), (after, now, Some(transition.cause)));
        }
        got.push(letter(monitor.health(now)));
    }
    assert_eq!(got, expected, "after {steps}");
}

#[track_caller]
fn check(steps: &str, expected: &str) {
    check_with(RULES, steps, expected);
}

#[test]
fn first_probe_decides_at_once() {
    check("+", "U");
    check("-", "D");
    check("q", "Q");
}

#[test]
fn falls_after_three_failures_and_rises_after_two_passes() {
    check("++---+-++", "UUUUDDDDU");
    check("+--+--+---", "UUUUUUUUUD");
    check("-+-+-++-", "DDDDDDUU");
}

/// A member that flaps as fast as it is probed changes at most once per window (test T14).
#[test]
fn flapping_shorter_than_the_window_is_ignored() {
    check("+-+-+-+-+-", "UUUUUUUUUU");
    check("--+-+-+-+-", "DDDDDDDDDD");
}

#[test]
fn quiescing_holds_at_once_and_is_left_by_thresholds() {
    check("++q", "UUQ");
    check("+q+-++", "UQQQQU");
    check("+q--+---", "UQQQQQQD");
    check("---q++", "DDDQQU");
    check("+--q--", "UUUQQQ"); // failures before it do not count after it
}

#[test]
fn zero_thresholds_mean_one() {
    let rules = Rules { thresholds: Thresholds { rise: 0, fall: 0 }, ..RULES };
    check_with(rules, "+-+-", "UDUD");
}

#[test]
fn connect_failures_in_a_row_take_a_member_out_and_probes_bring_it_back() {
    check("+xcxcx", "UUUUUU");
    check("+xx", "UUD");
    check("+xxcc++", "UUDDDDU");
    check("+x+x", "UUUD"); // a passed probe says nothing about clients' connects
    check_with(Rules { connect_failures_max: 0, ..RULES }, "+xxxx", "UUUUU");
}

#[test]
fn without_a_monitor_a_failed_member_is_retried_after_a_while() {
    check_with(UNWATCHED, "xx.........", "?DDDDDDDDDD");
    check_with(UNWATCHED, "xx..........", "?DDDDDDDDDD?");
    check_with(UNWATCHED, "xx..........c.", "?DDDDDDDDDD???");
    // One failed retry is enough for another round out, whether the lapse was recorded or not.
    check_with(UNWATCHED, "xx..........x..........", "?DDDDDDDDDD?DDDDDDDDDD?");
    check_with(UNWATCHED, "xx..........ex", "?DDDDDDDDDD??D");
    check_with(UNWATCHED, "xx..........ecx", "?DDDDDDDDDD????");
    // A connect that was under way when the member was taken out may still succeed.
    check_with(UNWATCHED, "xx.c", "?DD?");
}

#[test]
fn losing_the_monitor_forgets_what_its_probes_found() {
    let mut monitor = Monitor::new(RULES, Now::default());
    monitor.probed(ProbeOutcome::Failed, Now::default());
    let later = Now(Duration::from_secs(1));
    monitor.set_rules(UNWATCHED, later);
    assert_eq!(monitor.recorded(), (Health::Unknown, later, None));
}
