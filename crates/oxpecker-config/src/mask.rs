//! Finds literal secrets in configuration text, so that no diagnostic shows them.
//!
//! Two ways together: the text alone (works in files too broken to parse) and the parsed
//! table (exact, sees escaped keys). Rather masks too much than too little, but the name of a
//! table is no key: nothing is secret because it stands in `[virtual.pass]`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Keys that say where a secret is, not what it is. The arguments of a command are hidden all the
/// same: they may hold a token.
const SOURCES: &[&str] = &["file", "env", "command"];

/// Byte ranges of secret values, sorted and not overlapping.
pub(crate) fn secrets(text: &str, table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut names = Vec::new();
    let mut found = Vec::new();
    in_table(text, table, &mut found, &mut names);
    names.sort_by_key(|name| name.start);
    in_text(text, &names, &mut found);
    found.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// A key that holds a secret, or would if it were spelled right.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "credential"].iter().any(|part| key.contains(part))
        || is_meant_as_secret(&key)
}

/// One of the keys there are, or nearly.
fn is_meant_as_secret(key: &str) -> bool {
    key.len() <= 16
        && ["password", "passphrase"].iter().any(|word| strsim::osa_distance(word, key) <= 2)
}

/// `"${NAME}"` says where the secret is, not what it is.
fn is_reference(value: &str) -> bool {
    let inner = value.trim_matches(['"', '\'']);
    inner
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// `names` are the places of keys that are names of tables, sorted.
fn in_text(text: &str, names: &[Range<usize>], found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        let after = text[at..].trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']);
        let Some(value) = after.strip_prefix('=') else { continue };
        let is_name = || {
            let next = names.partition_point(|name| name.end <= start);
            names.get(next).is_some_and(|name| name.contains(&start))
        };
        if !is_secret_key(&text[start..at]) || is_name() {
            continue;
        }
        let value = value.trim_start_matches([' ', '\t']);
        let value_start = text.len() - value.len();
        let length = value_length(value);
        if length > 0 && !is_reference(&value[..length]) {
            found.push(value_start..value_start + length);
        }
        if let Some(Range { start, end }) = arguments(value) {
            found.push(value_start + start..value_start + end);
        }
        at = value_start + length;
    }
}

/// Where `{ command = ["PROGRAM", ARGUMENTS] }` has them.
fn arguments(value: &str) -> Option<Range<usize>> {
    let line = value.lines().next()?;
    let inner = line.strip_prefix('{')?.trim_start();
    let list = inner.strip_prefix("command")?.trim_start().strip_prefix('=')?.trim_start();
    list.strip_prefix('[')?;
    let list_start = line.len() - list.len();
    let mut is_quoted = false;
    let mut start = None;
    for (at, c) in list.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted && start.is_none() => start = Some(at + 1),
            ']' if !is_quoted => return start.map(|start| list_start + start..list_start + at),
            _ => {}
        }
    }
    start.map(|start| list_start + start..line.len())
}

/// How much of `value` to mask.
fn value_length(value: &str) -> usize {
    let line_end = value.find('\n').unwrap_or(value.len());
    let line = &value[..line_end];
    for quotes in ["\"\"\"", "'''"] {
        if let Some(inner) = value.strip_prefix(quotes) {
            return inner.find(quotes).map_or(value.len(), |end| end + 2 * quotes.len());
        }
    }
    match value.chars().next() {
        Some('{') => {
            let inner = line[1..].trim_start();
            let names_a_source = SOURCES.iter().any(|word| {
                inner.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('='))
            });
            if names_a_source { 0 } else { line.find('}').map_or(line.len(), |end| end + 1) }
        }
        Some('[') => value.find(']').map_or(value.len(), |end| end + 1),
        Some('"') => quoted(line, '"', true),
        Some('\'') => quoted(line, '\'', false),
        _ => line.trim_end().len(),
    }
}

fn quoted(line: &str, quote: char, escapes: bool) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if escapes && c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    line.trim_end().len()
}

/// What the keys of a table are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Kinds,
    /// Of profiles.
    Profiles,
    Admin,
    /// Chosen by people, such as `hue` in `[virtual.hue]`.
    Names,
    Options,
}

impl Keys {
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Kinds, "profile") => Self::Profiles,
            (Self::Kinds, "admin") => Self::Admin,
            (Self::Admin, "user" | "token") => Self::Names,
            (Self::Kinds, "node" | "pool" | "virtual" | "monitor" | "acme") => Self::Names,
            (Self::Profiles, _) => Self::Names,
            _ => Self::Options,
        }
    }
}

/// `[monitor.pass]` has a name; `password = { … }` right in `[monitor]` lacks one, and is secret.
fn is_name(text: &str, key: &Spanned<DeString<'_>>, value: &DeValue<'_>) -> bool {
    let after = text.get(key.span().end..).unwrap_or("");
    let is_heading = || after.trim_start_matches([' ', '\t']).starts_with(']');
    let is_key = || is_meant_as_secret(&key.get_ref().to_ascii_lowercase());
    matches!(value, DeValue::Table(_)) && (is_heading() || !is_key())
}

fn in_table(
    text: &str,
    root: &DeTable<'_>,
    found: &mut Vec<Range<usize>>,
    names: &mut Vec<Range<usize>>,
) {
    // A stack of our own: the depth is the file's to choose.
    let mut tables = vec![(root, false, Keys::Kinds)];
    let mut values = Vec::new();
    while let Some((table, secret, keys)) = tables.pop() {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let names_a_source = secret && SOURCES.contains(&name);
            let below = keys.below(name);
            let is_kind = keys == Keys::Admin
                && name == "token"
                && matches!(value.get_ref(), DeValue::Table(_));
            let is_name =
                is_kind || (!secret && keys == Keys::Names && is_name(text, key, value.get_ref()));
            if is_name && is_secret_key(name) {
                names.push(key.span());
            }
            if names_a_source && let DeValue::Array(items) = value.get_ref() {
                found.extend(items.iter().skip(1).map(Spanned::span));
            }
            let secret = secret || (is_secret_key(name) && !is_name);
            values.push((value, secret && !names_a_source, below));
        }
        while let Some((value, secret, keys)) = values.pop() {
            match value.get_ref() {
                DeValue::Table(inner) => tables.push((inner, secret, keys)),
                DeValue::Array(items) => {
                    values.extend(items.iter().map(|item| (item, secret, keys)));
                }
                DeValue::String(text) if secret && !is_reference(text) => found.push(value.span()),
                DeValue::Integer(_) | DeValue::Float(_) if secret => found.push(value.span()),
                _ => {}
            }
        }
    }
}
