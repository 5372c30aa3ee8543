//! `oxpecker stats`: the statistics table in the columns, the order and the numbers of F5's.

use clap::ValueEnum;
use oxpecker_api::{Format, StatisticsRow, StatisticsTable};

use super::Output;
use super::client::{Client, Target};
use super::screen::{self, Screen, Tone};
use super::words;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Of which objects
    #[arg(long, value_enum, default_value_t = Of::Pools)]
    of: Of,
    /// Numbers in full: 15612 instead of 15.6K
    #[arg(long)]
    exact: bool,
    /// Bytes instead of bits
    #[arg(long)]
    bytes: bool,
    /// Only rows with this text in their name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// The keys that reset-stats takes, one a line
    #[arg(long, conflicts_with_all = ["json", "exact", "bytes"])]
    keys: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
    Pools,
    Nodes,
    Virtuals,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::Pools => "pools",
            Self::Nodes => "nodes",
            Self::Virtuals => "virtuals",
        }
    }
}

pub(super) fn stats(options: &Options) -> anyhow::Result<Exit> {
    let client = Client::new(&options.output.access)?;
    let target = Target::new("statistics")
        .query("of", options.of.word())
        .ask("search", options.search.as_ref());
    let body = client.raw(&target)?;
    if options.output.json {
        screen::print(&body)?;
        screen::print("\n")?;
        return Ok(Exit::Fine);
    }
    let table: StatisticsTable = client.decode(&body)?;
    if options.keys {
        let keys = table.rows.iter().map(|row| words::clean(&row.key) + "\n");
        screen::print(keys.collect::<String>())?;
        return Ok(Exit::Fine);
    }
    let format = if options.exact { Format::Exact } else { Format::Normalized };
    screen::print(render(&table, format, options.bytes, Screen::now()))?;
    Ok(Exit::Fine)
}

/// After status and name.
const NUMBERS: usize = 7;

/// Titles of the numbers where there is room, where there is little, and of each group.
const TITLES: [&str; NUMBERS] = ["In", "Out", "In", "Out", "Current", "Maximum", "Total"];
const SHORT_TITLES: [&str; NUMBERS] = ["In", "Out", "In", "Out", "Cur", "Max", "Total"];

/// As F5's: first columns of the groups, and how many they have.
const GROUPS: [(usize, usize); 3] = [(0, 2), (2, 2), (4, 3)];

struct Line {
    status: String,
    tone: Tone,
    name: String,
    numbers: [String; NUMBERS],
}

fn render(table: &StatisticsTable, format: Format, bytes: bool, screen: Screen) -> String {
    let lines: Vec<Line> = table.rows.iter().map(|row| line(row, format, bytes)).collect();
    let heading = match table.of.as_str() {
        "nodes" => "Node",
        "virtuals" => "Virtual Server",
        _ => "Pool/Member",
    };
    let roomy = Layout::new(&lines, heading, TITLES, 2);
    let layout = match screen.width {
        Some(width) if roomy.width() > width => Layout::new(&lines, heading, SHORT_TITLES, 1),
        _ => roomy,
    };
    let groups = [if bytes { "Bytes" } else { "Bits" }, "Packets", "Connections"];
    let mut out = screen.paint(&layout.groups(groups), Tone::Quiet) + "\n";
    out += &screen.paint(&layout.line("Status", heading, layout.titles), Tone::Quiet);
    out.push('\n');
    for line in &lines {
        let text = layout.line(&line.status, &line.name, line.numbers.each_ref().map(|n| &**n));
        let (status, rest) = text.split_at(line.status.len());
        out += &screen.paint(status, line.tone);
        out += rest;
        out.push('\n');
    }
    out
}

fn line(row: &StatisticsRow, format: Format, bytes: bool) -> Line {
    let name = words::clean(&row.name);
    let size = |bits: u64| format.number(if bytes { bits / 8 } else { bits });
    let (traffic, connections) = (row.traffic, row.connections);
    Line {
        tone: match row.status.as_str() {
            "available" => Tone::Good,
            "offline" => Tone::Bad,
            "disabled" => Tone::Warn,
            _ => Tone::Quiet,
        },
        status: words::clean(&row.status),
        name: if row.kind == "member" { format!("-- {name}") } else { name },
        numbers: [
            size(traffic.bits_in),
            size(traffic.bits_out),
            format.number(traffic.packets_in),
            format.number(traffic.packets_out),
            format.number(connections.current.into()),
            format.number(connections.maximum.into()),
            format.number(connections.total),
        ],
    }
}

struct Layout {
    status: usize,
    name: usize,
    numbers: [usize; NUMBERS],
    titles: [&'static str; NUMBERS],
    gap: usize,
}

impl Layout {
    fn new(lines: &[Line], heading: &str, titles: [&'static str; NUMBERS], gap: usize) -> Self {
        let width = |text: &str| text.chars().count();
        let longest = |title: &str, of: &dyn Fn(&Line) -> usize| {
            lines.iter().map(of).fold(width(title), usize::max)
        };
        let number = |at: usize| longest(titles[at], &|line| width(&line.numbers[at]));
        Self {
            status: longest("Status", &|line| width(&line.status)),
            name: longest(heading, &|line| width(&line.name)),
            numbers: std::array::from_fn(number),
            titles,
            gap,
        }
    }

    fn width(&self) -> usize {
        self.status + self.name + self.numbers.iter().sum::<usize>() + self.gap * (NUMBERS + 1)
    }

    fn line(&self, status: &str, name: &str, numbers: [&str; NUMBERS]) -> String {
        let gap = " ".repeat(self.gap);
        let mut line = format!("{status:<w$}{gap}{name:<n$}", w = self.status, n = self.name);
        for (number, width) in numbers.iter().zip(self.numbers) {
            line += &format!("{gap}{number:>width$}");
        }
        line
    }

    /// Each title ends where its last column does.
    fn groups(&self, titles: [&str; 3]) -> String {
        let mut line = " ".repeat(self.status + self.gap + self.name);
        for ((first, count), title) in GROUPS.into_iter().zip(titles) {
            let widths = &self.numbers[first..first + count];
            let width = widths.iter().sum::<usize>() + self.gap * count;
            line += &format!("{title:>width$}");
        }
        line
    }
}

#[cfg(test)]
mod tests;
