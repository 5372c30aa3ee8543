//! What happened lately: changes of health and of state, reloads, certificates. A bounded ring
//! that anybody may read; the log has the same for longer.

use jiff::Timestamp;

/// Older ones are forgotten.
pub(crate) const EVENTS_MAX: usize = 1000;

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
    Access,
    Draining,
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
            Self::Access => "access",
            Self::Draining => "draining",
        }
    }
}
