//! The real program, run as an administrator would, between scripted clients and members.
//!
//! Every test has loopback addresses and a process of its own, so all run side by side. Tests
//! under `as_root` need root: namespaces, users, a jail (`--skip as_root` leaves them out).

// Clippy knows test functions, not their helpers.
#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod acme;
mod admin;
mod admission;
mod as_root;
mod aware;
mod choosing;
mod clients;
mod command_line;
mod ctl;
mod delivery;
mod descriptors;
mod ending;
mod examples;
mod failing;
mod garbage;
mod haproxy;
mod health;
mod import;
mod inside;
mod keytab;
mod limits;
mod listening;
mod logs;
mod page;
mod relay;
mod reload;
mod service;
mod site;
mod timeouts;
mod tls;
