//! One thread with its own single-threaded runtime: what it accepts stays with it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::Socket;
use tokio::sync::{mpsc, oneshot, watch};

use crate::accept::{self, Listening};
use crate::connection::registry::Registry;
use crate::counters::WorkerIndex;
use crate::pulse::BEAT;
use crate::state::Shared;

/// Commands that may wait for a busy worker.
const COMMANDS_MAX: usize = 64;

/// What a connection needs to know of its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) index: WorkerIndex,
    pub(crate) registry: Arc<Registry>,
    pub(crate) shared: Arc<Shared>,
}

/// Which listener; never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ListenerId(pub(crate) u64);

#[derive(Debug)]
pub(crate) enum Command {
    Listen {
        id: ListenerId,
        socket: Socket,
        listening: Arc<Listening>,
    },
    /// Takes what already waits in the backlog, closes, and then answers.
    Close {
        id: ListenerId,
        closed: oneshot::Sender<()>,
    },
    /// Answers, to show that the thread still runs.
    Ping(oneshot::Sender<()>),
}

/// The control side of a worker. Dropping it ends the thread and cuts its connections.
#[derive(Debug)]
pub(crate) struct WorkerHandle {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerHandle {
    pub(crate) fn start(shared: &Arc<Shared>, index: usize) -> io::Result<Self> {
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let worker = Arc::new(Worker {
            index: WorkerIndex(index),
            registry: Arc::clone(&shared.registries[index]),
            shared: Arc::clone(shared),
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || runtime.block_on(run(worker, receiver)))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    pub(crate) async fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A worker ends only when this handle is dropped.
            let _ = commands.send(command).await;
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says that this thread comes round to all that is due.
async fn live(worker: Arc<Worker>) {
    let Worker { shared, index, .. } = &*worker;
    shared.pulse.keep(index.0, BEAT, || shared.now()).await;
}

async fn run(worker: Arc<Worker>, mut commands: mpsc::Receiver<Command>) {
    tokio::spawn(live(Arc::clone(&worker)));
    let mut stops: HashMap<ListenerId, watch::Sender<bool>> = HashMap::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen { id, socket, listening } => {
                let (stop, stopped) = watch::channel(false);
                stops.insert(id, stop);
                tokio::spawn(accept::serve(Arc::clone(&worker), socket, listening, stopped));
            }
            Command::Close { id, closed } => {
                if let Some(stop) = stops.remove(&id) {
                    let _ = stop.send(true);
                    tokio::spawn(async move {
                        stop.closed().await;
                        let _ = closed.send(());
                    });
                }
            }
            Command::Ping(answer) => {
                // Nobody waits any more: then nobody needs the answer.
                let _ = answer.send(());
            }
        }
    }
}
