//! What packages ship beside the program: completions of shells and manual pages, made from the
//! command line itself so that they cannot differ from it.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// For which shell; printed
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Existing directory for the pages, one a command
    directory: PathBuf,
}

pub(crate) fn completions(options: &Completions) -> Exit {
    let mut out = Vec::new();
    clap_complete::generate(options.shell, &mut crate::Args::command(), "oxpecker", &mut out);
    let printed = io::Write::write_all(&mut io::stdout().lock(), &out);
    if printed.is_ok() { Exit::Fine } else { Exit::Failure }
}

pub(crate) fn man(options: &Man) -> anyhow::Result<Exit> {
    clap_mangen::generate_to(crate::Args::command(), &options.directory)
        .with_context(|| format!("failed to write into {}", options.directory.display()))?;
    Ok(Exit::Fine)
}
