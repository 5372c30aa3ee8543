//! Configuration words to the words of the balancer and of the wire: the pure crates do not
//! know each other.

use oxpecker_balance::spec;
use oxpecker_config::model;
use oxpecker_wire::proxy_header::Version;

pub(crate) fn pool(pool: &model::Pool, nodes: &[model::Node]) -> spec::PoolSpec {
    spec::PoolSpec {
        name: pool.name.clone(),
        method: match pool.method {
            model::Method::RoundRobin => spec::Method::RoundRobin,
            model::Method::LeastConnections => spec::Method::LeastConnections,
            model::Method::LeastOperations => spec::Method::LeastOperations,
            model::Method::SourceHash => spec::Method::SourceHash,
            model::Method::RandomTwo => spec::Method::RandomTwo,
        },
        scope: match pool.scope {
            model::Scope::Node => spec::Scope::Node,
            model::Scope::Member => spec::Scope::Member,
        },
        members: pool.members.iter().map(|member| self::member(member, nodes)).collect(),
        monitored: pool.monitor.is_some(),
        thresholds: pool.monitor.as_ref().map_or(
            spec::Thresholds { rise: 1, fall: 1 },
            |monitor| spec::Thresholds { rise: monitor.rise, fall: monitor.fall },
        ),
        slow_start: pool.slow_start,
        priority_min_active: pool.priority_min_active,
        when_all_down: match pool.when_all_down {
            model::WhenAllDown::Refuse => spec::WhenAllDown::Refuse,
            model::WhenAllDown::TryAny => spec::WhenAllDown::TryAny,
        },
        connect_failures_max: pool.connect_failures_max,
        connect_failures_retry: pool.connect_failures_retry,
    }
}

fn member(member: &model::Member, nodes: &[model::Node]) -> spec::MemberSpec {
    let node = &nodes[member.node];
    spec::MemberSpec {
        name: member_name(node, member.port),
        // Two names for one host share its count.
        node: node_key(&node.address),
        weight: member.weight,
        priority: member.priority,
        connections_max: member.connections_max,
        admin_state: admin_state(member.state),
    }
}

/// What members on one host share.
pub(crate) fn node_key(host: &model::Host) -> String {
    match host {
        model::Host::Ip(ip) => ip.to_string(),
        model::Host::Name(name) => name.to_ascii_lowercase(),
    }
}

pub(crate) fn admin_state(state: model::AdminState) -> spec::AdminState {
    match state {
        model::AdminState::Enabled => spec::AdminState::Enabled,
        model::AdminState::Draining => spec::AdminState::Draining,
        model::AdminState::Disabled => spec::AdminState::Disabled,
    }
}

pub(crate) fn admin_state_of(state: spec::AdminState) -> model::AdminState {
    match state {
        spec::AdminState::Enabled => model::AdminState::Enabled,
        spec::AdminState::Draining => model::AdminState::Draining,
        spec::AdminState::Disabled => model::AdminState::Disabled,
    }
}

/// F5's way to name a member: label and port.
pub(crate) fn member_name(node: &model::Node, port: u16) -> String {
    format!("{}:{port}", node.name)
}

pub(crate) fn wire_version(version: model::ProxyVersion) -> Version {
    match version {
        model::ProxyVersion::V1 => Version::V1,
        model::ProxyVersion::V2 => Version::V2,
    }
}

pub(crate) fn table(virtual_server: &model::Virtual) -> Option<spec::TableSpec> {
    let persistence = virtual_server.persistence.as_ref()?;
    Some(spec::TableSpec {
        name: virtual_server.name.clone(),
        timeout: persistence.timeout,
        mask_v4: persistence.mask_v4,
        mask_v6: persistence.mask_v6,
        entries_max: persistence.entries_max,
    })
}
