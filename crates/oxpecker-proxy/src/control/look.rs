//! Snapshots of what is configured, open and measured.

use oxpecker_balance::balancer::{self, Balancer};
use oxpecker_config::model::{Host, Method, Protocol, VirtualKind};

use super::Handle;
use super::view::{
    CountsView, MemberView, NodeView, PoolView, ProbeView, TrafficView, VirtualView,
};
use crate::aware::{OperationView, SessionView, StatementView};
use crate::counters::Traffic;
use crate::limit::Limit;
use crate::listener::ListenerKey;
use crate::state::{MemberState, NodeState, PoolState, Topology, VirtualState};
use crate::tls::{self, CertificateStatus};

impl Handle {
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
        let view = |pool: &std::sync::Arc<PoolState>| {
            let counts = counts.iter().find(|counts| counts.id == pool.id)?;
            let members = pool.members.iter().filter_map(|member| {
                let view = balancer.member(member.id)?;
                Some(member_view(&pool.config.name, member, view, now.0))
            });
            Some(PoolView {
                name: pool.config.name.clone(),
                description: pool.config.description.clone(),
                method: method_word(pool.config.method),
                connections: counts_view(counts.counts),
                queue: pool.queue.waiting(),
                queue_max_seen: 0,
                queue_limit: pool.config.queue_max,
                monitor: pool.config.monitor.as_ref().map(|monitor| monitor.name.clone()),
                refused: 0,
                members: members.collect(),
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
        connections: limit_view(&policy.connections),
        connections_max: config.connections_max,
        traffic: traffic_view(&policy.traffic),
        traffic_ever: traffic_view(&policy.traffic),
        ends: Vec::new(),
        persistence_entries: policy.table.map(|table| balancer.entries_len(table)),
        tls_client: policy.tls.server.is_some(),
        tls_server: policy.tls.client.is_some(),
    }
}

fn member_view(
    pool: &str,
    member: &MemberState,
    view: balancer::MemberView,
    now: std::time::Duration,
) -> MemberView {
    MemberView {
        pool: pool.to_owned(),
        name: member.name.clone(),
        node: member.node.name.clone(),
        address: member.address(),
        port: member.port,
        admin_state: view.admin_state,
        health: view.health,
        health_cause: view.cause,
        health_reason: String::new(),
        health_since: now.saturating_sub(view.since.0),
        weight: view.weight,
        priority: view.priority,
        connections: CountsView {
            open: view.open,
            open_max: view.open_max,
            total: view.total,
            total_ever: view.total,
        },
        connections_max: view.connections_max,
        node_connections: view.node_open,
        traffic: traffic_view(&member.traffic),
        traffic_ever: traffic_view(&member.traffic),
        operations: member.operations.load(std::sync::atomic::Ordering::Relaxed),
        probe: ProbeView::default(),
        connects: 0,
        connect_time: std::time::Duration::ZERO,
        connect_failures: 0,
        retries: 0,
        redispatches: 0,
        member_aborts: 0,
        client_aborts: 0,
        times_down: 0,
        downtime: std::time::Duration::ZERO,
        last_chosen: None,
    }
}

fn node_view(node: &NodeState, topology: &Topology, counts: &[balancer::NodeView]) -> NodeView {
    let members = topology.pools.iter().flat_map(|pool| &pool.members);
    let mut traffic = TrafficView::default();
    let mut operations = 0;
    for member in members.filter(|member| member.node.name == node.name) {
        traffic = traffic + traffic_view(&member.traffic);
        operations = member.operations.load(std::sync::atomic::Ordering::Relaxed);
    }
    let host = match &node.host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let known = counts.iter().find(|known| known.name == host);
    NodeView {
        name: node.name.clone(),
        description: String::new(),
        host,
        address: node.address(),
        members: known.map_or(0, |known| known.members),
        connections: known.map_or_else(CountsView::default, |known| counts_view(known.counts)),
        traffic,
        operations,
    }
}

fn counts_view(counts: balancer::Counts) -> CountsView {
    CountsView {
        open: counts.open,
        open_max: counts.open_max,
        total: counts.total,
        total_ever: counts.total,
    }
}

fn limit_view(limit: &Limit) -> CountsView {
    CountsView {
        open: limit.open(),
        open_max: limit.peak(),
        total: limit.total(),
        total_ever: limit.total(),
    }
}

fn traffic_view(traffic: &Traffic) -> TrafficView {
    let (up, down) = traffic.sum();
    TrafficView {
        bytes_in: up.bytes,
        bytes_out: down.bytes,
        packets_in: up.reads,
        packets_out: down.reads,
    }
}

impl std::ops::Add for TrafficView {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            packets_in: self.packets_in + other.packets_in,
            packets_out: self.packets_out + other.packets_out,
        }
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
