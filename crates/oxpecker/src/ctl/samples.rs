//! Objects as a gateway tells them, for tests of what is shown.

use oxpecker_api::{AdminState, Counts, Health, Member, Status, Traffic, Virtual};

use super::top::Snapshot;

pub(crate) fn member(pool: &str, node: &str, port: u16) -> Member {
    Member {
        pool: pool.into(),
        name: format!("{node}:{port}"),
        node: node.into(),
        address: Some(format!("10.17.84.11:{port}")),
        port,
        admin_state: AdminState::Enabled,
        health: Health::Up,
        reason: String::new(),
        health_for_seconds: 60.0,
        usable: true,
        weight: 1,
        priority: 0,
        connections: Counts::default(),
        connections_max: None,
        node_connections: 0,
        traffic: Traffic::default(),
        operations: 0,
        operations_told: None,
        probe: None,
        connect_failures: 0,
        connect_seconds_average: None,
    }
}

pub(crate) fn snapshot(members: Vec<Member>) -> Snapshot {
    let status = Status {
        version: "0.1.0".into(),
        pid: 1234,
        host: "lb-1".into(),
        started: "2026-11-30T07:00:00Z".into(),
        uptime_seconds: 3600.0,
        worker_threads: 2,
        connections: Counts { current: 12, maximum: 20, total: 1234 },
        connections_max: 4000,
        descriptors_open: 30,
        descriptors_max: 20_000,
        draining: false,
        last_reload: None,
        last_reload_failed: false,
        virtuals: 1,
        pools: 2,
        members: members.len() as u32,
        members_up: members.len() as u32,
        sessions: 4,
        operations_open: 3,
        unsaved_changes: 0,
        user: "socket".into(),
        role: "admin".into(),
    };
    let hue = Virtual {
        name: "hue".into(),
        description: String::new(),
        listen: vec!["0.0.0.0:21051".into()],
        kind: "standard".into(),
        protocol: "hs2".into(),
        pool: "hs2".into(),
        health: Health::Up,
        reason: String::new(),
        connections: Counts { current: 12, maximum: 20, total: 1234 },
        connections_max: None,
        traffic: Traffic::default(),
        persistence_entries: None,
        tls_client: false,
        tls_server: false,
    };
    Snapshot { at: std::time::Instant::now(), status, virtuals: vec![hue], members }
}
