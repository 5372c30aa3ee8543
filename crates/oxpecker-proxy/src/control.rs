//! How others look at the running gateway and tell it what to do: the one door for the admin side.
//!
//! Snapshots come out, commands go in. Looking takes the balancer's lock for as long as it takes to
//! copy some numbers, and nothing that a relay waits for. Names, not ids, say which object is meant:
//! they stay the same over reloads and restarts.

pub(crate) mod changes;
mod command;
mod connections;
pub(crate) mod endings;
pub(crate) mod events;
mod happened;
mod look;
pub(crate) mod state_file;
mod view;
mod work;

use std::fmt;
use std::sync::Arc;

use oxpecker_config::edit::Edit;
use tokio::sync::{mpsc, oneshot};

pub use crate::pulse::Silent;
pub use changes::Saved;
pub use command::{CommandError, Edited, NewMember, Selection};
pub use connections::ConnectionFilter;
pub use events::{Event, EventKind};
pub use oxpecker_balance::balancer::{Cause, ChosenBy};
pub use oxpecker_balance::spec::{AdminState, Health};
pub use state_file::SaveError;
pub use view::{
    ConnectionView, CountsView, EndingView, EntryView, HistogramView, LeavingView, MemberView,
    NodeView, PoolView, ProbeFailure, ProbeView, Status, TimeView, TimesView, TrafficView,
    VirtualView,
};

pub use work::WorkLeft;

use crate::state::Shared;

/// Requests that wait for the process: an operator's clicks, so few.
const REQUESTS_MAX: usize = 16;

/// Looks and commands; cheap to clone, and usable from every thread.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

/// Who asked for a change, as events and logs tell it: `admin:alice`, `socket`, `signal`, `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    name: Arc<str>,
    why: Option<Arc<str>>,
}

impl Who {
    pub fn new(who: &str) -> Self {
        Self { name: who.into(), why: None }
    }

    /// The same, with what it says about its reasons: kept with the event.
    pub fn because(self, why: &str) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    pub fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What only the owner of the gateway and its configuration can do; see [`Handle::reload`].
///
/// The owner receives these beside its signals and answers each.
#[derive(Debug)]
pub struct Request {
    pub who: Who,
    pub what: Wanted,
    pub answer: oneshot::Sender<Result<(), CommandError>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Read the configuration files anew. The only one that `Gateway::answer` hands back.
    Reload,
    /// Change the configuration in force.
    Edit(Edit),
    /// Stop or begin to accept clients of a virtual server.
    Listening { virtual_server: String, on: bool },
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self { shared, requests }, receiver)
    }
}
