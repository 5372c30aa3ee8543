//! Tables in the order of a column. The address says which, as `sort=rows` or `sort=-rows`, so the
//! order is the same with and without JavaScript, in a link, and over updates.

use std::cmp::Ordering;

use maud::{Markup, html};

use super::ask::Asked;
use super::frame::Frame;

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(f64),
    /// Comes last in both directions.
    Nothing,
}

/// A column that rows can be ordered by.
#[derive(Debug)]
pub(super) struct Column<T> {
    /// In the address.
    name: &'static str,
    head: &'static str,
    is_number: bool,
    cell: fn(&T) -> Cell,
}

impl<T> Column<T> {
    pub(super) const fn text(name: &'static str, head: &'static str, cell: fn(&T) -> Cell) -> Self {
        Self { name, head, is_number: false, cell }
    }

    pub(super) const fn number(
        name: &'static str,
        head: &'static str,
        cell: fn(&T) -> Cell,
    ) -> Self {
        Self { name, head, is_number: true, cell }
    }

    /// The same with another word over it.
    pub(super) const fn headed(&self, head: &'static str) -> Self {
        Self { head, name: self.name, is_number: self.is_number, cell: self.cell }
    }

    fn compare(&self, a: &T, b: &T, is_down: bool) -> Ordering {
        let order = match ((self.cell)(a), (self.cell)(b)) {
            (Cell::Nothing, Cell::Nothing) => Ordering::Equal,
            (Cell::Nothing, _) => return Ordering::Greater,
            (_, Cell::Nothing) => return Ordering::Less,
            (Cell::Number(a), Cell::Number(b)) => a.total_cmp(&b),
            (Cell::Text(a), Cell::Text(b)) => natural(&a, &b),
            (Cell::Number(_), Cell::Text(_)) => Ordering::Less,
            (Cell::Text(_), Cell::Number(_)) => Ordering::Greater,
        };
        if is_down { order.reverse() } else { order }
    }
}

/// A chosen column, and whether the greatest is first.
pub(super) fn chosen<'a, T>(
    asked: &Asked,
    columns: &'a [Column<T>],
) -> Option<(&'a Column<T>, bool)> {
    let (name, is_down) = direction(&asked.sort);
    columns.iter().find(|column| column.name == name).map(|column| (column, is_down))
}

fn direction(sort: &str) -> (&str, bool) {
    sort.strip_prefix('-').map_or((sort, false), |name| (name, true))
}

/// Rows that are equal in the column stay in the order they come in, and so do all without a choice.
pub(super) fn rows<T>(asked: &Asked, columns: &[Column<T>], rows: &mut [T]) {
    if let Some((column, is_down)) = chosen(asked, columns) {
        rows.sort_by(|a, b| column.compare(a, b, is_down));
    }
}

/// Groups of rows, each with its own first; a group goes where its first row belongs.
pub(super) fn groups<T>(
    asked: &Asked,
    columns: &[Column<T>],
    all: Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
    is_inner: impl Fn(&T) -> bool,
) -> Vec<T> {
    let Some((column, is_down)) = chosen(asked, columns) else { return all };
    let mut groups: Vec<Vec<T>> = Vec::new();
    for row in all {
        match groups.last_mut() {
            Some(group) if is_same(&group[0], &row) => group.push(row),
            _ => groups.push(vec![row]),
        }
    }
    for group in &mut groups {
        // What stands over a group stays there.
        let over = usize::from(!is_inner(&group[0]));
        group[over..].sort_by(|a, b| column.compare(a, b, is_down));
    }
    groups.sort_by(|a, b| column.compare(&a[0], &b[0], is_down));
    groups.into_iter().flatten().collect()
}

/// Heads of columns that stand in one row.
pub(super) fn heads<T>(frame: &Frame<'_>, columns: &[Column<T>]) -> Markup {
    html! { @for column in columns { (head(frame, column, None)) } }
}

/// One head. `rows`: how many rows of heads it spans.
pub(super) fn head<T>(frame: &Frame<'_>, column: &Column<T>, rows: Option<u8>) -> Markup {
    let asked = frame.asked;
    let (name, is_down) = direction(&asked.sort);
    let is_chosen = name == column.name;
    // Who asks for numbers wants the greatest, who asks for names wants to find one.
    let next_down = if is_chosen { !is_down } else { column.is_number };
    let next = format!("{}{}", if next_down { "-" } else { "" }, column.name);
    let (word, mark) = if is_down { ("descending", "▾") } else { ("ascending", "▴") };
    html! {
        th.number[column.is_number] scope="col" rowspan=[rows] aria-sort=[is_chosen.then_some(word)] {
            a.sort href=(asked.link(&[("sort", &next)])) data-sort=(column.name) {
                (column.head) span.way aria-hidden="true" { @if is_chosen { (mark) } }
            }
        }
    }
}

/// As people order names: `c2` before `c10`, and capitals where their letters are.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (number_a, number_b) = (digits(a), digits(b));
        if number_a > 0 && number_b > 0 {
            let of = |text: &str, end: usize| text[..end].trim_start_matches('0').to_owned();
            let (x, y) = (of(a, number_a), of(b, number_b));
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(&y));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (&a[number_a..], &b[number_b..]);
            continue;
        }
        let mut rest = (a.chars(), b.chars());
        let (x, y) = match (rest.0.next(), rest.1.next()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        let order = x.to_lowercase().cmp(y.to_lowercase());
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest.0.as_str(), rest.1.as_str());
    }
}

/// How long the number is that a text begins with.
fn digits(text: &str) -> usize {
    text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (&'static str, Option<f64>);

    const COLUMNS: [Column<Row>; 2] = [
        Column::text("name", "Name", |row| Cell::Text(row.0.to_owned())),
        Column::number("size", "Size", |row| row.1.map_or(Cell::Nothing, Cell::Number)),
    ];

    #[track_caller]
    fn check(sort: &str, expected: &[&str]) {
        let asked = Asked { sort: sort.into(), ..Asked::default() };
        let mut all =
            vec![("c10", Some(2.0)), ("C2", None), ("b", Some(10.0)), ("c2:9", Some(2.0))];
        rows(&asked, &COLUMNS, &mut all);
        let names: Vec<_> = all.iter().map(|row| row.0).collect();
        assert_eq!(names, expected, "{sort}");
    }

    #[test]
    fn names_and_numbers_go_as_people_count() {
        check("", &["c10", "C2", "b", "c2:9"]);
        check("nothing", &["c10", "C2", "b", "c2:9"]);
        check("name", &["b", "C2", "c2:9", "c10"]);
        check("-name", &["c10", "c2:9", "C2", "b"]);
        check("size", &["c10", "c2:9", "b", "C2"]);
        check("-size", &["b", "c10", "c2:9", "C2"]);
    }

    #[test]
    fn addresses_go_by_their_numbers() {
        assert_eq!(natural("10.0.0.9:5", "10.0.0.10:5"), Ordering::Less);
        assert_eq!(natural("10.0.0.9:5", "10.0.0.9:41"), Ordering::Less);
        assert_eq!(natural("007", "7"), Ordering::Equal);
        assert_eq!(natural("x", "x1"), Ordering::Less);
        assert_eq!(natural("é", "É"), Ordering::Equal);
    }

    #[test]
    fn a_group_stays_below_its_head() {
        let asked = Asked { sort: "-size".into(), ..Asked::default() };
        let all = vec![
            ("p", Some(3.0)),
            ("-- p1", Some(1.0)),
            ("-- p2", Some(2.0)),
            ("q", Some(9.0)),
            ("-- q1", Some(9.0)),
        ];
        let pool = |row: &Row| row.0.trim_start_matches("-- ").chars().next();
        let sorted =
            groups(&asked, &COLUMNS, all, |a, b| pool(a) == pool(b), |r| r.0.starts_with('-'));
        let names: Vec<_> = sorted.iter().map(|row| row.0).collect();
        assert_eq!(names, ["q", "-- q1", "p", "-- p2", "-- p1"]);
    }
}
