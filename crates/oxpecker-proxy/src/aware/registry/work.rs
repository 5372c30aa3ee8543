//! What is left to do at a coordinator that takes nothing new.

use super::{Operation, Registry, lock};
use crate::aware::place::Place;

/// Sessions and operations of one coordinator, over one of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Work {
    /// Run, or have rows that nobody read.
    pub(crate) operations: u32,
    /// Open, but read to the end: nobody waits for them.
    pub(crate) operations_read: u32,
    pub(crate) sessions: u32,
}

impl Operation {
    fn is_awaited(&self) -> bool {
        !self.results.are_over()
    }
}

impl Registry {
    pub(crate) fn work_at(&self, place: &Place) -> Work {
        let mut work = Work::default();
        for shard in &self.shards {
            let shard = lock(shard);
            let here = shard.sessions.values().filter(|session| session.place == *place);
            work.sessions += here.count() as u32;
            for operation in shard.operations.values() {
                if operation.session.place == *place {
                    let count = if operation.is_awaited() {
                        &mut work.operations
                    } else {
                        &mut work.operations_read
                    };
                    *count += 1;
                }
            }
        }
        work
    }
}
