//! Runs every peer on every work in alternating order and sets the results side by side.
//! Each measurement starts its own proxy and backend and ends them again.

mod certificate;
mod document;
mod goal;
mod host;
mod measure;
mod peer;
mod running;
mod statistics;
mod table;
mod work;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::generate::seconds;
use crate::{netns, process};
use measure::{Bench, Sample};
pub(crate) use peer::Peer;
pub(crate) use work::Work;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Measured time of each work of each peer in each round.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Works to run; all if not given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Work>,
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "direct,oxpecker,oxpecker-aware,haproxy,haproxy-tuned,nginx,envoy"
    )]
    pub(crate) peers: Vec<Peer>,
    /// Whom the goals are meant for; another peer here tries the harness out.
    #[arg(long, default_value = "oxpecker")]
    pub(crate) subject: Peer,
    #[arg(long, default_value = "target/release/oxpecker")]
    pub(crate) oxpecker: PathBuf,
    #[arg(long, default_value = ".tools/venv/bench/bin/envoy-bench")]
    pub(crate) envoy: PathBuf,
    /// Connections of the idle works. Many, because memory may come in pieces of 2 MiB.
    #[arg(long, default_value_t = 9_000)]
    pub(crate) idle: usize,
    /// CPU of the proxy, and of everything in the serial work.
    #[arg(long, default_value_t = 1)]
    pub(crate) proxy_cpu: usize,
    /// CPU of generator and backend.
    #[arg(long, default_value_t = 0)]
    pub(crate) load_cpu: usize,
    /// Replace the table in this document.
    #[arg(long)]
    pub(crate) write: Option<PathBuf>,
    /// Stay in the network namespace we are in.
    #[arg(long)]
    pub(crate) no_netns: bool,
}

/// What one peer did on one work in one round.
struct Outcome {
    work: Work,
    peer: Peer,
    round: usize,
    result: Result<Sample, String>,
}

pub(crate) fn compare(options: &Options) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(options.rounds > 0, "no rounds, no result");
    process::raise_descriptor_limit()?;
    if !options.no_netns {
        netns::enter().context("own network namespace (--no-netns does without)")?;
    }
    let bench = Bench::new(options)?;
    for peer in &options.peers {
        peer.ensure_present(options)?;
    }
    let outcomes = rounds(options, &bench)?;
    let text = document::render(options, &outcomes);
    write!(std::io::stdout(), "{text}")?;
    if let Some(path) = &options.write {
        document::replace(path, &text)?;
    }
    let failed = outcomes.iter().any(|outcome| outcome.result.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn rounds(options: &Options, bench: &Bench<'_>) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for work in works(options) {
        for round in 0..options.rounds {
            let mut peers: Vec<Peer> =
                options.peers.iter().copied().filter(|&peer| work.concerns(peer)).collect();
            if round % 2 == 1 {
                peers.reverse();
            }
            for peer in peers {
                let result = bench.measure(work, peer).map_err(|error| format!("{error:#}"));
                let line = match &result {
                    Ok(sample) => sample.line(work),
                    Err(reason) => format!("FAILED: {reason}"),
                };
                writeln!(
                    std::io::stderr(),
                    "{} {}/{} {}: {line}",
                    work.name(),
                    round + 1,
                    options.rounds,
                    peer.name(),
                )?;
                outcomes.push(Outcome { work, peer, round, result });
            }
        }
    }
    Ok(outcomes)
}

fn works(options: &Options) -> Vec<Work> {
    Work::ALL
        .into_iter()
        .filter(|work| options.only.is_empty() || options.only.contains(work))
        .collect()
}
