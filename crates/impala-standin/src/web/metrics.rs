//! Metrics under impalad's names: as a tree, flat, and for Prometheus.

use super::pages::server_name;
use crate::options::Service;
use crate::state::Server;
use crate::state::session::SessionKind;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

enum Kind {
    Gauge(u64),
    Counter(u64),
    /// Booleans and texts; Prometheus does not get them.
    Property(Value),
}

fn all(server: &Server) -> Vec<(String, Kind)> {
    use Kind::{Counter, Gauge, Property};
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let sessions = server.session_list();
    let operations = server.operation_list();
    let of_kind = |kind| sessions.iter().filter(|s| s.kind == kind).count() as u64;
    let executing = operations.iter().filter(|o| o.is_executing()).count() as u64;
    let counters = &server.counters;
    let mut metrics: Vec<(String, Kind)> = [
        ("impala-server.ready", Property(true.into())),
        ("impala-server.version", Property(server.version.clone().into())),
        ("process-start-time", Property(crate::clock::timestamp(server.started).into())),
        ("catalog.ready", Property(true.into())),
        ("statestore-subscriber.connected", Property(true.into())),
        ("impala-server.num-open-hiveserver2-sessions", Gauge(of_kind(SessionKind::HiveServer2))),
        ("impala-server.num-open-beeswax-sessions", Gauge(of_kind(SessionKind::Beeswax))),
        ("impala-server.num-queries-registered", Gauge(operations.len() as u64)),
        ("impala-server.backend-num-queries-executing", Gauge(executing)),
        ("impala-server.num-fragments-in-flight", Gauge(executing)),
        ("impala-server.num-queries", Counter(load(&counters.queries))),
        ("impala-server.num-queries-expired", Counter(load(&counters.queries_expired))),
        ("impala-server.num-sessions-expired", Counter(load(&counters.sessions_expired))),
        ("cluster-membership.backends.total", Gauge(server.options.peers.len() as u64 + 1)),
        ("memory.rss", Gauge(resident_bytes())),
    ]
    .into_iter()
    .map(|(name, kind)| (name.to_owned(), kind))
    .collect();
    for service in [Service::Beeswax, Service::Hs2, Service::Http] {
        let gate = server.gate(service);
        let mut add = |name: &str, kind| {
            metrics.push((format!("impala.thrift-server.{}.{name}", server_name(service)), kind));
        };
        add("connections-in-use", Gauge(gate.in_use() as u64));
        add("connection-setup-queue-size", Gauge(load(&gate.waiting)));
        add("timedout-cnxn-requests", Gauge(load(&gate.timed_out_total)));
        add("total-connections", Counter(load(&gate.connections_total)));
        if service == Service::Http {
            add("total-basic-auth-success", Counter(load(&counters.basic_success)));
            add("total-basic-auth-failure", Counter(load(&counters.basic_failure)));
            add("total-cookie-auth-success", Counter(load(&counters.cookie_success)));
            add("total-cookie-auth-failure", Counter(load(&counters.cookie_failure)));
        }
    }
    metrics
}

fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Gauge(n) | Kind::Counter(n) => (*n).into(),
        Kind::Property(value) => value.clone(),
    }
}

/// `/metrics?json`.
pub(super) fn tree(server: &Server) -> Value {
    let metrics: Vec<Value> = all(server)
        .iter()
        .map(|(name, kind)| {
            let value = value(kind);
            let human = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let kind = match kind {
                Kind::Gauge(_) => "GAUGE",
                Kind::Counter(_) => "COUNTER",
                Kind::Property(_) => "PROPERTY",
            };
            json!({
                "name": name,
                "value": value,
                "human_readable": human,
                "kind": kind,
                "units": if name == "memory.rss" { "BYTES" } else { "UNIT" },
                "description": "",
            })
        })
        .collect();
    json!({ "metric_group": { "name": "impala-metrics", "metrics": metrics, "child_groups": [] } })
}

/// `/jsonmetrics?json`.
pub(super) fn flat(server: &Server) -> Value {
    Value::Object(
        all(server).iter().map(|(name, kind)| (name.clone(), value(kind))).collect::<Map<_, _>>(),
    )
}

/// `/metrics_prometheus`.
pub(super) fn prometheus(server: &Server) -> String {
    let mut text = String::new();
    for (name, kind) in all(server) {
        let (word, number) = match kind {
            Kind::Gauge(n) => ("gauge", n),
            Kind::Counter(n) => ("counter", n),
            Kind::Property(_) => continue,
        };
        let mut name = name.replace(['.', '-'], "_");
        if !name.starts_with("impala_") {
            name.insert_str(0, "impala_");
        }
        let written = writeln!(text, "# TYPE {name} {word}\n{name} {number}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
    text
}

/// Memory in use, from the kernel; 0 where it does not say.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}
