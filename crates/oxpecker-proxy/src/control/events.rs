//! What happened lately: changes of health and of state, reloads, certificates. A bounded ring
//! that anybody may read; the log has the same for longer.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::wording;

/// Older ones are forgotten.
pub(crate) const EVENTS_MAX: usize = 1000;

/// Longest text kept: some name an error with all its causes.
const TEXT_BYTES_MAX: usize = 1000;

/// The ring. Its lock is taken when something happens that an operator wants to know, and by
/// readers; no connection waits for it but one whose connect failed or that took a member out.
#[derive(Debug)]
pub(crate) struct Events {
    ring: Mutex<Ring>,
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Event>,
    last: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self { ring: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Events {
    pub(crate) fn note(&self, who: &str, kind: EventKind, subject: &str, text: &str) {
        let text = wording::without_codes(text);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.last += 1;
        let id = ring.last;
        if ring.events.len() >= EVENTS_MAX {
            ring.events.pop_front();
        }
        ring.events.push_back(Event {
            id,
            at: Timestamp::now(),
            kind,
            who: who.to_owned(),
            subject: subject.to_owned(),
            text: shortened(&text).to_owned(),
        });
        // Under the lock, so that the number never goes back.
        self.last.send_replace(id);
    }

    /// The newest `limit` of those after `after`, oldest first.
    pub(crate) fn after(&self, after: u64, limit: usize) -> Vec<Event> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let new = ring.events.iter().rev().take_while(|event| event.id > after);
        let mut events: Vec<_> = new.take(limit).cloned().collect();
        events.reverse();
        events
    }

    /// The id of the newest, whenever there is a new one.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts up from 1; a reader asks for what came after the last it has.
    pub id: u64,
    pub at: Timestamp,
    pub kind: EventKind,
    /// `monitor`, `clients`, `file`, `signal`, or whoever used the admin side: `admin:alice`.
    pub who: String,
    /// What it is about: `pool/member`, a virtual server, a certificate; may be empty.
    pub subject: String,
    /// A sentence for people.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    Started,
    Health,
    AdminState,
    Weight,
    Added,
    Removed,
    Reload,
    ReloadFailed,
    Saved,
    Certificate,
    StatisticsReset,
    ConnectionsEnded,
    /// An operation was cancelled, or a session closed.
    Killed,
    Access,
    Draining,
    Persistence,
    /// A limit or an address was set at run time, or a listener paused.
    Settings,
}

impl EventKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Health => "health",
            Self::AdminState => "admin-state",
            Self::Weight => "weight",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Reload => "reload",
            Self::ReloadFailed => "reload-failed",
            Self::Saved => "saved",
            Self::Certificate => "certificate",
            Self::StatisticsReset => "statistics-reset",
            Self::ConnectionsEnded => "connections-ended",
            Self::Killed => "killed",
            Self::Access => "access",
            Self::Draining => "draining",
            Self::Persistence => "persistence",
            Self::Settings => "settings",
        }
    }
}

fn shortened(text: &str) -> &str {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.id).collect()
    }

    #[test]
    fn the_newest_are_kept_and_told_once() {
        let events = Events::default();
        let changed = events.changed();
        for n in 0..EVENTS_MAX + 5 {
            events.note("file", EventKind::Reload, "", &n.to_string());
        }
        assert_eq!(*changed.borrow(), EVENTS_MAX as u64 + 5);
        let all = events.after(0, usize::MAX);
        assert_eq!(all.len(), EVENTS_MAX);
        assert_eq!((all[0].id, all[0].text.as_str()), (6, "5"));
        assert_eq!(ids(&events.after(0, 2)), [1004, 1005]);
        assert_eq!(ids(&events.after(1003, 10)), [1004, 1005]);
        assert!(events.after(1005, 10).is_empty());
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let events = Events::default();
        events.note("file", EventKind::ReloadFailed, "", &"ä".repeat(TEXT_BYTES_MAX));
        assert_eq!(events.after(0, 1)[0].text.len(), TEXT_BYTES_MAX);
        events.note("file", EventKind::ReloadFailed, "", &format!("x{}", "ä".repeat(600)));
        assert_eq!(events.after(1, 1)[0].text.len(), TEXT_BYTES_MAX - 1);
    }
}
