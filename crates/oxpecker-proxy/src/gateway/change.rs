//! Changes at run time: what operators ask for and only the owner of the gateway can do.

use std::net::IpAddr;
use std::path::Path;

use oxpecker_config::edit::{Edit, EditError};
use oxpecker_config::model::{Config, Host};

use super::configure::connections_max;
use super::{ApplyError, Gateway, Prepared};
use crate::control::events::EventKind;
use crate::control::state_file::StateFile;
use crate::control::{CommandError, Request, Wanted, Who};
use crate::resolve;
use crate::wording::chain;

impl Gateway {
    /// Does what is asked for and answers, but for [`Wanted::Reload`]: that is handed back, for
    /// whoever has the files.
    pub async fn answer(&mut self, request: Request) -> Option<Request> {
        let Request { who, what, answer } = request;
        let result = match what {
            Wanted::Reload => return Some(Request { who, what, answer }),
            Wanted::Edit(edit) => self.edit(&who, edit).await,
            Wanted::Listening { virtual_server, on } => {
                self.set_listening(&who, &virtual_server, on).await
            }
        };
        // Whoever asked may have gone meanwhile.
        let _ = answer.send(result);
        None
    }

    /// Tells how a reload ended, for events and status. `apply` alone tells nothing: most reloads
    /// fail before, in the files.
    pub fn reloaded(&self, who: &Who, result: Result<(), &str>) {
        self.shared.reloads.note(result.is_ok());
        match result {
            Ok(()) => self.shared.note(who, EventKind::Reload, "", "configuration reloaded"),
            Err(error) => {
                let text = format!("reload failed, keeping the running configuration: {error}");
                self.shared.note(who, EventKind::ReloadFailed, "", &text);
            }
        }
    }

    /// Tells that the process is about to end: nothing new, what runs may finish.
    pub fn begin_drain(&self, who: &Who) {
        self.shared.begin_drain();
        let text = format!("draining {} connections, then ending", self.open_connections());
        self.shared.note(who, EventKind::Draining, "", &text);
    }

    /// Changes the configuration in force, all or nothing, without reading a file.
    async fn edit(&mut self, who: &Who, edit: Edit) -> Result<(), CommandError> {
        let Some(config) = self.shared.changes.with(&edit)? else {
            return Err(CommandError::Ending);
        };
        let refused = |error: ApplyError| CommandError::Refused(chain(&error));
        let tls = self.keep_tls(&config).ok_or(CommandError::Ending)?;
        let connections_max = connections_max(&config, self.workers.len()).map_err(refused)?;
        let addresses = self.known_addresses(&config).await;
        let opened = std::collections::HashMap::new();
        let prepared = Prepared { tls, connections_max, addresses, opened };
        self.put_in_force(&config, prepared, who).await;
        tracing::info!(who = who.as_str(), change = %edit, "configuration changed at run time");
        self.note_edit(who, &edit);
        self.shared.changes.add(edit);
        Ok(())
    }

    /// What came and went tells itself.
    fn note_edit(&self, who: &Who, edit: &Edit) {
        let (kind, subject) = match edit {
            Edit::AddNode(_)
            | Edit::RemoveNode { .. }
            | Edit::AddMember { .. }
            | Edit::RemoveMember { .. } => return,
            Edit::SetWeight { pool, member, .. } => (EventKind::Weight, format!("{pool}/{member}")),
            Edit::SetState { pool, member, .. } => {
                (EventKind::AdminState, format!("{pool}/{member}"))
            }
            Edit::SetMemberLimit { pool, member, .. } => {
                (EventKind::Settings, format!("{pool}/{member}"))
            }
            Edit::SetAddress { node, .. } => (EventKind::Settings, node.clone()),
            Edit::SetVirtualLimit { virtual_server, .. } => {
                (EventKind::Settings, virtual_server.clone())
            }
            Edit::SetProcessLimit { .. } => (EventKind::Settings, String::new()),
        };
        self.shared.note(who, kind, &subject, &edit.to_string());
    }

    /// Only names that are new are looked up.
    async fn known_addresses(&self, config: &Config) -> Vec<Option<IpAddr>> {
        let now = self.shared.topology();
        let mut addresses = Vec::new();
        for node in &config.nodes {
            let known = now.nodes.iter().find(|known| known.host == node.address);
            addresses.push(match (&node.address, known) {
                (Host::Ip(ip), _) => Some(*ip),
                (Host::Name(_), Some(known)) => known.address(),
                (Host::Name(name), None) => match resolve::lookup(name).await {
                    Ok(address) => Some(address),
                    Err(error) => {
                        tracing::warn!(
                            name,
                            error,
                            "failed to resolve a node's name; trying again and again"
                        );
                        None
                    }
                },
            });
        }
        addresses
    }

    /// Closes or opens a virtual server's listeners; connections that are open go on.
    async fn set_listening(
        &mut self,
        who: &Who,
        virtual_server: &str,
        on: bool,
    ) -> Result<(), CommandError> {
        let topology = self.shared.topology();
        let known = topology.virtuals.iter().find(|known| known.config.name == virtual_server);
        let Some(policy) = known else {
            let name = virtual_server.to_owned();
            return Err(CommandError::Unknown { kind: "virtual server", name });
        };
        let changed = match on {
            true => self.closed.remove(virtual_server),
            false => self.closed.insert(virtual_server.to_owned()),
        };
        if !changed {
            return Ok(());
        }
        let opened = self.open_listeners_of([&policy.config], &mut Vec::new());
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.closed.insert(virtual_server.to_owned());
                return Err(CommandError::Refused(chain(&error)));
            }
        };
        policy.set_listening(on);
        self.use_listeners(&topology, opened).await;
        let text = if on { "accepts clients again" } else { "accepts no clients any more" };
        tracing::info!(virtual_server, who = who.as_str(), on, "listening changed");
        self.shared.note(who, EventKind::Settings, virtual_server, text);
        Ok(())
    }

    /// Loads what was changed in an earlier life.
    pub(super) fn take_up(&self, state: Option<&Path>) {
        let Some(path) = state else { return };
        let (file, edits) = StateFile::open(path);
        let shown = path.display().to_string();
        let edits = edits.unwrap_or_else(|error| {
            let text = format!(
                "changes made at run time are NOT in force: {error}. Mend the file and start \
                 again; saving moves it aside, to the same name with .bad"
            );
            tracing::error!(file = shown, error = %error, "the state file cannot be read, going on without it");
            self.shared.events.note("file", EventKind::ReloadFailed, &shown, &text);
            Vec::new()
        });
        if !edits.is_empty() {
            tracing::info!(
                file = shown,
                changes = edits.len(),
                "changes made at run time are in force"
            );
        }
        self.shared.changes.begin(file, edits);
    }

    /// A configuration of the files is in force.
    pub(super) fn took_over(&self, files: &Config, dropped: &[(Edit, EditError)]) {
        for (edit, error) in dropped {
            tracing::warn!(change = %edit, %error, "a change made at run time gives way to the configuration files");
            let text = format!("`{edit}` gives way to the configuration files: {error}");
            self.shared.events.note("file", EventKind::Settings, "", &text);
        }
        self.shared.changes.set_files(files, dropped);
    }
}
