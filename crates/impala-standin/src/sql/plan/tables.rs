//! Statements that change tables: INSERT, UPDATE, CREATE, DROP, TRUNCATE, ALTER.

use super::super::errors::could_not_resolve_table;
use super::super::translate::{self, closing, column_type, create_table, identifier};
use super::*;

impl Planner<'_> {
    /// A statement that passes with little change: UPDATE, DELETE, WITH … INSERT.
    pub(super) fn change(&self, kind: &'static str) -> Planned {
        let mut sql = self.translated(0);
        if self.word_is(0, "delete") && !self.word_is(1, "from") {
            sql = format!("DELETE FROM {}", self.translated(1));
        }
        self.checked(kind, vec![sql], None)
    }

    /// The first statement is tried out on SQLite's parser, so that mistakes are found while the
    /// client waits.
    fn checked(
        &self,
        kind: &'static str,
        statements: Vec<String>,
        summary: Option<String>,
    ) -> Planned {
        if let Some(first) = statements.first() {
            let connection = self.connection()?;
            connection.prepare(first).map_err(|error| errors::analysis(&error, self.sql))?;
        }
        Ok(made(kind, Effect::Write(Write { statements, summary })))
    }

    pub(super) fn insert(&self) -> Planned {
        let current = &self.context.database;
        let overwrite = self.word_is(1, "overwrite");
        if !overwrite && !self.word_is(1, "into") {
            return Err(self.syntax_error(1));
        }
        let mut at = if self.word_is(2, "table") { 3 } else { 2 };
        let table = self.table_at(at)?;
        at += if table.database.is_some() { 3 } else { 1 };
        let mut columns = String::new();
        while self.word_is(at, "(") || self.word_is(at, "partition") {
            let partition = self.word_is(at, "partition");
            let open = if partition { at + 1 } else { at };
            // `insert into t (select …)` has no column list.
            if self.word_is(open + 1, "select") {
                break;
            }
            let close = closing(self.tokens, open).ok_or_else(|| self.syntax_error(open))?;
            if !partition {
                columns = translate::expression(self.sql, &self.tokens[open..=close], current);
            }
            at = close + 1;
        }
        let verb = if self.word_is(0, "upsert") { "INSERT OR REPLACE" } else { "INSERT" };
        let name = table.sqlite(current);
        let insert =
            format!("{verb} INTO {name} {columns} {}", self.translated(at.min(self.tokens.len())));
        let plan = self.checked("DML", vec![insert.clone()], None)?;
        if overwrite {
            return self.checked("DML", vec![format!("DELETE FROM {name}"), insert], None);
        }
        Ok(plan)
    }

    pub(super) fn ddl(&self, text: &str) -> Planned {
        self.checked("DDL", vec![self.translated(0)], Some(text.into()))
    }

    pub(super) fn create(&self) -> Planned {
        match self.tokens.get(1).and_then(Token::name).as_deref() {
            Some("database" | "schema") => self.create_database(),
            Some("view") => self.ddl("View has been created."),
            Some("table" | "external") => self.create_table(),
            _ => Err(self.syntax_error(1)),
        }
    }

    fn create_table(&self) -> Planned {
        let current = &self.context.database;
        let made = create_table(self.sql, self.tokens, current);
        let made = made.ok_or_else(|| self.syntax_error(1))?;
        self.check_database(&made.name)?;
        let connection = self.connection()?;
        if self.columns_of(&connection, &made.name)?.is_some() {
            if made.if_not_exists {
                return Ok(super::made("DDL", summary("Table already exists.")));
            }
            let name = made.name.full(current);
            return Err(format!("AnalysisException: Table already exists: {name}"));
        }
        let name = made.name.sqlite(current);
        let exists = if made.if_not_exists { "IF NOT EXISTS " } else { "" };
        let create = |columns: &str| format!("CREATE TABLE {exists}{name} ({columns})");
        if let Some(start) = made.select {
            let query = self.query_from(&connection, start)?;
            let columns =
                definitions(&connection, &query).map_err(|e| errors::analysis(&e, self.sql))?;
            let statements = vec![create(&columns), format!("INSERT INTO {name} {}", query.sql)];
            return self.checked("DDL", statements, Some("Inserted".into()));
        }
        let columns = match &made.like {
            Some(like) => {
                let columns = self.columns_of(&connection, like)?;
                let columns =
                    columns.ok_or_else(|| could_not_resolve_table(&like.full(current)))?;
                let columns: Vec<_> = columns
                    .iter()
                    .map(|c| format!("{} {}", identifier(&c.name), column_type(c.kind)))
                    .collect();
                columns.join(", ")
            }
            None if made.columns.is_empty() => return Err(self.syntax_error(self.tokens.len() - 1)),
            None => made.columns.clone(),
        };
        drop(connection);
        self.checked("DDL", vec![create(&columns)], Some("Table has been created.".into()))
    }

    pub(super) fn drop(&self) -> Planned {
        match self.tokens.get(1).and_then(Token::name).as_deref() {
            Some("database" | "schema") => self.drop_database(),
            Some(what @ ("table" | "view")) => {
                let if_exists = self.word_is(2, "if");
                let name = self.name_at(if if_exists { 4 } else { 2 })?;
                let there = self.columns_of(&*self.connection()?, &name)?.is_some();
                if !there && !if_exists {
                    let name = name.full(&self.context.database);
                    return Err(format!("AnalysisException: Table does not exist: {name}"));
                }
                let done = if what == "table" {
                    "Table has been dropped."
                } else {
                    "View has been dropped."
                };
                if !there {
                    return Ok(made("DDL", summary("Table does not exist.")));
                }
                let sql = format!("DROP {what} {}", name.sqlite(&self.context.database));
                self.checked("DDL", vec![sql], Some(done.into()))
            }
            _ => Err(self.syntax_error(1)),
        }
    }

    pub(super) fn truncate(&self) -> Planned {
        let at = if self.word_is(1, "table") { 2 } else { 1 };
        let table = self.table_at(if self.word_is(at, "if") { at + 2 } else { at })?;
        let sql = format!("DELETE FROM {}", table.sqlite(&self.context.database));
        self.checked("DDL", vec![sql], Some("Table has been truncated.".into()))
    }

    fn create_database(&self) -> Planned {
        let if_not_exists = self.word_is(2, "if");
        let at = if if_not_exists { 5 } else { 2 };
        let name =
            self.tokens.get(at).and_then(Token::name).ok_or_else(|| self.syntax_error(at))?;
        if self.engine.has_database(&name) {
            if if_not_exists {
                return Ok(made("DDL", summary("Database already exists.")));
            }
            return Err(format!("AnalysisException: Database already exists: {name}"));
        }
        self.engine.create_database(&name)?;
        Ok(made("DDL", summary("Database has been created.")))
    }

    fn drop_database(&self) -> Planned {
        let if_exists = self.word_is(2, "if");
        let at = if if_exists { 4 } else { 2 };
        let name =
            self.tokens.get(at).and_then(Token::name).ok_or_else(|| self.syntax_error(at))?;
        if !self.engine.has_database(&name) {
            if if_exists {
                return Ok(made("DDL", summary("Database does not exist.")));
            }
            return Err(format!("AnalysisException: Database does not exist: {name}"));
        }
        if name == self.context.database || name == super::super::engine::DEFAULT {
            return Err("AnalysisException: Cannot drop current default database.".into());
        }
        let cascade = self.tokens.last().is_some_and(|t| t.is("cascade"));
        if !cascade && !self.tables_of(&*self.connection()?, &name)?.is_empty() {
            return Err(format!(
                "ImpalaRuntimeException: Database {name} is not empty. One or more tables exist."
            ));
        }
        self.engine.drop_database(&name)?;
        Ok(made("DDL", summary("Database has been dropped.")))
    }

    pub(super) fn compute_stats(&self) -> Planned {
        let table = self.table_at(2)?;
        let columns = self.columns_of(&*self.connection()?, &table)?.map_or(0, |c| c.len());
        Ok(made("DDL", summary(format!("Updated 1 partition(s) and {columns} column(s)."))))
    }
}

/// The columns of CREATE TABLE AS. SQLite's own would lose the types.
fn definitions(connection: &Connection, query: &Query) -> rusqlite::Result<String> {
    let first: Option<Vec<Value>> = if query.columns.iter().all(|c| c.kind.is_some()) {
        None
    } else {
        let mut statement = connection.prepare(&query.sql)?;
        let mut rows = statement.query([])?;
        match rows.next()? {
            Some(row) => {
                Some((0..query.columns.len()).map(|i| row.get(i)).collect::<Result<_, _>>()?)
            }
            None => None,
        }
    };
    let columns: Vec<_> = query
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let value = first.as_ref().and_then(|row| row.get(i));
            let kind = column.kind.unwrap_or(match value {
                Some(Value::Integer(_)) => Type::BigInt,
                Some(Value::Real(_)) => Type::Double,
                _ => Type::String,
            });
            format!("{} {}", identifier(&column.name), column_type(kind))
        })
        .collect();
    Ok(columns.join(", "))
}
