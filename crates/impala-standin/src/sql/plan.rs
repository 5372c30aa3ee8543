//! From a statement's text to what has to be done. Errors found here are Impala's analysis errors:
//! the client gets them as the answer to its ExecuteStatement.

pub(crate) mod catalog;
mod tables;
#[cfg(test)]
mod tests;

use super::engine::{Context, Engine};
use super::errors;
use super::infer;
use super::tokens::{Token, tokens};
use super::translate;
use super::types::{ColumnInfo, Type};
use rusqlite::Connection;
use rusqlite::types::Value;

/// A statement, understood.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Impala's word for it, on the web page: QUERY, DML, DDL, SET, EXPLAIN …
    pub(crate) kind: &'static str,
    pub(crate) effect: Effect,
}

/// What a statement does.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Runs in a thread of its own.
    Query(Query),
    /// The same; with `summary` the client sees that text as a row, otherwise a number of rows.
    Write(Write),
    /// The answer is known.
    Rows { columns: Vec<ColumnInfo>, rows: Vec<Vec<Value>> },
    /// Done, and nothing to show.
    Nothing,
    /// The session's new database.
    Use(String),
    /// A query option of the session; checked by whoever knows the options.
    SetOption(String, String),
    /// The session's options.
    ShowOptions { all: bool },
    /// A graceful shutdown, of ourselves when no target is given.
    Shutdown { target: Option<String>, deadline_seconds: Option<u64> },
    /// The id of a query to end.
    Kill(String),
}

/// A statement for SQLite that returns rows.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) columns: Vec<QueryColumn>,
}

/// A result column whose type may have to wait for the first rows.
#[derive(Debug)]
pub(crate) struct QueryColumn {
    pub(crate) name: String,
    pub(crate) kind: Option<Type>,
}

impl Query {
    pub(crate) fn known_columns(&self) -> Option<Vec<ColumnInfo>> {
        self.columns.iter().map(|c| Some(ColumnInfo::new(c.name.clone(), c.kind?))).collect()
    }
}

/// Statements for SQLite that write, in one transaction.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) statements: Vec<String>,
    pub(crate) summary: Option<String>,
}

/// Everything a planner needs.
struct Planner<'a> {
    engine: &'a Engine,
    context: &'a Context,
    sql: &'a str,
    tokens: &'a [Token<'a>],
}

type Planned = Result<Plan, String>;

/// Plans a statement for that session.
pub(crate) fn plan(engine: &Engine, context: &Context, sql: &str) -> Planned {
    let all = tokens(sql);
    // beeline's users end statements with a semicolon; a second statement is an error.
    let ends = all.iter().rposition(|t| !t.is(";")).map_or(0, |i| i + 1);
    let tokens = &all[..ends];
    if let Some(extra) = tokens.iter().find(|t| t.is(";")) {
        return Err(errors::syntax_error(sql, Some(extra.text)));
    }
    Planner { engine, context, sql, tokens }.plan()
}

impl Planner<'_> {
    fn plan(&self) -> Planned {
        let Some(first) = self.tokens.first() else {
            return Err(errors::syntax_error(self.sql, None));
        };
        let word = first.text.to_ascii_lowercase();
        match word.as_str() {
            "with" if self.tokens.iter().any(|t| t.is("insert")) => self.change("DML"),
            "select" | "with" | "values" | "(" => {
                self.query().map(|query| made("QUERY", Effect::Query(query)))
            }
            "insert" | "upsert" => self.insert(),
            "update" | "delete" => self.change("DML"),
            "create" => self.create(),
            "drop" => self.drop(),
            "alter" => self.ddl("Updated table."),
            "truncate" => self.truncate(),
            "explain" => self.explain(),
            "describe" | "desc" => self.describe(),
            "show" => self.show(),
            "use" => self.use_database(),
            "set" => self.set(),
            ":" if self.word_is(1, "shutdown") => self.shutdown(),
            "kill" if self.word_is(1, "query") => {
                match self.tokens.get(2).and_then(Token::unquoted) {
                    Some(id) => Ok(made("DDL", Effect::Kill(id))),
                    None => Err(self.syntax_error(2)),
                }
            }
            "refresh" => {
                self.table_at(1)?;
                Ok(made("DDL", Effect::Nothing))
            }
            "invalidate" if self.word_is(1, "metadata") => Ok(made("DDL", Effect::Nothing)),
            "compute" if self.word_is(1, "stats") => self.compute_stats(),
            _ => Err(self.syntax_error(0)),
        }
    }

    fn word_is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is(word))
    }

    fn syntax_error(&self, at: usize) -> String {
        errors::syntax_error(self.sql, self.tokens.get(at).map(|t| t.text))
    }

    fn connection(&self) -> Result<super::engine::Checkout<'_>, String> {
        let checkout = self.engine.checkout(self.context.clone(), None);
        checkout.map_err(|error| format!("AnalysisException: {}", errors::message(&error)))
    }

    fn translated(&self, from: usize) -> String {
        translate::expression(self.sql, &self.tokens[from..], &self.context.database)
    }

    /// A SELECT from that token on.
    fn query_from(&self, connection: &Connection, from: usize) -> Result<Query, String> {
        let sql = self.translated(from);
        let statement = connection.prepare(&sql).map_err(|e| errors::analysis(&e, self.sql))?;
        let items = infer::select_list(self.sql, &self.tokens[from..])
            .filter(|items| items.len() == statement.column_count());
        let columns = statement.columns().enumerate().map(|(i, column)| {
            let item = items.as_ref().and_then(|items| items.get(i));
            QueryColumn {
                name: item.map_or_else(|| column.name().to_ascii_lowercase(), |i| i.name.clone()),
                kind: column
                    .decl_type()
                    .and_then(Type::from_declaration)
                    .or_else(|| item.and_then(|i| i.kind)),
            }
        });
        let columns: Vec<_> = columns.collect();
        if columns.is_empty() {
            return Err(self.syntax_error(0));
        }
        Ok(Query { columns, sql })
    }

    fn query(&self) -> Result<Query, String> {
        self.query_from(&*self.connection()?, 0)
    }

    fn explain(&self) -> Planned {
        let connection = self.connection()?;
        let mut sql = self.translated(1);
        if self.word_is(1, "insert") || self.word_is(1, "upsert") {
            let inner = Planner { tokens: &self.tokens[1..], ..*self };
            if let Effect::Write(write) = inner.insert()?.effect {
                sql = write.statements.last().cloned().unwrap_or_default();
            }
        }
        let explained = || -> rusqlite::Result<Vec<Vec<Value>>> {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            statement.query_map([], |row| Ok(vec![row.get::<_, Value>(3)?]))?.collect()
        };
        let mut rows = explained().map_err(|e| errors::analysis(&e, self.sql))?;
        let head = "Plan of SQLite, which does the work in this stand-in:";
        rows.insert(0, vec![Value::Text(head.into())]);
        let columns = vec![ColumnInfo::new("Explain String", Type::String)];
        Ok(made("EXPLAIN", Effect::Rows { columns, rows }))
    }

    fn use_database(&self) -> Planned {
        let name = self.tokens.get(1).and_then(Token::name).ok_or_else(|| self.syntax_error(1))?;
        if !self.engine.has_database(&name) {
            return Err(format!("AnalysisException: Database does not exist: {name}"));
        }
        Ok(made("DDL", Effect::Use(name)))
    }

    fn set(&self) -> Planned {
        match &self.tokens[1..] {
            [] => Ok(made("SET", Effect::ShowOptions { all: false })),
            [all] if all.is("all") => Ok(made("SET", Effect::ShowOptions { all: true })),
            [name, equals, ..] if equals.is("=") => {
                let value = match &self.tokens[3..] {
                    [text] if text.unquoted().is_some() => text.unquoted().unwrap_or_default(),
                    _ => self.sql[equals.end()..self.end()].trim().to_owned(),
                };
                Ok(made("SET", Effect::SetOption(name.name().unwrap_or_default(), value)))
            }
            _ => Err(self.syntax_error(1)),
        }
    }

    /// `:shutdown()`, `:shutdown('host:port')`, `:shutdown(60)`, `:shutdown('host:port', 60)`.
    fn shutdown(&self) -> Planned {
        let (mut target, mut deadline_seconds) = (None, None);
        match (self.tokens.get(2), self.tokens.last()) {
            (Some(open), Some(close)) if open.is("(") && close.is(")") && self.tokens.len() > 3 => {
            }
            _ => return Err(self.syntax_error(2)),
        }
        for token in self.tokens[3..self.tokens.len() - 1].iter().filter(|t| !t.is(",")) {
            match (token.unquoted(), token.text.parse()) {
                (Some(text), _) => target = Some(text),
                (None, Ok(seconds)) => deadline_seconds = Some(seconds),
                (None, Err(_)) => return Err(self.syntax_error(3)),
            }
        }
        Ok(made("ADMIN_FN", Effect::Shutdown { target, deadline_seconds }))
    }

    fn end(&self) -> usize {
        self.tokens.last().map_or(0, |t| t.end())
    }
}

fn made(kind: &'static str, effect: Effect) -> Plan {
    Plan { kind, effect }
}

/// One row with one text, as DDL statements answer.
fn summary(text: impl Into<String>) -> Effect {
    Effect::Rows {
        columns: vec![ColumnInfo::new("summary", Type::String)],
        rows: vec![vec![Value::Text(text.into())]],
    }
}
