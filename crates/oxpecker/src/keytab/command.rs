//! `oxpecker keytab list` and `merge`: what the recipes do with `klist` and `ktutil`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Keytab;
use crate::exit::Exit;

/// A keytab is some kilobytes; a larger file is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the principals of a keytab, never its keys
    List { file: PathBuf },
    /// Join keytabs into a new file, readable by its owner alone
    Merge {
        #[arg(required = true, num_args = 1..)]
        files: Vec<PathBuf>,
        /// The file to write; must not exist
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

pub(crate) fn run(command: &Command) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    match command {
        Command::List { file } => {
            for entry in read(file)?.entries {
                writeln!(out, "{entry:?}")?;
            }
        }
        Command::Merge { files, output } => {
            let mut merged = Keytab::default();
            for file in files {
                for left_out in merged.merge(read(file)?) {
                    eprintln!(
                        "oxpecker: warning: {}: {left_out:?} has another key in a file before it, \
                         which stays",
                        file.display()
                    );
                }
            }
            write(output, &merged)
                .with_context(|| format!("failed to write {}", output.display()))?;
            writeln!(out, "wrote {} keys to {}", merged.entries.len(), output.display())?;
        }
    }
    Ok(Exit::Fine)
}

pub(crate) fn read(path: &Path) -> anyhow::Result<Keytab> {
    let failed = || format!("failed to read the keytab {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(failed)?;
    anyhow::ensure!(
        bytes.len() as u64 <= FILE_BYTES_MAX,
        "{} is larger than any keytab",
        path.display()
    );
    Keytab::parse(&bytes).with_context(failed)
}

/// Never over an existing file: a lost keytab is a long night.
fn write(path: &Path, keytab: &Keytab) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(&keytab.to_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}
