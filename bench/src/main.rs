//! `oxpecker-bench`: a load generator with its backend, and a comparison of Oxpecker with other
//! balancers under equal conditions. Talks to loopback only; every load is bounded in time.

mod compare;
mod duplex;
mod generate;
mod histogram;
mod link;
mod netns;
mod poll;
mod process;
mod serve;
mod thrift;
mod wire;

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

#[derive(Debug, Parser)]
#[command(name = "oxpecker-bench", about = "Measure Oxpecker and its peers")]
enum Action {
    /// Be the backend.
    Serve {
        #[arg(long, default_value = "127.0.0.1:41000")]
        listen: SocketAddr,
        /// End by itself after so many seconds.
        #[arg(long, default_value = "600", value_parser = generate::seconds)]
        lifetime: Duration,
    },
    /// Check the path byte for byte, then put load on it and report.
    Generate(generate::Options),
    /// Run all peers on all works and print the tables.
    Compare(compare::Options),
    /// Pin to CPUs and become the given program, which ends when its parent ends.
    #[command(hide = true)]
    Hold {
        #[arg(long, required = true, value_delimiter = ',')]
        cpus: Vec<usize>,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Action::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::Serve { listen, lifetime } => {
            process::raise_descriptor_limit()?;
            serve::serve(listen, lifetime)?;
        }
        Action::Generate(options) => {
            process::raise_descriptor_limit()?;
            let report = generate::generate(&options)?;
            // A check has no figures: it holds or it fails.
            if options.load != generate::Load::Check {
                write!(std::io::stdout(), "{report}")?;
            }
        }
        Action::Compare(options) => return compare::compare(&options),
        Action::Hold { cpus, command } => {
            process::pin(&cpus)?;
            set_pdeathsig(Signal::SIGTERM)?;
            let (program, arguments) = command.split_first().context("no program given")?;
            let error = Command::new(program).args(arguments).exec();
            return Err(error).with_context(|| format!("run {program}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
