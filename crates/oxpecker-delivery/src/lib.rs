//! Delivery of access logs: lines are collected in files by interval in a spool directory, and
//! finished files are taken to a bucket or a directory by a thread of their own.
//!
//! Knows nothing of connections, records or configuration files: lines and plain [`Settings`] come
//! in, a [`Status`] goes out. Nothing here is ever waited for by whoever writes a line, but for a
//! write to a local file.

mod delivery;
mod naming;
mod settings;
mod ship;
mod spool;
mod status;
mod store;

pub use delivery::{Delivery, DeliveryError, Prepared, Recorder};
pub use settings::{Bucket, Keys, Layout, Naming, SecretKey, Settings, StoreSettings};
pub use spool::SpoolError;
pub use status::{Failure, Status, Watch};
pub use store::{StoreError, check_store};
