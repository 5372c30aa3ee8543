//! Snapshots of what is configured, open and measured.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::resource::{Resource, getrlimit};
use oxpecker_balance::balancer::{self, Balancer};
use oxpecker_balance::spec::Now;
use oxpecker_config::model::{Host, Method, Probe, Protocol, VirtualKind};

use super::Handle;
use super::view::{
    CountsView, EndingView, HistogramView, LeavingView, MemberView, NodeView, PoolView, ProbeView,
    Status, TimeView, TimesView, TrafficView, VirtualView,
};
use crate::aware::{OperationView, SessionView, StatementView};
use crate::counters::{BOUNDS, Histogram, Moved, Moving, Times};
use crate::limit::Limit;
use crate::listener::ListenerKey;
use crate::pulse::{self, Silent};
use crate::state::{MemberState, NodeState, PoolState, Topology, VirtualState};
use crate::tls::{self, CertificateStatus};

impl Handle {
    /// The process as a whole.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let last = shared.reloads.last();
        Status {
            started: shared.begun,
            uptime: shared.uptime(),
            worker_threads: shared.registries.len(),
            connections: limit_view(&shared.connections),
            connections_max: shared.connections.max(),
            descriptors_open: shared.descriptors().unwrap_or(0),
            descriptors_max: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
            draining: shared.is_draining(),
            last_reload: last.map(|(at, _)| at),
            last_reload_failed: last.is_some_and(|(_, succeeded)| !succeeded),
            changes: shared.changes.edits().len(),
            unsaved_changes: shared.changes.unsaved(),
            unreadable_messages: shared.sessions.unreadable.load(Ordering::Relaxed),
            handle_searches: shared.sessions.searches.load(Ordering::Relaxed),
        }
    }

    /// A worker thread that does not come round to what is due. Its connections stand still, and those
    /// that the kernel gives it wait.
    pub fn silent_worker(&self) -> Option<Silent> {
        self.shared.pulse.silent(self.shared.now(), pulse::PATIENCE)
    }

    /// The last connections that did not end in order, the newest first.
    pub fn endings(&self, limit: usize) -> Vec<EndingView> {
        self.shared.endings.newest(limit)
    }

    /// In the order of the configuration.
    pub fn virtuals(&self) -> Vec<VirtualView> {
        let topology = self.shared.topology();
        let balancer = self.shared.balancer();
        topology.virtuals.iter().map(|policy| virtual_view(policy, &balancer)).collect()
    }

    /// In the order of the configuration, with their members.
    pub fn pools(&self) -> Vec<PoolView> {
        let topology = self.shared.topology();
        let balancer = self.shared.balancer();
        let now = self.shared.now();
        let counts = balancer.pools();
        let leaving = balancer.leaving();
        let view = |pool: &std::sync::Arc<PoolState>| {
            let counts = counts.iter().find(|counts| counts.id == pool.id)?;
            let members = pool.members.iter().filter_map(|member| {
                let view = balancer.member(member.id)?;
                Some(member_view(pool, member, view, now))
            });
            let leaving = leaving
                .iter()
                .filter(|view| view.pool == pool.id)
                .map(|view| LeavingView { name: view.name.clone(), connections: view.open });
            let (queue_served, queue_time) = pool.queue.served();
            Some(PoolView {
                name: pool.config.name.clone(),
                description: pool.config.description.clone(),
                method: method_word(pool.config.method),
                connections: counts_view(counts.counts),
                queue: pool.queue.waiting(),
                queue_max_seen: pool.queue.peak(),
                queue_limit: pool.config.queue_max,
                queue_served,
                queue_time,
                times: times_view(&pool.counters.times),
                monitor: pool.config.monitor.as_ref().map(|monitor| monitor.name.clone()),
                refused: pool.counters.refused(),
                members: members.collect(),
                leaving: leaving.collect(),
            })
        };
        topology.pools.iter().filter_map(view).collect()
    }

    /// In the order of the configuration.
    pub fn nodes(&self) -> Vec<NodeView> {
        let topology = self.shared.topology();
        let counts = self.shared.balancer().nodes();
        topology.nodes.iter().map(|node| node_view(node, &topology, &counts)).collect()
    }

    /// All certificates that clients and members are shown, each once.
    pub fn certificates(&self) -> Vec<CertificateStatus> {
        tls::status::snapshot(&self.shared.topology())
    }

    /// The sessions that are known, of virtual servers that read the protocol.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.shared.sessions.session_views()
    }

    /// Operations that are open, and the latest that are over.
    pub fn operations(&self) -> Vec<OperationView> {
        self.shared.sessions.operation_views()
    }

    /// The `count` kinds of statements that cost most time since the start or the last reset.
    pub fn top_statements(&self, count: usize) -> Vec<StatementView> {
        self.shared.sessions.top_statements(count)
    }
}

fn virtual_view(policy: &VirtualState, balancer: &Balancer) -> VirtualView {
    let config = &policy.config;
    VirtualView {
        name: config.name.clone(),
        description: config.description.clone(),
        listen: ListenerKey::of(config).map(|key| key.to_string()).collect(),
        kind: match config.kind {
            VirtualKind::Layer4 => "layer4",
            VirtualKind::Standard => "standard",
        },
        protocol: match config.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Hs2 => "hs2",
            Protocol::Beeswax => "beeswax",
            Protocol::Hs2Http => "hs2-http",
        },
        pool: policy.pool.config.name.clone(),
        sni_pools: sni_pools(policy),
        listening: policy.is_listening(),
        connections: limit_view(&policy.connections),
        connections_max: config.connections_max,
        traffic: traffic_view(policy.traffic.since_reset()),
        traffic_ever: traffic_view(policy.traffic.sum()),
        ends: policy.counters.ends(),
        persistence_entries: policy.table.map(|table| balancer.entries_len(table)),
        tls_client: policy.tls.server.is_some(),
        tls_server: policy.tls.client.is_some(),
    }
}

/// Each once, and not the virtual server's own.
fn sni_pools(policy: &VirtualState) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, pool) in &policy.sni_routes {
        let name = &pool.config.name;
        if *name != policy.pool.config.name && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn member_view(
    pool: &PoolState,
    member: &MemberState,
    view: balancer::MemberView,
    now: Now,
) -> MemberView {
    let counters = &member.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let span = counters.health(now);
    let connect_times = histogram_view(&counters.connects);
    MemberView {
        pool: pool.config.name.clone(),
        name: member.name.clone(),
        node: member.node.name.clone(),
        address: member.address(),
        port: member.port,
        admin_state: view.admin_state,
        health: view.health,
        health_cause: view.cause,
        health_reason: span.reason,
        health_since: now.0.saturating_sub(view.since.0),
        weight: view.weight,
        priority: view.priority,
        connections: CountsView {
            open: view.open,
            open_max: view.open_max,
            total: view.total,
            total_ever: view.total_ever,
        },
        connections_max: view.connections_max,
        node_connections: view.node_open,
        traffic: traffic_view(member.traffic.since_reset()),
        traffic_ever: traffic_view(member.traffic.sum()),
        operations: member.operations.load(Ordering::Relaxed),
        operations_told: member.node.told_operations.get(),
        probe: probe_view(pool, member),
        connects: connect_times.count(),
        connect_time: connect_times.sum,
        connect_times,
        times: times_view(&counters.times),
        connect_failures: count(&counters.connect_failures),
        tls_failures: count(&counters.tls_failures),
        retries: count(&counters.retries),
        redispatches: count(&counters.redispatches),
        member_aborts: count(&counters.member_aborts),
        client_aborts: count(&counters.client_aborts),
        times_down: span.times_down,
        downtime: span.downtime,
        last_chosen: counters.last_chosen(now),
    }
}

fn probe_view(pool: &PoolState, member: &MemberState) -> ProbeView {
    let Some(monitor) = &pool.config.monitor else { return ProbeView::default() };
    let facts = member.counters.probe();
    let times = histogram_view(&member.counters.probe_times);
    let last = facts.last;
    ProbeView {
        kind: probe_word(&monitor.probe),
        passed: facts.passed,
        failed: facts.failed,
        last: last.as_ref().map(|last| last.at),
        last_duration: last.as_ref().map(|last| last.duration),
        failure: last.as_ref().and_then(|last| last.failure),
        last_result: last.map(|last| last.result).unwrap_or_default(),
        rise: monitor.rise,
        fall: monitor.fall,
        in_a_row: facts.in_a_row,
        time: times.sum,
        times,
        version: facts.version,
        webserver_address: facts.webserver_address,
    }
}

fn probe_word(probe: &Probe) -> &'static str {
    match probe {
        Probe::Tcp => "tcp",
        Probe::Http { .. } => "http",
        Probe::Healthz => "healthz",
        Probe::Hs2(_) => "hs2",
        Probe::Beeswax(_) => "beeswax",
        Probe::Hs2Http { .. } => "hs2-http",
    }
}

fn histogram_view(histogram: &Histogram) -> HistogramView {
    HistogramView { bounds: &BOUNDS, counts: histogram.counts(), sum: histogram.sum() }
}

fn times_view(times: &Times) -> TimesView {
    let kinds = times.get();
    let view = |moving: Moving| TimeView { mean: moving.mean(), max: moving.max() };
    TimesView { queue: view(kinds.queue), connect: view(kinds.connect), total: view(kinds.total) }
}

/// The bytes of all members of a node, ever.
pub(super) fn node_traffic(node: &NodeState, topology: &Topology) -> (Moved, Moved) {
    let members = topology.pools.iter().flat_map(|pool| &pool.members);
    let sums = members.filter(|member| member.node.name == node.name).map(|m| m.traffic.sum());
    sums.fold(<(Moved, Moved)>::default(), |all, one| (all.0 + one.0, all.1 + one.1))
}

fn node_view(node: &NodeState, topology: &Topology, counts: &[balancer::NodeView]) -> NodeView {
    let mut members = topology.pools.iter().flat_map(|pool| &pool.members);
    // All of them know the number of their node.
    let member = members.find(|member| member.node.name == node.name);
    let operations = member.map_or(0, |member| member.operations.load(Ordering::Relaxed));
    let host = match &node.host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let key = host.to_ascii_lowercase();
    let known = counts.iter().find(|known| known.name == key);
    NodeView {
        name: node.name.clone(),
        description: node.description.clone(),
        host,
        address: node.address(),
        members: known.map_or(0, |known| known.members),
        connections: known.map_or_else(CountsView::default, |known| counts_view(known.counts)),
        traffic: traffic_view(node.base.since(node_traffic(node, topology))),
        operations,
    }
}

fn counts_view(counts: balancer::Counts) -> CountsView {
    CountsView {
        open: counts.open,
        open_max: counts.open_max,
        total: counts.total,
        total_ever: counts.total_ever,
    }
}

fn limit_view(limit: &Limit) -> CountsView {
    CountsView {
        open: limit.open(),
        open_max: limit.peak(),
        total: limit.total_since_reset(),
        total_ever: limit.total(),
    }
}

fn traffic_view((up, down): (Moved, Moved)) -> TrafficView {
    TrafficView {
        bytes_in: up.bytes,
        bytes_out: down.bytes,
        packets_in: up.reads,
        packets_out: down.reads,
    }
}

fn method_word(method: Method) -> &'static str {
    match method {
        Method::RoundRobin => "round-robin",
        Method::LeastConnections => "least-connections",
        Method::SourceHash => "source-hash",
        Method::RandomTwo => "random-two",
        Method::LeastOperations => "least-operations",
    }
}
