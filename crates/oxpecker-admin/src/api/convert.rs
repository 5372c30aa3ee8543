//! From the data plane's views to the shapes of the API: inner changes end here.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Unit};
use oxpecker_api::{self as api, Counts, Health, Traffic};
use oxpecker_proxy::control::{
    self, AdminState, CountsView, MemberView, NodeView, PoolView, TrafficView, VirtualView,
};
use oxpecker_proxy::{CertificateStatus, OperationView, SessionView, Side, StatementView};

use crate::access::{Caller, role_word};
use crate::app::App;

pub(crate) fn time(at: Timestamp) -> String {
    // To the millisecond: nothing here is known better.
    at.round(Unit::Millisecond).unwrap_or(at).to_string()
}

fn system_time(at: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(at).ok()
}

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// With nobody as the caller.
pub(crate) fn status(app: &App) -> api::Status {
    let (process, pools) = (app.control.status(), app.control.pools());
    let members = || pools.iter().flat_map(|pool| &pool.members);
    let operations = app.control.operations();
    api::Status {
        version: app.version.to_owned(),
        pid: std::process::id(),
        host: app.host.clone(),
        started: time(process.started),
        uptime_seconds: process.uptime.as_secs_f64(),
        worker_threads: count(process.worker_threads),
        connections: counts(process.connections),
        connections_max: process.connections_max,
        descriptors_open: process.descriptors_open,
        descriptors_max: process.descriptors_max,
        draining: process.draining,
        last_reload: process.last_reload.map(time),
        last_reload_failed: process.last_reload_failed,
        virtuals: count(app.control.virtuals().len()),
        pools: count(pools.len()),
        members: count(members().count()),
        members_up: count(members().filter(|m| m.health == control::Health::Up).count()),
        sessions: count(app.control.sessions().len()),
        operations_open: count(operations.iter().filter(|o| o.end.is_none()).count()),
        unsaved_changes: count(process.unsaved_changes),
        user: String::new(),
        role: String::new(),
    }
}

pub(crate) fn for_caller(status: api::Status, caller: &Caller) -> api::Status {
    api::Status { user: caller.name.clone(), role: role_word(caller.role).to_owned(), ..status }
}

pub(crate) fn counts(view: CountsView) -> Counts {
    Counts { current: view.open, maximum: view.open_max, total: view.total }
}

pub(crate) fn traffic(view: TrafficView) -> Traffic {
    Traffic {
        bits_in: view.bytes_in.saturating_mul(8),
        bits_out: view.bytes_out.saturating_mul(8),
        packets_in: view.packets_in,
        packets_out: view.packets_out,
    }
}

pub(crate) fn health(health: control::Health) -> Health {
    match health {
        control::Health::Unknown => Health::Unknown,
        control::Health::Up => Health::Up,
        control::Health::Down => Health::Down,
        control::Health::Quiescing => Health::Quiescing,
    }
}

fn admin_state(state: AdminState) -> api::AdminState {
    match state {
        AdminState::Enabled => api::AdminState::Enabled,
        AdminState::Draining => api::AdminState::Draining,
        AdminState::Disabled => api::AdminState::Disabled,
    }
}

pub(crate) fn admin_state_of(state: api::AdminState) -> AdminState {
    match state {
        api::AdminState::Enabled => AdminState::Enabled,
        api::AdminState::Draining => AdminState::Draining,
        api::AdminState::Disabled => AdminState::Disabled,
    }
}

/// It takes new clients.
pub(crate) fn is_usable(member: &MemberView) -> bool {
    member.admin_state == AdminState::Enabled
        && matches!(member.health, control::Health::Up | control::Health::Unknown)
}

pub(crate) fn member(view: &MemberView) -> api::Member {
    let probe = &view.probe;
    api::Member {
        pool: view.pool.clone(),
        name: view.name.clone(),
        node: view.node.clone(),
        address: view.address.map(|address| address.to_string()),
        port: view.port,
        admin_state: admin_state(view.admin_state),
        health: health(view.health),
        reason: view.health_reason.clone(),
        health_for_seconds: view.health_since.as_secs_f64(),
        usable: is_usable(view),
        weight: view.weight,
        priority: view.priority,
        connections: counts(view.connections),
        connections_max: view.connections_max,
        node_connections: view.node_connections,
        traffic: traffic(view.traffic),
        operations: view.operations,
        operations_told: view.operations_told,
        probe: (!probe.kind.is_empty()).then(|| api::Probe {
            kind: probe.kind.to_owned(),
            passed: probe.passed,
            failed: probe.failed,
            last: probe.last.map(time),
            last_seconds: probe.last_duration.map(|last| last.as_secs_f64()),
            last_result: probe.last_result.clone(),
            version: probe.version.clone(),
            webserver_address: probe.webserver_address.clone(),
        }),
        connect_failures: view.connect_failures,
        connect_seconds_average: (view.connects > 0)
            .then(|| view.connect_time.as_secs_f64() / view.connects as f64),
    }
}

/// Of many: up while one is, unknown while nobody knows better.
fn together(all: impl Iterator<Item = Health>) -> Health {
    let mut found = Health::Down;
    for health in all {
        match health {
            Health::Up => return Health::Up,
            Health::Unknown => found = Health::Unknown,
            Health::Down | Health::Quiescing => {}
        }
    }
    found
}

pub(crate) fn pool_health(view: &PoolView) -> (Health, String) {
    let usable = view.members.iter().filter(|member| is_usable(member));
    let found = together(usable.clone().map(|member| health(member.health)));
    let (usable, all) = (usable.count(), view.members.len());
    (found, format!("{usable} of {all} members take new clients"))
}

pub(crate) fn virtual_health(view: &VirtualView, pools: &[PoolView]) -> (Health, String) {
    if !view.listening {
        return (Health::Down, "an operator has closed its listeners".to_owned());
    }
    let names = || std::iter::once(&view.pool).chain(&view.sni_pools);
    let found = names().filter_map(|name| pools.iter().find(|pool| pool.name == *name));
    let own = found.clone().next().map(pool_health);
    let health = together(found.map(|pool| pool_health(pool).0));
    (health, own.map_or_else(String::new, |(_, reason)| format!("pool {}: {reason}", view.pool)))
}

pub(crate) fn pool(view: &PoolView) -> api::Pool {
    let (health, reason) = pool_health(view);
    api::Pool {
        name: view.name.clone(),
        description: view.description.clone(),
        method: view.method.to_owned(),
        monitor: view.monitor.clone(),
        health,
        reason,
        connections: counts(view.connections),
        traffic: traffic(pool_traffic(view)),
        queue: view.queue,
        queue_limit: view.queue_limit,
        members: view.members.iter().map(member).collect(),
    }
}

/// Bytes are summed before they are written short, as F5 does.
pub(crate) fn pool_traffic(view: &PoolView) -> TrafficView {
    let all = view.members.iter().map(|member| member.traffic);
    all.fold(TrafficView::default(), |sum, one| TrafficView {
        bytes_in: sum.bytes_in + one.bytes_in,
        bytes_out: sum.bytes_out + one.bytes_out,
        packets_in: sum.packets_in + one.packets_in,
        packets_out: sum.packets_out + one.packets_out,
    })
}

pub(crate) fn virtual_server(view: &VirtualView, pools: &[PoolView]) -> api::Virtual {
    let (health, reason) = virtual_health(view, pools);
    api::Virtual {
        name: view.name.clone(),
        description: view.description.clone(),
        listen: view.listen.clone(),
        kind: view.kind.to_owned(),
        protocol: view.protocol.to_owned(),
        pool: view.pool.clone(),
        health,
        reason,
        connections: counts(view.connections),
        connections_max: view.connections_max,
        traffic: traffic(view.traffic),
        persistence_entries: view.persistence_entries.map(|entries| entries as u64),
        tls_client: view.tls_client,
        tls_server: view.tls_server,
    }
}

pub(crate) fn node_health(view: &NodeView, pools: &[PoolView]) -> Health {
    let members = pools.iter().flat_map(|pool| &pool.members);
    together(members.filter(|member| member.node == view.name).map(|member| health(member.health)))
}

pub(crate) fn node(view: &NodeView, pools: &[PoolView]) -> api::Node {
    api::Node {
        name: view.name.clone(),
        description: view.description.clone(),
        host: view.host.clone(),
        address: view.address.map(|address| address.to_string()),
        health: node_health(view, pools),
        members: view.members,
        connections: counts(view.connections),
        traffic: traffic(view.traffic),
        operations: view.operations,
    }
}

pub(crate) fn map(virtuals: &[VirtualView], pools: &[PoolView]) -> api::Map {
    let of_pool = |name: &String| {
        let view = pools.iter().find(|pool| pool.name == *name)?;
        Some(api::MapPool {
            name: view.name.clone(),
            health: pool_health(view).0,
            members: view.members.iter().map(member).collect(),
        })
    };
    let of_virtual = |view: &VirtualView| api::MapVirtual {
        name: view.name.clone(),
        listen: view.listen.clone(),
        health: virtual_health(view, pools).0,
        connections: view.connections.open,
        pools: std::iter::once(&view.pool).chain(&view.sni_pools).filter_map(of_pool).collect(),
    };
    api::Map { virtuals: virtuals.iter().map(of_virtual).collect() }
}

pub(crate) fn connection(view: control::ConnectionView) -> api::Connection {
    api::Connection {
        id: view.id,
        client: view.client,
        virtual_server: view.virtual_server,
        pool: view.pool,
        member: view.member,
        accepted: time(view.accepted),
        age_seconds: view.age.as_secs_f64(),
        idle_seconds: view.idle.map(|idle| idle.as_secs_f64()),
        bytes_in: view.bytes_in,
        bytes_out: view.bytes_out,
    }
}

pub(crate) fn ending(view: control::EndingView) -> api::Ending {
    api::Ending {
        id: view.id,
        at: time(view.at),
        client: view.client,
        virtual_server: view.virtual_server,
        pool: view.pool,
        member: view.member,
        duration_seconds: view.duration.as_secs_f64(),
        bytes_in: view.bytes_in,
        bytes_out: view.bytes_out,
        end_state: view.end_state.to_owned(),
        reason: view.reason.to_owned(),
    }
}

pub(crate) fn event(event: control::Event) -> api::Event {
    api::Event {
        id: event.id,
        at: time(event.at),
        kind: event.kind.word().to_owned(),
        who: event.who,
        subject: event.subject,
        text: event.text,
    }
}

pub(crate) fn entry(virtual_server: &str, view: control::EntryView) -> api::PersistenceEntry {
    api::PersistenceEntry {
        virtual_server: virtual_server.to_owned(),
        client: view.client.to_string(),
        member: view.member,
        idle_seconds: view.idle.as_secs_f64(),
        open: view.open,
    }
}

pub(crate) fn certificate(status: CertificateStatus, now: Timestamp) -> api::Certificate {
    const DAY: i64 = 24 * 3600;
    let not_after = status.not_after.and_then(system_time);
    api::Certificate {
        side: match status.side {
            Side::Clients => "clients",
            Side::Members => "members",
        }
        .to_owned(),
        profile: status.profile,
        name: status.name,
        names: status.names,
        not_before: status.not_before.and_then(system_time).map(time),
        not_after: not_after.map(time),
        expires_in_days: not_after.map(|at| (at.as_second() - now.as_second()).div_euclid(DAY)),
        last_error: status.last_error,
    }
}

pub(crate) fn session(view: SessionView) -> api::Session {
    api::Session {
        id: view.id,
        virtual_server: view.virtual_server,
        pool: view.pool,
        coordinator: view.coordinator,
        user: view.user,
        do_as: view.do_as,
        client: view.client,
        opened: time(view.opened),
        idle_seconds: view.idle.as_secs_f64(),
        connections: view.connections,
        operations_open: view.operations_open,
    }
}

pub(crate) fn operation(view: OperationView) -> api::Operation {
    let seconds = |at: Option<Duration>| at.map(|at| at.as_secs_f64());
    api::Operation {
        id: view.id,
        session: view.session,
        virtual_server: view.virtual_server,
        coordinator: view.coordinator,
        user: view.user,
        do_as: view.do_as,
        client: view.client,
        statement: view.statement,
        method: view.method.to_owned(),
        began: time(view.began),
        age_seconds: view.age.as_secs_f64(),
        first_row_seconds: seconds(view.first_row),
        last_row_seconds: seconds(view.last_row),
        rows: view.rows,
        rows_written: view.rows_written,
        bytes: view.bytes,
        cancelled: view.cancelled,
        end: view.end.map(|end| end.words().to_owned()),
        pool: view.pool,
        digest: digest(view.digest),
        cancelled_by: view.cancelled_by.map(|by| by.words().to_owned()),
        sql_state: Some(view.sql_state).filter(|state| !state.is_empty()),
    }
}

pub(crate) fn statement(view: StatementView) -> api::Statement {
    api::Statement {
        digest: digest(view.digest),
        seconds_mean: view.mean().as_secs_f64(),
        statement: view.statement,
        count: view.count,
        errors: view.errors,
        seconds_total: view.total.as_secs_f64(),
        seconds_max: view.max.as_secs_f64(),
        rows: view.rows,
        bytes: view.bytes,
        last: time(view.last),
    }
}

/// As query records have it.
fn digest(digest: u64) -> String {
    format!("{digest:016x}")
}
