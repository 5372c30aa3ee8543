//! Statements without what they say about people, and without what nobody may read.
//!
//! [`redact`] hides every literal, [`conceal`] only what looks like a password, key or token;
//! [`digest`] is equal for statements that differ in their literals only.

mod secrets;
mod tokens;

use secrets::MASK;
use tokens::{Token, tokens};

/// The begin of a statement on one line: literals replaced by `?`, comments left out, white space
/// collapsed. A text that was cut inside a literal loses the rest of it.
pub fn redact(statement: &[u8]) -> String {
    let text = String::from_utf8_lossy(statement);
    let mut out = String::with_capacity(text.len());
    let mut watch = Watch::default();
    let mut words = 0;
    let mut is_setting = false;
    for token in tokens(&text) {
        if watch.hides(&token) {
            if !out.ends_with('?') {
                out.push('?');
            }
            continue;
        }
        match token {
            Token::Word(word) => {
                words += 1;
                // SET takes its value without quotes.
                is_setting |= words == 1 && word.eq_ignore_ascii_case("set");
                out.push_str(word);
            }
            Token::Number(_) | Token::Literal(_) => out.push('?'),
            Token::Quoted(name) => out.push_str(name),
            Token::Symbol("=") if is_setting => {
                out.push_str("=?");
                break;
            }
            Token::Symbol(symbol) => out.push_str(symbol),
            Token::Comment(_) | Token::Space(_) => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The statement as it was written, but for what looks like a secret.
pub fn conceal(statement: &[u8]) -> String {
    let text = String::from_utf8_lossy(statement);
    let mut out = String::with_capacity(text.len());
    let mut watch = Watch::default();
    for token in tokens(&text) {
        if watch.hides(&token) {
            if !out.ends_with(MASK) {
                out.push_str(MASK);
            }
            continue;
        }
        match token {
            Token::Word(word) | Token::Number(word) if secrets::is_token(word) => {
                out.push_str(MASK);
            }
            Token::Literal(inside) | Token::Comment(inside) => {
                secrets::mask_pairs(inside, &mut out);
            }
            Token::Word(text)
            | Token::Number(text)
            | Token::Quoted(text)
            | Token::Space(text)
            | Token::Symbol(text) => out.push_str(text),
        }
    }
    out
}

/// Looks for values that follow the name of a secret: `password = x`, `'secret.key'='x'`,
/// `identified by x`.
#[derive(Default)]
enum Watch {
    #[default]
    Nothing,
    /// A secret's name was the last word.
    Named,
    /// `identified` was the last word.
    Identified,
    /// Its value comes next.
    Armed,
    /// In a value without quotes, which ends with a space, comma, semicolon or parenthesis.
    Inside,
}

impl Watch {
    /// Whether this piece belongs to a secret.
    fn hides(&mut self, token: &Token<'_>) -> bool {
        let (next, hidden) = match (&*self, *token) {
            (Self::Inside, Token::Space(_) | Token::Comment(_)) => (Self::Nothing, false),
            (Self::Inside, Token::Symbol("," | ";" | ")")) => (Self::Nothing, false),
            (Self::Inside, _) => (Self::Inside, true),
            (_, Token::Space(_) | Token::Comment(_)) => return false,
            (Self::Armed, Token::Symbol(">" | "=" | ":")) => (Self::Armed, false),
            (Self::Armed, Token::Symbol("," | ";" | ")" | "(")) => (Self::Nothing, false),
            (Self::Armed, Token::Literal(_)) => (Self::Nothing, true),
            (Self::Armed, _) => (Self::Inside, true),
            (Self::Named, Token::Symbol("=" | ":")) => (Self::Armed, false),
            (Self::Identified, Token::Word(word)) if word.eq_ignore_ascii_case("by") => {
                (Self::Armed, false)
            }
            (_, Token::Word(name) | Token::Literal(name) | Token::Quoted(name)) => {
                let next = if name.eq_ignore_ascii_case("identified") {
                    Self::Identified
                } else if secrets::is_secret_name(name) {
                    Self::Named
                } else {
                    Self::Nothing
                };
                (next, false)
            }
            _ => (Self::Nothing, false),
        };
        *self = next;
        hidden
    }
}

/// FNV-1a of a redacted statement without the accidents of its layout: letters' case, white space,
/// and how many values a list has.
pub fn digest(redacted: &str) -> u64 {
    crate::scan::text::fingerprint(normal_form(redacted).as_bytes())
}

fn normal_form(redacted: &str) -> String {
    let mut out = String::with_capacity(redacted.len());
    let mut spaced = false;
    for token in tokens(redacted) {
        let text = match token {
            Token::Space(_) | Token::Comment(_) => {
                spaced = true;
                continue;
            }
            Token::Word(text)
            | Token::Number(text)
            | Token::Literal(text)
            | Token::Quoted(text)
            | Token::Symbol(text) => text,
        };
        // Between words only.
        let is_word = |c: char| c.is_alphanumeric() || "_`?".contains(c);
        if std::mem::take(&mut spaced) && out.ends_with(is_word) && text.starts_with(is_word) {
            out.push(' ');
        }
        match token {
            Token::Symbol("?") => push_value(&mut out),
            Token::Symbol(")") if out.ends_with("(?),(?") => {
                out.truncate(out.len() - ",(?".len());
            }
            Token::Quoted(_) => out.push_str(text),
            _ => out.extend(text.chars().flat_map(char::to_lowercase)),
        }
    }
    // The one who ends it with a semicolon asks the same.
    out.truncate(out.trim_end_matches(';').len());
    out
}

/// A list of values counts as one, and a sign belongs to its value.
fn push_value(out: &mut String) {
    if out.ends_with(['-', '+']) && out[..out.len() - 1].ends_with(['(', ',', '=', '<', '>']) {
        out.pop();
    }
    if out.ends_with("?,") {
        out.pop();
    } else {
        out.push('?');
    }
}

#[cfg(test)]
mod tests;
