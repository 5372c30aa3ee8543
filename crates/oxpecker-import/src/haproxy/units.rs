//! HAProxy's numbers: times in milliseconds unless they say otherwise, sizes with k, m, g.

use std::time::Duration;

/// HAProxy counts milliseconds in 31 bits.
const LONGEST_MS: u128 = 2_147_483_647;

/// A time; `Err` says what is wrong with it, for the end of a sentence.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u128 =
        number.parse().map_err(|_| format!("`{}` is no time such as 5s", shorten(text)))?;
    let micros = match unit {
        "us" => 1,
        "" | "ms" => 1000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(format!("unit `{}` is none of us, ms, s, m, h, d", shorten(unit))),
    };
    let millis = number.saturating_mul(micros).div_ceil(1000);
    if millis > LONGEST_MS {
        return Err(format!("`{}` is longer than HAProxy's 24.8 days", shorten(text)));
    }
    Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

/// A size: `200k` is 204800.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, scale) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

fn shorten(text: &str) -> String {
    super::words::shorten(text)
}
