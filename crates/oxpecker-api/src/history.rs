//! Lines over the last hour.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Between two samples.
    pub interval_seconds: f64,
    pub series: Vec<Series>,
    /// There are more members; ask for them by `pool` or `member`.
    #[serde(default)]
    pub truncated: bool,
}

/// One member's samples, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub pool: String,
    pub member: String,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since 1970.
    pub at: i64,
    pub connections: u32,
    pub bits_in_per_second: f64,
    pub bits_out_per_second: f64,
    /// Mean of the connects in the interval; `None` when there was none.
    pub connect_seconds: Option<f64>,
    pub probe_seconds: Option<f64>,
    pub usable: bool,
}
