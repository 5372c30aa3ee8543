//! Which coordinator, in words that stay the same over reloads, restarts and gateways.

use std::fmt;
use std::sync::Arc;

use oxpecker_config::model::Host;

use crate::state::{MemberState, PoolState};

/// A coordinator's address as configured, and the port that was used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

impl Place {
    /// Of what no coordinator has seen.
    pub(crate) fn nowhere() -> Self {
        Self { host: "".into(), port: 0 }
    }

    pub(crate) fn of(member: &MemberState) -> Self {
        Self { host: Self::host_of(&member.node.host), port: member.port }
    }

    /// The same for two names of a node with one address.
    pub(crate) fn host_of(host: &Host) -> Arc<str> {
        match host {
            Host::Ip(ip) => ip.to_string().into(),
            Host::Name(name) => name.to_ascii_lowercase().into(),
        }
    }

    /// The member of `pool` that is this coordinator: the same port, or the only one of its
    /// address, for sessions are shared between a coordinator's ports.
    pub(crate) fn member(&self, pool: &PoolState) -> Option<Arc<MemberState>> {
        let mut others = Vec::new();
        for member in &pool.members {
            let place = Self::of(member);
            if place == *self {
                return Some(Arc::clone(member));
            }
            if place.host == self.host {
                others.push(member);
            }
        }
        if others.len() == 1 { others.pop().cloned() } else { None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            return Ok(());
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}
