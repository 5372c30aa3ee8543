//! The generator's findings, as text both people and `compare` can read.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;

/// Times are in seconds, memory in bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) seconds: Duration,
    pub(crate) bytes: u64,
    /// Fetches, exchanges or connections that ended in the window.
    pub(crate) done: u64,
    pub(crate) proxy_cpu: Duration,
    /// Generator and backend.
    pub(crate) peers_cpu: Duration,
    /// Everything else on the machine: the noise.
    pub(crate) foreign_cpu: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) pss_start: u64,
    pub(crate) pss: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut time = |name: &str, value: Duration| {
            writeln!(f, "{name}={}.{:09}", value.as_secs(), value.subsec_nanos())
        };
        time("seconds", self.seconds)?;
        time("proxy_cpu", self.proxy_cpu)?;
        time("peers_cpu", self.peers_cpu)?;
        time("foreign_cpu", self.foreign_cpu)?;
        time("p50", self.p50)?;
        time("p99", self.p99)?;
        time("p999", self.p999)?;
        writeln!(f, "bytes={}", self.bytes)?;
        writeln!(f, "done={}", self.done)?;
        writeln!(f, "pss_start={}", self.pss_start)?;
        writeln!(f, "pss={}", self.pss)
    }
}

impl FromStr for Report {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut report = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once('=').context("a line without `=`")?;
            let time = || -> anyhow::Result<_> { Ok(Duration::try_from_secs_f64(value.parse()?)?) };
            match name {
                "seconds" => report.seconds = time()?,
                "proxy_cpu" => report.proxy_cpu = time()?,
                "peers_cpu" => report.peers_cpu = time()?,
                "foreign_cpu" => report.foreign_cpu = time()?,
                "p50" => report.p50 = time()?,
                "p99" => report.p99 = time()?,
                "p999" => report.p999 = time()?,
                "bytes" => report.bytes = value.parse()?,
                "done" => report.done = value.parse()?,
                "pss_start" => report.pss_start = value.parse()?,
                "pss" => report.pss = value.parse()?,
                _ => anyhow::bail!("unknown line `{name}`"),
            }
        }
        Ok(report)
    }
}
