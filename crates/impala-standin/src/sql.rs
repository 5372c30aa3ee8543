//! Real SQL for the stand-in: Impala's dialect, as far as SQLite can follow it, over SQLite files.
//! A statement is planned (and refused, if wrong) while the client waits, then runs in a thread of
//! its own.

mod batch;
mod engine;
mod errors;
mod functions;
mod infer;
mod plan;
mod run;
mod sample;
mod tokens;
mod translate;
mod types;

pub(crate) use batch::{Batch, Cells, Column, Piece};
pub(crate) use engine::{Context, DEFAULT as DEFAULT_DATABASE, Engine};
pub(crate) use plan::catalog::{columns_of, tables_of};
pub(crate) use plan::{Effect, plan};
pub(crate) use run::{Cancel, Progress, Work, run};
pub(crate) use types::{ColumnInfo, Type};
