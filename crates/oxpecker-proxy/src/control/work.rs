//! What is left at a member that drains: how long to wait before its coordinator may be stopped.

use std::time::Duration;

use tokio::time::Instant;

use super::{CommandError, Handle};
use crate::aware::place::Place;

/// How often a waiting drain looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a member still has to do for clients of this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkLeft {
    /// Operations that run, or have rows that nobody read.
    pub operations: u32,
    /// Client connections that end with the coordinator: those that are passed on unread, that
    /// follow a log-in of their own, and Beeswax sessions, which are their connections.
    pub connections: u32,
    /// Sessions of HiveServer2. Those without an operation hold nobody up: their clients are told
    /// by their next call, and open others.
    pub sessions: u32,
    /// Operations that are open but read to the end. Their clients close them when it suits them.
    pub operations_read: u32,
}

impl WorkLeft {
    /// Nobody would notice if the coordinator stopped now, but by a session that is gone.
    pub fn is_none(&self) -> bool {
        self.operations == 0 && self.connections == 0
    }
}

impl Handle {
    /// `member` is its name in the pool, `node:port`.
    pub fn work_left(&self, pool: &str, member: &str) -> Result<WorkLeft, CommandError> {
        let member = self.member(pool, member)?;
        let work = self.shared.sessions.work_at(&Place::of(&member));
        let registries = self.shared.registries.iter();
        let bound: usize = registries.map(|registry| registry.bound_to(member.id)).sum();
        Ok(WorkLeft {
            operations: work.operations,
            connections: u32::try_from(bound).unwrap_or(u32::MAX),
            sessions: work.sessions,
            operations_read: work.operations_read,
        })
    }

    /// Waits until nothing is left to do at a member, at most until `deadline`; what is left then.
    /// `progress` is told whenever it changes. Does not itself make the member drain, and cuts
    /// nothing. Cancel safe.
    pub async fn wait_for_work(
        &self,
        pool: &str,
        member: &str,
        deadline: Duration,
        mut progress: impl FnMut(WorkLeft),
    ) -> Result<WorkLeft, CommandError> {
        let until = Instant::now().checked_add(deadline);
        let mut last = None;
        loop {
            let left = self.work_left(pool, member)?;
            if last != Some(left) {
                last = Some(left);
                progress(left);
            }
            if left.is_none() || until.is_some_and(|until| Instant::now() >= until) {
                return Ok(left);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
