//! `${NAME}` and `${NAME:-default}` inside strings. `$${` writes a literal `${`; any other `$`
//! is itself, for passwords hold them.

use crate::source::Source;

/// What is wrong with the reference, and how it starts (to put the caret there).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadReference {
    Undefined(String),
    Unclosed,
    BadName(String),
}

pub(crate) fn replace(text: &str, source: &dyn Source) -> Result<String, BadReference> {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            replaced.push_str(before);
            replaced.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        replaced.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find('}').ok_or(BadReference::Unclosed)?;
        let (name, default) = match after[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&after[..end], None),
        };
        let good = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !good || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(BadReference::BadName(name.to_owned()));
        }
        // As in a shell: `:-` also stands in for an empty value.
        let value = source.env(name);
        match (value, default) {
            (Some(value), Some(default)) if value.is_empty() => replaced.push_str(default),
            (Some(value), _) => replaced.push_str(&value),
            (None, Some(default)) => replaced.push_str(default),
            (None, None) => return Err(BadReference::Undefined(name.to_owned())),
        }
        rest = &after[end + 1..];
    }
    replaced.push_str(rest);
    Ok(replaced)
}
