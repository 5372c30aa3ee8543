//! Checks and chores of this repository: `cargo xtask ci`, `tidy`, `docs`, `demo`.
//! Never part of the product, and depends on nothing of it.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

mod ci;
mod docs;
mod markdown;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  ci           everything a change has to pass, in the order of .ci/run
  tidy         the rules that no compiler checks: crate walls, purity, file heads, links, stray words
  docs         the built oxpecker checks the configurations shown in README.md and docs/
  demo [ARGS]  build and run oxpecker-demo, with real Impala clients installed beside it
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    match arguments.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("ci", [])) => ci::run(&root),
        Some(("tidy", [])) => match tidy::run(&root) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        Some(("docs", [])) => ExitCode::from(docs::run(&root)),
        Some(("demo", rest)) => demo(&root, rest),
        Some(("help" | "--help" | "-h", _)) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The directory of the workspace's manifest, wherever xtask was called from.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// The cargo that runs us, so that `cargo +toolchain xtask` stays on its toolchain.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn demo(root: &Path, arguments: &[String]) -> ExitCode {
    // The demo is useful without clients, for instance without network.
    let installed = Command::new(root.join(ci::CLIENTS_SCRIPT)).current_dir(root).status();
    if !installed.is_ok_and(|status| status.success()) {
        eprintln!("xtask: {} failed; going on without new clients", ci::CLIENTS_SCRIPT);
    }
    let status = cargo()
        .args(["run", "--release", "--package", "oxpecker-demo", "--"])
        .args(arguments)
        .current_dir(root)
        .status();
    match status {
        Ok(status) => ExitCode::from(ci::exit_code(status)),
        Err(error) => {
            eprintln!("xtask: cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
