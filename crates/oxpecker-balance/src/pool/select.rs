//! The choice of a member: persistence, then rules and limits, then the method.
//!
//! Changes nothing but the turns of the rotation; counting and sticking are the balancer's.

use super::Pool;
use crate::member::Member;
use crate::method::{self, Candidate, Random};
use crate::node::Nodes;
use crate::outcome::{ChosenBy, Refusal};
use crate::priority;
use crate::spec::{Health, MemberId, Method, Now, Request, Scope, WhenAllDown};

/// What was chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picked {
    pub(crate) slot: usize,
    pub(crate) by: ChosenBy,
    /// The member the client's persistence entry shall name from now on.
    pub(crate) stick_to: MemberId,
}

/// A member that operators and limits allow, with what decides whether the method sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    standing: Standing,
    priority: u16,
    untried: bool,
    candidate: Candidate,
}

/// From the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Usable,
    /// Answers, or might: before `Down` when failing open.
    Doubtful,
    Down,
}

/// What there was before limits.
struct Found {
    any_enabled: bool,
    any_usable: bool,
}

impl Pool {
    /// Picks a member for the request; `stuck` is the one its persistence entry names.
    ///
    /// `contenders` and `candidates` are scratch space that keeps its capacity between calls.
    pub(crate) fn select(
        &mut self,
        request: &Request<'_>,
        stuck: Option<MemberId>,
        nodes: &Nodes,
        random: &mut Random,
        (contenders, candidates): &mut (Vec<Contender>, Vec<Candidate>),
    ) -> Result<Picked, Refusal> {
        let unknown_is_usable = self.unknown_is_usable(request.now);
        let stuck = self.stuck_slot(request, stuck);
        let picked = |slot: usize, by| Picked { slot, by, stick_to: self.members[slot].id };

        // Sessions of the client live on that member: a full one may have room again soon, so the
        // client goes elsewhere this time and its entry stays.
        let mut keep = None;
        if let Some(slot) = stuck {
            let member = &self.members[slot];
            if standing(member, request.now, unknown_is_usable) == Standing::Usable {
                if !member.is_full() {
                    return Ok(picked(slot, ChosenBy::Persistence));
                }
                keep = Some(member.id);
            }
        }

        let found = self.contend(request, nodes, unknown_is_usable, contenders);
        let mut by = ChosenBy::Method;
        if found.any_usable {
            contenders.retain(|contender| contender.standing == Standing::Usable);
        } else if self.spec.when_all_down == WhenAllDown::Refuse {
            return Err(if keep.is_some() { Refusal::AllFull } else { Refusal::NoUsableMember });
        } else {
            by = ChosenBy::FailOpen;
            // When nothing measured counts, the member that has the sessions is the best guess.
            if let Some(slot) = stuck.filter(|&slot| !self.members[slot].is_full()) {
                return Ok(picked(slot, by));
            }
        }
        if contenders.is_empty() {
            let full = found.any_enabled || keep.is_some();
            return Err(if full { Refusal::AllFull } else { Refusal::NoUsableMember });
        }

        narrow(contenders, self.spec.priority_min_active);
        candidates.clear();
        candidates.extend(contenders.iter().map(|contender| contender.candidate));
        let index = method::pick(self.spec.method, candidates, request.client, random);
        let slot = candidates[index.ok_or(Refusal::NoUsableMember)?].slot;
        let stick_to = keep.unwrap_or(self.members[slot].id);
        for candidate in candidates.iter() {
            self.members[candidate.slot].credit = candidate.credit;
        }
        Ok(Picked { slot, by, stick_to })
    }

    /// Where the member of the client's entry stands, unless the entry is void: the member was
    /// removed, belongs to another pool, takes nobody, or was just tried in vain.
    fn stuck_slot(&self, request: &Request<'_>, stuck: Option<MemberId>) -> Option<usize> {
        let id = stuck.filter(|id| !request.tried.contains(id))?;
        self.members.iter().position(|member| member.id == id && member.takes_persisted())
    }

    /// Collects all members that take new connections and have room for one.
    fn contend(
        &self,
        request: &Request<'_>,
        nodes: &Nodes,
        unknown_is_usable: bool,
        contenders: &mut Vec<Contender>,
    ) -> Found {
        contenders.clear();
        let mut found = Found { any_enabled: false, any_usable: false };
        for (slot, member) in self.members.iter().enumerate().filter(|(_, m)| m.takes_new()) {
            let standing = standing(member, request.now, unknown_is_usable);
            found.any_enabled = true;
            found.any_usable |= standing == Standing::Usable;
            if !member.is_full() {
                contenders.push(Contender {
                    standing,
                    priority: member.spec.priority,
                    untried: !request.tried.contains(&member.id),
                    candidate: self.candidate(slot, request, nodes),
                });
            }
        }
        found
    }

    /// Members not yet probed serve where nobody probes, and at start until a first one is up.
    fn unknown_is_usable(&self, now: Now) -> bool {
        let is_up = |member: &Member| member.monitor.health(now) == Health::Up;
        !self.spec.monitored || !self.members.iter().any(|m| m.takes_new() && is_up(m))
    }

    fn candidate(&self, slot: usize, request: &Request<'_>, nodes: &Nodes) -> Candidate {
        let member = &self.members[slot];
        Candidate {
            slot,
            weight: member.weight,
            effective_weight: member.effective_weight(&self.spec, request.now),
            load: match self.spec.scope {
                _ if self.spec.method == Method::LeastOperations => nodes[member.node].operations,
                Scope::Node => nodes[member.node].counts.open,
                Scope::Member => member.counts.open,
            },
            name_hash: member.name_hash,
            credit: member.credit,
        }
    }
}

fn standing(member: &Member, now: Now, unknown_is_usable: bool) -> Standing {
    match member.monitor.health(now) {
        Health::Up => Standing::Usable,
        Health::Unknown if unknown_is_usable => Standing::Usable,
        Health::Unknown | Health::Quiescing => Standing::Doubtful,
        Health::Down => Standing::Down,
    }
}

/// Leaves the contenders the method shall see; at least one, if there were any.
///
/// Untried ones win over standing, standing over priority groups. A tried member is left only when
/// every contender was tried: whether to try the same one again is the data plane's decision.
fn narrow(contenders: &mut Vec<Contender>, priority_min_active: u32) {
    let Some(best) = contenders.iter().min_by_key(|c| (!c.untried, c.standing)).copied() else {
        return;
    };
    contenders.retain(|contender| contender.standing == best.standing);
    let groups = contenders.iter().map(|contender| (contender.priority, contender.untried));
    let floor = priority::floor(groups, priority_min_active);
    contenders.retain(|contender| contender.priority >= floor && contender.untried == best.untried);
}
