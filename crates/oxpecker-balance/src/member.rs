//! One member's state: what was configured, what an operator set, what was measured and counted.

use crate::counts::Counts;
use crate::hash::hash_name;
use crate::monitor::{Monitor, Rules, Transition};
use crate::node::{NodeId, Nodes};
use crate::outcome::{Change, MemberView};
use crate::slow_start::effective_weight;
use crate::spec::{AdminState, Health, MemberId, MemberSpec, Now, PoolId, PoolSpec};

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    /// As last configured; weight and admin state in force are beside it.
    pub(crate) spec: MemberSpec,
    pub(crate) weight: u16,
    pub(crate) admin_state: AdminState,
    pub(crate) node: NodeId,
    pub(crate) name_hash: u64,
    pub(crate) monitor: Monitor,
    pub(crate) counts: Counts,
    /// Its turns in the rotation, see `method/round_robin.rs`.
    pub(crate) credit: i64,
    /// Joined a pool that was already serving: slow start even before its first way down.
    joined_late: bool,
    back_since: Option<Now>,
}

impl Member {
    pub(crate) fn new(
        id: MemberId,
        spec: MemberSpec,
        node: NodeId,
        rules: Rules,
        joined_late: bool,
        now: Now,
    ) -> Self {
        Self {
            id,
            weight: spec.weight,
            admin_state: spec.admin_state,
            node,
            name_hash: hash_name(&spec.name),
            monitor: Monitor::new(rules, now),
            counts: Counts::default(),
            credit: 0,
            joined_late,
            // Without a monitor nothing will ever say that it came up.
            back_since: (joined_late && rules.retry_after.is_some()).then_some(now),
            spec,
        }
    }

    /// Takes over what changed in the file. What an operator set meanwhile stays, unless the file's
    /// own value changed: an edit is the newer instruction.
    pub(crate) fn configure(&mut self, spec: MemberSpec, rules: Rules, now: Now) {
        if spec.weight != self.spec.weight {
            self.weight = spec.weight;
        }
        if spec.admin_state != self.spec.admin_state {
            self.set_admin_state(spec.admin_state, now);
        }
        self.monitor.set_rules(rules, now);
        self.spec = spec;
    }

    pub(crate) fn set_admin_state(&mut self, state: AdminState, now: Now) {
        if state == AdminState::Enabled && self.admin_state != state {
            // It emptied in the meantime, and would look like the best choice to everyone.
            self.back_since = Some(now);
        }
        self.admin_state = state;
    }

    /// Notes a change of health and passes it on.
    pub(crate) fn changed(
        &mut self,
        pool: PoolId,
        to: Option<Transition>,
        now: Now,
    ) -> Option<Change> {
        let Transition { from, to, cause } = to?;
        let came_up = to == Health::Up && (from != Health::Unknown || self.joined_late);
        let came_back = from == Health::Down && to == Health::Unknown;
        if came_up || came_back {
            self.back_since = Some(now);
        }
        Some(Change { member: self.id, pool, from, to, cause })
    }

    pub(crate) fn effective_weight(&self, pool: &PoolSpec, now: Now) -> u32 {
        effective_weight(self.weight, self.back_since, pool.slow_start, now)
    }

    /// The method may choose it, as far as operators are concerned.
    pub(crate) fn takes_new(&self) -> bool {
        self.admin_state == AdminState::Enabled && self.weight > 0
    }

    pub(crate) fn takes_persisted(&self) -> bool {
        self.admin_state != AdminState::Disabled
    }

    pub(crate) fn is_full(&self) -> bool {
        self.spec.connections_max.is_some_and(|max| self.counts.open >= max)
    }

    pub(crate) fn view(&self, pool: PoolId, nodes: &Nodes) -> MemberView {
        let (health, since, cause) = self.monitor.recorded();
        MemberView {
            id: self.id,
            pool,
            name: self.spec.name.clone(),
            node: self.spec.node.clone(),
            weight: self.weight,
            priority: self.spec.priority,
            connections_max: self.spec.connections_max,
            admin_state: self.admin_state,
            health,
            since,
            cause,
            open: self.counts.open,
            open_max: self.counts.open_max,
            total: self.counts.total,
            total_ever: self.counts.total_ever,
            node_open: nodes[self.node].counts.open,
        }
    }
}
