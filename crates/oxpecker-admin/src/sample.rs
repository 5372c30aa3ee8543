//! A gateway's snapshot for tests: a `listen` as HAProxy would call it, and a frontend with its backend.

use std::time::Duration;

use jiff::Timestamp;
use oxpecker_proxy::control::{
    AdminState, CountsView, Health, HistogramView, MemberView, PoolView, ProbeView, Status,
    TimesView, TrafficView, VirtualView,
};

use crate::snapshot::Snapshot;

pub(crate) const BOUNDS: &[f64] = &[0.01, 0.1, 1.0];

pub(crate) fn snapshot() -> Snapshot {
    let mut other = member("other", "c1", 3);
    other.probe = ProbeView::default();
    Snapshot {
        status: status(),
        virtuals: vec![server("impala", "impala"), server("front", "other")],
        pools: vec![
            pool("impala", vec![member("impala", "c1", 1), member("impala", "c2", 2)]),
            pool("other", vec![other]),
        ],
        changes: Vec::new(),
    }
}

fn status() -> Status {
    Status {
        started: Timestamp::UNIX_EPOCH,
        uptime: Duration::from_secs(90_061),
        worker_threads: 2,
        connections: counts(3),
        connections_max: 1000,
        descriptors_open: 40,
        descriptors_max: 1024,
        draining: false,
        last_reload: None,
        last_reload_failed: false,
        changes: 0,
        unsaved_changes: 0,
        unreadable_messages: 0,
        handle_searches: 0,
    }
}

pub(crate) fn counts(open: u32) -> CountsView {
    CountsView { open, open_max: open + 1, total: 10, total_ever: 20 }
}

fn traffic() -> TrafficView {
    TrafficView { bytes_in: 1000, bytes_out: 2000, packets_in: 3, packets_out: 4 }
}

pub(crate) fn server(name: &str, pool: &str) -> VirtualView {
    VirtualView {
        name: name.to_owned(),
        description: String::new(),
        listen: vec!["0.0.0.0:21050".to_owned()],
        kind: "layer4",
        protocol: "tcp",
        pool: pool.to_owned(),
        sni_pools: Vec::new(),
        listening: true,
        connections: counts(3),
        connections_max: Some(300),
        traffic: traffic(),
        traffic_ever: traffic(),
        ends: vec![
            ("--", "finished", 15),
            ("PR", "denied by address", 2),
            ("PR", "TLS handshake failed", 1),
        ],
        persistence_entries: None,
        tls_client: false,
        tls_server: false,
    }
}

pub(crate) fn pool(name: &str, members: Vec<MemberView>) -> PoolView {
    PoolView {
        name: name.to_owned(),
        description: String::new(),
        method: "least-connections",
        connections: counts(3),
        queue: 0,
        queue_max_seen: 0,
        queue_limit: 1024,
        queue_served: 0,
        queue_time: Duration::ZERO,
        times: TimesView::default(),
        monitor: None,
        refused: 0,
        leaving: Vec::new(),
        members,
    }
}

pub(crate) fn member(pool: &str, node: &str, number: u8) -> MemberView {
    MemberView {
        pool: pool.to_owned(),
        name: format!("{node}:21050"),
        node: node.to_owned(),
        address: Some(([10, 0, 0, number], 21_050).into()),
        port: 21_050,
        admin_state: AdminState::Enabled,
        health: Health::Up,
        health_cause: None,
        health_reason: String::new(),
        health_since: Duration::from_secs(7),
        weight: 1,
        priority: 10,
        connections: counts(1),
        connections_max: None,
        node_connections: 1,
        traffic: traffic(),
        traffic_ever: traffic(),
        operations: 0,
        operations_told: None,
        probe: probe(),
        connects: 4,
        connect_time: Duration::from_millis(10),
        connect_times: times(),
        times: TimesView::default(),
        connect_failures: 0,
        tls_failures: 0,
        retries: 0,
        redispatches: 0,
        member_aborts: 0,
        client_aborts: 0,
        times_down: 0,
        downtime: Duration::ZERO,
        last_chosen: None,
    }
}

fn times() -> HistogramView {
    HistogramView { bounds: BOUNDS, counts: vec![2, 1, 0, 1], sum: Duration::from_millis(2500) }
}

/// Passed for long.
pub(crate) fn probe() -> ProbeView {
    ProbeView {
        kind: "tcp",
        passed: 5,
        failed: 0,
        last: Some(Timestamp::UNIX_EPOCH),
        last_duration: Some(Duration::from_millis(3)),
        last_result: "probe passed".to_owned(),
        failure: None,
        rise: 2,
        fall: 3,
        in_a_row: 5,
        time: Duration::from_millis(15),
        times: times(),
        version: None,
        webserver_address: None,
    }
}
