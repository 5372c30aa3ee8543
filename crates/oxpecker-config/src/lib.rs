//! Oxpecker's configuration: native TOML text in, a checked [`model::Config`] or located
//! diagnostics out.
//!
//! Pure: no file, socket, environment or clock is touched here. Files, environment
//! variables and secrets come in through [`source::Source`].

pub mod model;
