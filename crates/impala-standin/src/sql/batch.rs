//! Rows on their way from SQLite to a client: column by column, about a thousand at a time.

use super::types::{ColumnInfo, Type};
use rusqlite::types::ValueRef;
use std::fmt::Write as _;
use std::sync::Arc;

/// Impala's own batch size.
pub(crate) const BATCH_ROWS: usize = 1024;

/// The values of one column; where a row is NULL a placeholder stands.
#[derive(Debug)]
pub(crate) enum Cells {
    Bool(Vec<bool>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    /// All texts after each other, and where each of them ends.
    Text {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
}

#[derive(Debug)]
pub(crate) struct Column {
    kind: Type,
    pub(crate) cells: Cells,
    pub(crate) nulls: Vec<bool>,
}

/// Some rows.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    /// Approximate, to bound what one fetch collects.
    pub(crate) bytes: usize,
}

/// Some rows of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) batch: Arc<Batch>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Piece {
    pub(crate) fn rows(&self) -> usize {
        self.end - self.start
    }
}

impl Column {
    fn new(kind: Type) -> Self {
        let cells = match kind {
            Type::Boolean => Cells::Bool(Vec::new()),
            Type::TinyInt => Cells::I8(Vec::new()),
            Type::SmallInt => Cells::I16(Vec::new()),
            Type::Int => Cells::I32(Vec::new()),
            Type::BigInt => Cells::I64(Vec::new()),
            Type::Float | Type::Double => Cells::F64(Vec::new()),
            _ => Cells::Text { bytes: Vec::new(), ends: Vec::new() },
        };
        Self { kind, cells, nulls: Vec::new() }
    }

    /// Adds a value, converted to the column's type; what does not fit becomes NULL, as a failed
    /// cast does in Impala.
    fn push(&mut self, value: ValueRef<'_>) -> usize {
        let integer = || match value {
            ValueRef::Integer(i) => Some(i),
            ValueRef::Real(f) if f.is_finite() && f.abs() < 9.2e18 => Some(f as i64),
            ValueRef::Text(t) => std::str::from_utf8(t).ok()?.trim().parse().ok(),
            _ => None,
        };
        let real = || match value {
            ValueRef::Integer(i) => Some(i as f64),
            ValueRef::Real(f) => Some(f),
            ValueRef::Text(t) => std::str::from_utf8(t).ok()?.trim().parse().ok(),
            _ => None,
        };
        let (null, size) = match &mut self.cells {
            Cells::Bool(v) => (put(v, boolean(value)), 1),
            Cells::I8(v) => (put(v, integer().and_then(|i| i.try_into().ok())), 1),
            Cells::I16(v) => (put(v, integer().and_then(|i| i.try_into().ok())), 2),
            Cells::I32(v) => (put(v, integer().and_then(|i| i.try_into().ok())), 4),
            Cells::I64(v) => (put(v, integer()), 8),
            Cells::F64(v) => (put(v, real()), 8),
            Cells::Text { bytes, ends } => {
                let before = bytes.len();
                let null = put_text(bytes, self.kind, value);
                ends.push(bytes.len());
                (null, bytes.len() - before + 4)
            }
        };
        self.nulls.push(null);
        size
    }

    /// The text of a row, for columns of texts.
    pub(crate) fn text(&self, row: usize) -> &[u8] {
        match &self.cells {
            Cells::Text { bytes, ends } => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                &bytes[start..ends[row]]
            }
            _ => &[],
        }
    }

    /// Appends the row's value as Beeswax prints it.
    pub(crate) fn print(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls[row] {
            return out.extend_from_slice(b"NULL");
        }
        let mut text = String::new();
        let written = match &self.cells {
            Cells::Bool(v) => write!(text, "{}", v[row]),
            Cells::I8(v) => write!(text, "{}", v[row]),
            Cells::I16(v) => write!(text, "{}", v[row]),
            Cells::I32(v) => write!(text, "{}", v[row]),
            Cells::I64(v) => write!(text, "{}", v[row]),
            Cells::F64(v) => write!(text, "{}", v[row]),
            Cells::Text { .. } => return out.extend_from_slice(self.text(row)),
        };
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        out.extend_from_slice(text.as_bytes());
    }
}

/// Pushes the value or a placeholder; says whether it was NULL.
fn put<T: Default>(column: &mut Vec<T>, value: Option<T>) -> bool {
    let null = value.is_none();
    column.push(value.unwrap_or_default());
    null
}

fn boolean(value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Integer(i) => Some(i != 0),
        ValueRef::Real(f) => Some(f != 0.0),
        ValueRef::Text(t) if t.eq_ignore_ascii_case(b"true") => Some(true),
        ValueRef::Text(t) if t.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

fn put_text(bytes: &mut Vec<u8>, kind: Type, value: ValueRef<'_>) -> bool {
    let mut number = String::new();
    let written = match (value, kind) {
        (ValueRef::Null, _) => return true,
        // A day alone is midnight.
        (ValueRef::Text(t), Type::Timestamp) if t.len() == "2020-01-01".len() => {
            bytes.extend_from_slice(t);
            bytes.extend_from_slice(b" 00:00:00");
            return false;
        }
        (ValueRef::Text(t) | ValueRef::Blob(t), _) => {
            bytes.extend_from_slice(t);
            return false;
        }
        (ValueRef::Integer(i), Type::Decimal { scale: 0, .. }) => write!(number, "{i}"),
        (ValueRef::Integer(i), Type::Decimal { scale, .. }) => {
            write!(number, "{i}.{:0width$}", 0, width = usize::from(scale))
        }
        (ValueRef::Real(f), Type::Decimal { scale, .. }) => {
            write!(number, "{f:.precision$}", precision = usize::from(scale))
        }
        (ValueRef::Integer(i), _) => write!(number, "{i}"),
        (ValueRef::Real(f), _) => write!(number, "{f}"),
    };
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    bytes.extend_from_slice(number.as_bytes());
    false
}

impl Batch {
    pub(crate) fn new(columns: &[ColumnInfo]) -> Self {
        Self { columns: columns.iter().map(|c| Column::new(c.kind)).collect(), rows: 0, bytes: 0 }
    }

    /// Adds a row; missing values are NULL.
    pub(crate) fn push<'v>(&mut self, mut value: impl FnMut(usize) -> ValueRef<'v>) {
        for (i, column) in self.columns.iter_mut().enumerate() {
            self.bytes += column.push(value(i));
        }
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(kind: Type, value: ValueRef<'_>) -> String {
        let mut batch = Batch::new(&[ColumnInfo::new("c", kind)]);
        batch.push(|_| value);
        let mut out = Vec::new();
        batch.columns[0].print(0, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn converts_to_the_column_type_or_null() {
        let decimal = Type::Decimal { precision: 10, scale: 2 };
        for (kind, value, expected) in [
            (Type::Int, ValueRef::Integer(7), "7"),
            (Type::Int, ValueRef::Integer(1 << 40), "NULL"),
            (Type::BigInt, ValueRef::Text(b"12"), "12"),
            (Type::BigInt, ValueRef::Text(b"x"), "NULL"),
            (Type::Boolean, ValueRef::Integer(1), "true"),
            (Type::Double, ValueRef::Integer(2), "2"),
            (Type::Double, ValueRef::Real(2.5), "2.5"),
            (Type::String, ValueRef::Integer(3), "3"),
            (Type::String, ValueRef::Null, "NULL"),
            (Type::Timestamp, ValueRef::Text(b"2020-01-01"), "2020-01-01 00:00:00"),
            (decimal, ValueRef::Real(19.5), "19.50"),
            (decimal, ValueRef::Integer(19), "19.00"),
        ] {
            assert_eq!(printed(kind, value), expected, "{kind:?} {value:?}");
        }
    }
}
