//! Names of files: in the spool, which say when and nothing that a reload may change, and in the
//! store.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::settings::{Layout, Naming};

/// Milliseconds since 1970 take this many digits of base 36 until 2059.
const TIME_DIGITS: usize = 8;
const RANDOM_DIGITS: usize = 4;

/// `20261121T0840Z_mi6b1xyz4f2k`: the end of the interval, then when the file was begun and
/// something random. No two files ever have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stem(String);

impl Stem {
    pub(crate) fn new(end: Timestamp, interval: Duration, now: Timestamp) -> Self {
        let whole_minutes = interval.as_secs().is_multiple_of(60);
        let format = if whole_minutes { "%Y%m%dT%H%MZ" } else { "%Y%m%dT%H%M%SZ" };
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let random = RandomState::new().build_hasher().finish();
        let unique = base36(millis, TIME_DIGITS) + &base36(random, RANDOM_DIGITS);
        Self(format!("{}_{unique}", end.strftime(format)))
    }

    /// `None` = the spool did not name this file.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (end, unique) = text.split_once('_')?;
        let (day, time) = end.strip_suffix('Z')?.split_once('T')?;
        let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let good_end = day.len() == 8 && matches!(time.len(), 4 | 6);
        let good_unique = unique.len() == TIME_DIGITS + RANDOM_DIGITS
            && unique.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        (good_end && good_unique && is_digits(day) && is_digits(time))
            .then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Sorts by the time the file was begun, whatever the interval was then.
    pub(crate) fn begun(&self) -> &str {
        self.0.split_once('_').map_or("", |(_, unique)| unique)
    }

    /// Where the file goes in the store.
    pub(crate) fn key(&self, naming: &Naming) -> String {
        let Naming { layout, prefix, name, account, region, host } = naming;
        let (end, unique) = self.0.split_once('_').unwrap_or((&self.0, ""));
        let host = clean(host);
        let prefix = prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
        match layout {
            Layout::Elb => {
                let service = "elasticloadbalancing";
                let (year, month, day) = (&end[..4], &end[4..6], &end[6..8]);
                format!(
                    "{prefix}AWSLogs/{account}/{service}/{region}/{year}/{month}/{day}/\
                     {account}_{service}_{region}_{name}_{end}_{host}_{unique}.log"
                )
            }
            Layout::Flat => format!("{prefix}{name}_{end}_{host}_{unique}.log"),
        }
    }
}

/// The last digits.
fn base36(mut number: u64, digits: usize) -> String {
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        *place = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The end of the interval that `now` lies in: the next multiple of `interval` since 1970, UTC.
pub(crate) fn interval_end(now: Timestamp, interval: Duration) -> Timestamp {
    let seconds = i64::try_from(interval.as_secs()).unwrap_or(i64::MAX).max(1);
    let past = now.as_second().rem_euclid(seconds);
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    // Only beyond the year 9999 is there no such time.
    whole.checked_add(SignedDuration::from_secs(seconds - past)).unwrap_or(now)
}

/// The host's name as a part of file names.
fn clean(host: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let cleaned: String = host.chars().take(64).map(clean).collect();
    if cleaned.trim_matches(['.', '-']).is_empty() { "unknown".to_owned() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_end(now: &str, interval_secs: u64, expected: &str) {
        let end = interval_end(now.parse().unwrap(), Duration::from_secs(interval_secs));
        assert_eq!(end, expected.parse::<Timestamp>().unwrap(), "{now}, {interval_secs} s");
    }

    #[test]
    fn intervals_follow_the_clock() {
        check_end("2026-11-21T08:38:13.5Z", 300, "2026-11-21T08:40:00Z");
        check_end("2026-11-21T08:40:00Z", 300, "2026-11-21T08:45:00Z");
        check_end("2026-11-21T08:39:59.999999999Z", 300, "2026-11-21T08:40:00Z");
        check_end("2026-11-21T08:38:13Z", 3600, "2026-11-21T09:00:00Z");
        check_end("2026-11-21T23:38:13Z", 86_400, "2026-11-22T00:00:00Z");
        check_end("2026-11-21T23:59:58.2Z", 1, "2026-11-21T23:59:59Z");
    }

    fn naming(layout: Layout, prefix: Option<&str>) -> Naming {
        Naming {
            layout,
            prefix: prefix.map(str::to_owned),
            name: "impala".into(),
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            host: "gw1.example.com".into(),
        }
    }

    /// AWS documents its names in "Access logs for your Classic Load Balancer".
    #[test]
    fn keys_are_those_of_elb() {
        let stem = Stem::parse("20140215T2340Z_mi6b1xyz4f2k").unwrap();
        assert_eq!(
            stem.key(&naming(Layout::Elb, Some("my-app"))),
            "my-app/AWSLogs/123456789012/elasticloadbalancing/eu-central-1/2014/02/15/\
             123456789012_elasticloadbalancing_eu-central-1_impala_20140215T2340Z_gw1.example.com_\
             mi6b1xyz4f2k.log"
        );
        assert_eq!(
            stem.key(&naming(Layout::Flat, None)),
            "impala_20140215T2340Z_gw1.example.com_mi6b1xyz4f2k.log"
        );
    }

    #[test]
    fn stems_sort_by_time_and_are_read_back() {
        let (interval, first) = (Duration::from_secs(90), "2026-11-21T08:38:13Z");
        let first: Timestamp = first.parse().unwrap();
        let stems: Vec<Stem> = (0..200)
            .map(|n| {
                let now = first + Duration::from_millis(1700 * n);
                Stem::new(interval_end(now, interval), interval, now)
            })
            .collect();
        assert!(stems.is_sorted_by_key(|stem| stem.begun().to_owned()));
        assert!(stems[0].as_str().starts_with("20261121T083900Z_"), "{stems:?}");
        for stem in &stems {
            assert_eq!(Stem::parse(stem.as_str()).as_ref(), Some(stem));
        }
        let minutes = Stem::new(first, Duration::from_secs(300), first);
        assert!(minutes.as_str().starts_with("20261121T0838Z_"), "{minutes:?}");
    }

    #[test]
    fn strangers_are_no_stems() {
        for text in ["", "x", "20140215T2340Z", "20140215T2340Z_a", "../../etc/passwd_0123456789ab"]
        {
            assert_eq!(Stem::parse(text), None, "{text}");
        }
        assert_eq!(Stem::parse("2014021/T2340Z_mi6b1xyz4f2k"), None);
    }

    #[test]
    fn hosts_become_parts_of_names() {
        assert_eq!(clean("gw_1/x.example.com"), "gw-1-x.example.com");
        assert_eq!(clean(".."), "unknown");
        assert_eq!(clean(""), "unknown");
    }
}
