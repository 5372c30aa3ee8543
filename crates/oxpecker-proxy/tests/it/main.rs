//! The data plane as the admin side sees it: a gateway in this process, driven through its handle.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the verdict")]

mod changes;
mod connections;
mod events;
mod running;
mod statistics;
