//! What operators see and touch: the HTTP API, the page, metrics, and HAProxy's runtime socket.
//!
//! Runs on a thread of its own and knows the data plane by [`oxpecker_proxy::control::Handle`] only.
//! Nothing but the binaries depends on it: with it switched off traffic flows as before.

mod access;
mod admin;
mod api;
mod app;
mod connection;
mod error;
mod haproxy;
mod history;
mod listen;
mod metrics;
mod page;
mod route;
#[cfg(test)]
mod sample;
mod server;
mod snapshot;

pub use admin::{Admin, Prepared, StartError};
pub use listen::{OpenError, Owner};
