//! Numbers, times and states as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oxpecker_api::{AdminState, Health};

/// What stands where there is nothing to say.
pub(crate) const NOTHING: &str = "-";

/// Two units at most: `0.4 ms`, `3.2 s`, `4m 10s`, `3h 4m`, `2d 3h`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NOTHING.into();
    }
    if seconds < 0.9995 {
        let milliseconds = seconds * 1000.0;
        return match milliseconds {
            0.0 => "0 s".into(),
            m if m < 10.0 => format!("{m:.1} ms"),
            m => format!("{m:.0} ms"),
        };
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    // Past 2^63 seconds nobody looks closely.
    let whole = seconds.round() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{minutes}m {}s", whole % 60),
        3600..86_400 => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// As the configuration writes them.
pub(crate) fn read_duration(text: &str) -> Result<std::time::Duration, &'static str> {
    oxpecker_config::read_duration(text).ok_or("write it like 30s, 10m or 1h30m")
}

pub(crate) fn maybe_duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| NOTHING.into(), duration)
}

/// An API's time in the reader's own time zone.
pub(crate) fn time(text: &str) -> String {
    time_in(text, &TimeZone::system())
}

fn time_in(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => clean(text),
    }
}

/// `3 connections`, `1 connection`, `no connections`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match number {
        0 => format!("no {thing}s"),
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// `12/64` with a limit, else `12`.
pub(crate) fn of_limit(current: u32, limit: Option<u32>) -> String {
    limit.map_or_else(|| current.to_string(), |limit| format!("{current}/{limit}"))
}

pub(crate) fn health(health: Health) -> &'static str {
    match health {
        Health::Unknown => "unknown",
        Health::Up => "up",
        Health::Down => "down",
        Health::Quiescing => "quiescing",
    }
}

pub(crate) fn admin_state(state: AdminState) -> &'static str {
    match state {
        AdminState::Enabled => "enabled",
        AdminState::Draining => "draining",
        AdminState::Disabled => "disabled",
    }
}

pub(crate) fn or_nothing(text: &str) -> &str {
    if text.is_empty() { NOTHING } else { text }
}

/// One line that cannot command the terminal: statements and names come from clients.
pub(crate) fn clean(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    spaced.map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// The same with its lines kept.
pub(crate) fn clean_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(clean).collect();
    lines.join("\n")
}

/// Controls could command a terminal, and the marks of direction show a text other than it is.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: f64, expected: &str) {
        assert_eq!(duration(seconds), expected, "{seconds}");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        check(0.0, "0 s");
        check(0.000_42, "0.4 ms");
        check(0.0123, "12 ms");
        check(0.9996, "1.0 s");
        check(3.24, "3.2 s");
        check(9.96, "10 s");
        check(59.6, "1m 0s");
        check(250.0, "4m 10s");
        check(11_045.0, "3h 4m");
        check(183_600.0, "2d 3h");
        check(f64::NAN, "-");
        check(-1.0, "-");
        check(f64::MAX, "213503982334601d 7h");
    }

    #[test]
    fn times_are_in_the_readers_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(time_in("2026-11-30T07:15:09.5Z", &zone), "2026-11-30 09:15:09");
        assert_eq!(time_in("yesterday\u{1b}", &zone), "yesterday\u{fffd}");
    }

    #[test]
    fn counts_are_words() {
        assert_eq!(count(0, "connection"), "no connections");
        assert_eq!(count(1, "connection"), "1 connection");
        assert_eq!(count(12, "operation"), "12 operations");
    }

    #[test]
    fn no_text_commands_the_terminal() {
        assert_eq!(clean("select\n\t1 \u{1b}[2J\u{202e}"), "select  1 \u{fffd}[2J\u{fffd}");
        assert_eq!(clean_lines("a\r\nb\u{7}"), "a\nb\u{fffd}");
    }
}
