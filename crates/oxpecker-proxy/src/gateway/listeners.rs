//! The sockets that clients connect to: opened before anything changes, handed to the workers,
//! kept over a reload, closed without losing who has connected already.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oxpecker_config::model::{Config, Virtual};
use socket2::Socket;
use tokio::sync::oneshot;

use super::Gateway;
use crate::accept::Listening;
use crate::listener::{self, ListenError, ListenerKey, Opened};
use crate::state::{Topology, VirtualState};
use crate::worker::{Command, ListenerId};

/// A listener has taken its backlog and is closed long before.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct OpenListener {
    id: ListenerId,
    listening: Arc<Listening>,
    /// The same sockets that the workers accept from, kept to change their options.
    sockets: Vec<Socket>,
    is_inherited: bool,
}

impl Gateway {
    pub(super) fn open_listeners(
        &self,
        config: &Config,
        inherited: &mut Vec<Socket>,
    ) -> Result<HashMap<ListenerKey, Opened>, ListenError> {
        self.open_listeners_of(&config.virtuals, inherited)
    }

    pub(super) fn open_listeners_of<'c>(
        &self,
        virtuals: impl IntoIterator<Item = &'c Virtual>,
        inherited: &mut Vec<Socket>,
    ) -> Result<HashMap<ListenerKey, Opened>, ListenError> {
        let mut opened = HashMap::<_, Opened>::new();
        for virtual_server in virtuals {
            if self.closed.contains(&virtual_server.name) {
                continue;
            }
            for key in ListenerKey::of(virtual_server) {
                if !self.listeners.contains_key(&key) {
                    match key.open(virtual_server, self.workers.len(), inherited) {
                        Ok(sockets) => opened.insert(key, sockets),
                        Err(error) => {
                            for (key, opened) in opened {
                                key.remove_file(opened.is_inherited);
                            }
                            return Err(error);
                        }
                    };
                }
            }
        }
        Ok(opened)
    }

    /// Hands new listeners to the workers, gives those that stay their new policy, closes the rest.
    pub(super) async fn use_listeners(
        &mut self,
        topology: &Topology,
        mut opened: HashMap<ListenerKey, Opened>,
    ) {
        let mut gone = std::mem::take(&mut self.listeners);
        for policy in &topology.virtuals {
            if self.closed.contains(&policy.config.name) {
                continue;
            }
            for key in ListenerKey::of(&policy.config) {
                let listener = match (gone.remove(&key), opened.remove(&key)) {
                    (Some(listener), _) => {
                        listener.listening.set_policy(Arc::clone(policy));
                        for socket in &listener.sockets {
                            if let Err(error) = listener::reconfigure(socket, &policy.config) {
                                tracing::warn!(listen = %key, %error, "failed to change a listener's options");
                            }
                        }
                        listener
                    }
                    (None, Some(opened)) => self.begin_listening(policy, &key, opened).await,
                    (None, None) => continue,
                };
                self.listeners.insert(key, listener);
            }
        }
        for (key, listener) in gone {
            tracing::info!(listen = %key, "no longer listening");
            self.close(&key, listener).await;
        }
    }

    async fn begin_listening(
        &mut self,
        policy: &Arc<VirtualState>,
        key: &ListenerKey,
        Opened { sockets, is_inherited }: Opened,
    ) -> OpenListener {
        let id = ListenerId(self.next_listener);
        self.next_listener += 1;
        let listening = Arc::new(Listening::new(Arc::clone(policy)));
        let mut kept = Vec::new();
        for (worker, socket) in self.workers.iter().zip(sockets) {
            // Without a copy only later changes of options pass this socket by.
            kept.extend(socket.try_clone());
            let listening = Arc::clone(&listening);
            worker.send(Command::Listen { id, socket, listening }).await;
        }
        tracing::info!(
            virtual_server = %policy.config.name, listen = %key, pool = %policy.pool.config.name,
            "listening"
        );
        OpenListener { id, listening, sockets: kept, is_inherited }
    }

    pub(super) async fn close(&self, key: &ListenerKey, listener: OpenListener) {
        drop(listener.sockets);
        let mut closing = Vec::new();
        for worker in &self.workers {
            let (closed, is_closed) = oneshot::channel();
            worker.send(Command::Close { id: listener.id, closed }).await;
            closing.push(is_closed);
        }
        for is_closed in closing {
            // Only a stuck worker does not answer.
            let _ = tokio::time::timeout(CLOSE_PATIENCE, is_closed).await;
        }
        key.remove_file(listener.is_inherited);
    }
}
