//! What tests of whole processes need: addresses of their own, a gateway process, scripted
//! members and clients, log receivers, and waiting for a state with a deadline.
//!
//! Everything here is blocking and plain threads, so that a hang of the gateway is a failed
//! test with a message and never a stuck runtime. Panics are how it reports: only tests use it.

// A panic is the report of a test helper.
#![expect(clippy::unwrap_used, reason = "only tests use this crate")]

pub mod access;
pub mod certificates;
pub mod client;
pub mod clients;
pub mod gateway;
pub mod http;
pub mod kdc;
pub mod lines;
pub mod member;
pub mod namespace;
pub mod net;
pub mod pebble;
pub mod sink;
pub mod spark;
pub mod standin;
pub mod tap;
pub mod temp;
pub mod wait;

pub use access::Tcplog;
pub use certificates::{Authority, Pair};
pub use client::{Ending, connect, connect_from};
pub use gateway::{Gateway, Launch};
pub use http::{Http, Reply};
pub use kdc::Kdc;
pub use lines::Lines;
pub use member::Member;
pub use net::Net;
pub use pebble::Pebble;
pub use standin::Standin;
pub use tap::Tap;
pub use temp::TempDir;
pub use wait::{DEADLINE, wait_until};
