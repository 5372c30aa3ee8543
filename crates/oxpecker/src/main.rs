//! The `oxpecker` program: command line, signals and exit codes around the library crates.

mod admin;
mod certificates;
mod check;
mod ctl;
mod delivery;
mod doctor;
mod exit;
mod finding;
mod import;
mod keytab;
mod load;
mod packaging;
mod privileges;
mod run;
mod service;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use oxpecker_proxy::wording::in_words;

use exit::Exit;

/// tokio's registrations are aligned to 128 bytes; the C library's allocator loses a quarter of
/// an idle connection's memory on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The load balancer that knows Apache Impala.
///
/// Stands between Impala's clients (impala-shell, Hue, JDBC, ODBC, impyla) and its
/// coordinators, where sites put HAProxy, an F5 BIG-IP or a cloud load balancer.
#[derive(Debug, Parser)]
#[command(name = "oxpecker", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 fine, 1 failure at run time, 2 wrong usage, 3 configuration errors,
4 warnings under --strict, 5 a check of doctor or verify failed, 6 a drain's deadline came before its end.

Commands of the running gateway talk to unix:/run/oxpecker/admin.sock, or to OXPECKER_ADMIN.

Signals of `run`: HUP reloads (all or nothing), TERM drains and a second TERM cuts,
INT stops now, USR1 opens log files anew.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground
    Run {
        #[command(flatten)]
        files: Files,
        /// Write the process id to this file (overrides the configuration)
        #[arg(short = 'p', long, value_name = "FILE")]
        pidfile: Option<PathBuf>,
    },
    /// Check a configuration and its certificates, show all problems at once; opens no socket
    Check {
        #[command(flatten)]
        files: Files,
        /// Treat warnings as errors (exit status 4)
        #[arg(long)]
        strict: bool,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show the effective configuration and where each value comes from
    Explain {
        #[command(flatten)]
        files: Files,
    },
    /// Turn another balancer's configuration into a native file, and report on every line
    Import(import::Args),
    /// Look at names, ports, certificates, keytabs and limits, and say how to mend what is wrong
    Doctor {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        options: doctor::Options,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Log in through the running gateway as clients do, and look where the logins end
    Verify {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        options: verify::Options,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Kerberos keytab files
    #[command(subcommand)]
    Keytab(keytab::Command),
    #[command(flatten)]
    Running(ctl::Command),
    /// Print completions for a shell
    #[command(hide = true)]
    Completions(packaging::Completions),
    /// Write manual pages into a directory
    #[command(hide = true)]
    Man(packaging::Man),
}

#[derive(Debug, clap::Args)]
struct Files {
    /// Configuration: a .toml file, or HAProxy's (.cfg), BIG-IP's (.conf), what the aws command
    /// printed (.json); or a directory whose *.toml, else *.cfg files are read in order. May be given several times. Without it:
    /// /etc/oxpecker/oxpecker.toml and /etc/oxpecker/conf.d/
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn main() -> ExitCode {
    let exit = match Args::parse().command {
        Command::Run { files, pidfile } => run::run(&files.files, pidfile),
        Command::Check { files, strict, format } => check::check(&files.files, strict, format),
        Command::Explain { files } => check::explain(&files.files),
        Command::Import(args) => import::import(&args),
        Command::Doctor { files, options, format } => {
            doctor::doctor(&files.files, &options, format)
        }
        Command::Verify { files, options, format } => {
            verify::verify(&files.files, &options, format)
        }
        Command::Keytab(command) => keytab::run(&command),
        Command::Running(command) => ctl::run(&command),
        Command::Completions(options) => Ok(packaging::completions(&options)),
        Command::Man(options) => packaging::man(&options),
    };
    exit.unwrap_or_else(|error| {
        // The whole chain on one line: causes are what an administrator greps for.
        eprintln!("oxpecker: {}", in_words(&format_args!("{error:#}")));
        Exit::of(&error)
    })
    .into()
}
