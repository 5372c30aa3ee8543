//! Lines into words: quotes, escapes, comments and variables, as HAProxy's manual has them in
//! "Quoting and escaping" and "Environment variables".

use std::collections::BTreeMap;

use oxpecker_config::Source;

use crate::files::Span;
use crate::report::Notes;

/// HAProxy itself stops at 2048 bytes and 64 words.
const LINE_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// After quotes, escapes and variables.
    pub(super) text: String,
    pub(super) span: Span,
    /// Something that it needs is not known, which was told.
    pub(super) is_broken: bool,
}

/// Environment variables, over which `setenv` and its like write.
pub(super) struct Environment<'s> {
    source: &'s dyn Source,
    own: BTreeMap<String, Option<String>>,
    /// After `resetenv` only `own` counts.
    only_own: bool,
}

impl<'s> Environment<'s> {
    pub(super) fn new(source: &'s dyn Source) -> Self {
        Self { source, own: BTreeMap::new(), only_own: false }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        match self.own.get(name) {
            Some(value) => value.clone(),
            None if self.only_own => None,
            None => self.source.env(name),
        }
    }

    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        self.own.insert(name.to_owned(), value);
    }

    /// Forgets all but the given names.
    pub(super) fn reset(&mut self, kept: &[&str]) {
        let values: Vec<_> = kept.iter().map(|name| (*name, self.get(name))).collect();
        self.own.clear();
        self.only_own = true;
        for (name, value) in values {
            self.set(name, value);
        }
    }
}

/// One line without its end.
pub(super) struct Lexer<'a, 's> {
    pub(super) environment: &'a Environment<'s>,
    pub(super) notes: &'a mut Notes,
    pub(super) file: usize,
    /// Where the line begins in the file.
    pub(super) start: usize,
}

/// A stretch of a word that variables may stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    /// `'…'`: nothing is special.
    Strong,
    /// `"…"`: variables and escapes are.
    Weak,
}

impl Lexer<'_, '_> {
    /// Nothing for a line without words. What is wrong with it is noted.
    pub(super) fn split(&mut self, line: &str) -> Vec<Word> {
        let mut words = Vec::new();
        if line.len() > LINE_BYTES_MAX {
            let words = format!("the line is longer than {LINE_BYTES_MAX} bytes");
            self.notes.refuse(self.span(0, 80), words, "");
            return Vec::new();
        }
        if let Some(at) = line.find('\0') {
            let help = "a configuration is text; is this the right file?";
            self.notes.refuse(self.span(at, at + 1), "a zero byte in the line", help);
            return Vec::new();
        }
        let mut rest = 0;
        while let Some((word, end)) = self.word(line, rest) {
            words.push(word);
            rest = end;
        }
        words
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, self.start + start, self.start + end)
    }

    /// The next word from `at` on, and where it ends.
    fn word(&mut self, line: &str, at: usize) -> Option<(Word, usize)> {
        let blank = |c: char| c == ' ' || c == '\t' || c == '\r';
        let start = at + line[at..].find(|c| !blank(c))?;
        if line[start..].starts_with('#') {
            return None;
        }
        let mut text = String::new();
        let mut quotes = Quotes::None;
        let mut opened = start;
        let mut chars = line[start..].char_indices().peekable();
        let mut end = line.len();
        while let Some((offset, c)) = chars.next() {
            let here = start + offset;
            match (quotes, c) {
                (Quotes::None, c) if blank(c) || c == '#' => {
                    end = here;
                    break;
                }
                (Quotes::None, '\'') => (quotes, opened) = (Quotes::Strong, here),
                (Quotes::None, '"') => (quotes, opened) = (Quotes::Weak, here),
                (Quotes::Strong, '\'') | (Quotes::Weak, '"') => quotes = Quotes::None,
                (Quotes::None | Quotes::Weak, '\\') => {
                    let rest = &line[here + 1..];
                    let (unescaped, length) = escape(rest, quotes == Quotes::Weak);
                    text.push_str(&unescaped);
                    for _ in 0..length {
                        chars.next();
                    }
                    if rest.trim_end_matches('\r').is_empty() {
                        let help = "HAProxy has no lines that go on: write it in one";
                        self.notes.refuse(self.span(here, here + 1), "nothing follows `\\`", help);
                    }
                }
                // Outside of quotes only addresses have variables: see `expand`.
                (Quotes::Weak, '$') => {
                    let length = self.variable(
                        &line[here + 1..],
                        self.span(here, here + 1),
                        true,
                        &mut text,
                    );
                    for _ in 0..length {
                        chars.next();
                    }
                }
                (_, c) => text.push(c),
            }
        }
        if quotes != Quotes::None {
            self.notes.refuse(self.span(opened, opened + 1), "this quote is never closed", "");
        }
        Some((Word { text, span: self.span(start, end), is_broken: false }, end))
    }

    /// Replaces variables in a word that is an address: HAProxy does so without quotes, too.
    pub(super) fn expand(&mut self, word: &mut Word) {
        let mut text = String::new();
        let mut rest = word.text.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            let refused = self.notes.refusals();
            let length = self.variable(after, word.span, false, &mut text);
            word.is_broken |= self.notes.refusals() > refused;
            rest = after.char_indices().nth(length).map_or("", |(at, _)| &after[at..]);
        }
        text.push_str(rest);
        word.text = text;
    }

    /// Puts the value of `NAME`, `{NAME}` or `{NAME-default}` that `after` the `$` begins with; how
    /// many characters that takes.
    fn variable(&mut self, after: &str, at: Span, may_lack: bool, text: &mut String) -> usize {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (inner, length) = match after.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (&inner[..end], end + 2),
                None => {
                    self.notes.refuse(at, "this variable lacks its `}`", "");
                    text.push('$');
                    return 0;
                }
            },
            None => {
                let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        let (name, default) = match inner.split_once('-') {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let name = name.strip_suffix("[*]").unwrap_or(name);
        if name.is_empty() || !name.chars().all(is_name) {
            // `$` at the end of a regular expression.
            text.push('$');
            return 0;
        }
        match (self.environment.get(name), default) {
            (Some(value), _) => text.push_str(&value),
            (None, Some(default)) => text.push_str(default),
            (None, None) => {
                let words = format!("environment variable `{name}` is not set");
                if may_lack {
                    self.notes.warn(at, words, "it is read as empty, as HAProxy does");
                } else {
                    // Half an address is no address.
                    self.notes.refuse(at, words, "set it, or write \"${NAME-default}\" in quotes");
                }
            }
        }
        after[..length].chars().count()
    }
}

/// What a backslash and `rest` stand for, and how many characters of it that takes.
fn escape(rest: &str, in_quotes: bool) -> (String, usize) {
    let mut chars = rest.chars();
    let Some(c) = chars.next() else { return ("\\".to_owned(), 0) };
    let plain = |text: &str| (text.to_owned(), 1);
    match c {
        '\\' | '"' | '$' => plain(&c.to_string()),
        // Between weak quotes these mean themselves, and so does the backslash.
        ' ' | '#' | '\'' if !in_quotes => plain(&c.to_string()),
        'n' => plain("\n"),
        'r' => plain("\r"),
        't' => plain("\t"),
        'x' => {
            let code = rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            match code.filter(u8::is_ascii) {
                Some(code) => (char::from(code).to_string(), 3),
                None => plain("\\x"),
            }
        }
        other => (format!("\\{other}"), 1),
    }
}
