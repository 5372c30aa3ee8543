//! One Markdown table for each work.

use std::fmt::Write;

use super::statistics::{Spread, ratio, samples, spread};
use super::{Outcome, Peer, Work};

/// The work's table; nothing if no peer was asked to do it.
pub(super) fn table(outcomes: &[Outcome], work: Work) -> Option<String> {
    let mut peers: Vec<Peer> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.work == work) {
        if !peers.contains(&outcome.peer) {
            peers.push(outcome.peer);
        }
    }
    if peers.is_empty() {
        return None;
    }
    let bases: Vec<Peer> =
        work.bases().iter().copied().filter(|base| peers.contains(base)).collect();
    let mut text = format!("### {} (`{}`)\n\n", work.title(), work.name());
    let columns = header(work, &bases);
    _ = writeln!(text, "| {} |", columns.join(" | "));
    _ = writeln!(text, "|{}", "---|".repeat(columns.len()));
    for peer in peers {
        let mut cells = row(outcomes, work, peer, &bases);
        cells.resize(columns.len(), String::new());
        _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    Some(text)
}

/// `0.97 [0.94..1.01]`, with as many digits as the size deserves.
pub(super) fn spread_text(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{} [{}..{}]", number(median), number(min), number(max))
}

fn header(work: Work, bases: &[Peer]) -> Vec<String> {
    let unit = work.unit();
    let cost = if work.is_memory() { "memory" } else { "CPU" };
    let mut columns = vec!["peer".to_owned(), format!("{cost} {}/{}", unit.time, unit.name)];
    columns.extend(bases.iter().map(|base| format!("against {}", base.title())));
    if !work.is_memory() {
        columns.push(unit.rate.to_owned());
        columns.push(format!("all three {}/{}", unit.time, unit.name));
    }
    if work.has_latencies() {
        columns.extend(["p50 us", "p99 us", "p99.9 us", "p99/p50"].map(str::to_owned));
    }
    columns
}

fn row(outcomes: &[Outcome], work: Work, peer: Peer, bases: &[Peer]) -> Vec<String> {
    let mut cells = vec![peer.title().to_owned()];
    if samples(outcomes, work, peer).next().is_none() {
        cells.push("failed".to_owned());
        return cells;
    }
    let whole = |value: Option<Spread>| value.map_or("-".to_owned(), spread_text);
    cells.push(whole(spread(outcomes, work, peer, |sample| sample.cost)));
    for &base in bases {
        let same = base == peer;
        let ratio = ratio(outcomes, work, peer, base);
        cells.push(if same { "1".to_owned() } else { whole(ratio) });
    }
    let mut median = |value: fn(&super::Sample) -> f64| {
        let spread = spread(outcomes, work, peer, |sample| Some(value(sample)));
        cells.push(spread.map_or("-".to_owned(), |spread| number(spread.median)));
    };
    if !work.is_memory() {
        median(|sample| sample.rate);
        median(|sample| sample.whole);
    }
    if work.has_latencies() {
        median(|sample| sample.p50);
        median(|sample| sample.p99);
        median(|sample| sample.p999);
        median(|sample| sample.p99 / sample.p50);
    }
    cells
}

fn number(value: f64) -> String {
    match value {
        v if v >= 1_000.0 => thousands(v),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.3 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
