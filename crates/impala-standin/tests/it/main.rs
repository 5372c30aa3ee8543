//! The stand-in as a process: through a thin client of our own, and through the real clients.

#![expect(clippy::unwrap_used, reason = "only tests are here")]

mod beeswax;
mod client;
mod clients;
mod hs2;
mod limits;
mod login;
mod pages;
mod process;
mod tls;
