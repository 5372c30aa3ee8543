//! Keeps a list of changes as short as what is in force.

use super::{Edit, member_name};
use crate::model::Member;

/// Adds a change to those of before, which stay as few as possible: the last one wins, and what
/// was set back to what the files say is no change.
pub fn push(edits: &mut Vec<Edit>, edit: Edit) {
    match edit {
        Edit::RemoveMember { ref pool, ref member } => {
            let was_added = edits.iter().any(|old| adds_member(old, pool, member).is_some());
            let was_removed = edits.contains(&edit);
            edits.retain(|old| !concerns_member(old, pool, member));
            // Of a member of the files it must be said that it is gone; but see `AddMember`.
            if !was_added || was_removed {
                edits.push(edit);
            }
        }
        Edit::RemoveNode { ref node } => {
            let adds = |old: &Edit| matches!(old, Edit::AddNode(known) if known.name == *node);
            let was_added = edits.iter().any(adds);
            let was_removed = edits.contains(&edit);
            edits.retain(|old| !concerns_node(old, node));
            if !was_added || was_removed {
                // What was on it was removed before, and must be so in the next start too.
                edits.push(edit);
            }
        }
        Edit::AddNode(_) | Edit::AddMember { .. } => edits.push(edit),
        _ => push_value(edits, edit),
    }
}

fn push_value(edits: &mut Vec<Edit>, mut edit: Edit) {
    if edits.iter_mut().any(|old| fold_into_added(old, &edit)) {
        return;
    }
    if let Some(at) = edits.iter().position(|old| same_value(old, &edit)) {
        // What the files say is what they said when the first of the two was made.
        let old = edits.remove(at);
        take_was(&mut edit, old);
    }
    if !is_nothing(&edit) {
        edits.push(edit);
    }
}

/// A value of something that was added at run time is part of what was added.
fn fold_into_added(old: &mut Edit, edit: &Edit) -> bool {
    if let (Edit::AddNode(node), Edit::SetAddress { node: name, address, .. }) = (&mut *old, edit)
        && node.name == *name
    {
        node.address = address.clone();
        return true;
    }
    let (pool, name) = match edit {
        Edit::SetWeight { pool, member, .. }
        | Edit::SetState { pool, member, .. }
        | Edit::SetMemberLimit { pool, member, .. } => (pool, member),
        _ => return false,
    };
    let Some(member) = adds_member_mut(old, pool, name) else { return false };
    match edit {
        Edit::SetWeight { weight, .. } => member.weight = *weight,
        Edit::SetState { state, .. } => member.state = *state,
        Edit::SetMemberLimit { limit, .. } => member.connections_max = *limit,
        _ => return false,
    }
    true
}

fn adds_member<'e>(edit: &'e Edit, pool: &str, member: &str) -> Option<&'e Member> {
    match edit {
        Edit::AddMember { pool: in_pool, node, member: added }
            if in_pool == pool && member_name(node, added.port) == member =>
        {
            Some(added)
        }
        _ => None,
    }
}

fn adds_member_mut<'e>(edit: &'e mut Edit, pool: &str, member: &str) -> Option<&'e mut Member> {
    match edit {
        Edit::AddMember { pool: in_pool, node, member: added }
            if in_pool == pool && member_name(node, added.port) == member =>
        {
            Some(added)
        }
        _ => None,
    }
}

fn concerns_member(edit: &Edit, pool: &str, member: &str) -> bool {
    match edit {
        Edit::SetWeight { pool: p, member: m, .. }
        | Edit::SetState { pool: p, member: m, .. }
        | Edit::SetMemberLimit { pool: p, member: m, .. }
        | Edit::RemoveMember { pool: p, member: m } => p == pool && m == member,
        _ => adds_member(edit, pool, member).is_some(),
    }
}

fn concerns_node(edit: &Edit, node: &str) -> bool {
    match edit {
        Edit::AddNode(known) => known.name == node,
        Edit::SetAddress { node: known, .. } | Edit::RemoveNode { node: known } => known == node,
        _ => false,
    }
}

/// Both set the same value of the same object.
fn same_value(one: &Edit, other: &Edit) -> bool {
    match (one, other) {
        (Edit::SetWeight { pool, member, .. }, Edit::SetWeight { pool: p, member: m, .. })
        | (Edit::SetState { pool, member, .. }, Edit::SetState { pool: p, member: m, .. })
        | (
            Edit::SetMemberLimit { pool, member, .. },
            Edit::SetMemberLimit { pool: p, member: m, .. },
        ) => pool == p && member == m,
        (Edit::SetAddress { node, .. }, Edit::SetAddress { node: n, .. }) => node == n,
        (
            Edit::SetVirtualLimit { virtual_server, .. },
            Edit::SetVirtualLimit { virtual_server: v, .. },
        ) => virtual_server == v,
        (Edit::SetProcessLimit { .. }, Edit::SetProcessLimit { .. }) => true,
        _ => false,
    }
}

fn take_was(edit: &mut Edit, old: Edit) {
    match (edit, old) {
        (Edit::SetWeight { was, .. }, Edit::SetWeight { was: old, .. }) => *was = old,
        (Edit::SetState { was, .. }, Edit::SetState { was: old, .. }) => *was = old,
        (Edit::SetAddress { was, .. }, Edit::SetAddress { was: old, .. }) => *was = old,
        (Edit::SetMemberLimit { was, .. }, Edit::SetMemberLimit { was: old, .. })
        | (Edit::SetVirtualLimit { was, .. }, Edit::SetVirtualLimit { was: old, .. })
        | (Edit::SetProcessLimit { was, .. }, Edit::SetProcessLimit { was: old, .. }) => *was = old,
        _ => {}
    }
}

/// Sets what the files say.
fn is_nothing(edit: &Edit) -> bool {
    match edit {
        Edit::SetWeight { weight, was, .. } => weight == was,
        Edit::SetState { state, was, .. } => state == was,
        Edit::SetAddress { address, was, .. } => address == was,
        Edit::SetMemberLimit { limit, was, .. }
        | Edit::SetVirtualLimit { limit, was, .. }
        | Edit::SetProcessLimit { limit, was } => limit == was,
        _ => false,
    }
}
