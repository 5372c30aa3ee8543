//! Looking into the balancer: names to ids, ids to names, and views for status pages.

use super::Balancer;
use crate::outcome::{EntryView, MemberView, NodeView, PoolView};
use crate::persistence::Table;
use crate::pool::Pool;
use crate::spec::{MemberId, Now, PoolId, TableId};

impl Balancer {
    pub fn pool_id(&self, name: &str) -> Option<PoolId> {
        self.configured().find(|pool| pool.spec.name == name).map(|pool| pool.id)
    }

    pub fn member_id(&self, pool: PoolId, member: &str) -> Option<MemberId> {
        let members = &self.pools.get(&pool)?.members;
        members.iter().find(|m| m.spec.name == member).map(|m| m.id)
    }

    pub fn table_id(&self, name: &str) -> Option<TableId> {
        self.tables.iter().find(|(_, table)| table.name() == name).map(|(&id, _)| id)
    }

    /// Also of a pool that was removed, while it has connections open; so for members and tables.
    pub fn pool_name(&self, pool: PoolId) -> Option<&str> {
        self.pools.get(&pool).map(|pool| pool.spec.name.as_str())
    }

    pub fn member_name(&self, member: MemberId) -> Option<&str> {
        let pool = self.pools.get(self.homes.get(&member)?)?;
        pool.member(member).map(|member| member.spec.name.as_str())
    }

    pub fn pool_of(&self, member: MemberId) -> Option<PoolId> {
        self.homes.get(&member).copied()
    }

    /// Configured pools.
    pub fn pools(&self) -> Vec<PoolView> {
        self.configured().map(view).collect()
    }

    /// Configured members of a pool, in the order of the configuration.
    pub fn members(&self, pool: PoolId) -> Vec<MemberView> {
        let Some(pool) = self.pools.get(&pool) else { return Vec::new() };
        pool.members.iter().map(|member| member.view(pool.id, &self.nodes)).collect()
    }

    pub fn member(&self, member: MemberId) -> Option<MemberView> {
        let pool = self.pools.get(self.homes.get(&member)?)?;
        pool.member(member).map(|member| member.view(pool.id, &self.nodes))
    }

    /// Members that a reload removed and that still have connections open.
    pub fn leaving(&self) -> Vec<MemberView> {
        let views = |pool: &Pool| -> Vec<_> {
            pool.leaving.iter().map(|member| member.view(pool.id, &self.nodes)).collect()
        };
        self.pools.values().flat_map(views).collect()
    }

    /// Nodes in the order of their names.
    pub fn nodes(&self) -> Vec<NodeView> {
        let view = |node: &crate::node::Node| NodeView {
            name: node.name.clone(),
            counts: node.counts,
            members: node.members,
        };
        self.nodes.iter().map(view).collect()
    }

    /// Entries in the table, old ones that were not yet removed included.
    pub fn entries_len(&self, table: TableId) -> usize {
        self.tables.get(&table).map_or(0, Table::len)
    }

    /// Live entries by address. Tables can be large: take only as many as will be shown.
    pub fn entries(&self, table: TableId, now: Now) -> impl Iterator<Item = EntryView> {
        let table = self.tables.get(&table);
        table.into_iter().flat_map(move |table| table.iter(now))
    }

    fn configured(&self) -> impl Iterator<Item = &Pool> {
        self.pools.values().filter(|pool| pool.configured)
    }
}

fn view(pool: &Pool) -> PoolView {
    PoolView { id: pool.id, name: pool.spec.name.clone(), counts: pool.counts }
}
