//! The scanners against recorded clients, against Apache's Thrift library, and against garbage.

// Clippy knows test functions, not their helpers.
#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod allocations;
mod captures;
mod differential;
mod hostile;
mod stream;
