//! The result as a section of a Markdown document, and its place between two markers there.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::statistics::{Spread, samples};
use super::{Options, Outcome, Peer, Work, goal, host, table, works};
use crate::netns;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

pub(super) fn render(options: &Options, outcomes: &[Outcome]) -> String {
    let mut text = conditions(options, outcomes);
    _ = write!(text, "\n### Goals\n\n{}", goal::table(outcomes, options.subject));
    for work in works(options) {
        if let Some(table) = table::table(outcomes, work) {
            _ = write!(text, "\n{table}");
        }
    }
    let notes = notes(outcomes);
    if !notes.is_empty() {
        _ = write!(text, "\n### Notes\n\n{notes}");
    }
    text
}

/// Puts `section` between the markers of the document at `path`.
pub(super) fn replace(path: &Path, section: &str) -> anyhow::Result<()> {
    let old = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let new = replaced(&old, section)
        .with_context(|| format!("no `{BEGIN}` before `{END}` in {}", path.display()))?;
    fs::write(path, new).with_context(|| format!("write {}", path.display()))
}

fn replaced(document: &str, section: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{section}{END}{after}"))
}

fn conditions(options: &Options, outcomes: &[Outcome]) -> String {
    let foreign = outcomes.iter().filter_map(|outcome| Some(outcome.result.as_ref().ok()?.foreign));
    let foreign = Spread::of(foreign).map_or("unknown".to_owned(), |spread| {
        format!("{:.2} CPUs [{:.2}..{:.2}]", spread.median, spread.min, spread.max)
    });
    let mut text = format!(
        "Measured {} on {}, {}, {}; {} rounds of {} s. Kept busy by other work: {foreign}.\n\n",
        host::today(),
        host::cpu(),
        host::kernel(),
        netns::congestion_control().unwrap_or_else(|_| "unknown congestion control".to_owned()),
        options.rounds,
        options.seconds.as_secs_f64(),
    );
    for &peer in &options.peers {
        if let Some(version) = peer.version(options) {
            _ = writeln!(text, "- {}: {version}", peer.title());
        }
    }
    text
}

fn notes(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for work in Work::ALL {
        for peer in [Peer::Haproxy, Peer::HaproxyTuned] {
            let shares = samples(outcomes, work, peer).filter_map(|(_, sample)| sample.spliced);
            if !matches!(work, Work::Stream | Work::Stream1 | Work::Fetch) {
                continue;
            }
            if let Some(share) = Spread::of(shares) {
                _ = writeln!(
                    text,
                    "- {} spliced {:.0} % of the bytes of `{}`.",
                    peer.title(),
                    share.median * 100.0,
                    work.name()
                );
            }
        }
    }
    for outcome in outcomes {
        if let Err(reason) = &outcome.result {
            _ = writeln!(
                text,
                "- {} failed on `{}` in round {}: {reason}.",
                outcome.peer.title(),
                outcome.work.name(),
                outcome.round + 1
            );
        }
    }
    text
}

#[cfg(test)]
mod tests;
