//! Nodes: hosts, each shared by members of several pools, with their connections over all of them.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use crate::counts::Counts;

/// A slot that is used again once no member is on the node: never leaves this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) counts: Counts,
    /// Running operations over all its ports, as last told.
    pub(crate) operations: u32,
    pub(crate) members: u32,
}

/// All nodes that some member is on.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    slots: Vec<Node>,
    free: Vec<NodeId>,
    by_name: BTreeMap<String, NodeId>,
}

impl Nodes {
    /// One more member is on the node.
    pub(crate) fn join(&mut self, name: &str) -> NodeId {
        let id = match self.by_name.get(name) {
            Some(&id) => id,
            None => self.insert(name),
        };
        self[id].members += 1;
        id
    }

    /// A member without open connections left the node; the last one takes the node with it.
    pub(crate) fn leave(&mut self, id: NodeId) {
        self[id].members -= 1;
        if self[id].members == 0 {
            let node = std::mem::take(&mut self[id]);
            self.by_name.remove(&node.name);
            self.free.push(id);
        }
    }

    /// A member with `open` connections is on another node now.
    ///
    /// Its connections move along although they still run to the old host: a new node text under
    /// an old member name is almost always a renamed host, and one count per member stays exact.
    pub(crate) fn relocate(&mut self, from: NodeId, name: &str, open: u32) -> NodeId {
        if self[from].name == name {
            return from;
        }
        let to = self.join(name);
        self[from].counts.open -= open;
        let counts = &mut self[to].counts;
        counts.open += open;
        counts.open_max = counts.open_max.max(counts.open);
        self.leave(from);
        to
    }

    /// In the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.by_name.values().map(|&id| &self[id])
    }

    pub(crate) fn reset_counters(&mut self) {
        self.slots.iter_mut().for_each(|node| node.counts.reset());
    }

    pub(crate) fn forget_peaks(&mut self) {
        self.slots.iter_mut().for_each(|node| node.counts.forget_peak());
    }

    pub(crate) fn reset_node(&mut self, name: &str) -> bool {
        let Some(&id) = self.by_name.get(name) else { return false };
        self[id].counts.reset();
        true
    }

    fn insert(&mut self, name: &str) -> NodeId {
        let node = Node { name: name.to_owned(), ..Node::default() };
        let id = match self.free.pop() {
            Some(id) => {
                self[id] = node;
                id
            }
            None => {
                self.slots.push(node);
                NodeId(self.slots.len() - 1)
            }
        };
        self.by_name.insert(name.to_owned(), id);
        id
    }
}

impl Index<NodeId> for Nodes {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.slots[id.0]
    }
}

impl IndexMut<NodeId> for Nodes {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.slots[id.0]
    }
}
