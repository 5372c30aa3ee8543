//! How others look at the running gateway and tell it what to do: the one door for the admin side.
//!
//! Snapshots come out, commands go in. Looking takes the balancer's lock for as long as it takes to
//! copy some numbers, and nothing that a relay waits for. Names, not ids, say which object is meant:
//! they stay the same over reloads and restarts.

mod command;
pub(crate) mod events;
mod look;
mod view;
mod work;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

pub use command::{CommandError, Edited, Selection};
pub use events::{Event, EventKind};
pub use oxpecker_balance::balancer::{Cause, ChosenBy};
pub use oxpecker_balance::spec::{AdminState, Health};
pub use view::{
    ConnectionView, CountsView, EndingView, EntryView, MemberView, NodeView, PoolView, ProbeView,
    Status, TrafficView, VirtualView,
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
pub struct Who(Arc<str>);

impl Who {
    pub fn new(who: &str) -> Self {
        Self(who.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What only the owner of the gateway and its configuration can do; see [`Handle::reload`].
///
/// The owner receives these beside its signals and answers each.
#[derive(Debug)]
pub struct Request {
    pub who: Who,
    pub what: Wanted,
    /// The error is a text for people, with the causes.
    pub answer: oneshot::Sender<Result<(), String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Read the configuration files anew.
    Reload,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self { shared, requests }, receiver)
    }
}
