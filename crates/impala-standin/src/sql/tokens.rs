//! Splits a statement into words, texts, numbers and signs, so that comments and quotes cannot
//! confuse us.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or key word, without quotes.
    Word,
    /// A name in back quotes.
    Name,
    /// A text in single or double quotes.
    Text,
    Number,
    Sign,
}

/// A token and where it stands in the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    pub(crate) text: &'s str,
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Whether this is the key word or sign.
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text.eq_ignore_ascii_case(word)
    }

    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The name this token spells, without its quotes, in lower case as Impala keeps names.
    pub(crate) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_ascii_lowercase()),
            Kind::Name => Some(self.text.trim_matches('`').to_ascii_lowercase()),
            _ => None,
        }
    }

    /// The text inside the quotes.
    pub(crate) fn unquoted(&self) -> Option<String> {
        if self.kind != Kind::Text {
            return None;
        }
        let quote = self.text.chars().next()?;
        let inner = self.text.strip_prefix(quote)?;
        let inner = inner.strip_suffix(quote).unwrap_or(inner);
        let mut out = String::new();
        let mut chars = inner.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some('0') => out.push('\0'),
                    // Impala keeps these two escapes for LIKE.
                    Some(kept @ ('%' | '_')) => out.extend(['\\', kept]),
                    Some(other) => out.push(other),
                    None => out.push('\\'),
                },
                c if c == quote => {
                    chars.next_if_eq(&quote);
                    out.push(quote);
                }
                c => out.push(c),
            }
        }
        Some(out)
    }
}

/// A text as SQLite writes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// All tokens of a statement, without comments.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        let kind = match byte {
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = find(bytes, at, |b| b == b'\n');
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let close = sql[at + 2..].find("*/").map(|i| at + 2 + i + 2);
                at = close.unwrap_or(bytes.len());
                continue;
            }
            b'\'' | b'"' => {
                at = end_of_text(bytes, at);
                Kind::Text
            }
            b'`' => {
                at = (find(bytes, at + 1, |b| b == b'`') + 1).min(bytes.len());
                Kind::Name
            }
            b'0'..=b'9' => {
                at = end_of_number(bytes, at);
                Kind::Number
            }
            b if is_word(b) => {
                at = find(bytes, at, |b| !is_word(b));
                Kind::Word
            }
            _ => {
                at += 1;
                Kind::Sign
            }
        };
        found.push(Token { kind, text: &sql[start..at], start });
    }
    found
}

/// Bytes from 0x80 on belong to words, so a token never ends inside a character.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn find(bytes: &[u8], from: usize, stop: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|b| stop(*b)).map_or(bytes.len(), |i| from + i)
}

fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b if b == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        let exponent_sign =
            matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
        if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'.' || exponent_sign {
            at += 1;
        } else {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql).iter().map(|t| t.text).collect()
    }

    #[test]
    fn splits_statements() {
        assert_eq!(
            texts("select a.b, 1.5e-3+x"),
            ["select", "a", ".", "b", ",", "1.5e-3", "+", "x"]
        );
        assert_eq!(texts("/* c */ set all -- x\n;"), ["set", "all", ";"]);
        assert_eq!(texts("'it''s' \"a\\\"b\" `q`"), ["'it''s'", "\"a\\\"b\"", "`q`"]);
        assert_eq!(texts("größe='ü'"), ["größe", "=", "'ü'"]);
    }

    #[test]
    fn unfinished_quotes_and_comments_end_with_the_statement() {
        for sql in ["'abc", "\"a\\", "`a", "/* a", "-- a", "'ü\\", "1e"] {
            let last = tokens(sql);
            assert!(last.iter().all(|t| t.end() <= sql.len()), "{sql}");
        }
    }

    #[test]
    fn unquotes() {
        let text = |sql| tokens(sql)[0].unquoted().unwrap();
        assert_eq!(text("'it''s'"), "it's");
        assert_eq!(text(r#""a\"b\n""#), "a\"b\n");
        assert_eq!(text(r"'50\%'"), r"50\%");
        assert_eq!(text("'open"), "open");
    }
}
