//! `show info`: the process, as HAProxy tells of itself, in its three formats.

use std::fmt::Write as _;

use super::fields::{Value, Width};
use super::typed::Cell;
use super::watch::{Key, Watch};
use crate::snapshot::Snapshot;

/// One line. Places are HAProxy's, so that they stay when something is left out.
#[derive(Debug)]
pub(crate) struct Item {
    place: usize,
    name: &'static str,
    tags: &'static str,
    width: Width,
    value: Value,
}

/// What is nought here is something that only HAProxy has: limits of rates, pipes, a run queue.
pub(crate) fn items(snapshot: &Snapshot, watch: &Watch, host: &str) -> Vec<Item> {
    let status = &snapshot.status;
    let rate = watch.rate(&Key::Process);
    let threads = u32::try_from(status.worker_threads).unwrap_or(u32::MAX);
    let listeners: usize = snapshot.virtuals.iter().map(|server| server.listen.len()).sum();
    let bytes: u64 = snapshot.virtuals.iter().map(|server| server.traffic_ever.bytes_out).sum();
    let uptime = status.uptime.as_secs();
    let version = env!("CARGO_PKG_VERSION");
    let open = status.connections.open;
    vec![
        text(0, "Name", "POS", "Oxpecker"),
        text(1, "Version", "POS", version),
        text(2, "Release_date", "POS", "-"),
        number(3, "Nbthread", "CGS", threads),
        number(4, "Nbproc", "CGS", 1_u32),
        number(5, "Process_num", "KGP", 1_u32),
        number(6, "Pid", "SGP", std::process::id()),
        text(7, "Uptime", "MDP", &days(uptime)),
        number(8, "Uptime_sec", "MDP", uptime),
        number(9, "Memmax_MB", "CLP", 0_u32),
        number(12, "PoolFailed", "MCP", 0_u32),
        number(13, "Ulimit-n", "CLP", status.descriptors_max),
        number(14, "Maxsock", "CLP", status.descriptors_max),
        number(15, "Maxconn", "CLP", status.connections_max),
        number(16, "Hard_maxconn", "CLP", status.connections_max),
        number(17, "CurrConns", "MGP", open),
        number(18, "CumConns", "MCP", status.connections.total_ever),
        number(19, "CumReq", "MCP", status.connections.total_ever),
        number(23, "Maxpipes", "CLP", 0_u32),
        number(24, "PipesUsed", "MGP", 0_u32),
        number(25, "PipesFree", "MGP", 0_u32),
        number(26, "ConnRate", "MRP", rate.last),
        number(27, "ConnRateLimit", "CLP", 0_u32),
        number(28, "MaxConnRate", "MMP", rate.max),
        number(29, "SessRate", "MRP", rate.last),
        number(30, "SessRateLimit", "CLP", 0_u32),
        number(31, "MaxSessRate", "MRP", rate.max),
        number(47, "Tasks", "MGP", open),
        number(48, "Run_queue", "MGP", 0_u32),
        text(50, "node", "COS", host),
        number(52, "Stopping", "MGP", u32::from(status.draining)),
        number(53, "Jobs", "MGP", u64::from(open) + listeners as u64),
        number(54, "Unstoppable Jobs", "MGP", 0_u32),
        number(55, "Listeners", "MGP", listeners as u64),
        Item { width: Width::U64, ..number(61, "TotalBytesOut", "MGP", bytes) },
        text(66, "Build info", "POS", version),
        number(70, "Start_time_sec", "MDP", u64::try_from(status.started.as_second()).unwrap_or(0)),
        text(71, "Tainted", "SGP", "0"),
    ]
}

fn text(place: usize, name: &'static str, tags: &'static str, value: &str) -> Item {
    Item { place, name, tags, width: Width::Text, value: value.into() }
}

fn number(place: usize, name: &'static str, tags: &'static str, value: impl Into<Value>) -> Item {
    Item { place, name, tags, width: Width::U32, value: value.into() }
}

/// `0d 0h00m02s`
fn days(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    format!("{days}d {hours}h{:02}m{:02}s", seconds / 60 % 60, seconds % 60)
}

pub(crate) fn plain(items: &[Item]) -> String {
    let mut out = String::new();
    for item in items {
        let _ = writeln!(out, "{}: {}", item.name, item.value);
    }
    out
}

pub(crate) fn typed(items: &[Item]) -> String {
    let mut out = String::new();
    for Item { place, name, tags, width, value } in items {
        let _ = writeln!(out, "{place}.{name}.1:{tags}:{}:{value}", width.word());
    }
    out
}

pub(crate) fn json(items: &[Item]) -> String {
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| Cell::new(item.place, item.name, item.tags, item.width, &item.value))
        .collect();
    // Only a map with keys that are no texts could fail, and there is none.
    serde_json::to_string(&cells).unwrap_or_default()
}
