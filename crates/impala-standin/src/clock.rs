//! Points in time as text. The stand-in lives in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    weekday: usize,
    second_of_day: i64,
    nanosecond: u32,
}

fn parts(time: SystemTime) -> Parts {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let days = seconds / 86_400;
    // Howard Hinnant's algorithm: days since 1 March 0000, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Parts {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: of_year - (153 * month_from_march + 2) / 5 + 1,
        weekday: ((days + 4) % 7) as usize,
        second_of_day: seconds % 86_400,
        nanosecond: since.subsec_nanos(),
    }
}

/// `2026-11-21 05:32:46.123456000`, as Impala prints a TIMESTAMP.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let p = parts(time);
    let micro = p.nanosecond / 1000 * 1000;
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{micro:09}",
        p.year,
        p.month,
        p.day,
        p.second_of_day / 3600,
        p.second_of_day / 60 % 60,
        p.second_of_day % 60
    )
}

/// `Sat, 21 Nov 2026 05:32:46 GMT`, for HTTP.
pub(crate) fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let p = parts(time);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[p.weekday],
        p.day,
        MONTHS[(p.month - 1) as usize],
        p.year,
        p.second_of_day / 3600,
        p.second_of_day / 60 % 60,
        p.second_of_day % 60
    )
}

/// `1m59s`, as Impala prints a duration of whole seconds; milliseconds below one second.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds == 0 {
        return format!("{}ms", time.subsec_millis());
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_dates_and_durations() {
        let at = |s| UNIX_EPOCH + Duration::new(s, 5_000_000);
        assert_eq!(timestamp(at(1_792_560_766)), "2026-10-21 05:32:46.005000000");
        assert_eq!(http_date(at(951_782_400)), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(at(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        let text = |s| duration(Duration::from_secs(s));
        assert_eq!(
            (text(119), text(3599), text(7325)),
            ("1m59s".into(), "59m59s".into(), "2h2m5s".into())
        );
    }
}
