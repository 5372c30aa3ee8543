//! Writes tables as a person would, and remembers which place of the text came from where.

use super::{Kind, Table, Value};
use crate::files::Span;

/// Lists longer than this are written one element a line.
const LINE_CHARS_MAX: usize = 96;

/// The native text, and where each of its lines came from.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    marks: Vec<Mark>,
    line: usize,
    column: usize,
}

#[derive(Debug)]
struct Mark {
    /// From 1, as diagnostics count.
    line: usize,
    /// From 1; none for the whole line.
    columns: Option<(usize, usize)>,
    span: Span,
    told: Option<&'static str>,
}

impl Written {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.line += 1;
        self.column = 0;
    }

    fn mark_line(&mut self, span: Span, told: Option<&'static str>) {
        self.marks.push(Mark { line: self.line + 1, columns: None, span, told });
    }

    fn mark_part(&mut self, length: usize, span: Span) {
        let columns = Some((self.column + 1, self.column + length));
        self.marks.push(Mark { line: self.line + 1, columns, span, told: None });
    }

    /// Where this place came from, and part of a warning about it that has been given already.
    pub(crate) fn origin(
        &self,
        line: usize,
        column: usize,
    ) -> Option<(Span, Option<&'static str>)> {
        let first = self.marks.partition_point(|mark| mark.line < line);
        let on_line = || self.marks[first..].iter().take_while(|mark| mark.line == line);
        let inside = on_line()
            .find(|mark| mark.columns.is_some_and(|(from, to)| (from..=to).contains(&column)));
        let mark = inside.or_else(|| on_line().next());
        let told = on_line().find_map(|mark| mark.told);
        mark.map(|mark| (mark.span, told))
    }
}

pub(super) fn write(mut tables: Vec<Table>, head: &[String]) -> Written {
    let mut written = Written::default();
    for line in head {
        written.push(format!("# {line}").trim_end());
        written.end_line();
    }
    tables.sort_by_key(|table| table.kind.group());
    for table in &tables {
        write_table(&mut written, table);
    }
    written
}

fn write_table(written: &mut Written, table: &Table) {
    if !written.text.is_empty() {
        written.end_line();
    }
    for comment in &table.comments {
        written.mark_line(table.span, None);
        // What came from a file must not end the comment.
        let comment: String =
            comment.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        written.push(&format!("# {comment}"));
        written.end_line();
    }
    written.mark_line(table.span, None);
    let heading = &table.heading;
    written.push(&match table.kind {
        Kind::LogTarget => format!("[[{heading}]]"),
        _ => format!("[{heading}]"),
    });
    written.end_line();
    for key in &table.keys {
        written.mark_line(key.span, key.told);
        written.push(&format!("{} = ", key.name));
        match &key.value {
            Value::One(text) => written.push(text),
            Value::List(items) => write_list(written, items),
        }
        written.end_line();
    }
}

fn write_list(written: &mut Written, items: &[(String, Span)]) {
    let length: usize = items.iter().map(|(text, _)| text.chars().count() + 2).sum();
    let tables = items.iter().filter(|(text, _)| text.starts_with('{')).count();
    if let [(text, span)] = items
        && tables == 0
    {
        written.mark_part(text.chars().count(), *span);
        written.push(text);
        return;
    }
    if written.column + length < LINE_CHARS_MAX && (tables == 0 || items.len() == 1) {
        written.push("[");
        for (number, (text, span)) in items.iter().enumerate() {
            if number > 0 {
                written.push(", ");
            }
            written.mark_part(text.chars().count(), *span);
            written.push(text);
        }
        written.push("]");
        return;
    }
    written.push("[");
    written.end_line();
    for (text, span) in items {
        written.mark_line(*span, None);
        written.push(&format!("    {text},"));
        written.end_line();
    }
    written.push("]");
}
