//! The names of HAProxy's own exporter, for dashboards that know those: the rows of its statistics once
//! more. What has no meaning here is left out, as HAProxy leaves out what has none for a proxy.

use super::flag;
use super::names::{Kind, Metric};
use super::page::Page;
use crate::haproxy::{CHECKS, Field, Kind as RowKind, Rate, Row};
use crate::snapshot::Snapshot;

/// How a column's number becomes the metric's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    AsIs,
    Milliseconds,
}

macro_rules! columns {
    ($($field:ident $unit:ident $kind:ident $name:literal [$($row:ident),*];)*) => {
        /// Column, how it is counted, name without `haproxy_frontend_` and the like, and who has it.
        const COLUMNS: &[(Field, Unit, Kind, &str, &[RowKind])] = &[
            $((Field::$field, Unit::$unit, Kind::$kind, $name, &[$(RowKind::$row),*]),)*
        ];
    };
}

columns! {
    Qcur AsIs Gauge "current_queue" [Backend, Server];
    Qmax AsIs Gauge "max_queue" [Backend, Server];
    Scur AsIs Gauge "current_sessions" [Frontend, Backend, Server];
    Smax AsIs Gauge "max_sessions" [Frontend, Backend, Server];
    Slim AsIs Gauge "limit_sessions" [Frontend, Backend, Server];
    Stot AsIs Counter "sessions_total" [Frontend, Backend, Server];
    Bin AsIs Counter "bytes_in_total" [Frontend, Backend, Server];
    Bout AsIs Counter "bytes_out_total" [Frontend, Backend, Server];
    Dreq AsIs Counter "requests_denied_total" [Frontend, Backend];
    Dresp AsIs Counter "responses_denied_total" [Frontend, Backend, Server];
    Ereq AsIs Counter "request_errors_total" [Frontend];
    Econ AsIs Counter "connection_errors_total" [Backend, Server];
    Eresp AsIs Counter "response_errors_total" [Backend, Server];
    Wretr AsIs Counter "retry_warnings_total" [Backend, Server];
    Wredis AsIs Counter "redispatch_warnings_total" [Backend, Server];
    Weight AsIs Gauge "weight" [Backend, Server];
    Act AsIs Gauge "active_servers" [Backend];
    Bck AsIs Gauge "backup_servers" [Backend];
    Chkfail AsIs Counter "check_failures_total" [Server];
    Chkdown AsIs Counter "check_up_down_total" [Backend, Server];
    Lastchg AsIs Gauge "check_last_change_seconds" [Backend, Server];
    Downtime AsIs Counter "downtime_seconds_total" [Backend, Server];
    Lbtot AsIs Counter "loadbalanced_total" [Backend, Server];
    RateLim AsIs Gauge "limit_session_rate" [Frontend];
    RateMax AsIs Gauge "max_session_rate" [Frontend, Backend, Server];
    CheckCode AsIs Gauge "check_code" [Server];
    CheckDuration Milliseconds Gauge "check_duration_seconds" [Server];
    CliAbrt AsIs Counter "client_aborts_total" [Backend, Server];
    SrvAbrt AsIs Counter "server_aborts_total" [Backend, Server];
    Lastsess AsIs Gauge "last_session_seconds" [Backend, Server];
    Qtime Milliseconds Gauge "queue_time_average_seconds" [Backend, Server];
    Ctime Milliseconds Gauge "connect_time_average_seconds" [Backend, Server];
    Ttime Milliseconds Gauge "total_time_average_seconds" [Backend, Server];
    QtimeMax Milliseconds Gauge "max_queue_time_seconds" [Backend, Server];
    CtimeMax Milliseconds Gauge "max_connect_time_seconds" [Backend, Server];
    TtimeMax Milliseconds Gauge "max_total_time_seconds" [Backend, Server];
    ConnRateMax AsIs Gauge "connections_rate_max" [Frontend];
    ConnTot AsIs Counter "connections_total" [Frontend];
    Dcon AsIs Counter "denied_connections_total" [Frontend];
    Dses AsIs Counter "denied_sessions_total" [Frontend];
    Connect AsIs Counter "connection_attempts_total" [Backend, Server];
    Reuse AsIs Counter "connection_reuses_total" [Backend, Server];
    UsedConnCur AsIs Gauge "used_connections_current" [Server];
    Eint AsIs Counter "internal_errors_total" [Frontend, Backend, Server];
    Uweight AsIs Gauge "uweight" [Backend, Server];
}

/// HAProxy's states of a server; those of the others are the first two.
const STATES: [&str; 5] = ["DOWN", "UP", "MAINT", "DRAIN", "NOLB"];

/// Family by family, as the format wants.
pub(super) fn rows(page: &mut Page, rows: &[Row]) {
    for kind in [RowKind::Frontend, RowKind::Backend, RowKind::Server] {
        let of_kind: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
        for (field, unit, counted, name, kinds) in COLUMNS {
            if kinds.contains(&kind) {
                for row in &of_kind {
                    column(page, row, (*field, *unit), (*counted, name));
                }
            }
        }
        for row in of_kind {
            states(page, row);
            if kind == RowKind::Backend {
                aggregate(page, row, rows);
            }
        }
    }
}

fn column(page: &mut Page, row: &Row, (field, unit): (Field, Unit), (kind, name): (Kind, &str)) {
    // A time that never was is -1 there as well.
    let value = match row.number(field) {
        Some(number) => super::float(number),
        None if field == Field::Lastsess => -1.0,
        None => return,
    };
    let value = if unit == Unit::Milliseconds { value / 1000.0 } else { value };
    put(page, row, (kind, name), &[], value);
}

/// One of a row's metrics, with labels beside those that say which row it is.
fn put(page: &mut Page, row: &Row, (kind, name): (Kind, &str), more: &[(&str, &str)], value: f64) {
    let (object, names) = match row.kind {
        RowKind::Frontend => ("frontend", &["proxy"][..]),
        RowKind::Backend => ("backend", &["proxy"][..]),
        RowKind::Server => ("server", &["proxy", "server"][..]),
    };
    let mut labels = names.to_vec();
    let mut values = vec![row.text(Field::Pxname), row.text(Field::Svname)];
    values.truncate(labels.len());
    labels.extend(more.iter().map(|(label, _)| *label));
    values.extend(more.iter().map(|(_, value)| *value));
    let name = format!("haproxy_{object}_{name}");
    let help = "As HAProxy's exporter has it.";
    page.put(&Metric { name: &name, kind, labels: &labels, help }, &values, value);
}

/// One series for each state, of which one is 1.
fn states(page: &mut Page, row: &Row) {
    let is = row.text(Field::Status);
    // `UP 1/3` and `DOWN 1/2` are on their way; `no check`, `OPEN` and the like are up.
    let state = match is.split(' ').next() {
        Some(word) if STATES.contains(&word) => word,
        Some("STOP" | "PAUSED") => "DOWN",
        _ => "UP",
    };
    let known = if row.kind == RowKind::Server { &STATES[..] } else { &STATES[..2] };
    for word in known {
        put(page, row, (Kind::Gauge, "status"), &[("state", word)], flag(*word == state));
    }
    // Without a monitor there is no check, not one that says nothing.
    if row.kind == RowKind::Server && row.get(Field::Chkfail).is_some() {
        let check = row.text(Field::CheckStatus);
        for word in CHECKS {
            put(page, row, (Kind::Gauge, "check_status"), &[("state", word)], flag(word == check));
        }
    }
}

/// How many servers of each backend are in each state.
fn aggregate(page: &mut Page, backend: &Row, rows: &[Row]) {
    let mine = |row: &&Row| row.kind == RowKind::Server && row.iid == backend.iid;
    for name in ["agg_server_status", "agg_server_check_status"] {
        for state in STATES {
            let is = |row: &&Row| {
                let status = row.text(Field::Status);
                let word = status.split(' ').next().unwrap_or_default();
                word == state || (state == "UP" && status == "no check")
            };
            let count = rows.iter().filter(mine).filter(is).count() as u64;
            let labels = [("state", state)];
            put(page, backend, (Kind::Gauge, name), &labels, super::float(count));
        }
    }
    for check in CHECKS {
        let is = |row: &&Row| row.text(Field::CheckStatus) == check;
        let count = rows.iter().filter(mine).filter(is).count() as u64;
        let labels = [("state", check)];
        put(page, backend, (Kind::Gauge, "agg_check_status"), &labels, super::float(count));
    }
}

/// `haproxy_process_…` of what this process has.
pub(super) fn process(page: &mut Page, snapshot: &Snapshot, rate: Rate) {
    let status = &snapshot.status;
    let mut one = |name: &str, kind, value: f64| {
        let name = format!("haproxy_process_{name}");
        let help = "As HAProxy's exporter has it.";
        page.put(&Metric { name: &name, kind, labels: &[], help }, &[], value);
    };
    let open = status.connections.open;
    let total = super::float(status.connections.total_ever);
    one("nbthread", Kind::Gauge, super::float(status.worker_threads as u64));
    one("nbproc", Kind::Gauge, 1.0);
    one("relative_process_id", Kind::Gauge, 1.0);
    one("uptime_seconds", Kind::Gauge, super::float(status.uptime.as_secs()));
    one("start_time_seconds", Kind::Gauge, super::seconds(status.started));
    one("max_fds", Kind::Gauge, super::float(status.descriptors_max));
    one("max_sockets", Kind::Gauge, super::float(status.descriptors_max));
    one("max_connections", Kind::Gauge, status.connections_max.into());
    one("hard_max_connections", Kind::Gauge, status.connections_max.into());
    one("current_connections", Kind::Gauge, open.into());
    one("connections_total", Kind::Counter, total);
    one("requests_total", Kind::Counter, total);
    one("current_connection_rate", Kind::Gauge, rate.last.into());
    one("max_connection_rate", Kind::Gauge, rate.max.into());
    one("current_session_rate", Kind::Gauge, rate.last.into());
    one("max_session_rate", Kind::Gauge, rate.max.into());
    one("stopping", Kind::Gauge, flag(status.draining));
    let listeners: usize = snapshot.virtuals.iter().map(|server| server.listen.len()).sum();
    one("listeners", Kind::Gauge, super::float(listeners as u64));
    one("jobs", Kind::Gauge, f64::from(open) + super::float(listeners as u64));
    let bytes: u64 = snapshot.virtuals.iter().map(|server| server.traffic_ever.bytes_out).sum();
    one("bytes_out_total", Kind::Counter, super::float(bytes));
    let name = "haproxy_process_build_info";
    let help = "As HAProxy's exporter has it.";
    let metric = Metric { name, kind: Kind::Gauge, labels: &["version"], help };
    page.put(&metric, &[env!("CARGO_PKG_VERSION")], 1.0);
}

/// Persistence as stick tables of the virtual servers' names.
pub(super) fn tables(page: &mut Page, snapshot: &Snapshot) {
    let metric = Metric {
        name: "haproxy_sticktable_used",
        kind: Kind::Gauge,
        labels: &["name", "type"],
        help: "As HAProxy's exporter has it.",
    };
    for server in &snapshot.virtuals {
        if let Some(used) = server.persistence_entries {
            page.put(&metric, &[&server.name, "ip"], super::float(used as u64));
        }
    }
}
