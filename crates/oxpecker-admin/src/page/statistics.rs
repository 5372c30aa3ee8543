//! The statistics table, in the columns and the order that F5's operators know: pool rows, then
//! their members, indented by two dashes.

use maud::{Markup, html};
use oxpecker_api::{Format, StatisticsRow, StatisticsTable};

use super::ask::Asked;
use super::frame::{Frame, nothing, search, switch};
use super::sort::{self, Cell, Column};
use super::words::State;

/// Status and name; then in the order of F5's columns.
const COLUMNS: [Column<StatisticsRow>; 9] = [
    Column::text("status", "Status", |row| Cell::Text(row.status.clone())),
    Column::text("name", "Pool/Member", |row| Cell::Text(row.name.clone())),
    Column::number("in", "In", |row| Cell::Number(row.traffic.bits_in as f64)),
    Column::number("out", "Out", |row| Cell::Number(row.traffic.bits_out as f64)),
    Column::number("packets-in", "In", |row| Cell::Number(row.traffic.packets_in as f64)),
    Column::number("packets-out", "Out", |row| Cell::Number(row.traffic.packets_out as f64)),
    Column::number("current", "Current", |row| Cell::Number(row.connections.current.into())),
    Column::number("maximum", "Maximum", |row| Cell::Number(row.connections.maximum.into())),
    Column::number("total", "Total", |row| Cell::Number(row.connections.total as f64)),
];

/// Pools by a column, and within each its members by the same.
pub(super) fn sorted(asked: &Asked, table: StatisticsTable) -> StatisticsTable {
    // `pool:p` and `member:p/a:1`
    let pool = |row: &StatisticsRow| {
        let (_, name) = row.key.split_once(':').unwrap_or_default();
        name.split('/').next().unwrap_or_default().to_owned()
    };
    let is_member = |row: &StatisticsRow| row.kind == "member";
    let rows = sort::groups(asked, &COLUMNS, table.rows, |a, b| pool(a) == pool(b), is_member);
    StatisticsTable { rows, ..table }
}

pub(super) fn render(frame: &Frame<'_>, table: &StatisticsTable) -> Markup {
    let asked = frame.asked;
    let format = if asked.format == "exact" { Format::Exact } else { Format::Normalized };
    let divisor = if asked.unit == "bytes" { 8 } else { 1 };
    let unit = if divisor == 8 { "Bytes" } else { "Bits" };
    html! {
        div.bar {
            (switch(frame, "Statistics of", "of",
                &[("pools", "Pools"), ("nodes", "Nodes"), ("virtuals", "Virtual servers")]))
            (switch(frame, "Data format", "format",
                &[("normalized", "Normalized"), ("exact", "Exact")]))
            (switch(frame, "Unit", "unit", &[("bits", "Bits"), ("bytes", "Bytes")]))
            (search(frame, "Search"))
        }
        @if table.rows.is_empty() {
            (nothing("No row has this in its name."))
        } @else {
            div.wide tabindex="0" role="region" aria-label="Statistics table" {
                (rows(frame, table, format, divisor, unit))
            }
            @if frame.may_operate() {
                p.below {
                    button.act type="button" data-act="reset" disabled { "Reset selected" }
                    " " span.note { "Select rows to set their counters to zero; a pool's row takes its members along." }
                }
            }
            p.note {
                "Since the last reset. In: from clients to members. Out: back. A packet is a read that brought bytes: a full proxy sees no others."
            }
        }
    }
}

fn rows(
    frame: &Frame<'_>,
    table: &StatisticsTable,
    format: Format,
    divisor: u64,
    unit: &str,
) -> Markup {
    html! {
        table.statistics.stack {
            caption.hidden { "Statistics of " (table.of) }
            thead {
                tr {
                    @if frame.may_operate() {
                        td.check rowspan="2" {
                            input type="checkbox" data-select-all aria-label="Select all rows";
                        }
                    }
                    (sort::head(frame, &COLUMNS[0], Some(2)))
                    (sort::head(frame, &COLUMNS[1].headed(subject(&table.of)), Some(2)))
                    th scope="colgroup" colspan="2" { (unit) }
                    th scope="colgroup" colspan="2" { "Packets" }
                    th scope="colgroup" colspan="3" { "Connections" }
                }
                tr {
                    (sort::heads(frame, &COLUMNS[2..]))
                }
            }
            tbody { @for row in &table.rows { (line(frame, row, format, divisor)) } }
        }
    }
}

fn subject(of: &str) -> &'static str {
    match of {
        "nodes" => "Node",
        "virtuals" => "Virtual Server",
        _ => "Pool/Member",
    }
}

fn line(frame: &Frame<'_>, row: &StatisticsRow, format: Format, divisor: u64) -> Markup {
    let state = State::of_status(&row.status);
    let is_member = row.kind == "member";
    html! {
        tr class=(row.kind) data-key=(row.key) {
            @if frame.may_operate() {
                td.check {
                    input type="checkbox" data-select=(row.key) aria-label=(format!("Select {}", row.key));
                }
            }
            td class={ "status " (state.class) } title=(row.reason) {
                span class={ "mark " (state.class) } aria-hidden="true" { (state.mark) } " " (state.word)
                @if !matches!(state.class, "ok" | "off") && !row.reason.is_empty() { span.why { " " (row.reason) } }
            }
            th scope="row" { @if is_member { "-- " } (row.name) }
            @for (label, number) in LABELS.iter().zip(numbers(row, divisor)) {
                td.number data-label=(label) { (format.number(number)) }
            }
        }
    }
}

/// Where a phone leaves no room for heads over columns.
const LABELS: [&str; 7] = ["in", "out", "packets in", "out", "connections now", "most", "in all"];

fn numbers(row: &StatisticsRow, divisor: u64) -> [u64; 7] {
    let (traffic, connections) = (&row.traffic, &row.connections);
    [
        traffic.bits_in / divisor,
        traffic.bits_out / divisor,
        traffic.packets_in,
        traffic.packets_out,
        connections.current.into(),
        connections.maximum.into(),
        connections.total,
    ]
}
