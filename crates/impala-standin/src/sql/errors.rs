//! SQLite's complaints in Impala's words.

use super::tokens::tokens;

/// The text of a failed analysis, as the client sees it.
pub(crate) fn analysis(error: &rusqlite::Error, sql: &str) -> String {
    let message = message(error);
    let after = |prefix: &str| message.strip_prefix(prefix).map(str::to_owned);
    if let Some(table) = after("no such table: ") {
        return could_not_resolve_table(&table.replace("main.", ""));
    }
    if let Some(column) = after("no such column: ") {
        let column = column.split(" - ").next().unwrap_or_default();
        return format!("AnalysisException: Could not resolve column/field reference: '{column}'");
    }
    if let Some(function) = after("no such function: ") {
        return format!("AnalysisException: default.{}() unknown", function.to_ascii_lowercase());
    }
    if let Some(rest) = after("table ").filter(|m| m.contains(" already exists")) {
        let name = rest.split(" already exists").next().unwrap_or_default().replace('"', "");
        return format!("AnalysisException: Table already exists: {name}");
    }
    if let Some(near) = after("near \"").filter(|m| m.ends_with("syntax error")) {
        return syntax_error(sql, near.split('"').next());
    }
    if message == "incomplete input" {
        return syntax_error(sql, None);
    }
    format!("AnalysisException: {message}")
}

/// The text for a table that does not exist.
pub(crate) fn could_not_resolve_table(name: &str) -> String {
    format!("AnalysisException: Could not resolve table reference: '{name}'")
}

/// The text of a statement that cannot be parsed; `near` is the token it failed at.
pub(crate) fn syntax_error(sql: &str, near: Option<&str>) -> String {
    let at = near.and_then(|near| {
        tokens(sql).iter().find(|t| t.text.eq_ignore_ascii_case(near)).map(|t| t.start)
    });
    let before = &sql[..at.unwrap_or(sql.len())];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = sql[line_start..].lines().next().unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count();
    let encountered = if at.is_some() { "IDENTIFIER" } else { "EOF" };
    format!(
        "ParseException: Syntax error in line {number}:\n{line}\n{:column$}^\nEncountered: {encountered}\n\
         Expected: ALTER, CREATE, DELETE, DESCRIBE, DROP, EXPLAIN, INSERT, SELECT, SET, SHOW, UPDATE, USE, VALUES, WITH\n",
        ""
    )
}

/// SQLite's own message, without rusqlite's additions.
pub(crate) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_syntax_error() {
        let text = syntax_error("select 1\n frm t", Some("frm"));
        assert!(
            text.starts_with("ParseException: Syntax error in line 2:\n frm t\n ^\n"),
            "{text}"
        );
        assert!(syntax_error("select", None).contains("select\n      ^\nEncountered: EOF"));
    }
}
