//! Statements without what they say about people: every literal becomes `?`.

/// The begin of a statement on one line: literals replaced, comments left out, white space
/// collapsed. A text that was cut inside a literal loses the rest of it.
pub fn redact(statement: &[u8]) -> String {
    let text = String::from_utf8_lossy(statement);
    let mut rest = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => {
                while let Some(inner) = rest.next() {
                    match inner {
                        '\\' => drop(rest.next()),
                        _ if inner == c && rest.peek() == Some(&c) => drop(rest.next()),
                        _ if inner == c => break,
                        _ => {}
                    }
                }
                out.push('?');
            }
            '-' if rest.peek() == Some(&'-') => while rest.next_if(|&c| c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => {
                rest.next();
                let mut star = false;
                for inner in rest.by_ref() {
                    if star && inner == '/' {
                        break;
                    }
                    star = inner == '*';
                }
                space(&mut out);
            }
            '`' => {
                out.push(c);
                for inner in rest.by_ref() {
                    out.push(inner);
                    if inner == '`' {
                        break;
                    }
                }
            }
            c if c.is_whitespace() || c.is_control() => space(&mut out),
            c if c.is_ascii_digit() && !ends_in_word(&out) => {
                let number = |c: &char| c.is_alphanumeric() || *c == '.';
                while rest.next_if(number).is_some() {}
                out.push('?');
            }
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn space(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// A digit behind this belongs to a name.
fn ends_in_word(out: &str) -> bool {
    out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
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
    }

    #[test]
    fn comments_go_and_white_space_collapses() {
        check("-- secret\nselect /* 'secret' */\n\t1\u{1b}", "select ?");
        check("select 1 -- tail", "select ?");
    }

    #[test]
    fn a_cut_literal_is_hidden() {
        check("select 'abc", "select ?");
        check("select /* abc", "select");
    }
}
