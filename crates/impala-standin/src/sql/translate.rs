//! Impala's SQL in SQLite's words: names of databases, quotes, casts, table definitions, inserts.
//! What is not known here passes unchanged, so SQLite's own parser has the last word.

use super::tokens::{Kind, Token, quoted};

/// A table, perhaps with its database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableName {
    pub(crate) database: Option<String>,
    pub(crate) table: String,
}

impl TableName {
    /// Reads `t` or `db.t`; returns it with the number of tokens used.
    pub(crate) fn read(tokens: &[Token<'_>]) -> Option<(Self, usize)> {
        let first = tokens.first()?.name()?;
        match tokens.get(1) {
            Some(dot) if dot.is(".") => {
                Some((Self { database: Some(first), table: tokens.get(2)?.name()? }, 3))
            }
            _ => Some((Self { database: None, table: first }, 1)),
        }
    }

    /// The SQLite schema it is in. The session's own database is always `main`.
    pub(crate) fn schema<'a>(&'a self, current: &str) -> &'a str {
        match &self.database {
            Some(database) if database != current => database,
            _ => "main",
        }
    }

    pub(crate) fn sqlite(&self, current: &str) -> String {
        format!("{}.{}", identifier(self.schema(current)), identifier(&self.table))
    }

    /// `db.t`, as Impala prints it.
    pub(crate) fn full(&self, current: &str) -> String {
        format!("{}.{}", self.database.as_deref().unwrap_or(current), self.table)
    }
}

/// A name as SQLite quotes it.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Rewrites any query or part of one.
pub(crate) fn expression(sql: &str, tokens: &[Token<'_>], current: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    for (i, token) in tokens.iter().enumerate() {
        if i > 0 {
            // Keeps the line breaks, so that an error message still shows the right place; drops
            // comments.
            let between = &sql[tokens[i - 1].end()..token.start];
            out.push_str(match between.trim() {
                "" => between,
                _ => " ",
            });
        }
        match replacement(tokens, i, current) {
            Some(text) => out.push_str(&text),
            None => out.push_str(token.text),
        }
    }
    out
}

fn replacement(tokens: &[Token<'_>], i: usize, current: &str) -> Option<String> {
    let token = &tokens[i];
    let previous = i.checked_sub(1).map(|p| &tokens[p]);
    let next_is = |sign: &str| tokens.get(i + 1).is_some_and(|t| t.is(sign));
    match token.kind {
        Kind::Text => Some(quoted(&token.unquoted()?)),
        // Impala divides integers to a DOUBLE; `div` is for integers.
        Kind::Sign if token.is("/") => Some("*1.0/".into()),
        Kind::Word if token.is("div") && i > 0 => Some("/".into()),
        Kind::Word | Kind::Name if next_is(".") && !previous.is_some_and(|p| p.is(".")) => {
            let name = token.name()?;
            let of_table = previous.is_some_and(|p| names_a_table(p))
                || tokens.get(i + 3).is_some_and(|t| t.is("."));
            match () {
                () if name == current && (of_table || name == "default") => Some("main".into()),
                () if name == "default" => Some(identifier("default")),
                () => None,
            }
        }
        Kind::Word if previous.is_some_and(|p| p.is("as")) => cast_type(token).map(Into::into),
        Kind::Word if next_is("(") => Some(function(&token.name()?)?.into()),
        _ => None,
    }
}

fn names_a_table(word: &Token<'_>) -> bool {
    ["from", "join", "into", "table", "update", "exists", "view", "overwrite"]
        .iter()
        .any(|w| word.is(w))
}

/// In SQLite, CAST(x AS STRING) makes a number.
fn cast_type(token: &Token<'_>) -> Option<&'static str> {
    ["string", "timestamp", "date"].iter().any(|w| token.is(w)).then_some("text")
}

fn function(name: &str) -> Option<&'static str> {
    Some(match name {
        "if" => "iif",
        "nvl" => "ifnull",
        "char_length" => "length",
        "ucase" => "upper",
        "lcase" => "lower",
        "pow" => "power",
        "current_timestamp" => "now",
        _ => return None,
    })
}

/// The type of a table column, for SQLite. STRING would get numeric affinity there: '007' would
/// become 7.
pub(crate) fn column_type(kind: super::Type) -> String {
    match kind {
        super::Type::String => "TEXT".into(),
        other => other.sql_name().to_ascii_uppercase(),
    }
}

/// What follows CREATE TABLE, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) name: TableName,
    pub(crate) if_not_exists: bool,
    /// Column definitions for SQLite; empty when there are none.
    pub(crate) columns: String,
    pub(crate) like: Option<TableName>,
    /// Where in the tokens the SELECT of CREATE TABLE AS starts.
    pub(crate) select: Option<usize>,
}

/// Reads `create [external] table [if not exists] t (columns) [clauses] [as select]`. Where and how
/// the rows are stored is of no use here and dropped; partition columns become ordinary ones.
pub(crate) fn create_table(sql: &str, tokens: &[Token<'_>], current: &str) -> Option<CreateTable> {
    let mut at = tokens.iter().position(|t| t.is("table"))? + 1;
    let if_not_exists = tokens.get(at)?.is("if");
    if if_not_exists {
        at += 3;
    }
    let (name, used) = TableName::read(tokens.get(at..)?)?;
    at += used;
    let name_end = at;
    let mut made =
        CreateTable { name, if_not_exists, columns: String::new(), like: None, select: None };
    while let Some(token) = tokens.get(at) {
        if token.is("(") {
            let close = closing(tokens, at)?;
            // The list of columns follows the name; PARTITIONED BY adds to it; other brackets are
            // of no interest.
            let partition = tokens[at - 1].is("by") && tokens[at - 2].is("partitioned");
            if at == name_end || partition {
                let columns = columns(sql, &tokens[at + 1..close], current);
                if !made.columns.is_empty() {
                    made.columns.push_str(", ");
                }
                made.columns.push_str(&columns);
            }
            at = close + 1;
        } else if token.is("like") && made.columns.is_empty() && made.like.is_none() {
            let (like, used) = TableName::read(tokens.get(at + 1..)?)?;
            made.like = Some(like);
            at += 1 + used;
        } else if token.is("as")
            && tokens.get(at + 1).is_some_and(|t| t.is("select") || t.is("with") || t.is("values"))
        {
            made.select = Some(at + 1);
            break;
        } else {
            at += 1;
        }
    }
    Some(made)
}

/// The index of the bracket that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
            if depth == 0 {
                return Some(i);
            }
        }
    }
    None
}

/// Column definitions: `string` becomes TEXT, COMMENT 'x' goes.
fn columns(sql: &str, tokens: &[Token<'_>], current: &str) -> String {
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i].is("comment") && tokens.get(i + 1).is_some_and(|t| t.kind == Kind::Text) {
            i += 2;
            continue;
        }
        kept.push(tokens[i]);
        i += 1;
    }
    let mut depth = 0;
    let mut words = Vec::new();
    for (i, token) in kept.iter().enumerate() {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        let is_type = depth == 0 && i > 0 && (i == 1 || kept[i - 2].is(","));
        words.push(match token.text.to_ascii_lowercase().as_str() {
            "string" if is_type => "TEXT".to_owned(),
            _ => expression(sql, &kept[i..=i], current),
        });
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        assert_eq!(expression(sql, &tokens(sql), "sales"), expected);
    }

    #[test]
    fn rewrites_queries() {
        check("select * from default.t", "select * from \"default\".t");
        check("select * from sales.t s", "select * from main.t s");
        check("select sales.x from t sales", "select sales.x from t sales");
        check("select \"it's\" /* c */ , 'a'", "select 'it''s' , 'a'");
        check(
            "select cast(a as string), 7 / 2, 7 div 2",
            "select cast(a as text), 7 *1.0/ 2, 7 / 2",
        );
        check("select if(a, 1, 2), nvl(b, 0)", "select iif(a, 1, 2), ifnull(b, 0)");
    }

    #[track_caller]
    fn create(sql: &str) -> CreateTable {
        create_table(sql, &tokens(sql), "default").unwrap()
    }

    #[test]
    fn reads_table_definitions() {
        let made = create(
            "create external table if not exists db.t (a int comment 'x', string string, d decimal(10,2)) \
             partitioned by (day string) row format delimited fields terminated by ',' stored as textfile \
             tblproperties ('a'='b')",
        );
        assert_eq!(made.columns, "a int , string TEXT , d decimal ( 10 , 2 ), day TEXT");
        assert!(made.if_not_exists);
        assert_eq!(made.name.full("default"), "db.t");
        assert_eq!(create("create table u like db.t").like.unwrap().full("x"), "db.t");
        let made = create("create table u stored as parquet as select 1");
        assert_eq!((made.columns.as_str(), made.select), ("", Some(7)));
    }

    #[test]
    fn broken_definitions_do_not_panic() {
        for sql in [
            "create table",
            "create table (",
            "create table if",
            "create table t (a",
            "create table t like",
        ] {
            let _ = create_table(sql, &tokens(sql), "default");
        }
    }
}
