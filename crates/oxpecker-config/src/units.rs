//! Durations as people write them: `5s`, `50000ms`, `1h30m`; and sizes: `64MiB`.

use std::time::Duration;

/// Longer is a mistake, and would overflow timers.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is wrong with a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadDuration {
    Empty,
    /// The number, without a unit.
    NoUnit(String),
    UnknownUnit(String),
    /// Something that is not digits where a number belongs.
    NotANumber(String),
    TooLong,
}

/// Reads a sum of numbers with units (ms, s, m, h, d).
pub(crate) fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(BadDuration::Empty);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(digits_end);
        if digits.is_empty() || after.starts_with('.') {
            return Err(BadDuration::NotANumber(rest.to_owned()));
        }
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let scale: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "" => return Err(BadDuration::NoUnit(digits.to_owned())),
            other => return Err(BadDuration::UnknownUnit(other.to_owned())),
        };
        let number: u64 = digits.parse().map_err(|_| BadDuration::TooLong)?;
        let part = number.checked_mul(scale).ok_or(BadDuration::TooLong)?;
        total = total.checked_add(part).ok_or(BadDuration::TooLong)?;
        rest = next;
    }
    let total = Duration::from_millis(total);
    if total > LONGEST { Err(BadDuration::TooLong) } else { Ok(total) }
}

/// A duration of a command line, which has no place to point at.
pub fn read_duration(text: &str) -> Option<Duration> {
    parse_duration(text).ok()
}

/// The shortest text that reads back as the same duration (whole milliseconds).
pub(crate) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (scale, unit) in
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")]
    {
        if rest >= scale {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    text
}

const SIZE_UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads a whole number with one unit; `None` = it is something else, or does not fit.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (_, scale) = SIZE_UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let digits = text[..text.len() - 3].trim_end();
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(*scale)
}

/// In the largest unit that needs no fraction.
pub(crate) fn show_size(bytes: u64) -> String {
    let unit = SIZE_UNITS.iter().find(|(_, scale)| bytes.is_multiple_of(*scale) && bytes > 0);
    unit.map_or_else(|| format!("{bytes}B"), |(unit, scale)| format!("{}{unit}", bytes / scale))
}

#[cfg(test)]
mod tests;
