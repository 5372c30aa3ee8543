//! Everything that one answer tells, read at once, so that its numbers fit each other.

use oxpecker_config::edit::Edit;
use oxpecker_proxy::control::{Handle, MemberView, PoolView, Status, VirtualView};

#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) status: Status,
    pub(crate) virtuals: Vec<VirtualView>,
    pub(crate) pools: Vec<PoolView>,
    /// Made at run time.
    pub(crate) changes: Vec<Edit>,
}

impl Snapshot {
    pub(crate) fn take(handle: &Handle) -> Self {
        Self {
            status: handle.status(),
            virtuals: handle.virtuals(),
            pools: handle.pools(),
            changes: handle.changes(),
        }
    }

    /// The member's weight as the configuration files have it.
    pub(crate) fn configured_weight(&self, view: &MemberView) -> u16 {
        let changed = self.changes.iter().find_map(|edit| match edit {
            Edit::SetWeight { pool, member, was, .. }
                if *pool == view.pool && *member == view.name =>
            {
                Some(*was)
            }
            _ => None,
        });
        changed.unwrap_or(view.weight)
    }
}
