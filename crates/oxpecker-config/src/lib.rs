//! Oxpecker's configuration: native TOML text in, a checked [`model::Config`] or located
//! diagnostics out.
//!
//! Pure: no file, socket, environment or clock is touched here. Files, environment
//! variables and secrets come in through [`source::Source`].

mod check;
mod context;
mod diagnostic;
pub mod edit;
mod explain;
mod file;
mod interpolate;
mod locate;
mod mask;
pub mod model;
mod options;
mod origin;
mod reader;
mod reference;
mod show;
pub mod source;
mod text;
mod units;
mod values;
mod words;

pub use check::{Checked, check};
pub use diagnostic::{Diagnostic, Note, Severity};
pub use explain::explain;
pub use model::Config;
pub use options::{Fallback, Kind, OptionDoc, TABLES, TableDoc};
pub use origin::Origins;
pub use reference::reference;
pub use source::{Input, Maps, Source};
pub use text::File as SourceText;
pub use units::read_duration;
