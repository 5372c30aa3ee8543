//! Result rows: as columns for clients from protocol V6 on, row by row for older ones.

use crate::sql::{Cells, Column, ColumnInfo, Piece};
use crate::thrift_io::{Reply, ReplyResult};
use thrift::protocol::{TOutputProtocol, TType};

/// From this protocol version (V6) on results are columns.
const COLUMNAR: i32 = 5;

/// The fields of a TRowSet.
pub(super) fn write(
    out: &mut Reply,
    protocol: i32,
    columns: &[ColumnInfo],
    pieces: &[Piece],
    start: i64,
) -> ReplyResult {
    out.i64(1, start)?;
    if protocol < COLUMNAR {
        return write_rows(out, pieces);
    }
    // The list of rows is required even when there are columns.
    out.list(2, TType::Struct, 0, |_| Ok(()))?;
    let rows = pieces.iter().map(Piece::rows).sum();
    out.list(3, TType::Struct, columns.len(), |out| {
        for (i, info) in columns.iter().enumerate() {
            out.elements_struct(|out| write_column(out, info, i, pieces, rows))?;
        }
        Ok(())
    })
}

/// Calls `write` with each value of a column, for one kind of cells.
macro_rules! each {
    ($out:expr, $pieces:expr, $index:expr, $cells:path, $write:ident) => {
        for piece in $pieces {
            if let Some(Column { cells: $cells(values), .. }) = piece.batch.columns.get($index) {
                for value in &values[piece.start..piece.end] {
                    $out.elements().$write(*value)?;
                }
            }
        }
    };
}

/// The union TColumn: which member holds the values follows from the type.
fn write_column(
    out: &mut Reply,
    info: &ColumnInfo,
    index: usize,
    pieces: &[Piece],
    rows: usize,
) -> ReplyResult {
    use crate::sql::Type;
    let (member, element) = match info.kind {
        Type::Boolean => (1, TType::Bool),
        Type::TinyInt => (2, TType::I08),
        Type::SmallInt => (3, TType::I16),
        Type::Int => (4, TType::I32),
        Type::BigInt => (5, TType::I64),
        Type::Float | Type::Double => (6, TType::Double),
        _ => (7, TType::String),
    };
    out.structure(member, |out| {
        out.list(1, element, rows, |out| {
            match member {
                1 => each!(out, pieces, index, Cells::Bool, write_bool),
                2 => each!(out, pieces, index, Cells::I8, write_i8),
                3 => each!(out, pieces, index, Cells::I16, write_i16),
                4 => each!(out, pieces, index, Cells::I32, write_i32),
                5 => each!(out, pieces, index, Cells::I64, write_i64),
                6 => each!(out, pieces, index, Cells::F64, write_double),
                _ => {
                    for piece in pieces {
                        if let Some(column) = piece.batch.columns.get(index) {
                            for row in piece.start..piece.end {
                                out.elements().write_bytes(column.text(row))?;
                            }
                        }
                    }
                }
            }
            Ok(())
        })?;
        let nulls = pieces.iter().filter_map(|piece| {
            piece.batch.columns.get(index).map(|column| &column.nulls[piece.start..piece.end])
        });
        out.bytes(2, &bitmap(nulls.flatten().copied(), rows))
    })
}

/// One bit per row, the lowest first; set for NULL.
fn bitmap(nulls: impl Iterator<Item = bool>, rows: usize) -> Vec<u8> {
    let mut bits = vec![0; rows.div_ceil(8)];
    for (i, null) in nulls.enumerate() {
        bits[i / 8] |= u8::from(null) << (i % 8);
    }
    bits
}

fn write_rows(out: &mut Reply, pieces: &[Piece]) -> ReplyResult {
    let rows = pieces.iter().map(Piece::rows).sum();
    out.list(2, TType::Struct, rows, |out| {
        for piece in pieces {
            let columns = &piece.batch.columns;
            for row in piece.start..piece.end {
                out.elements_struct(|out| {
                    out.list(1, TType::Struct, columns.len(), |out| {
                        columns.iter().try_for_each(|column| {
                            out.elements_struct(|out| write_value(out, column, row))
                        })
                    })
                })?;
            }
        }
        Ok(())
    })
}

/// The union TColumnValue; a NULL has an empty struct in its member.
fn write_value(out: &mut Reply, column: &Column, row: usize) -> ReplyResult {
    let null = column.nulls[row];
    match &column.cells {
        Cells::Bool(v) => out.structure(1, |out| if null { Ok(()) } else { out.bool(1, v[row]) }),
        Cells::I8(v) => out.structure(2, |out| if null { Ok(()) } else { out.i8(1, v[row]) }),
        Cells::I16(v) => out.structure(3, |out| if null { Ok(()) } else { out.i16(1, v[row]) }),
        Cells::I32(v) => out.structure(4, |out| if null { Ok(()) } else { out.i32(1, v[row]) }),
        Cells::I64(v) => out.structure(5, |out| if null { Ok(()) } else { out.i64(1, v[row]) }),
        Cells::F64(v) => out.structure(6, |out| if null { Ok(()) } else { out.double(1, v[row]) }),
        Cells::Text { .. } => {
            out.structure(7, |out| if null { Ok(()) } else { out.bytes(1, column.text(row)) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bitmap_starts_with_the_lowest_bit() {
        let nulls = [true, false, false, false, false, false, false, false, false, true];
        assert_eq!(bitmap(nulls.into_iter(), 10), [0b0000_0001, 0b0000_0010]);
        assert_eq!(bitmap([].into_iter(), 0), Vec::<u8>::new());
        assert_eq!(bitmap([true; 8].into_iter(), 8), [0xff]);
    }
}
