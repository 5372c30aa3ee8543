//! `show stat`, `/stats;csv` and `/stats;json`: rows of frontends, servers and backends, and the three ways
//! HAProxy writes them.

use std::fmt::Write as _;

use oxpecker_proxy::control::{PoolView, VirtualView};
use serde::Serialize;

use super::fields::{COLUMNS, Column, Field, Kind, Row, Value};
use super::proxies::{Proxy, proxies, servers};
use super::server;
use super::watch::{Key, Watch, is_up};
use crate::snapshot::Snapshot;

/// Which rows are asked for; by default all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `show stat IID TYPE SID`; -1 = any, the type is a mask of bits.
    pub(crate) iid: i64,
    pub(crate) kinds: i64,
    pub(crate) sid: i64,
    pub(crate) only: Only,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    All,
    /// No server that is down or in maintenance.
    Up,
    /// No server in maintenance.
    NoMaint,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { iid: -1, kinds: -1, sid: -1, only: Only::All }
    }
}

impl Wanted {
    fn takes(&self, row: &Row) -> bool {
        let is_wanted = |wanted: i64, number: u32| wanted == -1 || wanted == i64::from(number);
        let status = row.text(Field::Status);
        let is_left_out = row.kind == Kind::Server
            && match self.only {
                Only::All => false,
                Only::Up => status.starts_with("DOWN") || status.starts_with("MAINT"),
                Only::NoMaint => status.starts_with("MAINT"),
            };
        is_wanted(self.iid, row.iid)
            && (self.kinds == -1 || self.kinds & row.kind.mask() != 0)
            && (self.sid == -1 || is_wanted(self.sid, row.sid))
            && !is_left_out
    }
}

/// In HAProxy's order: of each proxy the frontend, the servers, the backend.
pub(crate) fn rows(snapshot: &Snapshot, watch: &Watch, wanted: &Wanted) -> Vec<Row> {
    let mut rows = Vec::new();
    for proxy in proxies(snapshot) {
        if let Some(frontend) = proxy.frontend {
            rows.push(frontend_row(&proxy, frontend, snapshot, watch));
        }
        let Some(pool) = proxy.backend else { continue };
        for (sid, name, member) in servers(pool) {
            let names = (proxy.name(), name);
            rows.push(server::row(pool, (proxy.iid, sid), names, member, watch));
        }
        rows.push(backend_row(&proxy, pool, snapshot, watch));
    }
    rows.iter_mut().for_each(|row| watch.count_anew(row));
    rows.retain(|row| wanted.takes(row));
    rows
}

/// What a TCP frontend counts and nothing here does: HTTP, compression, rewriting.
const FRONTEND_NOUGHT: &[Field] = &[
    Field::Dresp,
    Field::RateLim,
    Field::ReqRate,
    Field::ReqRateMax,
    Field::ReqTot,
    Field::CompIn,
    Field::CompOut,
    Field::CompByp,
    Field::CompRsp,
    Field::Dses,
    Field::Wrew,
    Field::Eint,
];

/// The reason of a record when the client's address was refused.
const DENIED: &str = "denied by address";

fn frontend_row(
    proxy: &Proxy<'_>,
    frontend: &VirtualView,
    snapshot: &Snapshot,
    watch: &Watch,
) -> Row {
    let mut row = Row::new(Kind::Frontend, proxy.iid, 0);
    row.fill(FRONTEND_NOUGHT, 0);
    row.put(Field::Pxname, frontend.name.as_str());
    row.put(Field::Svname, "FRONTEND");
    row.put(Field::Scur, frontend.connections.open);
    row.put(Field::Smax, frontend.connections.open_max);
    row.put(Field::Slim, frontend.connections_max.unwrap_or(snapshot.status.connections_max));
    row.put(Field::Stot, frontend.connections.total);
    row.put(Field::Bin, frontend.traffic.bytes_in);
    row.put(Field::Bout, frontend.traffic.bytes_out);
    let ended = |is_it: fn(&str, &str) -> bool| -> u64 {
        let ends = frontend.ends.iter().filter(|(letters, reason, _)| is_it(letters, reason));
        ends.map(|(_, _, count)| count).sum()
    };
    let denied = ended(|_, reason| reason == DENIED);
    row.put(Field::Dreq, 0_u64);
    row.put(Field::Ereq, ended(|letters, reason| letters == "PR" && reason != DENIED));
    row.put(Field::Dcon, denied);
    let status = match (snapshot.status.draining, frontend.listening) {
        (true, _) => "STOP",
        (false, false) => "PAUSED",
        (false, true) => "OPEN",
    };
    row.put(Field::Status, status);
    row.put(Field::Mode, "tcp");
    let rate = watch.rate(&Key::Frontend(frontend.name.clone()));
    row.put(Field::Rate, rate.last);
    row.put(Field::RateMax, rate.max);
    row.put(Field::ConnRate, rate.last);
    row.put(Field::ConnRateMax, rate.max);
    row.put(Field::ConnTot, frontend.connections.total);
    row
}

const BACKEND_NOUGHT: &[Field] = &[
    Field::Dreq,
    Field::Dresp,
    Field::Eresp,
    Field::CompIn,
    Field::CompOut,
    Field::CompByp,
    Field::CompRsp,
    Field::Rtime,
    Field::Wrew,
    Field::Reuse,
    Field::RtimeMax,
    Field::Eint,
    Field::AggServerStatus,
    Field::AggServerCheckStatus,
    Field::AggCheckStatus,
];

fn backend_row(proxy: &Proxy<'_>, pool: &PoolView, snapshot: &Snapshot, watch: &Watch) -> Row {
    let mut row = Row::new(Kind::Backend, proxy.iid, 0);
    let uptime = snapshot.status.uptime;
    row.fill(BACKEND_NOUGHT, 0);
    row.put(Field::Pxname, proxy.name());
    row.put(Field::Svname, "BACKEND");
    row.put(Field::Qcur, pool.queue);
    row.put(Field::Qmax, pool.queue_max_seen);
    row.put(Field::Scur, pool.connections.open);
    row.put(Field::Smax, pool.connections.open_max);
    row.put(Field::Slim, most(pool).unwrap_or(snapshot.status.connections_max));
    row.put(Field::Stot, pool.connections.total);
    row.put(Field::Status, if is_up(pool) { "UP" } else { "DOWN" });
    sums(&mut row, pool);
    let turns = watch.turns(&pool.name);
    row.put(Field::Chkdown, turns.times_down);
    row.put(Field::Lastchg, turns.lasts(uptime).as_secs());
    row.put(Field::Downtime, turns.downtime(uptime).as_secs());
    let rate = watch.rate(&Key::Backend(pool.name.clone()));
    row.put(Field::Rate, rate.last);
    row.put(Field::RateMax, rate.max);
    let last = pool.members.iter().map(server::last_session).filter(|last| *last >= 0).min();
    row.put(Field::Lastsess, last.unwrap_or(-1));
    row.put(Field::Mode, "tcp");
    row.put(Field::Algo, algorithm(pool.method));
    row
}

/// What is told of all members together.
fn sums(row: &mut Row, pool: &PoolView) {
    let sum = |of: fn(&oxpecker_proxy::control::MemberView) -> u64| -> u64 {
        pool.members.iter().map(of).sum()
    };
    row.put(Field::Bin, sum(|member| member.traffic.bytes_in));
    row.put(Field::Bout, sum(|member| member.traffic.bytes_out));
    row.put(Field::Lbtot, sum(|member| member.connections.total));
    row.put(Field::Econ, sum(|member| member.connect_failures) + pool.refused);
    row.put(Field::Wretr, sum(|member| member.retries));
    row.put(Field::Wredis, sum(|member| member.redispatches));
    row.put(Field::CliAbrt, sum(|member| member.client_aborts));
    row.put(Field::SrvAbrt, sum(|member| member.member_aborts));
    row.put(Field::Connect, sum(|member| member.connects + member.connect_failures));
    server::times(row, &pool.times);
    let usable = || pool.members.iter().filter(|member| server::takes_new(member));
    let backups = usable().filter(|member| server::is_backup(pool, member)).count();
    row.put(Field::Act, (usable().count() - backups) as u64);
    row.put(Field::Bck, backups as u64);
    let weight: u64 = usable().map(|member| u64::from(member.weight)).sum();
    row.put(Field::Weight, weight);
    row.put(Field::Uweight, weight);
}

/// As many as its members take, when each has a limit.
fn most(pool: &PoolView) -> Option<u32> {
    let limits: Option<Vec<u32>> =
        pool.members.iter().map(|member| member.connections_max).collect();
    limits.filter(|limits| !limits.is_empty()).map(|limits| limits.iter().sum())
}

/// HAProxy's word for a method; those it does not have keep ours.
fn algorithm(method: &str) -> &str {
    match method {
        "round-robin" => "roundrobin",
        "least-connections" => "leastconn",
        "source-hash" => "source",
        "random-two" => "random(2)",
        other => other,
    }
}

/// With the line of names first. Each line ends with a comma, as HAProxy's do, and `-` where its modules
/// would begin.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut out = String::from("# ");
    for column in COLUMNS {
        out.push_str(column.name);
        out.push(',');
    }
    out.push_str("-,\n");
    for row in rows {
        for (_, _, value) in row.values() {
            match value {
                Some(Value::Text(text)) => quoted(text, &mut out),
                Some(value) => _ = write!(out, "{value}"),
                None => {}
            }
            out.push(',');
        }
        out.push_str("-,\n");
    }
    out
}

fn quoted(text: &str, out: &mut String) {
    if text.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

/// One line a value: `S.2.1.4.scur.1:MGP:u32:0`.
pub(crate) fn typed(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        for (place, column, value) in row.values() {
            let Some(value) = value else { continue };
            let (letter, iid, sid) = (row.kind.letter(), row.iid, row.sid);
            let (name, tags, width) = (column.name, row.tags(place), column.width.word());
            let _ = writeln!(out, "{letter}.{iid}.{sid}.{place}.{name}.1:{tags}:{width}:{value}");
        }
        out.push('\n');
    }
    out
}

/// HAProxy's JSON: of each row an array, of each value an object.
pub(crate) fn json(rows: &[Row]) -> String {
    let tables: Vec<Vec<Object<'_>>> = rows
        .iter()
        .map(|row| {
            let cells =
                row.values().filter_map(|(place, column, value)| Some((place, column, value?)));
            cells.map(|(place, column, value)| Object::of(row, place, column, value)).collect()
        })
        .collect();
    // Only a map with keys that are no texts could fail, and there is none.
    serde_json::to_string(&tables).unwrap_or_default()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    obj_type: &'static str,
    proxy_id: u32,
    id: u32,
    #[serde(flatten)]
    cell: super::typed::Cell<'a>,
}

impl<'a> Object<'a> {
    fn of(row: &Row, place: usize, column: &Column, value: &'a Value) -> Self {
        let cell =
            super::typed::Cell::new(place, column.name, row.tags(place), column.width, value);
        Self { obj_type: row.kind.word(), proxy_id: row.iid, id: row.sid, cell }
    }
}
