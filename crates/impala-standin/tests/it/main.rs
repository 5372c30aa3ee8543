//! The stand-in as a process: through a thin client of our own, and through the real clients.

mod client;
mod hs2;
mod process;
