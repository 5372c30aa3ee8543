//! One pool: its members over reloads, and the choice among them.

mod select;

use std::collections::BTreeMap;

pub(crate) use select::Contender;

use crate::counts::Counts;
use crate::member::Member;
use crate::monitor::Rules;
use crate::node::Nodes;
use crate::slow_start::WEIGHT_SCALE;
use crate::spec::{MemberId, MemberSpec, Now, PoolId, PoolSpec};

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    /// Its `members` are empty: each member holds its own part.
    pub(crate) spec: PoolSpec,
    /// False when a reload removed the pool and connections of it are still open.
    pub(crate) configured: bool,
    pub(crate) counts: Counts,
    /// In the order of the configuration.
    pub(crate) members: Vec<Member>,
    /// Removed by a reload, with connections still open.
    pub(crate) leaving: Vec<Member>,
}

impl Pool {
    pub(crate) fn new(id: PoolId, spec: PoolSpec) -> Self {
        Self {
            id,
            spec,
            configured: false,
            counts: Counts::default(),
            members: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// Takes over a configuration; `new_id` is asked for each member that was not there before.
    /// Members that left and have nothing open are dropped: their ids are returned.
    pub(crate) fn configure(
        &mut self,
        mut spec: PoolSpec,
        nodes: &mut Nodes,
        mut new_id: impl FnMut() -> MemberId,
        now: Now,
    ) -> Vec<MemberId> {
        let rules = Rules::of(&spec);
        let serving = self.configured && !self.members.is_empty();
        let by_name = |member: Member| (member.spec.name.clone(), member);
        let mut staying: BTreeMap<_, _> = self.members.drain(..).map(by_name).collect();
        let mut leaving: BTreeMap<_, _> = self.leaving.drain(..).map(by_name).collect();

        for member_spec in std::mem::take(&mut spec.members) {
            if self.members.iter().any(|member| member.spec.name == member_spec.name) {
                continue; // Checked configurations have no doubles; the first one counts.
            }
            let fresh =
                |id, spec: MemberSpec, node| Member::new(id, spec, node, rules, serving, now);
            let member = if let Some(mut member) = staying.remove(&member_spec.name) {
                member.node = nodes.relocate(member.node, &member_spec.node, member.counts.open);
                member.configure(member_spec, rules, now);
                member
            } else if let Some(old) = leaving.remove(&member_spec.name) {
                // Back before its last connection closed: the same member with its counts, but
                // nobody looked after its health meanwhile.
                let node = nodes.relocate(old.node, &member_spec.node, old.counts.open);
                let mut member = fresh(old.id, member_spec, node);
                member.counts = old.counts;
                member
            } else {
                let node = nodes.join(&member_spec.node);
                fresh(new_id(), member_spec, node)
            };
            self.members.push(member);
        }

        self.spec = spec;
        self.configured = true;
        self.bound_credits();
        self.let_go(staying.into_values().chain(leaving.into_values()), nodes)
    }

    /// The configuration no longer has this pool.
    pub(crate) fn retire(&mut self, nodes: &mut Nodes) -> Vec<MemberId> {
        self.configured = false;
        let gone = std::mem::take(&mut self.members);
        let leaving = std::mem::take(&mut self.leaving);
        self.let_go(gone.into_iter().chain(leaving), nodes)
    }

    /// Keeps those that have connections open as `leaving`, drops the others and returns their ids.
    pub(crate) fn let_go(
        &mut self,
        members: impl Iterator<Item = Member>,
        nodes: &mut Nodes,
    ) -> Vec<MemberId> {
        let (leaving, gone): (Vec<_>, Vec<_>) = members.partition(|member| member.counts.open > 0);
        self.leaving.extend(leaving);
        gone.iter().for_each(|member| nodes.leave(member.node));
        gone.into_iter().map(|member| member.id).collect()
    }

    pub(crate) fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().chain(&self.leaving).find(|member| member.id == id)
    }

    pub(crate) fn member_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().chain(&mut self.leaving).find(|member| member.id == id)
    }

    /// To be called when weights or members changed: what a member earned or owes by a large
    /// weight would take hundreds of turns to even out by a small one.
    pub(crate) fn bound_credits(&mut self) {
        let weights: i64 = self.members.iter().map(|member| i64::from(member.weight)).sum();
        let round = weights * i64::from(WEIGHT_SCALE);
        for member in &mut self.members {
            member.credit = member.credit.clamp(-round, round);
        }
    }
}
