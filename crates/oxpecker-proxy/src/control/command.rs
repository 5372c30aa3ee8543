//! Commands: some are done at once, some by the owner of the gateway.

use std::sync::Arc;

use oxpecker_balance::spec::{AdminState, MemberId};
use oxpecker_config::edit::{self, Edit, EditError};
use oxpecker_config::model::{self, Host, Member, Node};
use tokio::sync::oneshot;

use super::{EventKind, Handle, Request, SaveError, Saved, Wanted, Who};
use crate::aware::{KillError, Killed, kill};
use crate::connection::registry::Cut;
use crate::convert;
use crate::state::{MemberState, Shared};

/// Which rows of the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// With its members.
    Pool(String),
    Member {
        pool: String,
        member: String,
    },
    Node(String),
    Virtual(String),
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("there is no {kind} `{name}`")]
    Unknown { kind: &'static str, name: String },
    #[error("there is a {kind} `{name}` already")]
    Exists { kind: &'static str, name: String },
    #[error("{0}")]
    Refused(String),
    #[error("the gateway is ending")]
    Ending,
}

impl From<EditError> for CommandError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Unknown { kind, name } => Self::Unknown { kind, name },
            EditError::Exists { kind, name } => Self::Exists { kind, name },
            other => Self::Refused(other.to_string()),
        }
    }
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    Changed,
    /// It was so already.
    Same,
}

/// A member to be added; what is left out is as in the configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewMember {
    pub weight: Option<u16>,
    pub priority: Option<u16>,
    pub connections_max: Option<u32>,
    pub state: Option<AdminState>,
}

impl Handle {
    /// At once. `member` is its name in the pool, `node:port`.
    pub fn set_admin_state(
        &self,
        who: &Who,
        pool: &str,
        member: &str,
        state: AdminState,
    ) -> Result<Edited, CommandError> {
        let found = self.find(pool, member)?;
        let shared = &self.shared;
        let before = {
            let mut balancer = shared.balancer();
            let before = balancer.member(found).map(|view| view.admin_state);
            balancer.set_admin_state(found, state, shared.now());
            before
        };
        let Some(before) = before.filter(|before| *before != state) else {
            return Ok(Edited::Same);
        };
        let (from, to) = (state_word(before), state_word(state));
        tracing::info!(pool, member, who = who.as_str(), from, to, "admin state changed");
        let subject = format!("{pool}/{member}");
        shared.note(who, EventKind::AdminState, &subject, &format!("{from} → {to}"));
        shared.changes.add(Edit::SetState {
            pool: pool.to_owned(),
            member: member.to_owned(),
            state: convert::admin_state_of(state),
            was: convert::admin_state_of(before),
        });
        Ok(Edited::Changed)
    }

    /// At once.
    pub fn set_weight(
        &self,
        who: &Who,
        pool: &str,
        member: &str,
        weight: u16,
    ) -> Result<Edited, CommandError> {
        if weight > edit::WEIGHT_MAX {
            return Err(EditError::TooHeavy { weight }.into());
        }
        let found = self.find(pool, member)?;
        let shared = &self.shared;
        let before = {
            let mut balancer = shared.balancer();
            let before = balancer.member(found).map(|view| view.weight);
            balancer.set_weight(found, weight);
            before
        };
        let Some(before) = before.filter(|before| *before != weight) else {
            return Ok(Edited::Same);
        };
        tracing::info!(pool, member, who = who.as_str(), before, weight, "weight changed");
        let subject = format!("{pool}/{member}");
        shared.note(who, EventKind::Weight, &subject, &format!("{before} → {weight}"));
        shared.changes.add(Edit::SetWeight {
            pool: pool.to_owned(),
            member: member.to_owned(),
            weight,
            was: before,
        });
        Ok(Edited::Changed)
    }

    /// Ends one client connection; false if there is none with that id any more.
    pub fn kill_connection(&self, who: &Who, id: u64) -> bool {
        let found =
            self.shared.registries.iter().any(|registry| registry.cut_one(id, Cut::Operator));
        if found {
            tracing::info!(id, who = who.as_str(), "connection ended by an operator");
            let text = "1 connection ended by an operator";
            self.shared.note(who, EventKind::ConnectionsEnded, &format!("connection {id}"), text);
        }
        found
    }

    /// Ends the client connections to a member; returns how many.
    pub fn kill_connections(
        &self,
        who: &Who,
        pool: &str,
        member: &str,
    ) -> Result<usize, CommandError> {
        let found = self.find(pool, member)?;
        let count = self.shared.registries.iter().map(|r| r.cut_shown(found, Cut::Operator)).sum();
        if count > 0 {
            tracing::info!(
                pool,
                member,
                who = who.as_str(),
                count,
                "connections ended by an operator"
            );
            let text = format!("{count} connections ended by an operator");
            let subject = format!("{pool}/{member}");
            self.shared.note(who, EventKind::ConnectionsEnded, &subject, &text);
        }
        Ok(count)
    }

    /// Cancels the operation with this id, as Impala prints it, at the coordinator that runs it. Its
    /// client reads so in the answer to its next call.
    pub async fn kill_operation(&self, who: &Who, id: &str) -> Result<Killed, KillError> {
        let result = kill::operation(&self.shared, id).await;
        self.killed("operation", who, id, &result);
        result
    }

    /// Closes the session with this id, and all that it has open.
    pub async fn kill_session(&self, who: &Who, id: &str) -> Result<Killed, KillError> {
        let result = kill::session(&self.shared, id).await;
        self.killed("session", who, id, &result);
        result
    }

    /// Begins the sums of statements anew.
    pub fn reset_top_statements(&self, who: &Who) {
        self.shared.sessions.reset_top_statements();
        tracing::info!(who = who.as_str(), "sums of statements reset");
        self.shared.note(who, EventKind::StatisticsReset, "statements", "sums of statements reset");
    }

    /// Reads the configuration files anew, all or nothing; the answer comes when it is done.
    pub async fn reload(&self, who: Who) -> Result<(), CommandError> {
        self.ask(who, Wanted::Reload).await
    }

    /// Changes the configuration in force, all or nothing. `was` need not be filled in.
    pub async fn edit(&self, who: Who, edit: Edit) -> Result<(), CommandError> {
        self.ask(who, Wanted::Edit(edit)).await
    }

    /// `address`: an IP, or a name that is looked up.
    pub async fn add_node(
        &self,
        who: Who,
        name: &str,
        address: &str,
        description: &str,
    ) -> Result<(), CommandError> {
        let address = edit::parse_host(address)?;
        let (name, description) = (name.to_owned(), description.to_owned());
        self.edit(who, Edit::AddNode(Node { name, description, address })).await
    }

    pub async fn remove_node(&self, who: Who, node: &str) -> Result<(), CommandError> {
        self.edit(who, Edit::RemoveNode { node: node.to_owned() }).await
    }

    /// Gives a node another address; connections that are open stay where they are.
    pub async fn set_address(
        &self,
        who: Who,
        node: &str,
        address: &str,
    ) -> Result<(), CommandError> {
        let address = edit::parse_host(address)?;
        let was = Host::Name(String::new());
        self.edit(who, Edit::SetAddress { node: node.to_owned(), address, was }).await
    }

    pub async fn add_member(
        &self,
        who: Who,
        pool: &str,
        node: &str,
        port: u16,
        new: NewMember,
    ) -> Result<(), CommandError> {
        let usual = edit::new_member(port);
        let member = Member {
            weight: new.weight.unwrap_or(usual.weight),
            priority: new.priority.unwrap_or(usual.priority),
            connections_max: new.connections_max,
            state: new.state.map_or(usual.state, convert::admin_state_of),
            ..usual
        };
        let (pool, node) = (pool.to_owned(), node.to_owned());
        self.edit(who, Edit::AddMember { pool, node, member }).await
    }

    /// Its open connections live on until they end.
    pub async fn remove_member(
        &self,
        who: Who,
        pool: &str,
        member: &str,
    ) -> Result<(), CommandError> {
        let (pool, member) = (pool.to_owned(), member.to_owned());
        self.edit(who, Edit::RemoveMember { pool, member }).await
    }

    /// `None` = no limit. Nobody is cut by a lower one.
    pub async fn set_member_limit(
        &self,
        who: Who,
        pool: &str,
        member: &str,
        limit: Option<u32>,
    ) -> Result<(), CommandError> {
        let (pool, member) = (pool.to_owned(), member.to_owned());
        self.edit(who, Edit::SetMemberLimit { pool, member, limit, was: None }).await
    }

    /// `None` = no limit of its own.
    pub async fn set_virtual_limit(
        &self,
        who: Who,
        virtual_server: &str,
        limit: Option<u32>,
    ) -> Result<(), CommandError> {
        let virtual_server = virtual_server.to_owned();
        self.edit(who, Edit::SetVirtualLimit { virtual_server, limit, was: None }).await
    }

    /// `None` = as many as descriptors allow; more than they allow is refused.
    pub async fn set_process_limit(
        &self,
        who: Who,
        limit: Option<u32>,
    ) -> Result<(), CommandError> {
        self.edit(who, Edit::SetProcessLimit { limit, was: None }).await
    }

    /// Closes or opens the listeners of a virtual server. Open connections go on. Not saved: the
    /// next start listens.
    pub async fn set_listening(
        &self,
        who: Who,
        virtual_server: &str,
        on: bool,
    ) -> Result<(), CommandError> {
        self.ask(who, Wanted::Listening { virtual_server: virtual_server.to_owned(), on }).await
    }

    /// The changes made at run time that are in force.
    pub fn changes(&self) -> Vec<Edit> {
        self.shared.changes.edits()
    }

    /// How many of them the state file does not have, or has and should not have.
    pub fn unsaved_changes(&self) -> usize {
        self.shared.changes.unsaved()
    }

    /// Writes the changes to the state file. Waits for the disk.
    pub fn save(&self, who: &Who) -> Result<Saved, SaveError> {
        let saved = self.shared.changes.save();
        match &saved {
            Ok(saved) => {
                let (file, changes) = (saved.file.display(), saved.changes);
                tracing::info!(%file, changes, who = who.as_str(), "changes saved");
                let mut text = format!("{changes} changes saved");
                if let Some(bad) = &saved.kept_broken {
                    text.push_str(&format!(
                        "; the file that could not be read is {}",
                        bad.display()
                    ));
                }
                self.shared.note(who, EventKind::Saved, &file.to_string(), &text);
            }
            Err(error) => {
                tracing::error!(%error, who = who.as_str(), "failed to save changes");
                self.shared.note(who, EventKind::Saved, "", &format!("saving failed: {error}"));
            }
        }
        saved
    }

    async fn ask(&self, who: Who, what: Wanted) -> Result<(), CommandError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { who, what, answer };
        self.requests.send(request).await.map_err(|_| CommandError::Ending)?;
        match answered.await {
            Ok(result) => result,
            Err(_) => Err(CommandError::Ending),
        }
    }

    fn killed(&self, kind: &'static str, who: &Who, id: &str, result: &Result<Killed, KillError>) {
        let by = who.as_str();
        match result {
            Ok(Killed::Done) => {
                tracing::info!(kind, id, who = by, "killed");
                let text = format!("{kind} ended by an operator");
                self.shared.note(who, EventKind::Killed, id, &text);
            }
            Ok(Killed::Over) => tracing::info!(kind, id, who = by, "nothing to kill: it was over"),
            // It is somebody's input: no more of it than there is to an id.
            Err(KillError::Unknown { .. }) => {}
            Err(error) => tracing::warn!(kind, id, who = by, %error, "failed to kill"),
        }
    }

    pub(super) fn find(&self, pool: &str, member: &str) -> Result<MemberId, CommandError> {
        find_member(&self.shared, pool, member).map(|known| known.id)
    }

    pub(super) fn member(
        &self,
        pool: &str,
        member: &str,
    ) -> Result<Arc<MemberState>, CommandError> {
        find_member(&self.shared, pool, member)
    }
}

fn find_member(
    shared: &Shared,
    pool: &str,
    member: &str,
) -> Result<Arc<MemberState>, CommandError> {
    let topology = shared.topology();
    let found = topology.pools.iter().find(|known| known.config.name == pool);
    let found =
        found.ok_or_else(|| CommandError::Unknown { kind: "pool", name: pool.to_owned() })?;
    let known = found.members.iter().find(|known| known.name == member);
    let unknown = || CommandError::Unknown { kind: "member", name: format!("{pool}/{member}") };
    known.cloned().ok_or_else(unknown)
}

fn state_word(state: AdminState) -> &'static str {
    match convert::admin_state_of(state) {
        model::AdminState::Enabled => "enabled",
        model::AdminState::Draining => "draining",
        model::AdminState::Disabled => "disabled",
    }
}
