//! Statements of Impala users against a real database.

use super::super::batch::Batch;
use super::super::run::{Cancel, Progress, Work, run};
use super::*;
use std::sync::{Arc, Mutex};

struct Collect(Mutex<(Vec<ColumnInfo>, Vec<String>, i64)>);

impl Progress for Collect {
    fn columns(&self, columns: Vec<ColumnInfo>) {
        self.0.lock().unwrap().0 = columns;
    }

    fn rows(&self, batch: Batch) -> bool {
        for row in 0..batch.rows {
            let mut line = Vec::new();
            for (i, column) in batch.columns.iter().enumerate() {
                if i > 0 {
                    line.push(b'|');
                }
                column.print(row, &mut line);
            }
            self.0.lock().unwrap().1.push(String::from_utf8(line).unwrap());
        }
        true
    }

    fn written(&self, rows: i64) {
        self.0.lock().unwrap().2 = rows;
    }
}

struct Database {
    engine: Engine,
    context: Context,
}

impl Database {
    fn new(sample: bool) -> Self {
        let context = Context {
            database: "default".into(),
            user: "alice".into(),
            pid: 42,
            ..Context::default()
        };
        Self { engine: Engine::open(None, sample).unwrap(), context }
    }

    /// Runs a statement; names with types, then rows.
    fn try_run(&mut self, sql: &str) -> Result<(String, Vec<String>), String> {
        let plan = plan(&self.engine, &self.context, sql)?;
        let collect = Collect(Mutex::default());
        let work = match plan.effect {
            Effect::Query(query) => Work::Query(query),
            Effect::Write(write) => Work::Write(write),
            Effect::Use(name) => {
                self.context.database = name;
                return Ok((String::new(), vec![]));
            }
            Effect::Rows { columns, rows } => {
                let mut batch = Batch::new(&columns);
                rows.iter().for_each(|row| batch.push(|i| (&row[i]).into()));
                collect.columns(columns);
                collect.rows(batch);
                return Ok(collect.finish());
            }
            other => return Ok((format!("{other:?}"), vec![])),
        };
        run(&self.engine, self.context.clone(), &work, &Arc::new(Cancel::default()), &collect)?;
        Ok(collect.finish())
    }

    #[track_caller]
    fn run(&mut self, sql: &str) -> Vec<String> {
        self.try_run(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).1
    }

    #[track_caller]
    fn check(&mut self, sql: &str, columns: &str, rows: &[&str]) {
        let (found, lines) = self.try_run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(found, columns, "{sql}");
        assert_eq!(lines, rows, "{sql}");
    }

    #[track_caller]
    fn fails(&mut self, sql: &str, expected: &str) {
        match self.try_run(sql) {
            Err(error) => assert!(error.starts_with(expected), "{sql}: {error}"),
            Ok(done) => panic!("{sql}: {done:?}"),
        }
    }
}

impl Collect {
    fn finish(self) -> (String, Vec<String>) {
        let (columns, mut lines, written) = self.0.into_inner().unwrap();
        let columns: Vec<_> =
            columns.iter().map(|c| format!("{} {}", c.name, c.kind.sql_name())).collect();
        if written > 0 {
            lines.push(format!("{written} written"));
        }
        (columns.join(", "), lines)
    }
}

#[test]
fn answers_queries_with_types() {
    let mut db = Database::new(false);
    db.check("select pid()", "pid() int", &["42"]);
    db.check("select user(), NULL as n;", "user() string, n boolean", &["alice|NULL"]);
    db.check("select 7 / 2, 7 div 2", "7 / 2 double, 7 div 2 bigint", &["3.5|3"]);
    db.check("select count(*) from generate_series(1, 5000)", "count(*) bigint", &["5000"]);
    db.check("select value from generate_series(1, 3)", "value bigint", &["1", "2", "3"]);
    db.check(
        "values (1, 'a'), (2.5, NULL)",
        "column1 double, column2 string",
        &["1|a", "2.5|NULL"],
    );
}

#[test]
fn keeps_column_types_of_tables() {
    let mut db = Database::new(false);
    db.check(
        "create table t (a int, s string, d decimal(8,2), b boolean, w timestamp) stored as parquet",
        "",
        &[],
    );
    db.check(
        "insert into t values (1, '007', 1.5, true, '2020-01-01'), (NULL, NULL, NULL, NULL, NULL)",
        "",
        &["2 written"],
    );
    let columns = "a int, s string, d decimal(8,2), b boolean, w timestamp";
    db.check(
        "select * from t order by a desc",
        columns,
        &["1|007|1.50|true|2020-01-01 00:00:00", "NULL|NULL|NULL|NULL|NULL"],
    );
    db.check(
        "describe t",
        "name string, type string, comment string",
        &["a|int|", "s|string|", "d|decimal(8,2)|", "b|boolean|", "w|timestamp|"],
    );
    db.run("create table u as select s, a + 1 b, d from t where a is not null");
    db.check("select * from u", "s string, b bigint, d decimal(8,2)", &["007|2|1.50"]);
    db.check("insert overwrite table u select 'x', 1, 2", "", &["1 written"]);
    db.check("select count(*) c from default.u", "c bigint", &["1"]);
    db.check("update u set b = 5 where s = \"x\"", "", &["1 written"]);
    db.check("show tables like 'u*|missing'", "name string", &["u"]);
    db.run("drop table u");
    db.fails("drop table u", "AnalysisException: Table does not exist: default.u");
    db.run("drop table if exists u");
}

#[test]
fn several_databases() {
    let mut db = Database::new(false);
    db.run("create database sales");
    db.check(
        "show databases",
        "name string, comment string",
        &[
            "_impala_builtins|System database for Impala builtin functions",
            "default|Default Hive database",
            "sales|",
        ],
    );
    db.run("create table sales.t (a int)");
    db.run("create table t (a int, b int)");
    db.run("insert into sales.t values (1)");
    db.run("use sales");
    db.check("select * from t", "a int", &["1"]);
    db.check("select x.a from sales.t x join default.t y on x.a = y.a", "a int", &[]);
    db.check("select current_database()", "current_database() string", &["sales"]);
    db.fails("drop database sales", "AnalysisException: Cannot drop current");
    db.run("use default");
    db.fails("drop database sales", "ImpalaRuntimeException: Database sales is not empty");
    db.run("drop database sales cascade");
    db.fails("use sales", "AnalysisException: Database does not exist: sales");
    db.fails("create database \"../x\"", "ParseException");
    db.fails("create database `../x`", "AnalysisException: Invalid database name");
}

#[test]
fn mistakes_are_found_by_analysis() {
    let mut db = Database::new(true);
    db.fails("selct 1", "ParseException: Syntax error in line 1:\nselct 1\n^\n");
    db.fails(
        "select * from missing",
        "AnalysisException: Could not resolve table reference: 'missing'",
    );
    db.fails(
        "select nme from customers",
        "AnalysisException: Could not resolve column/field reference: 'nme'",
    );
    db.fails("select f(1)", "AnalysisException: default.f() unknown");
    db.fails("select 1; select 2", "ParseException");
    db.fails("", "ParseException");
    db.fails(
        "insert into missing values (1)",
        "AnalysisException: Could not resolve table reference",
    );
    db.fails(
        "create table orders (a int)",
        "AnalysisException: Table already exists: default.orders",
    );
    for sql in [
        "pragma journal_mode",
        "attach 'x' as y",
        "begin",
        "vacuum",
        ":shutdown",
        "insert",
        "create",
        "set x",
    ] {
        db.fails(sql, "ParseException");
    }
}

#[test]
fn sample_data_is_three_tables() {
    let mut db = Database::new(true);
    db.check("show tables", "name string", &["customers", "orders", "web_logs"]);
    db.check(
        "select count(*), count(email) from customers",
        "count(*) bigint, count(email) bigint",
        &["2000|1932"],
    );
    db.check(
        "select count(*) from orders o join customers c on o.customer_id = c.id",
        "count(*) bigint",
        &["8000"],
    );
    db.check("select amount from orders where id = 1", "amount decimal(10,2)", &["199.90"]);
    assert_eq!(db.run("select * from web_logs limit 5").len(), 5);
    assert!(db.run("explain select * from orders where id = 1")[1].contains("orders"));
}

#[test]
fn understands_the_other_statements() {
    let mut db = Database::new(true);
    for (sql, effect) in [
        ("/* x */ set all;", "ShowOptions { all: true }"),
        ("set mem_limit = 1g", "SetOption(\"mem_limit\", \"1g\")"),
        ("set x='a b'", "SetOption(\"x\", \"a b\")"),
        (":shutdown()", "Shutdown { target: None, deadline_seconds: None }"),
        (
            ":shutdown('h:27000', 60)",
            "Shutdown { target: Some(\"h:27000\"), deadline_seconds: Some(60) }",
        ),
        ("kill query '1:2'", "Kill(\"1:2\")"),
        ("invalidate metadata", "Nothing"),
        ("refresh orders", "Nothing"),
    ] {
        assert_eq!(db.try_run(sql).unwrap().0, effect, "{sql}");
    }
    db.check(
        "compute stats orders",
        "summary string",
        &["Updated 1 partition(s) and 7 column(s)."],
    );
}
