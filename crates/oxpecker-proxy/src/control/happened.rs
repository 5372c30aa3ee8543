//! Reading what happened, and adding to it.

use tokio::sync::watch;

use super::events::Events;
use super::{Event, EventKind, Handle, Who};

impl Handle {
    pub(crate) fn ring(&self) -> &Events {
        &self.shared.events
    }

    /// The newest `limit` of the events after `after` (0 = from the start), oldest first.
    pub fn events(&self, after: u64, limit: usize) -> Vec<Event> {
        self.shared.events.after(after, limit)
    }

    /// Changes with every event, to its id.
    pub fn events_changed(&self) -> watch::Receiver<u64> {
        self.shared.events.changed()
    }

    /// Adds an event of the admin side's own, such as a lock-out.
    pub fn note(&self, who: &Who, kind: EventKind, subject: &str, text: &str) {
        self.shared.note(who, kind, subject, text);
    }
}
