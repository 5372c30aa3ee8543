//! The statistics table, in the columns and the order that F5's operators know.

use serde::{Deserialize, Serialize};

use crate::object::{Counts, Health, Traffic};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatisticsTable {
    /// `pools`, `nodes` or `virtuals`.
    pub of: String,
    pub rows: Vec<StatisticsRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatisticsRow {
    /// `pool`, `member`, `node` or `virtual`.
    pub kind: String,
    /// What a selection for a reset names: `pool`, `pool/member`, and so on.
    pub key: String,
    pub name: String,
    /// `available`, `offline`, `unknown` or `disabled`.
    pub status: String,
    pub health: Health,
    pub reason: String,
    #[serde(flatten)]
    pub traffic: Traffic,
    pub connections: Counts,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `15.6K`: steps of 1000, one decimal.
    #[default]
    Normalized,
    /// `15612`
    Exact,
}

impl Format {
    pub fn number(self, number: u64) -> String {
        match self {
            Self::Normalized => normalized(number),
            Self::Exact => number.to_string(),
        }
    }
}

/// As F5 writes it: below 1000 as it is, above with one decimal and K, M, G, T, P, E.
pub fn normalized(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    let mut unit = 1000_u128;
    for letter in ["K", "M", "G", "T", "P", "E"] {
        let tenths = (u128::from(number) * 10 + unit / 2) / unit;
        // 999,950 and more would be 1000.0K.
        if tenths < 10_000 || letter == "E" {
            return format!("{}.{}{letter}", tenths / 10, tenths % 10);
        }
        unit *= 1000;
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: u64, expected: &str) {
        assert_eq!(normalized(number), expected);
    }

    #[test]
    fn numbers_are_written_as_f5_does() {
        check(0, "0");
        check(896, "896");
        check(999, "999");
        check(1000, "1.0K");
        check(15_612, "15.6K");
        check(187_100, "187.1K");
        check(999_949, "999.9K");
        check(999_950, "1.0M");
        check(u64::MAX, "18.4E");
    }
}
