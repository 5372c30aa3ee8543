//! Commands: some are done at once, some by the owner of the gateway.

use std::sync::Arc;

use oxpecker_balance::spec::{AdminState, MemberId};
use tokio::sync::oneshot;

use super::{Handle, Request, Wanted, Who};
use crate::state::{MemberState, word};

/// Which rows of the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Pool(String),
    Member { pool: String, member: String },
    Node(String),
    Virtual(String),
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("there is no {kind} `{name}`")]
    Unknown { kind: &'static str, name: String },
    #[error("{0}")]
    Refused(String),
    #[error("the gateway is ending")]
    Ending,
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    Changed,
    /// It was so already.
    Same,
}

impl Handle {
    /// `member` is its name in the pool, `node:port`.
    pub fn set_admin_state(
        &self,
        who: &Who,
        pool: &str,
        member: &str,
        state: AdminState,
    ) -> Result<Edited, CommandError> {
        let found = self.find(pool, member)?;
        let change = self.shared.balancer().set_admin_state(found, state, self.shared.now());
        let Some(change) = change else { return Ok(Edited::Same) };
        tracing::info!(
            pool,
            member,
            who = who.as_str(),
            health = word(change.to),
            ?state,
            "admin state changed"
        );
        Ok(Edited::Changed)
    }

    pub fn set_weight(
        &self,
        who: &Who,
        pool: &str,
        member: &str,
        weight: u16,
    ) -> Result<Edited, CommandError> {
        let found = self.find(pool, member)?;
        self.shared.balancer().set_weight(found, weight);
        tracing::info!(pool, member, who = who.as_str(), weight, "weight changed");
        Ok(Edited::Changed)
    }

    /// Reads the configuration files anew, all or nothing; the answer comes when it is done.
    pub async fn reload(&self, who: Who) -> Result<(), CommandError> {
        self.ask(who, Wanted::Reload).await
    }

    async fn ask(&self, who: Who, what: Wanted) -> Result<(), CommandError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { who, what, answer };
        self.requests.send(request).await.map_err(|_| CommandError::Ending)?;
        match answered.await {
            Ok(result) => result.map_err(CommandError::Refused),
            Err(_) => Err(CommandError::Ending),
        }
    }

    fn find(&self, pool: &str, member: &str) -> Result<MemberId, CommandError> {
        self.member(pool, member).map(|known| known.id)
    }

    pub(super) fn member(
        &self,
        pool: &str,
        member: &str,
    ) -> Result<Arc<MemberState>, CommandError> {
        let topology = self.shared.topology();
        let found = topology.pools.iter().find(|known| known.config.name == pool);
        let found =
            found.ok_or_else(|| CommandError::Unknown { kind: "pool", name: pool.to_owned() })?;
        let known = found.members.iter().find(|known| known.name == member);
        let unknown = || CommandError::Unknown { kind: "member", name: format!("{pool}/{member}") };
        known.cloned().ok_or_else(unknown)
    }
}
