//! How the page writes states, times and amounts: words for people, with a mark beside each colour.
//! Pure: what is now comes in as an argument.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oxpecker_api::{AdminState, Health, Member};

/// A state as it is shown: never by its colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// The class that gives the colour: `ok`, `bad`, `hold`, `off`, `unknown`.
    pub(super) class: &'static str,
    pub(super) mark: &'static str,
    pub(super) word: &'static str,
}

const UP: State = State { class: "ok", mark: "●", word: "up" };
const DOWN: State = State { class: "bad", mark: "✕", word: "down" };
const UNKNOWN: State = State { class: "unknown", mark: "?", word: "unknown" };
const QUIESCING: State = State { class: "hold", mark: "◑", word: "shutting down" };
const DRAINING: State = State { class: "hold", mark: "◐", word: "draining" };
const DISABLED: State = State { class: "off", mark: "○", word: "disabled" };

impl State {
    pub(super) fn of_health(health: Health) -> Self {
        match health {
            Health::Up => UP,
            Health::Down => DOWN,
            Health::Unknown => UNKNOWN,
            Health::Quiescing => QUIESCING,
        }
    }

    /// What an operator asked for comes first: a member that is down because somebody works on it
    /// needs nobody.
    pub(super) fn of_member(member: &Member) -> Self {
        match member.admin_state {
            AdminState::Enabled => Self::of_health(member.health),
            AdminState::Draining => DRAINING,
            AdminState::Disabled => DISABLED,
        }
    }

    /// The words of the statistics: `available`, `offline`, `unknown`, `disabled`.
    pub(super) fn of_status(status: &str) -> Self {
        match status {
            "available" => State { word: "available", ..UP },
            "offline" => State { word: "offline", ..DOWN },
            "disabled" => DISABLED,
            _ => UNKNOWN,
        }
    }
}

pub(super) fn health_word(health: Health) -> &'static str {
    State::of_health(health).word
}

/// `3 d 4 h`, `12 min`, `4.2 s`, `850 ms`: two units at most, no more digits than anybody needs.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    if seconds < 0.000_95 {
        return format!("{:.0} µs", seconds * 1e6);
    }
    if seconds < 0.009_95 {
        return format!("{:.1} ms", seconds * 1e3);
    }
    if seconds < 0.999_5 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    // Past any process's life; the cast saturates anyway.
    let whole = seconds.round() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, m) if m < 10 && !whole.is_multiple_of(60) => format!("{m} min {} s", whole % 60),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

/// Whole seconds and up: an age that counts on the screen, where milliseconds would flicker.
pub(super) fn age(seconds: f64) -> String {
    if seconds < 10.0 { format!("{} s", seconds.max(0.0) as u64) } else { duration(seconds) }
}

/// `15.6 KB`, in steps of 1000 as everything here.
pub(super) fn bytes(number: u64) -> String {
    unit(oxpecker_api::normalized(number), "B")
}

/// `15.6 Kbit/s`
pub(super) fn rate(bits_per_second: f64) -> String {
    unit(oxpecker_api::normalized(bits_per_second.max(0.0).round() as u64), "bit/s")
}

/// `15.6K` and `B` become `15.6 KB`.
fn unit(mut number: String, name: &str) -> String {
    let letter = number.chars().last().filter(char::is_ascii_alphabetic);
    if letter.is_some() {
        number.pop();
    }
    let letter = letter.map(String::from).unwrap_or_default();
    format!("{number} {letter}{name}")
}

/// `1,234`: exact counts that people read.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 connection`, `12 connections`.
pub(super) fn plural(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", count(number)) }
}

/// RFC 3339 as this gateway's own clock shows it, as its log does; the day only when it is another.
pub(super) fn time(rfc3339: &str, now: Timestamp, zone: &TimeZone) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let (at, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()).date());
    let format = if at.date() == today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    at.strftime(format).to_string()
}

/// `12:40`, for axes.
pub(super) fn hour_minute(seconds: i64, zone: &TimeZone) -> String {
    let Ok(at) = Timestamp::from_second(seconds) else { return String::new() };
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

/// `2026-11-30`
pub(super) fn day(rfc3339: &str, zone: &TimeZone) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()
}

/// Of a part in a query: `pool=a%2Fb`. All but unreserved characters are written as `%XX`.
pub(super) fn query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, expected) in [
            (0.000_12, "120 µs"),
            (0.0024, "2.4 ms"),
            (0.85, "850 ms"),
            (0.9999, "1.0 s"),
            (4.21, "4.2 s"),
            (42.4, "42 s"),
            (59.7, "1 min"),
            (125.0, "2 min 5 s"),
            (725.0, "12 min"),
            (3600.0, "1 h"),
            (11_520.0, "3 h 12 min"),
            (86_400.0 * 3.0 + 4.0 * 3600.0, "3 d 4 h"),
            (86_400.0 * 40.0, "40 d"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn amounts_keep_their_unit_apart() {
        assert_eq!(bytes(896), "896 B");
        assert_eq!(bytes(15_612), "15.6 KB");
        assert_eq!(rate(1_250_000.4), "1.3 Mbit/s");
        assert_eq!(rate(-1.0), "0 bit/s");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "connection"), "1 connection");
        assert_eq!(plural(0, "connection"), "0 connections");
    }

    #[test]
    fn another_day_is_told() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(time("2026-11-30T11:02:03.123Z", now, &zone), "12:02:03");
        assert_eq!(time("2026-11-29T11:02:03Z", now, &zone), "2026-11-29 12:02:03");
        assert_eq!(time("2026-11-29T23:02:03Z", now, &zone), "00:02:03", "of its own zone's day");
        assert_eq!(time("soon", now, &zone), "soon");
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(query("a/b:1&c é"), "a%2Fb%3A1%26c%20%C3%A9");
    }
}
