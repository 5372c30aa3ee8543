//! The balancer: all pools, members, nodes and persistence tables of the gateway.
//!
//! Holds no lock and knows no other thread; the data plane wraps it.

mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use crate::counts::Counts;
pub use crate::outcome::{
    Cause, Change, Choice, ChosenBy, EntryView, Load, MemberView, NodeView, PoolView, Refusal,
};

use crate::member::Member;
use crate::method::{Candidate, Random};
use crate::node::Nodes;
use crate::persistence::Table;
use crate::pool::{Contender, Pool};
use crate::spec::{
    AdminState, Health, MemberId, Now, PoolId, PoolSpec, ProbeOutcome, Request, TableId, TableSpec,
};

/// All balancing state. Ordered maps throughout: the same calls give the same answers everywhere.
#[derive(Debug)]
pub struct Balancer {
    pools: BTreeMap<PoolId, Pool>,
    /// The pool of every member that is configured or has connections open.
    homes: BTreeMap<MemberId, PoolId>,
    nodes: Nodes,
    tables: BTreeMap<TableId, Table>,
    ids: Ids,
    random: Random,
    scratch: (Vec<Contender>, Vec<Candidate>),
}

/// The next of each kind; none is ever given twice.
#[derive(Debug, Default)]
struct Ids {
    pool: u32,
    member: u32,
    table: u32,
}

fn take(next: &mut u32) -> u32 {
    let id = *next;
    *next += 1;
    id
}

impl Balancer {
    /// `seed` feeds random-two only.
    pub fn new(seed: u64) -> Self {
        Self {
            pools: BTreeMap::new(),
            homes: BTreeMap::new(),
            nodes: Nodes::default(),
            tables: BTreeMap::new(),
            ids: Ids::default(),
            random: Random::new(seed),
            scratch: Default::default(),
        }
    }

    /// Replaces the configuration.
    ///
    /// Pools, members and tables with known names keep ids, counts, health, admin state and
    /// entries. Weight and admin state set by an operator stay unless the file's own value changed.
    /// Removed members with open connections live on, unchoosable, until those are released.
    pub fn configure(&mut self, pools: Vec<PoolSpec>, tables: Vec<TableSpec>, now: Now) {
        let mut kept = Vec::new();
        for spec in pools {
            let known = self.pools.values().find(|pool| pool.spec.name == spec.name);
            let id = known.map_or_else(|| PoolId(take(&mut self.ids.pool)), |pool| pool.id);
            kept.push(id);
            let empty = || Pool::new(id, PoolSpec { members: Vec::new(), ..spec.clone() });
            let pool = self.pools.entry(id).or_insert_with(empty);
            let new_member = || MemberId(take(&mut self.ids.member));
            let gone = pool.configure(spec, &mut self.nodes, new_member, now);
            for member in gone {
                self.homes.remove(&member);
            }
            self.homes.extend(pool.members.iter().map(|member| (member.id, id)));
        }
        for pool in self.pools.values_mut().filter(|pool| !kept.contains(&pool.id)) {
            let gone = pool.retire(&mut self.nodes);
            for member in gone {
                self.homes.remove(&member);
            }
        }
        self.pools.retain(|_, pool| pool.configured || !pool.leaving.is_empty());
        self.configure_tables(tables, now);
    }

    fn configure_tables(&mut self, specs: Vec<TableSpec>, now: Now) {
        let mut old = std::mem::take(&mut self.tables);
        for spec in specs {
            let known = old.iter().find(|(_, table)| table.name() == spec.name).map(|(&id, _)| id);
            let (id, mut table) = match known.and_then(|id| old.remove_entry(&id)) {
                Some(known) => known,
                None => (TableId(take(&mut self.ids.table)), Table::new(spec.clone())),
            };
            table.configure(spec, now);
            self.tables.insert(id, table);
        }
    }

    /// Chooses and counts the connection at once, so that two workers never see the same "least".
    ///
    /// A live persistence entry wins if its member is usable, or draining, and has room. If it only
    /// lacks room, the client goes elsewhere this once and the entry stays; in all other cases the
    /// entry names the choice from now on. Then the method decides among usable members of the
    /// active priority groups that have room and were not tried; tried ones come again only when
    /// nothing else is left.
    pub fn choose(&mut self, request: &Request<'_>) -> Result<Choice, Refusal> {
        let Self { pools, nodes, tables, random, scratch, .. } = self;
        let pool = pools.get_mut(&request.pool).ok_or(Refusal::NoUsableMember)?;
        let table = request.table.and_then(|id| tables.get_mut(&id));
        let stuck = table.as_ref().and_then(|table| table.find(request.client, request.now));
        let picked = pool.select(request, stuck, nodes, random, scratch)?;

        let member = &mut pool.members[picked.slot];
        let node = &mut nodes[member.node];
        member.counts.opened();
        node.counts.opened();
        pool.counts.opened();
        if let Some(table) = table {
            table.stick(request.client, picked.stick_to, request.now);
            table.opened(request.client, member.id);
        }
        let (member_open, node_open) = (member.counts.open, node.counts.open);
        let load = Load { member: member_open, node: node_open, pool: pool.counts.open };
        Ok(Choice { member: member.id, load, by: picked.by })
    }

    /// Counts a connection that had to go to this member: it alone knows what the client asks for.
    /// Neither health nor admin state nor limits are asked; `release` it without a table.
    ///
    /// `None`, and nothing to release, when the member is not configured any more.
    pub fn attach(&mut self, member: MemberId) -> Option<Load> {
        let pool = self.pools.get_mut(self.homes.get(&member)?)?;
        let member = pool.members.iter_mut().find(|m| m.id == member)?;
        let node = &mut self.nodes[member.node];
        member.counts.opened();
        node.counts.opened();
        pool.counts.opened();
        Some(Load { member: member.counts.open, node: node.counts.open, pool: pool.counts.open })
    }

    /// Tells how many operations run at the member's node, for `Method::LeastOperations`.
    pub fn set_operations(&mut self, member: MemberId, operations: u32) {
        if let Some(node) = self.member_in_force(member).map(|member| member.node) {
            self.nodes[node].operations = operations;
        }
    }

    /// The member takes new sessions: enabled, and not known to be down or leaving.
    pub fn takes_new(&self, member: MemberId) -> bool {
        self.member_in_force(member).is_some_and(|member| {
            member.admin_state == AdminState::Enabled
                && !matches!(member.monitor.recorded().0, Health::Down | Health::Quiescing)
        })
    }

    /// The member is known to be down; false for one that is not configured any more.
    pub fn is_down(&self, member: MemberId) -> bool {
        let down = |member: &Member| member.monitor.recorded().0 == Health::Down;
        self.member_in_force(member).is_some_and(down)
    }

    /// The connection that `choose` counted is over, or its connect failed.
    ///
    /// The returned load still counts this connection. `persisted` is the table of the request and
    /// its client, whatever the choice was made by.
    pub fn release(
        &mut self,
        member: MemberId,
        now: Now,
        persisted: Option<(TableId, IpAddr)>,
    ) -> Load {
        if let Some((table, client)) = persisted
            && let Some(table) = self.tables.get_mut(&table)
        {
            table.closed(client, member, now);
        }
        let Some(pool) = self.homes.get(&member).and_then(|pool| self.pools.get_mut(pool)) else {
            debug_assert!(false, "released {member:?}, which has no open connection");
            return Load::default();
        };
        let pool_open = pool.counts.open;
        pool.counts.closed();
        let Some(released) = pool.member_mut(member) else { return Load::default() };
        let node = &mut self.nodes[released.node];
        let load = Load { member: released.counts.open, node: node.counts.open, pool: pool_open };
        released.counts.closed();
        node.counts.closed();
        if released.counts.open == 0 && !pool.leaving.is_empty() {
            self.let_go_of_leaving(member);
        }
        load
    }

    /// A removed member may just have lost its last connection, and its pool its last member.
    fn let_go_of_leaving(&mut self, member: MemberId) {
        let Some(pool) = self.homes.get(&member).and_then(|pool| self.pools.get_mut(pool)) else {
            return;
        };
        let leaving = std::mem::take(&mut pool.leaving);
        let gone = pool.let_go(leaving.into_iter(), &mut self.nodes);
        if !pool.configured && pool.leaving.is_empty() {
            let id = pool.id;
            self.pools.remove(&id);
        }
        for id in gone {
            self.homes.remove(&id);
        }
    }

    /// A connect to the member succeeded: connect failures are no longer in a row.
    pub fn connected(&mut self, member: MemberId, now: Now) -> Option<Change> {
        let (pool, member) = self.configured_mut(member)?;
        let transition = member.monitor.connected(now);
        member.changed(pool, transition, now)
    }

    /// A connect to the member failed. The connection still has to be released.
    pub fn connect_failed(&mut self, member: MemberId, now: Now) -> Option<Change> {
        let (pool, member) = self.configured_mut(member)?;
        let transition = member.monitor.connect_failed(now);
        member.changed(pool, transition, now)
    }

    pub fn probed(&mut self, member: MemberId, outcome: ProbeOutcome, now: Now) -> Option<Change> {
        let (pool, member) = self.configured_mut(member)?;
        let transition = member.monitor.probed(outcome, now);
        member.changed(pool, transition, now)
    }

    /// Returns a change with [`Cause::AdminState`] and equal healths, or `None` if nothing changed.
    pub fn set_admin_state(
        &mut self,
        member: MemberId,
        state: AdminState,
        now: Now,
    ) -> Option<Change> {
        let (pool, member) = self.configured_mut(member)?;
        let from = member.admin_state;
        if from == state {
            return None;
        }
        member.set_admin_state(state, now);
        let (health, ..) = member.monitor.recorded();
        let cause = Cause::AdminState { from, to: state };
        Some(Change { member: member.id, pool, from: health, to: health, cause })
    }

    pub fn set_weight(&mut self, member: MemberId, weight: u16) {
        let Some(pool) = self.homes.get(&member).and_then(|pool| self.pools.get_mut(pool)) else {
            return;
        };
        if let Some(member) = pool.members.iter_mut().find(|m| m.id == member) {
            member.weight = weight;
            pool.bound_credits();
        }
    }

    /// To be called every second or so: drops old persistence entries, and returns the members
    /// without a monitor that may be tried again.
    pub fn expire(&mut self, now: Now) -> Vec<Change> {
        self.tables.values_mut().for_each(|table| table.expire(now));
        let mut changes = Vec::new();
        for pool in self.pools.values_mut() {
            for member in &mut pool.members {
                let transition = member.monitor.lapse(now);
                changes.extend(member.changed(pool.id, transition, now));
            }
        }
        changes
    }

    /// Forgets peaks and totals of all members, nodes and pools.
    pub fn reset_counters(&mut self) {
        self.nodes.reset_counters();
        for pool in self.pools.values_mut() {
            pool.counts.reset();
            pool.members.iter_mut().chain(&mut pool.leaving).for_each(|m| m.counts.reset());
        }
    }

    /// Forgets peaks alone.
    pub fn forget_peaks(&mut self) {
        self.nodes.forget_peaks();
        for pool in self.pools.values_mut() {
            pool.counts.forget_peak();
            pool.members.iter_mut().chain(&mut pool.leaving).for_each(|m| m.counts.forget_peak());
        }
    }

    /// The same as [`Balancer::reset_counters`] for one pool and its members; false if there is no such pool.
    pub fn reset_pool(&mut self, pool: PoolId) -> bool {
        let Some(pool) = self.pools.get_mut(&pool) else { return false };
        pool.counts.reset();
        pool.members.iter_mut().chain(&mut pool.leaving).for_each(|m| m.counts.reset());
        true
    }

    /// The same for one member; its pool and node go on counting.
    pub fn reset_member(&mut self, member: MemberId) -> bool {
        let pool = self.homes.get(&member).and_then(|pool| self.pools.get_mut(pool));
        let Some(member) = pool.and_then(|pool| pool.member_mut(member)) else { return false };
        member.counts.reset();
        true
    }

    /// The same for one node, by the text that its members share.
    pub fn reset_node(&mut self, node: &str) -> bool {
        self.nodes.reset_node(node)
    }

    /// Forgets the member of one client; true if there was one.
    pub fn forget_entry(&mut self, table: TableId, client: IpAddr) -> bool {
        self.tables.get_mut(&table).is_some_and(|table| table.forget(client))
    }

    pub fn clear_entries(&mut self, table: TableId) {
        if let Some(table) = self.tables.get_mut(&table) {
            table.clear();
        }
    }

    /// A member of the current configuration.
    fn member_in_force(&self, member: MemberId) -> Option<&Member> {
        let pool = self.pools.get(self.homes.get(&member)?)?;
        pool.members.iter().find(|m| m.id == member)
    }

    /// A member of the current configuration, and its pool.
    fn configured_mut(&mut self, member: MemberId) -> Option<(PoolId, &mut Member)> {
        let pool = self.pools.get_mut(self.homes.get(&member)?)?;
        let member = pool.members.iter_mut().find(|m| m.id == member)?;
        Some((pool.id, member))
    }
}

#[cfg(test)]
mod tests;
