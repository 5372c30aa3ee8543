//! Names and types of result columns that can be told from the statement alone. SQLite has no types
//! for expressions; what stays open here is decided from the first rows (see `run`).

use super::tokens::{Kind, Token};
use super::types::Type;

/// One expression of the select list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) kind: Option<Type>,
}

/// The select list of the outermost query; `None` where a `*` makes counting impossible.
pub(crate) fn select_list(sql: &str, tokens: &[Token<'_>]) -> Option<Vec<Item>> {
    let depths = depths(tokens);
    let at_top = |i: usize, word: &str| depths[i] == 0 && tokens[i].is(word);
    let select = (0..tokens.len()).find(|i| at_top(*i, "select"))?;
    let mut start = select + 1;
    while tokens
        .get(start)
        .is_some_and(|t| t.is("distinct") || t.is("all") || t.is("straight_join"))
    {
        start += 1;
    }
    let ends =
        ["from", "where", "group", "having", "order", "limit", "union", "except", "intersect", ";"];
    let end = (start..tokens.len())
        .find(|i| ends.iter().any(|word| at_top(*i, word)))
        .unwrap_or(tokens.len());
    // The types of `select 1 union select 1000` are those of neither side.
    let compound = (start..tokens.len())
        .any(|i| ["union", "except", "intersect"].iter().any(|w| at_top(i, w)));
    let mut items = Vec::new();
    let mut item_start = start;
    for i in start..=end {
        if i < end && !at_top(i, ",") {
            continue;
        }
        let item = &tokens[item_start..i];
        let star = item.last().is_some_and(|t| t.is("*"))
            && (item.len() == 1 || item[item.len() - 2].is("."));
        if item.is_empty() || star {
            return None;
        }
        let mut item = describe(sql, item);
        if compound {
            item.kind = None;
        }
        items.push(item);
        item_start = i + 1;
    }
    Some(items)
}

/// How deep in parentheses each token stands; a closing one counts as inside.
fn depths(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut all = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token.is("(") {
            depth += 1;
        }
        all.push(depth);
        if token.is(")") {
            depth = depth.saturating_sub(1);
        }
    }
    all
}

fn describe(sql: &str, item: &[Token<'_>]) -> Item {
    let (expression, alias) = split_alias(item);
    let kind = type_of(expression);
    let name = alias.unwrap_or_else(|| match expression {
        [column] | [.., _, column] if is_column(expression) => column.name().unwrap_or_default(),
        _ => label(sql, expression),
    });
    Item { name, kind }
}

/// `a`, `t.a` or `db.t.a`.
fn is_column(expression: &[Token<'_>]) -> bool {
    expression.iter().enumerate().all(|(i, token)| match i % 2 {
        0 => matches!(token.kind, Kind::Word | Kind::Name),
        _ => token.is("."),
    }) && expression.len() % 2 == 1
}

/// Splits off `as name`, or a name that follows a finished expression.
fn split_alias<'t, 's>(item: &'t [Token<'s>]) -> (&'t [Token<'s>], Option<String>) {
    let name_of = |token: &Token<'_>| token.name().or_else(|| token.unquoted());
    match item {
        [expression @ .., as_word, alias] if as_word.is("as") && !expression.is_empty() => {
            (expression, name_of(alias))
        }
        [expression @ .., alias] if matches!(alias.kind, Kind::Word | Kind::Name) => {
            let finished = expression.last().is_some_and(|t| match t.kind {
                Kind::Sign => t.is(")"),
                Kind::Word => !is_operator(t) && !alias.is("end"),
                _ => true,
            });
            if finished && !alias.is("end") { (expression, alias.name()) } else { (item, None) }
        }
        _ => (item, None),
    }
}

fn is_operator(token: &Token<'_>) -> bool {
    ["and", "or", "not", "is", "in", "like", "between", "div", "case", "when", "then", "else"]
        .iter()
        .any(|word| token.is(word))
}

/// The expression as Impala would print it: as written, function names in lower case.
fn label(sql: &str, expression: &[Token<'_>]) -> String {
    let (Some(first), Some(last)) = (expression.first(), expression.last()) else {
        return String::new();
    };
    let mut text = sql[first.start..last.end()].to_owned();
    for pair in expression.windows(2) {
        if pair[0].kind == Kind::Word && pair[1].is("(") {
            let (start, end) = (pair[0].start - first.start, pair[0].end() - first.start);
            text.replace_range(start..end, &pair[0].text.to_ascii_lowercase());
        }
    }
    text
}

fn type_of(expression: &[Token<'_>]) -> Option<Type> {
    match expression {
        [sign, number] if sign.is("-") => literal(number),
        [single] => literal(single),
        [name, open, .., close] if open.is("(") && close.is(")") => {
            // `f(1) + g(2)` also starts with a name and ends with a bracket.
            let depths = depths(&expression[1..]);
            let closes_early = expression[1..expression.len() - 1]
                .iter()
                .zip(&depths)
                .any(|(token, depth)| token.is(")") && *depth == 1);
            if closes_early { None } else { function(name, &expression[2..expression.len() - 1]) }
        }
        _ => None,
    }
}

fn literal(token: &Token<'_>) -> Option<Type> {
    match token.kind {
        Kind::Text => Some(Type::String),
        Kind::Number => Some(match token.text.parse::<i64>() {
            Ok(i) if i8::try_from(i).is_ok() => Type::TinyInt,
            Ok(i) if i16::try_from(i).is_ok() => Type::SmallInt,
            Ok(i) if i32::try_from(i).is_ok() => Type::Int,
            Ok(_) => Type::BigInt,
            Err(_) => Type::Double,
        }),
        // NULL is a BOOLEAN to clients up to Impala 4.5.
        Kind::Word if ["true", "false", "null"].iter().any(|w| token.is(w)) => Some(Type::Boolean),
        _ => None,
    }
}

fn function(name: &Token<'_>, arguments: &[Token<'_>]) -> Option<Type> {
    Some(match name.name()?.as_str() {
        "cast" => {
            let as_word = arguments.iter().rposition(|t| t.is("as"))?;
            let text: String = arguments[as_word + 1..].iter().map(|t| t.text).collect();
            Type::from_declaration(&text)?
        }
        "pid" | "length" | "char_length" | "year" | "month" | "day" | "hour" | "minute" => {
            Type::Int
        }
        "count" | "unix_timestamp" | "ndv" => Type::BigInt,
        "sleep" => Type::Boolean,
        "avg" | "rand" | "random" | "sqrt" => Type::Double,
        "now" | "current_timestamp" => Type::Timestamp,
        "current_date" => Type::Date,
        "version" | "user" | "effective_user" | "logged_in_user" | "session_user"
        | "current_database" | "current_session" | "coordinator" | "uuid" | "concat" | "upper"
        | "lower" | "substr" | "substring" | "trim" | "repeat" | "group_concat" | "hex"
        | "replace" => Type::String,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &[(&str, Option<Type>)]) {
        let items = select_list(sql, &tokens(sql)).unwrap();
        let items: Vec<_> = items.iter().map(|i| (i.name.as_str(), i.kind)).collect();
        assert_eq!(items, expected, "{sql}");
    }

    #[test]
    fn tells_names_and_types() {
        check("select PID()", &[("pid()", Some(Type::Int))]);
        check(
            "select 1, 'a' AS Txt, NULL n",
            &[("1", Some(Type::TinyInt)), ("txt", Some(Type::String)), ("n", Some(Type::Boolean))],
        );
        check(
            "select count(*), t.A, f(1) + g(2) from t",
            &[("count(*)", Some(Type::BigInt)), ("a", None), ("f(1) + g(2)", None)],
        );
        check(
            "with x as (select 1) select cast(a as decimal(10, 2)) c from x",
            &[("c", Some(Type::Decimal { precision: 10, scale: 2 }))],
        );
        check("select 1 union all select 1000", &[("1", None)]);
        check(
            "select case when a then 1 else 2 end from t",
            &[("case when a then 1 else 2 end", None)],
        );
        check("select a is null from t", &[("a is null", None)]);
    }

    #[test]
    fn a_star_makes_it_unknown() {
        for sql in ["select * from t", "select t.* from t", "select 1, * from t", "select"] {
            assert_eq!(select_list(sql, &tokens(sql)), None, "{sql}");
        }
        check("select 2 * 3", &[("2 * 3", None)]);
    }
}
