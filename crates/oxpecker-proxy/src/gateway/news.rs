//! Tells what a new configuration changed, as events.

use std::collections::BTreeSet;

use crate::control::Who;
use crate::control::events::{EventKind, Events};
use crate::state::Topology;

/// Notes every object that came or went.
pub(super) fn compare(events: &Events, who: &Who, old: &Topology, new: &Topology) {
    for (what, names) in [
        ("virtual server", virtuals as fn(&Topology) -> BTreeSet<String>),
        ("pool", pools),
        ("member", members),
        ("node", nodes),
    ] {
        let (before, after) = (names(old), names(new));
        for name in after.difference(&before) {
            events.note(who.as_str(), EventKind::Added, name, &format!("{what} added"));
        }
        for name in before.difference(&after) {
            events.note(who.as_str(), EventKind::Removed, name, &format!("{what} removed"));
        }
    }
}

fn virtuals(topology: &Topology) -> BTreeSet<String> {
    topology.virtuals.iter().map(|policy| policy.config.name.clone()).collect()
}

fn pools(topology: &Topology) -> BTreeSet<String> {
    topology.pools.iter().map(|pool| pool.config.name.clone()).collect()
}

fn members(topology: &Topology) -> BTreeSet<String> {
    let of_pool = |pool: &crate::state::PoolState| -> Vec<String> {
        let name = &pool.config.name;
        pool.members.iter().map(|member| format!("{name}/{}", member.name)).collect()
    };
    topology.pools.iter().flat_map(|pool| of_pool(pool)).collect()
}

fn nodes(topology: &Topology) -> BTreeSet<String> {
    topology.nodes.iter().map(|node| node.name.clone()).collect()
}
