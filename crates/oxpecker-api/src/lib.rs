//! The JSON shapes of `/api/v1`, shared by the server, the command line and the page. Serde and
//! nothing else: what a script reads changes only here, on purpose.
//!
//! Within a version fields are only added. Times are RFC 3339 in UTC; durations are seconds as a
//! number, in fields that end in `_seconds`; sizes are bytes or bits, as the name says.

mod action;
mod history;
mod object;
mod stats;
mod work;

pub use action::{
    AddMember, AddNode, ErrorBody, Kill, MemberChange, ResetStatistics, Saved, StateChange,
};
pub use history::{History, Sample, Series};
pub use object::{
    AdminState, Certificate, Connection, Counts, Ending, Event, Health, Listing, Map, MapPool,
    MapVirtual, Member, Node, PersistenceEntry, Pool, Probe, Status, Traffic, Virtual,
};
pub use stats::{Format, StatisticsRow, StatisticsTable, normalized};
pub use work::{Drain, Operation, Session, Statement};

/// Under it all paths of this version begin.
pub const PREFIX: &str = "/api/v1";
