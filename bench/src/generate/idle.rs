//! Resting connections: each makes one exchange, then the proxy's memory is read; a last exchange
//! shows that all of them are still alive.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::exchange::exchange_once;
use super::{Options, Report, connect_all};
use crate::process::pss_of_tree;

/// Time for the proxy to let go of what it used.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) fn idle(options: &Options) -> anyhow::Result<Report> {
    let began = Instant::now();
    let proxy = options.proxy_pid.context("idle needs --proxy-pid")?;
    let pss_start = pss_of_tree(proxy)?;
    let mut open = connect_all(options)?;
    std::thread::sleep(SETTLE);
    let pss = pss_of_tree(proxy)?;
    for (number, stream) in open.iter_mut().enumerate() {
        exchange_once(stream).with_context(|| format!("connection {number}, after rest"))?;
    }
    Ok(Report {
        seconds: began.elapsed(),
        done: options.connections as u64,
        pss_start,
        pss,
        ..Report::default()
    })
}
