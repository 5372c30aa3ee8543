//! Accepts connections of one listener on one worker.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nix::libc::{SOCK_CLOEXEC, SOCK_NONBLOCK};
use socket2::{SockAddr, Socket};
use tokio::io::Interest;
use tokio::sync::watch;

use crate::connection::registry::Registered;
use crate::connection::{self, Newcomer};
use crate::limit::{Limit, Permit};
use crate::record::ClientAddr;
use crate::socket::{Stream, register};
use crate::state::VirtualState;
use crate::worker::Worker;

/// Out of descriptors or memory: trying again at once would spin.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Connections taken before other tasks of the thread get their turn.
const BATCH_MAX: usize = 64;

/// What a listener serves; a reload replaces the policy and keeps the socket.
#[derive(Debug)]
pub(crate) struct Listening {
    policy: RwLock<Arc<VirtualState>>,
}

impl Listening {
    pub(crate) fn new(policy: Arc<VirtualState>) -> Self {
        Self { policy: RwLock::new(policy) }
    }

    pub(crate) fn policy(&self) -> Arc<VirtualState> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_policy(&self, policy: Arc<VirtualState>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}

/// Accepts until `stopped`, then takes what the kernel has already accepted for us, so that
/// nobody whose connect succeeded is refused.
pub(crate) async fn serve(
    worker: Arc<Worker>,
    socket: Socket,
    listening: Arc<Listening>,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match register(socket, Interest::READABLE) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "failed to watch a listener");
            return;
        }
    };
    let mut waiting = Vec::new();
    'accepting: loop {
        let ready = tokio::select! {
            biased;
            _ = stopped.changed() => break,
            ready = listener.readable() => ready,
        };
        let mut guard = match ready {
            Ok(guard) => guard,
            Err(error) => {
                tracing::error!(%error, "failed to wait for connections");
                return;
            }
        };
        for _ in 0..BATCH_MAX {
            match guard.get_inner().accept4(SOCK_NONBLOCK | SOCK_CLOEXEC) {
                Ok(accepted) => {
                    let accepted = Accepted::new(&worker, accepted);
                    tokio::select! {
                        biased;
                        places = places(&worker, &listening) => accepted.serve(&worker, places),
                        _ = stopped.changed() => {
                            waiting.push(accepted);
                            break 'accepting;
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    guard.clear_ready();
                    break;
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    if let Some(before) = worker.shared.warnings.accept_failed.minute() {
                        let name = &listening.policy().config.name;
                        tracing::error!(
                            virtual_server = %name, %error, held_back = before,
                            "failed to accept; clients wait in the backlog"
                        );
                    }
                    tokio::time::sleep(RETRY_AFTER).await;
                    break;
                }
            }
        }
        tokio::task::yield_now().await;
    }
    while let Ok(accepted) = listener.get_ref().accept4(SOCK_NONBLOCK | SOCK_CLOEXEC) {
        waiting.push(Accepted::new(&worker, accepted));
    }
    drop(listener); // Refuse newcomers before waiting for room for these.
    drop(stopped); // Tells that all who are to be served are known.
    for accepted in waiting {
        accepted.serve(&worker, places(&worker, &listening).await);
    }
}

/// Accepted, but perhaps not yet within the limits. A drain waits for it too.
struct Accepted {
    socket: Socket,
    registered: Registered,
}

/// A connection's places within the limits, and the policy they belong to.
struct Places {
    policy: Arc<VirtualState>,
    process: Permit,
    own: Permit,
}

impl Accepted {
    fn new(worker: &Worker, (socket, peer): (Socket, SockAddr)) -> Self {
        let client = match peer.as_socket() {
            Some(address) => ClientAddr::Ip(address),
            None => ClientAddr::Unix,
        };
        Self { socket, registered: worker.registry.insert(client) }
    }

    fn serve(self, worker: &Arc<Worker>, Places { policy, process, own }: Places) {
        match Stream::new(self.socket) {
            Ok(stream) => {
                let registered = self.registered;
                let newcomer = Newcomer { stream, policy, registered, process, own };
                tokio::spawn(connection::serve(Arc::clone(worker), newcomer));
            }
            Err(error) => tracing::error!(%error, "failed to watch a connection"),
        }
    }
}

/// The client went away between its connect and our accept, or a signal came.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Waits until the limits allow one more; until then nothing more is accepted. Cancel safe.
///
/// The virtual server's own limit comes first: whoever waits for it takes no place from others.
async fn places(worker: &Worker, listening: &Listening) -> Places {
    let policy = listening.policy();
    let own = permit(worker, &policy.connections, "virtual.connections_max", &policy).await;
    let process = permit(worker, &worker.shared.connections, "connections_max", &policy).await;
    // A reload may have come while this client waited.
    Places { policy: listening.policy(), process, own }
}

async fn permit(
    worker: &Worker,
    limit: &Arc<Limit>,
    which: &'static str,
    policy: &VirtualState,
) -> Permit {
    if let Some(permit) = limit.try_acquire() {
        return permit;
    }
    if let Some(held_back) = worker.shared.warnings.limit_reached.minute() {
        tracing::warn!(
            virtual_server = %policy.config.name, limit = which, open = limit.open(), held_back,
            "limit reached; new clients wait in the backlog until others leave"
        );
    }
    limit.acquire().await
}
