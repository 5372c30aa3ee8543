//! `/metrics`: everything that is counted, for Prometheus.

mod haproxy;
mod names;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use jiff::Timestamp;
use oxpecker_config::model::Role;
use oxpecker_proxy::control::{
    AdminState, Health, HistogramView, MemberView, PoolView, VirtualView,
};
use oxpecker_proxy::{CertificateStatus, OperationView, SessionView, Side};

use crate::app::App;
use crate::haproxy::{Key, Wanted, Watched, takes_new};
use crate::route::{Needs, Route};
use crate::snapshot::Snapshot;
use names::Metric;
use page::Page;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/metrics", Needs::Role(Role::Viewer), serve)]
}

async fn serve(State(app): State<Arc<App>>) -> impl IntoResponse {
    let aware = Aware {
        sessions: app.control.sessions(),
        operations: app.control.operations(),
        certificates: app.control.certificates(),
    };
    let haproxy = app.settings().admin.haproxy_metrics.then_some(&app.watched);
    let text = text(&Snapshot::take(&app.control), &aware, haproxy);
    ([(CONTENT_TYPE, page::CONTENT_TYPE)], text)
}

/// What the virtual servers that read the protocol know, and what is shown in TLS.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aware {
    pub(crate) sessions: Vec<SessionView>,
    pub(crate) operations: Vec<OperationView>,
    pub(crate) certificates: Vec<CertificateStatus>,
}

/// With `haproxy` also its names for the same.
pub(crate) fn text(snapshot: &Snapshot, aware: &Aware, haproxy: Option<&Watched>) -> String {
    let mut page = Page::default();
    process(&mut page, snapshot);
    for server in &snapshot.virtuals {
        virtual_server(&mut page, server, aware);
    }
    for pool in &snapshot.pools {
        pool_metrics(&mut page, pool);
        for member in &pool.members {
            member_metrics(&mut page, member);
        }
    }
    certificates(&mut page, &aware.certificates);
    if let Some(watched) = haproxy {
        watched.with(|watch| {
            let rows = crate::haproxy::rows(snapshot, watch, &Wanted::default());
            haproxy::process(&mut page, snapshot, watch.rate(&Key::Process));
            haproxy::rows(&mut page, &rows);
        });
        haproxy::tables(&mut page, snapshot);
    }
    page.text()
}

/// Exact up to 2^53, which is what Prometheus keeps.
fn float(number: u64) -> f64 {
    number as f64
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn process(page: &mut Page, snapshot: &Snapshot) {
    let status = &snapshot.status;
    page.put(&names::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    page.put(&names::START, &[], seconds(status.started));
    page.put(&names::WORKERS, &[], float(status.worker_threads as u64));
    page.put(&names::DRAINING, &[], flag(status.draining));
    page.put(&names::OPEN_FDS, &[], float(status.descriptors_open));
    page.put(&names::MAX_FDS, &[], float(status.descriptors_max));
    // What runs was read at the start, and so counts as taken.
    page.put(&names::RELOAD_SUCCESS, &[], flag(!status.last_reload_failed));
    page.put(&names::RELOAD_TIME, &[], seconds(status.last_reload.unwrap_or(status.started)));
    page.put(&names::UNSAVED, &[], float(status.unsaved_changes as u64));
    let connections = status.connections;
    page.put(&names::CONNECTIONS, &[], connections.open.into());
    page.put(&names::CONNECTIONS_MAX, &[], status.connections_max.into());
    page.put(&names::CONNECTIONS_OPENED, &[], float(connections.total_ever));
    page.put(&names::CONNECTIONS_CLOSED, &[], closed(connections));
    page.put(&names::UNREADABLE, &[], float(status.unreadable_messages));
    page.put(&names::SEARCHES, &[], float(status.handle_searches));
}

fn closed(counts: oxpecker_proxy::control::CountsView) -> f64 {
    float(counts.total_ever.saturating_sub(counts.open.into()))
}

fn virtual_server(page: &mut Page, server: &VirtualView, aware: &Aware) {
    let name = server.name.as_str();
    page.put(&names::VIRTUAL_LISTENING, &[name], flag(server.listening));
    page.put(&names::VIRTUAL_CONNECTIONS, &[name], server.connections.open.into());
    if let Some(limit) = server.connections_max {
        page.put(&names::VIRTUAL_CONNECTIONS_MAX, &[name], limit.into());
    }
    page.put(&names::VIRTUAL_OPENED, &[name], float(server.connections.total_ever));
    page.put(&names::VIRTUAL_CLOSED, &[name], closed(server.connections));
    let traffic = server.traffic_ever;
    page.put(&names::VIRTUAL_BYTES, &[name, "in"], float(traffic.bytes_in));
    page.put(&names::VIRTUAL_BYTES, &[name, "out"], float(traffic.bytes_out));
    page.put(&names::VIRTUAL_READS, &[name, "in"], float(traffic.packets_in));
    page.put(&names::VIRTUAL_READS, &[name, "out"], float(traffic.packets_out));
    for (letters, reason, count) in &server.ends {
        page.put(&names::CONNECTION_END, &[name, letters, reason], float(*count));
    }
    if let Some(entries) = server.persistence_entries {
        page.put(&names::PERSISTENCE, &[name], float(entries as u64));
    }
    if server.protocol != "tcp" {
        let sessions = aware.sessions.iter().filter(|session| session.virtual_server == name);
        page.put(&names::SESSIONS, &[name], float(sessions.count() as u64));
        let open = |operation: &&OperationView| {
            operation.virtual_server == name && operation.end.is_none()
        };
        let operations = aware.operations.iter().filter(open).count();
        page.put(&names::OPERATIONS, &[name], float(operations as u64));
    }
}

fn pool_metrics(page: &mut Page, pool: &PoolView) {
    let name = pool.name.as_str();
    page.put(&names::POOL_CONNECTIONS, &[name], pool.connections.open.into());
    page.put(&names::POOL_MEMBERS, &[name], float(pool.members.len() as u64));
    let usable = pool.members.iter().filter(|member| takes_new(member)).count();
    page.put(&names::POOL_USABLE, &[name], float(usable as u64));
    page.put(&names::POOL_QUEUE, &[name], pool.queue.into());
    page.put(&names::POOL_QUEUE_MAX, &[name], pool.queue_limit.into());
    page.put(&names::POOL_QUEUE_WAITED, &[name], float(pool.queue_served));
    page.put(&names::POOL_QUEUE_TIME, &[name], pool.queue_time.as_secs_f64());
    page.put(&names::POOL_REFUSED, &[name], float(pool.refused));
}

fn member_metrics(page: &mut Page, member: &MemberView) {
    let labels = [member.pool.as_str(), member.name.as_str(), member.node.as_str()];
    let with = |last: &'static str| [labels[0], labels[1], labels[2], last];
    page.put(&names::MEMBER_CONNECTIONS, &labels, member.connections.open.into());
    if let Some(limit) = member.connections_max {
        page.put(&names::MEMBER_CONNECTIONS_MAX, &labels, limit.into());
    }
    page.put(&names::MEMBER_OPENED, &labels, float(member.connections.total_ever));
    page.put(&names::MEMBER_BYTES, &with("in"), float(member.traffic_ever.bytes_in));
    page.put(&names::MEMBER_BYTES, &with("out"), float(member.traffic_ever.bytes_out));
    histogram(page, &names::MEMBER_CONNECT, &labels, &member.connect_times);
    page.put(&names::MEMBER_CONNECT_FAILURES, &labels, float(member.connect_failures));
    page.put(&names::MEMBER_TLS_FAILURES, &labels, float(member.tls_failures));
    page.put(&names::MEMBER_RETRIES, &labels, float(member.retries));
    page.put(&names::MEMBER_REDISPATCHES, &labels, float(member.redispatches));
    page.put(&names::MEMBER_ABORTS, &with("client"), float(member.client_aborts));
    page.put(&names::MEMBER_ABORTS, &with("member"), float(member.member_aborts));
    for (state, word) in ADMIN_STATES {
        page.put(&names::MEMBER_ADMIN_STATE, &with(word), flag(member.admin_state == state));
    }
    for (health, word) in HEALTHS {
        page.put(&names::MEMBER_HEALTH, &with(word), flag(member.health == health));
    }
    page.put(&names::MEMBER_USABLE, &labels, flag(takes_new(member)));
    page.put(&names::MEMBER_WEIGHT, &labels, member.weight.into());
    page.put(&names::MEMBER_OPERATIONS, &labels, member.operations.into());
    page.put(&names::MEMBER_PROBES, &with("passed"), float(member.probe.passed));
    page.put(&names::MEMBER_PROBES, &with("failed"), float(member.probe.failed));
    histogram(page, &names::MEMBER_PROBE, &labels, &member.probe.times);
    page.put(&names::MEMBER_DOWNS, &labels, float(member.times_down));
    page.put(&names::MEMBER_DOWN_TIME, &labels, member.downtime.as_secs_f64());
}

const ADMIN_STATES: [(AdminState, &str); 3] = [
    (AdminState::Enabled, "enabled"),
    (AdminState::Draining, "draining"),
    (AdminState::Disabled, "disabled"),
];

const HEALTHS: [(Health, &str); 4] = [
    (Health::Unknown, "unknown"),
    (Health::Up, "up"),
    (Health::Down, "down"),
    (Health::Quiescing, "quiescing"),
];

fn histogram(page: &mut Page, metric: &Metric<'_>, labels: &[&str], view: &HistogramView) {
    let mut up_to = 0;
    let buckets = view.bounds.iter().zip(&view.counts).map(|(bound, count)| {
        up_to += count;
        (*bound, up_to)
    });
    let buckets: Vec<(f64, u64)> = buckets.collect();
    page.histogram(metric, labels, buckets, (view.count(), view.sum.as_secs_f64()));
}

/// A file that a profile names twice, for different names, is one series: the one that expires first.
fn certificates(page: &mut Page, all: &[CertificateStatus]) {
    let mut series: BTreeMap<[&str; 3], (Option<Duration>, bool)> = BTreeMap::new();
    for certificate in all {
        let side = match certificate.side {
            Side::Clients => "clients",
            Side::Members => "members",
        };
        let labels = [side, certificate.profile.as_str(), certificate.name.as_str()];
        let expiry = certificate.not_after.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let failed = certificate.last_error.is_some();
        let known = series.entry(labels).or_insert((expiry, failed));
        known.0 = known.0.into_iter().chain(expiry).min();
        known.1 |= failed;
    }
    for (labels, (expiry, failed)) in series {
        // Without a certificate there is nothing that expires; the failure says it.
        if let Some(expiry) = expiry {
            page.put(&names::CERTIFICATE_EXPIRY, &labels, expiry.as_secs_f64());
        }
        page.put(&names::CERTIFICATE_FAILED, &labels, flag(failed));
    }
}
