//! What is hidden and what is not.

use super::*;

#[track_caller]
fn check(statement: &str, expected: &str) {
    assert_eq!(redact(statement.as_bytes()), expected);
}

#[test]
fn literals_are_hidden_and_names_are_not() {
    check(
        "select a1, `b 2` from t3 where x = 'it''s' and y=\"a\\\"b\"",
        "select a1, `b 2` from t3 where x = ? and y=?",
    );
    check("select 1, -2.5e10, 0x1f, c2", "select ?, -?, ?, c2");
    check("select t1.c2 from db3.t1", "select t1.c2 from db3.t1");
}

#[test]
fn comments_go_and_white_space_collapses() {
    check("-- secret\nselect /* 'secret' */\n\t1\u{1b}", "select ?");
    check("select 1 -- tail", "select ?");
}

#[test]
fn a_cut_literal_is_hidden() {
    check("select 'abc", "select ?");
    check("select 'abc\\", "select ?");
    check("select /* abc", "select");
    check("select `abc", "select `abc");
}

#[test]
fn values_without_quotes_are_hidden() {
    check("set request_pool=root.bi;", "set request_pool=?");
    check("-- x\n SET Password = hunter two", "SET Password =?");
    check("set all", "set all");
    check("alter user joe identified by hunter2, x", "alter user joe identified by ?, x");
    check("call login(token => abc!x%y, b)", "call login(token => ?, b)");
}

#[track_caller]
fn check_concealed(statement: &str, expected: &str) {
    assert_eq!(conceal(statement.as_bytes()), expected);
}

#[test]
fn secrets_are_concealed_by_their_names() {
    check_concealed("select 'a', 1\nfrom t", "select 'a', 1\nfrom t");
    check_concealed("set my_password=hunter2!x; select 1", "set my_password=***; select 1");
    check_concealed(
        "alter table t set tblproperties('fs.s3a.secret.key'='abc', 'x'='y')",
        "alter table t set tblproperties('fs.s3a.secret.key'=***, 'x'='y')",
    );
    check_concealed("create user u identified by 'x y'", "create user u identified by ***");
    check_concealed("where a.password = b.c and d = 1", "where a.password = *** and d = 1");
    check_concealed("grant select on t to role r", "grant select on t to role r");
}

#[test]
fn secrets_are_concealed_inside_of_literals_and_comments() {
    check_concealed(
        "select 'jdbc:mysql://h/d?user=a&password=b&x=1' -- token: abc d",
        "select 'jdbc:mysql://h/d?user=a&password=***&x=1' -- token:*** d",
    );
    check_concealed("load 'https://joe:pw@host/x'", "load 'https://***@host/x'");
    check_concealed("select 'https://host/x@y:z'", "select 'https://host/x@y:z'");
    check_concealed("select 'x?password=b'", "select 'x?password=***'");
    check_concealed("select 'password=", "select 'password=***");
}

#[test]
fn what_looks_like_a_token_is_concealed() {
    let token = "HAAEaHVlBGh1ZQRodWWKAYvT1234xyzABCdef0987_-q";
    check_concealed(&format!("select '{token}'"), "select '***'");
    // Without quotes a hyphen is a minus.
    check_concealed(&format!("x {}", token.replace('-', "")), "x ***");
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    check_concealed(&format!("select '{hash}'"), &format!("select '{hash}'"));
}

#[track_caller]
fn check_same(statements: &[&str]) {
    let digests: Vec<u64> = statements.iter().map(|s| digest(&redact(s.as_bytes()))).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:x?}");
}

#[test]
fn layout_and_values_do_not_change_a_digest() {
    check_same(&["select a from t where x = 1", "SELECT  a\nFROM t /* b */ WHERE x='y';"]);
    check_same(&["x in (1, 2, 3)", "x in (-4)", "x IN ('a','b')"]);
    check_same(&["insert into t values (1, 'a'), (2, 'b')", "insert into t values (3,'c')"]);
}

#[test]
fn names_change_a_digest() {
    let of = |statement: &str| digest(&redact(statement.as_bytes()));
    assert_ne!(of("select a from t"), of("select b from t"));
    assert_ne!(of("select `A` from t"), of("select `a` from t"));
    assert_ne!(of("select ab from t"), of("select a b from t"));
}

#[test]
fn nothing_is_lost_and_nothing_panics_on_any_text() {
    for text in ["", "'", "\\", "é'ü", "`", "--", "/*", "://", "password=", "identified by", "?,"]
    {
        let pieces: String = tokens(text)
            .map(|token| match token {
                Token::Word(text)
                | Token::Number(text)
                | Token::Literal(text)
                | Token::Quoted(text)
                | Token::Comment(text)
                | Token::Space(text)
                | Token::Symbol(text) => text,
            })
            .collect();
        assert_eq!(pieces, text);
        let _ = (conceal(text.as_bytes()), digest(&redact(text.as_bytes())));
    }
}
