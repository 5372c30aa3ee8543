//! Client connections that are open, persistence entries, and counting anew.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use oxpecker_balance::spec::{MemberId, TableId};
use tokio::time::Instant;

use super::look::node_traffic;
use super::view::{ConnectionView, EntryView};
use super::{CommandError, EventKind, Handle, Selection, Who};
use crate::connection::registry::Conn;
use crate::convert;
use crate::state::{NodeState, PoolState, Topology};

/// Which connections are to be shown; all that is set must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    /// Part of the client's address, or of the virtual server's, pool's or member's name; upper and
    /// lower case are the same.
    pub search: Option<String>,
    /// Pool and `node:port`.
    pub member: Option<(String, String)>,
    pub virtual_server: Option<String>,
}

/// Pools and names of members, those included that are leaving.
struct Names(HashMap<MemberId, (String, String)>);

impl Handle {
    /// At most `limit` connections in no particular order, and whether there are more.
    pub fn connections(
        &self,
        filter: &ConnectionFilter,
        limit: usize,
    ) -> (Vec<ConnectionView>, bool) {
        let names = self.names();
        let search = filter.search.as_ref().map(|text| text.to_lowercase());
        let mut found = Vec::new();
        let mut look = |conn: &Conn| {
            let Some(view) = connection_view(conn, &names) else { return true };
            let fits_member = filter.member.as_ref().is_none_or(|(pool, member)| {
                view.pool == *pool && view.member.as_ref() == Some(member)
            });
            let fits_virtual =
                filter.virtual_server.as_ref().is_none_or(|name| view.virtual_server == *name);
            if !fits_member || !fits_virtual || !search.as_ref().is_none_or(|text| has(&view, text))
            {
                return true;
            }
            if found.len() >= limit {
                return false;
            }
            found.push(view);
            true
        };
        let complete = self.shared.registries.iter().all(|registry| registry.look(&mut look));
        (found, !complete)
    }

    fn names(&self) -> Names {
        let topology = self.shared.topology();
        let mut names = HashMap::new();
        for pool in &topology.pools {
            for member in &pool.members {
                names.insert(member.id, (pool.config.name.clone(), member.name.clone()));
            }
        }
        let balancer = self.shared.balancer();
        for view in balancer.leaving() {
            let pool = balancer.pool_name(view.pool).unwrap_or_default().to_owned();
            names.insert(view.id, (pool, view.name));
        }
        Names(names)
    }

    /// At most `limit` entries by address, and whether there are more.
    pub fn persistence(
        &self,
        virtual_server: &str,
        limit: usize,
    ) -> Result<(Vec<EntryView>, bool), CommandError> {
        let Some(table) = self.table(virtual_server)? else { return Ok((Vec::new(), false)) };
        let now = self.shared.now();
        let balancer = self.shared.balancer();
        let mut entries = balancer.entries(table, now);
        let view = |entry: oxpecker_balance::balancer::EntryView| EntryView {
            client: entry.client,
            member: balancer.member_name(entry.member).unwrap_or_default().to_owned(),
            idle: now.0.saturating_sub(entry.used.0),
            open: entry.open,
        };
        let shown = entries.by_ref().take(limit).map(view).collect();
        let more = entries.next().is_some();
        Ok((shown, more))
    }

    /// Forgets which member a client sticks to; false if it stuck to none.
    pub fn forget(
        &self,
        who: &Who,
        virtual_server: &str,
        client: IpAddr,
    ) -> Result<bool, CommandError> {
        let Some(table) = self.table(virtual_server)? else { return Ok(false) };
        let forgotten = self.shared.balancer().forget_entry(table, client);
        if forgotten {
            let text = format!("persistence entry of {client} forgotten");
            self.shared.note(who, EventKind::Persistence, virtual_server, &text);
        }
        Ok(forgotten)
    }

    /// Forgets all entries; returns how many there were.
    pub fn clear_persistence(
        &self,
        who: &Who,
        virtual_server: &str,
    ) -> Result<usize, CommandError> {
        let Some(table) = self.table(virtual_server)? else { return Ok(0) };
        let count = {
            let mut balancer = self.shared.balancer();
            let count = balancer.entries_len(table);
            balancer.clear_entries(table);
            count
        };
        let text = format!("all {count} persistence entries forgotten");
        self.shared.note(who, EventKind::Persistence, virtual_server, &text);
        Ok(count)
    }

    /// `None`: it has no persistence.
    fn table(&self, virtual_server: &str) -> Result<Option<TableId>, CommandError> {
        let topology = self.shared.topology();
        let known = topology.virtuals.iter().find(|known| known.config.name == virtual_server);
        let name = virtual_server.to_owned();
        let known = known.ok_or(CommandError::Unknown { kind: "virtual server", name })?;
        Ok(known.table)
    }

    /// Begins to count anew: traffic, connections in all and at most. Nothing selected = all.
    /// Returns how many objects; an unknown one is an error, and then nothing is reset.
    pub fn reset_statistics(
        &self,
        who: &Who,
        selections: &[Selection],
    ) -> Result<usize, CommandError> {
        let topology = self.shared.topology();
        let chosen = Chosen::of(selections, &topology)?;
        let mut balancer = self.shared.balancer();
        for &at in &chosen.pools {
            let pool = &topology.pools[at];
            balancer.reset_pool(pool.id);
            pool.queue.reset();
            pool.counters.times.reset();
        }
        for &(pool, at) in &chosen.members {
            let member = &topology.pools[pool].members[at];
            balancer.reset_member(member.id);
            member.traffic.reset();
            member.counters.times.reset();
        }
        for &at in &chosen.nodes {
            let node = &topology.nodes[at];
            balancer.reset_node(&convert::node_key(&node.host));
            node.base.set(node_traffic(node, &topology));
        }
        drop(balancer);
        for &at in &chosen.virtuals {
            topology.virtuals[at].connections.reset();
            topology.virtuals[at].traffic.reset();
        }
        if selections.is_empty() {
            self.shared.connections.reset();
        }
        let count = chosen.count();
        let text = match selections {
            [] => "all statistics reset".to_owned(),
            _ => format!("statistics of {count} objects reset"),
        };
        tracing::info!(who = who.as_str(), count, "statistics reset");
        self.shared.note(who, EventKind::StatisticsReset, "", &text);
        Ok(count)
    }

    /// Forgets the most and the longest of everything; what is counted goes on.
    pub fn reset_maxima(&self, who: &Who) {
        let topology = self.shared.topology();
        self.shared.balancer().forget_peaks();
        for pool in &topology.pools {
            pool.queue.reset();
            pool.counters.times.forget_longest();
            pool.members.iter().for_each(|member| member.counters.times.forget_longest());
        }
        topology.virtuals.iter().for_each(|policy| policy.connections.forget_peak());
        self.shared.connections.forget_peak();
        tracing::info!(who = who.as_str(), "maxima reset");
        self.shared.note(who, EventKind::StatisticsReset, "", "all maxima reset");
    }
}

/// Indices of what is to be reset, each once.
#[derive(Debug, Default)]
struct Chosen {
    pools: BTreeSet<usize>,
    members: BTreeSet<(usize, usize)>,
    nodes: BTreeSet<usize>,
    virtuals: BTreeSet<usize>,
}

impl Chosen {
    fn of(selections: &[Selection], topology: &Topology) -> Result<Self, CommandError> {
        let mut chosen = Self::default();
        if selections.is_empty() {
            (0..topology.pools.len()).for_each(|at| chosen.pool(at, &topology.pools[at]));
            chosen.nodes.extend(0..topology.nodes.len());
            chosen.virtuals.extend(0..topology.virtuals.len());
        }
        for selection in selections {
            match selection {
                Selection::Pool(name) => {
                    let at = pool_index(topology, name)?;
                    chosen.pool(at, &topology.pools[at]);
                }
                Selection::Member { pool, member } => {
                    let at = pool_index(topology, pool)?;
                    let members = &topology.pools[at].members;
                    let found = members.iter().position(|known| known.name == *member);
                    let found = found.ok_or_else(|| unknown("member", &format!("{pool}/{member}")));
                    chosen.members.insert((at, found?));
                }
                Selection::Node(name) => {
                    let found = topology
                        .nodes
                        .iter()
                        .position(|node: &std::sync::Arc<NodeState>| node.name == *name);
                    chosen.nodes.insert(found.ok_or_else(|| unknown("node", name))?);
                }
                Selection::Virtual(name) => {
                    let found = topology.virtuals.iter().position(|v| v.config.name == *name);
                    chosen.virtuals.insert(found.ok_or_else(|| unknown("virtual server", name))?);
                }
            }
        }
        Ok(chosen)
    }

    fn pool(&mut self, at: usize, pool: &PoolState) {
        self.pools.insert(at);
        self.members.extend((0..pool.members.len()).map(|member| (at, member)));
    }

    fn count(&self) -> usize {
        self.pools.len() + self.members.len() + self.nodes.len() + self.virtuals.len()
    }
}

fn pool_index(topology: &Topology, name: &str) -> Result<usize, CommandError> {
    let found = topology.pools.iter().position(|pool| pool.config.name == name);
    found.ok_or_else(|| unknown("pool", name))
}

fn unknown(kind: &'static str, name: &str) -> CommandError {
    CommandError::Unknown { kind, name: name.to_owned() }
}

/// `None` while it waits for its place within the limits.
fn connection_view(conn: &Conn, Names(names): &Names) -> Option<ConnectionView> {
    let policy = conn.policy()?;
    let now = Instant::now();
    let serving = conn.shown_member().and_then(|member| names.get(&member));
    let (bytes_in, bytes_out) = conn.bytes();
    Some(ConnectionView {
        id: conn.id,
        client: conn.client().to_string(),
        virtual_server: policy.config.name.clone(),
        pool: serving.map_or_else(|| policy.pool.config.name.clone(), |(pool, _)| pool.clone()),
        member: serving.map(|(_, member)| member.clone()),
        accepted: conn.accepted,
        age: now.saturating_duration_since(conn.started),
        bytes_in,
        bytes_out,
        idle: Some(conn.idle(now)),
    })
}

fn has(view: &ConnectionView, text: &str) -> bool {
    let fields = [Some(&view.client), Some(&view.virtual_server), Some(&view.pool)];
    let mut fields = fields.into_iter().flatten().chain(&view.member);
    fields.any(|field| field.to_lowercase().contains(text))
}
