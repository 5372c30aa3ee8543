//! Statements that look at the catalog: SHOW and DESCRIBE, and what the metadata calls of
//! HiveServer2 need.

use super::super::errors::could_not_resolve_table;
use super::super::translate::{TableName, identifier};
use super::*;

/// A table's columns, in order.
pub(crate) fn columns_of(
    connection: &Connection,
    schema: &str,
    table: &str,
) -> rusqlite::Result<Option<Vec<ColumnInfo>>> {
    let sql = format!("PRAGMA {}.table_info({})", identifier(schema), identifier(table));
    let mut statement = connection.prepare(&sql)?;
    let columns: Vec<ColumnInfo> = statement
        .query_map([], |row| {
            let declared: String = row.get("type")?;
            let kind = Type::from_declaration(&declared).unwrap_or(Type::String);
            Ok(ColumnInfo::new(row.get::<_, String>("name")?.to_ascii_lowercase(), kind))
        })?
        .collect::<Result<_, _>>()?;
    Ok(if columns.is_empty() { None } else { Some(columns) })
}

/// Names of tables and views with whether each is a view.
pub(crate) fn tables_of(
    connection: &Connection,
    schema: &str,
) -> rusqlite::Result<Vec<(String, bool)>> {
    let sql = format!(
        "SELECT lower(name), type = 'view' FROM {}.sqlite_master \
         WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1",
        identifier(schema)
    );
    let mut statement = connection.prepare(&sql)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Impala's patterns for SHOW: `*` for anything, `|` between choices.
pub(crate) fn matches_pattern(name: &str, pattern: &str) -> bool {
    pattern.split('|').any(|choice| glob(name.as_bytes(), choice.to_ascii_lowercase().as_bytes()))
}

fn glob(name: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|i| glob(&name[i..], rest)),
        Some((byte, rest)) => name.first() == Some(byte) && glob(&name[1..], rest),
    }
}

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn texts(names: &[&str]) -> Vec<ColumnInfo> {
    names.iter().map(|name| ColumnInfo::new(*name, Type::String)).collect()
}

impl Planner<'_> {
    fn failed(&self, error: &rusqlite::Error) -> String {
        errors::analysis(error, self.sql)
    }

    pub(super) fn columns_of(
        &self,
        connection: &Connection,
        name: &TableName,
    ) -> Result<Option<Vec<ColumnInfo>>, String> {
        self.check_database(name)?;
        let schema = name.schema(&self.context.database);
        columns_of(connection, schema, &name.table).map_err(|e| self.failed(&e))
    }

    pub(super) fn tables_of(
        &self,
        connection: &Connection,
        database: &str,
    ) -> Result<Vec<String>, String> {
        let name = TableName { database: Some(database.into()), table: String::new() };
        let tables = tables_of(connection, name.schema(&self.context.database));
        Ok(tables.map_err(|e| self.failed(&e))?.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) fn check_database(&self, name: &TableName) -> Result<(), String> {
        match &name.database {
            Some(database) if !self.engine.has_database(database) => {
                Err(format!("AnalysisException: Database does not exist: {database}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn name_at(&self, at: usize) -> Result<TableName, String> {
        let rest = self.tokens.get(at..).unwrap_or_default();
        TableName::read(rest).map(|(name, _)| name).ok_or_else(|| self.syntax_error(at))
    }

    /// A table that has to exist.
    pub(super) fn table_at(&self, at: usize) -> Result<TableName, String> {
        let name = self.name_at(at)?;
        match self.columns_of(&*self.connection()?, &name)? {
            Some(_) => Ok(name),
            None => {
                let plain = match &name.database {
                    Some(database) => format!("{database}.{}", name.table),
                    None => name.table,
                };
                Err(could_not_resolve_table(&plain))
            }
        }
    }

    pub(super) fn describe(&self) -> Planned {
        let formatted = self.word_is(1, "formatted") || self.word_is(1, "extended");
        let name = self.name_at(if formatted { 2 } else { 1 })?;
        let columns = self.columns_of(&*self.connection()?, &name)?;
        let Some(columns) = columns else {
            return Err(format!("AnalysisException: Could not resolve path: '{}'", name.table));
        };
        let row = |a: &str, b: String, c: &str| vec![text(a), text(b), text(c)];
        let mut rows: Vec<_> =
            columns.iter().map(|c| row(&c.name, c.kind.sql_name(), "")).collect();
        if formatted {
            rows.insert(0, row("# col_name", "data_type".into(), "comment"));
            rows.push(row("", "NULL".into(), "NULL"));
            rows.push(row("# Detailed Table Information", "NULL".into(), "NULL"));
            let database = name.database.as_deref().unwrap_or(&self.context.database);
            rows.push(row("Database:", database.into(), "NULL"));
            rows.push(row("Table Type:", "SQLITE_TABLE".into(), "NULL"));
        }
        Ok(made("DDL", Effect::Rows { columns: texts(&["name", "type", "comment"]), rows }))
    }

    pub(super) fn show(&self) -> Planned {
        let word = self.tokens.get(1).and_then(Token::name).unwrap_or_default();
        match word.as_str() {
            "tables" | "views" => self.show_tables(&word),
            "databases" | "schemas" => {
                let pattern = self.pattern_at(2)?;
                let mut names = self.engine.databases();
                names.insert(0, "_impala_builtins".into());
                let comment = |name: &str| match name {
                    "_impala_builtins" => "System database for Impala builtin functions",
                    "default" => "Default Hive database",
                    _ => "",
                };
                let rows = names
                    .iter()
                    .filter(|name| matches_pattern(name, &pattern))
                    .map(|name| vec![text(name.as_str()), text(comment(name))])
                    .collect();
                Ok(made("DDL", Effect::Rows { columns: texts(&["name", "comment"]), rows }))
            }
            "create" if self.word_is(2, "table") || self.word_is(2, "view") => self.show_create(),
            "functions" => {
                let columns = texts(&["return type", "signature", "binary type", "is persistent"]);
                Ok(made("DDL", Effect::Rows { columns, rows: Vec::new() }))
            }
            "table" if self.word_is(2, "stats") => {
                let name = self.table_at(3)?;
                let connection = self.connection()?;
                let sql = format!("SELECT count(*) FROM {}", name.sqlite(&self.context.database));
                let count: i64 = connection
                    .query_row(&sql, [], |row| row.get(0))
                    .map_err(|e| self.failed(&e))?;
                let columns = vec![
                    ColumnInfo::new("#Rows", Type::BigInt),
                    ColumnInfo::new("Format", Type::String),
                ];
                let rows = vec![vec![Value::Integer(count), text("SQLITE")]];
                Ok(made("DDL", Effect::Rows { columns, rows }))
            }
            _ => Err(self.syntax_error(1)),
        }
    }

    /// `[like] 'pattern'` at the end of a SHOW statement.
    fn pattern_at(&self, at: usize) -> Result<String, String> {
        let at = if self.word_is(at, "like") { at + 1 } else { at };
        match self.tokens.get(at) {
            None => Ok("*".into()),
            Some(token) => token.unquoted().ok_or_else(|| self.syntax_error(at)),
        }
    }

    fn show_tables(&self, word: &str) -> Planned {
        let mut at = 2;
        let mut database = self.context.database.clone();
        if self.word_is(at, "in") || self.word_is(at, "from") {
            database =
                self.tokens.get(3).and_then(Token::name).ok_or_else(|| self.syntax_error(3))?;
            at = 4;
        }
        let pattern = self.pattern_at(at)?;
        let name = TableName { database: Some(database), table: String::new() };
        self.check_database(&name)?;
        let tables = tables_of(&*self.connection()?, name.schema(&self.context.database));
        let rows = tables
            .map_err(|e| self.failed(&e))?
            .into_iter()
            .filter(|(name, view)| (word == "tables" || *view) && matches_pattern(name, &pattern))
            .map(|(name, _)| vec![text(name)])
            .collect();
        Ok(made("DDL", Effect::Rows { columns: texts(&["name"]), rows }))
    }

    fn show_create(&self) -> Planned {
        let name = self.table_at(3)?;
        let columns = self.columns_of(&*self.connection()?, &name)?.unwrap_or_default();
        let lines: Vec<_> = columns
            .iter()
            .map(|c| format!("  {} {}", c.name, c.kind.sql_name().to_ascii_uppercase()))
            .collect();
        let sql = format!(
            "CREATE TABLE {} (\n{}\n)\nSTORED AS SQLITE",
            name.full(&self.context.database),
            lines.join(",\n")
        );
        Ok(made("DDL", Effect::Rows { columns: texts(&["result"]), rows: vec![vec![text(sql)]] }))
    }
}
