//! The catalog calls of HiveServer2: small, honest answers from SQLite's catalog.

use super::{Exchange, empty_operation_handle, operation_handle};
use crate::ids::Id;
use crate::sql::{self, ColumnInfo, Type};
use crate::state::operation::{Limits, NewOperation};
use crate::state::session::Session;
use crate::texts::Fault;
use crate::thrift_io::{Reply, ReplyResult};
use rusqlite::types::Value;

type Rows = Vec<Vec<Value>>;

/// The types a client may meet, for GetTypeInfo.
const TYPES: &[Type] = &[
    Type::Boolean,
    Type::TinyInt,
    Type::SmallInt,
    Type::Int,
    Type::BigInt,
    Type::Float,
    Type::Double,
    Type::Date,
    Type::Timestamp,
    Type::String,
    Type::Varchar(65_535),
    Type::Decimal { precision: 38, scale: 38 },
    Type::Char(255),
];

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

impl Exchange<'_> {
    pub(super) fn metadata(&self, reply: &mut Reply) -> ReplyResult {
        let operation_type = match self.call.method.as_str() {
            "GetTypeInfo" => 1,
            "GetCatalogs" => 2,
            "GetSchemas" => 3,
            "GetTables" => 4,
            "GetTableTypes" => 5,
            "GetColumns" => 6,
            "GetFunctions" => 7,
            _ => 8,
        };
        let fail = |reply: &mut Reply, fault: &Fault| {
            self.reply(reply, Some(fault), |out| empty_operation_handle(out, 2, operation_type))
        };
        if let Err(fault) = self.server.refuse_when_draining() {
            return fail(reply, &fault);
        }
        let session = match self.session()? {
            Ok(session) => session,
            Err(fault) => return fail(reply, &fault),
        };
        let rows = match self.rows(&session) {
            Ok(rows) => rows,
            Err(error) => return fail(reply, &Fault::general(format!("{error}\n"))),
        };
        let settings = session.with(|inner| inner.settings.clone());
        let new = NewOperation {
            id: Id::random_query(),
            session,
            operation_type,
            statement: self.call.method.clone(),
            kind: "DDL",
            has_result_set: true,
            limits: Limits::new(&settings),
        };
        let operation = self.server.answered(new, columns(&self.call.method), &rows);
        self.reply(reply, None, |out| operation_handle(out, 2, &operation))
    }

    fn rows(&self, session: &Session) -> rusqlite::Result<Rows> {
        Ok(match self.call.method.as_str() {
            "GetTypeInfo" => TYPES.iter().map(|kind| type_row(*kind)).collect(),
            "GetSchemas" => {
                self.schemas(3).into_iter().map(|name| vec![text(name), text("")]).collect()
            }
            "GetTableTypes" => ["TABLE", "VIEW"].iter().map(|kind| vec![text(*kind)]).collect(),
            "GetTables" => {
                let kinds = self.request.text_list(5);
                let wanted = |kind: &str| {
                    kinds.is_empty() || kinds.iter().any(|k| k.eq_ignore_ascii_case(kind))
                };
                let tables = self.tables(session)?;
                tables
                    .into_iter()
                    .map(|(schema, name, view)| (schema, name, if view { "VIEW" } else { "TABLE" }))
                    .filter(|(_, _, kind)| wanted(kind))
                    .map(|(schema, name, kind)| {
                        vec![text(""), text(schema), text(name), text(kind), text("")]
                    })
                    .collect()
            }
            "GetColumns" => self.columns(session)?,
            // No catalogs, no functions of users, no keys.
            _ => Vec::new(),
        })
    }

    fn schemas(&self, field: i16) -> Vec<String> {
        let pattern = self.request.text(field);
        let mut names = self.server.engine.databases();
        names.retain(|name| like(name, pattern.as_deref()));
        names
    }

    fn tables(&self, session: &Session) -> rusqlite::Result<Vec<(String, String, bool)>> {
        let context = self.server.context(session);
        let current = context.database.clone();
        let connection = self.server.engine.checkout(context, None)?;
        let pattern = self.request.text(4);
        let mut found = Vec::new();
        for schema in self.schemas(3) {
            let sqlite = if schema == current { "main" } else { &schema };
            for (name, view) in sql::tables_of(&connection, sqlite)? {
                if like(&name, pattern.as_deref()) {
                    found.push((schema.clone(), name, view));
                }
            }
        }
        Ok(found)
    }

    fn columns(&self, session: &Session) -> rusqlite::Result<Rows> {
        let context = self.server.context(session);
        let current = context.database.clone();
        let connection = self.server.engine.checkout(context, None)?;
        let pattern = self.request.text(5);
        let mut rows = Vec::new();
        for (schema, table, _) in self.tables(session)? {
            let sqlite = if schema == current { "main" } else { &schema };
            let columns = sql::columns_of(&connection, sqlite, &table)?.unwrap_or_default();
            for (i, column) in columns.iter().enumerate() {
                if like(&column.name, pattern.as_deref()) {
                    rows.push(column_row(
                        &schema,
                        &table,
                        column,
                        i64::try_from(i).unwrap_or(0) + 1,
                    ));
                }
            }
        }
        Ok(rows)
    }
}

fn column_row(schema: &str, table: &str, column: &ColumnInfo, position: i64) -> Vec<Value> {
    let null = || Value::Null;
    let (size, digits) = match column.kind {
        Type::TinyInt => (Value::Integer(3), Value::Integer(0)),
        Type::SmallInt => (Value::Integer(5), Value::Integer(0)),
        Type::Int => (Value::Integer(10), Value::Integer(0)),
        Type::BigInt => (Value::Integer(19), Value::Integer(0)),
        Type::Float => (Value::Integer(7), Value::Integer(7)),
        Type::Double => (Value::Integer(15), Value::Integer(15)),
        Type::Decimal { precision, scale } => {
            (Value::Integer(precision.into()), Value::Integer(scale.into()))
        }
        Type::Varchar(n) | Type::Char(n) => (Value::Integer(n.into()), null()),
        _ => (null(), null()),
    };
    let radix = if digits == Value::Null { null() } else { Value::Integer(10) };
    vec![
        text(""),
        text(schema),
        text(table),
        text(column.name.as_str()),
        Value::Integer(column.kind.jdbc_id().into()),
        text(column.kind.base_name().to_ascii_uppercase()),
        size,
        null(),
        digits,
        radix,
        Value::Integer(1),
        text(""),
        null(),
        null(),
        null(),
        null(),
        Value::Integer(position),
        text("YES"),
        null(),
        null(),
        null(),
        null(),
        text("NO"),
    ]
}

fn type_row(kind: Type) -> Vec<Value> {
    let mut row =
        vec![text(kind.base_name().to_ascii_uppercase()), Value::Integer(kind.jdbc_id().into())];
    let sensitive = matches!(kind, Type::String | Type::Varchar(_) | Type::Char(_));
    row.extend([Value::Null, Value::Null, Value::Null, Value::Null]);
    row.extend([Value::Integer(1), Value::Integer(sensitive.into()), Value::Integer(3)]);
    row.extend([Value::Integer(1), Value::Integer(0), Value::Integer(0), Value::Null]);
    row.extend([
        Value::Integer(0),
        Value::Integer(0),
        Value::Null,
        Value::Null,
        Value::Integer(10),
    ]);
    row
}

/// Names and types of a call's result.
fn columns(method: &str) -> Vec<ColumnInfo> {
    let list = match method {
        "GetTypeInfo" => {
            "TYPE_NAME DATA_TYPE:i PRECISION:i LITERAL_PREFIX LITERAL_SUFFIX CREATE_PARAMS NULLABLE:i \
             CASE_SENSITIVE:b SEARCHABLE:i UNSIGNED_ATTRIBUTE:b FIXED_PREC_SCALE:b AUTO_INCREMENT:b LOCAL_TYPE_NAME \
             MINIMUM_SCALE:i MAXIMUM_SCALE:i SQL_DATA_TYPE:i SQL_DATETIME_SUB:i NUM_PREC_RADIX:i"
        }
        "GetCatalogs" => "TABLE_CAT",
        "GetSchemas" => "TABLE_SCHEM TABLE_CATALOG",
        "GetTables" => "TABLE_CAT TABLE_SCHEM TABLE_NAME TABLE_TYPE REMARKS",
        "GetTableTypes" => "TABLE_TYPE",
        "GetColumns" => {
            "TABLE_CAT TABLE_SCHEM TABLE_NAME COLUMN_NAME DATA_TYPE:i TYPE_NAME COLUMN_SIZE:i BUFFER_LENGTH:i \
             DECIMAL_DIGITS:i NUM_PREC_RADIX:i NULLABLE:i REMARKS COLUMN_DEF SQL_DATA_TYPE:i SQL_DATETIME_SUB:i \
             CHAR_OCTET_LENGTH:i ORDINAL_POSITION:i IS_NULLABLE SCOPE_CATALOG SCOPE_SCHEMA SCOPE_TABLE \
             SOURCE_DATA_TYPE:i IS_AUTO_INCREMENT"
        }
        "GetFunctions" => {
            "FUNCTION_CAT FUNCTION_SCHEM FUNCTION_NAME REMARKS FUNCTION_TYPE:i SPECIFIC_NAME"
        }
        "GetPrimaryKeys" => "TABLE_CAT TABLE_SCHEM TABLE_NAME COLUMN_NAME KEQ_SEQ:i PK_NAME",
        _ => {
            "PKTABLE_CAT PKTABLE_SCHEM PKTABLE_NAME PKCOLUMN_NAME FKTABLE_CAT FKTABLE_SCHEM FKTABLE_NAME \
             FKCOLUMN_NAME KEQ_SEQ:i UPDATE_RULE:i DELETE_RULE:i FK_NAME PK_NAME DEFERRABILITY:i"
        }
    };
    let column = |word: &str| match word.split_once(':') {
        Some((name, "b")) => ColumnInfo::new(name, Type::Boolean),
        Some((name, _)) => ColumnInfo::new(name, Type::Int),
        None => ColumnInfo::new(word, Type::String),
    };
    list.split_whitespace().map(column).collect()
}

/// JDBC's patterns: `%`, `_`, a backslash before either; nothing means everything.
fn like(name: &str, pattern: Option<&str>) -> bool {
    match pattern {
        None | Some("") => true,
        // impyla asks in the manner of regular expressions, which Impala happens to take as well.
        Some(pattern) => {
            let pattern = pattern.replace(".*", "%").to_ascii_lowercase();
            matches(name.as_bytes(), pattern.as_bytes())
        }
    }
}

fn matches(name: &[u8], pattern: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        // The pattern shrinks with every step and runs of % are taken as one, so this ends soon
        // enough.
        [b'%', b'%', rest @ ..] => matches(name, &pattern[pattern.len() - rest.len() - 1..]),
        [b'%', rest @ ..] => (0..=name.len()).any(|i| matches(&name[i..], rest)),
        [b'_', rest @ ..] => !name.is_empty() && matches(&name[1..], rest),
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
            name.first() == Some(byte) && matches(&name[1..], rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (name, pattern, expected) in [
            ("orders", "%", true),
            ("orders", "ord%s", true),
            ("orders", "ORDER_", true),
            ("orders", "order", false),
            ("web_logs", "web\\_%", true),
            ("weblogs", "web\\_%", false),
            ("x", "%%%%", true),
            ("orders", ".*", true),
        ] {
            assert_eq!(like(name, Some(pattern)), expected, "{name} {pattern}");
        }
        assert!(like("x", None) && like("x", Some("")));
    }

    #[test]
    fn rows_have_as_many_values_as_columns() {
        assert_eq!(type_row(Type::Int).len(), columns("GetTypeInfo").len());
        let column = ColumnInfo::new("a", Type::Int);
        assert_eq!(column_row("s", "t", &column, 1).len(), columns("GetColumns").len());
    }
}
