//! Oxpecker's decisions: which member a client gets, and when a member counts as usable.
//!
//! Pure: no socket, clock or random source. `now` and seeds come in as arguments; choices
//! and events come out. One [`balancer::Balancer`] holds the small shared state of the whole
//! gateway; the data plane keeps it behind one lock that is taken when a connection opens and
//! closes, never while it relays.

pub mod balancer;
mod counts;
mod hash;
mod member;
mod method;
mod monitor;
mod node;
mod outcome;
mod persistence;
mod pool;
mod priority;
mod slow_start;
pub mod spec;
