//! Tables with aligned columns that fit a terminal: the least important columns go first, what is
//! needed to act is never cut, and a long remark stands below its row.

use super::screen::{Screen, Tone};
use super::words;

/// Between columns.
const GAP: usize = 2;

/// Of remarks below a row.
const INDENT: usize = 4;

#[derive(Debug, Clone, Copy)]
enum Align {
    Left,
    Right,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    title: &'static str,
    align: Align,
    /// 0 stays; of others the highest leaves first.
    rank: u8,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Debug, Clone)]
struct Row {
    cells: Vec<Cell>,
    remark: String,
}

#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    /// Title of what stands behind the columns, or below a row.
    remarks: &'static str,
    rows: Vec<Row>,
}

/// Text, left-aligned.
pub(crate) fn text(title: &'static str) -> Column {
    Column { title, align: Align::Left, rank: 0 }
}

/// A number, right-aligned.
pub(crate) fn number(title: &'static str) -> Column {
    Column { title, align: Align::Right, rank: 0 }
}

impl Column {
    /// May be left out where there is no room; those of the highest rank first.
    pub(crate) fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: words::clean(text.as_ref()), tone }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, remarks: "", rows: Vec::new() }
    }

    /// Rows have a remark.
    pub(crate) fn with_remarks(mut self, title: &'static str) -> Self {
        self.remarks = title;
        self
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.row_with(cells, "");
    }

    pub(crate) fn row_with<const N: usize>(&mut self, cells: [Cell; N], remark: &str) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(Row { cells: cells.into(), remark: words::clean(remark) });
    }

    pub(crate) fn render(&self, screen: Screen) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.column_width(at)).collect();
        let shown = self.shown(&widths, screen.width);
        let used = total(&shown, &widths);
        let longest = self.rows.iter().map(|row| row.remark.chars().count()).max().unwrap_or(0);
        let beside = screen.width.is_none_or(|width| used + GAP + longest <= width);
        let mut out = String::new();
        let titles = self.columns.iter().map(|column| Cell::new(column.title, Tone::Quiet));
        let titles: Vec<_> = titles.collect();
        let remarks = if beside && longest > 0 { self.remarks } else { "" };
        let line = self.line(&shown, &widths, &titles, screen, (remarks, Tone::Quiet));
        out.push_str(&line);
        for row in &self.rows {
            let remark = if beside { row.remark.as_str() } else { "" };
            let line = self.line(&shown, &widths, &row.cells, screen, (remark, Tone::Plain));
            out.push_str(&line);
            if !beside && !row.remark.is_empty() {
                let width = screen.width.unwrap_or(usize::MAX);
                for line in wrap(&row.remark, width.saturating_sub(INDENT).max(20)) {
                    out.push_str(&" ".repeat(INDENT));
                    out.push_str(&screen.paint(&line, Tone::Quiet));
                    out.push('\n');
                }
            }
        }
        out
    }

    fn column_width(&self, at: usize) -> usize {
        let title = self.columns[at].title.chars().count();
        self.rows.iter().map(|row| row.cells[at].width()).fold(title, usize::max)
    }

    /// The columns that there is room for.
    fn shown(&self, widths: &[usize], width: Option<usize>) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let Some(width) = width else { return shown };
        while total(&shown, widths) > width {
            let least = shown.iter().copied().max_by_key(|&at| (self.columns[at].rank, at));
            match least.filter(|&at| self.columns[at].rank > 0) {
                Some(least) => shown.retain(|&at| at != least),
                None => break,
            }
        }
        shown
    }

    fn line(
        &self,
        shown: &[usize],
        widths: &[usize],
        cells: &[Cell],
        screen: Screen,
        (remark, tone): (&str, Tone),
    ) -> String {
        let mut line = String::new();
        let mut pending = 0;
        for &at in shown {
            let cell = &cells[at];
            let space = widths[at].saturating_sub(cell.width());
            let (before, after) = match self.columns[at].align {
                Align::Left => (0, space),
                Align::Right => (space, 0),
            };
            pending += before;
            if !cell.text.is_empty() {
                line.push_str(&" ".repeat(pending));
                line.push_str(&screen.paint(&cell.text, cell.tone));
                pending = 0;
            }
            pending += after + GAP;
        }
        if !remark.is_empty() {
            line.push_str(&" ".repeat(pending));
            line.push_str(&screen.paint(remark, tone));
        }
        line.push('\n');
        line
    }
}

fn total(shown: &[usize], widths: &[usize]) -> usize {
    let gaps = GAP * shown.len().saturating_sub(1);
    shown.iter().map(|&at| widths[at]).sum::<usize>() + gaps
}

/// At spaces; a word longer than a line stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
