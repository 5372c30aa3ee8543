//! JSON with places: errors and the report name line and column.

use std::cell::Cell;
use std::collections::HashSet;

use crate::files::Span;
use crate::report::Notes;

/// What the AWS command line prints has ten or so.
const DEPTH_MAX: usize = 64;

#[derive(Debug)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

#[derive(Debug)]
pub(super) struct Json {
    pub(super) content: Content,
    /// With its key, when it has one.
    pub(super) span: Span,
    /// Somebody has asked for it.
    used: Cell<bool>,
}

impl Json {
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(map) => map.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A text, a number or a truth value, as text.
    pub(super) fn scalar(&self) -> &str {
        self.used.set(true);
        match &self.content {
            Content::Text(text) | Content::Number(text) => text,
            Content::Bool(true) => "true",
            Content::Bool(false) => "false",
            _ => "",
        }
    }

    /// The scalar under a key; empty when there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.get(key).map_or("", Self::scalar)
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|value| value.scalar().parse().ok())
    }

    /// Elements of the list under a key; none when it is no list.
    pub(super) fn list(&self, key: &str) -> &[Self] {
        match self.get(key).map(|value| &value.content) {
            Some(Content::List(items)) => items,
            _ => &[],
        }
    }

    /// Where a key stands, or the whole.
    pub(super) fn at(&self, key: &str) -> Span {
        self.get(key).map_or(self.span, |value| value.span)
    }

    /// Every value without parts, with the name it goes by, and whether it was asked for.
    pub(super) fn leaves<'j>(&'j self, name: &'j str, found: &mut Vec<(&'j str, Span, bool)>) {
        match &self.content {
            Content::List(items) => items.iter().for_each(|item| item.leaves(name, found)),
            Content::Map(map) => {
                // `{ "Key": "stickiness.enabled", "Value": "true" }` goes by its key.
                let key = self.get("Key").filter(|_| self.get("Value").is_some());
                let key = key.and_then(|key| match &key.content {
                    Content::Text(text) => Some(text.as_str()),
                    _ => None,
                });
                map.iter().for_each(|(name, item)| item.leaves(key.unwrap_or(name), found));
            }
            _ => found.push((name, self.span, self.used.get())),
        }
    }
}

pub(super) struct Parser<'t, 'n> {
    text: &'t str,
    file: usize,
    at: usize,
    notes: &'n mut Notes,
}

/// A text with any number of documents one after the other, as several commands print them into
/// one file. What is wrong with it is noted, once.
pub(super) fn parse(text: &str, file: usize, notes: &mut Notes) -> Vec<Json> {
    let mut parser = Parser { text, file, at: 0, notes };
    let mut documents = Vec::new();
    loop {
        parser.blanks();
        if parser.at == text.len() && !documents.is_empty() {
            return documents;
        }
        match parser.value(0, None) {
            Some(document) => documents.push(document),
            None => return documents,
        }
    }
}

impl Parser<'_, '_> {
    fn wrong<T>(&mut self, words: &str) -> Option<T> {
        let end = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        let span = Span::new(self.file, self.at, self.at + end);
        let help = "give the JSON that the aws command printed (--output json)";
        self.notes.directive(span);
        self.notes.refuse(span, format!("no JSON: {words}"), help);
        None
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn eat(&mut self, c: char) -> bool {
        self.blanks();
        let found = self.text[self.at..].starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    /// `from` is where its key begins.
    fn value(&mut self, depth: usize, from: Option<usize>) -> Option<Json> {
        if depth > DEPTH_MAX {
            return self.wrong("too many brackets within each other");
        }
        self.blanks();
        let start = self.at;
        let rest = &self.text[self.at..];
        let mut is_whole = true;
        let content = match rest.chars().next() {
            Some('{') => {
                is_whole = false;
                self.at += 1;
                self.map(depth)?
            }
            Some('[') => {
                is_whole = false;
                self.at += 1;
                self.items(depth)?
            }
            Some('"') => Content::Text(self.string()?),
            Some('-' | '0'..='9') => {
                let end =
                    rest.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
                let end = end.unwrap_or(rest.len());
                self.at += end;
                Content::Number(rest[..end].to_owned())
            }
            _ => {
                let words = [
                    ("true", Content::Bool(true)),
                    ("false", Content::Bool(false)),
                    ("null", Content::Null),
                ];
                let found = words.into_iter().find(|(word, _)| rest.starts_with(word));
                match found {
                    Some((word, content)) => {
                        self.at += word.len();
                        content
                    }
                    None if rest.is_empty() => return self.wrong("the text ends in the middle"),
                    None => return self.wrong("a value is expected here"),
                }
            }
        };
        // Of a list or table the head is shown, not all of it.
        let end = if is_whole { self.at } else { start + 1 };
        let span = Span::new(self.file, from.unwrap_or(start), end);
        Some(Json { content, span, used: Cell::new(false) })
    }

    fn map(&mut self, depth: usize) -> Option<Content> {
        let mut map: Vec<(String, Json)> = Vec::new();
        let mut keys = HashSet::new();
        if self.eat('}') {
            return Some(Content::Map(map));
        }
        loop {
            self.blanks();
            let start = self.at;
            if !self.text[start..].starts_with('"') {
                return self.wrong("a key in quotes is expected here");
            }
            let key = self.string()?;
            if !keys.insert(key.clone()) {
                self.at = start;
                return self.wrong("this key is there twice");
            }
            if !self.eat(':') {
                return self.wrong("`:` is expected here");
            }
            let value = self.value(depth + 1, Some(start))?;
            map.push((key, value));
            if self.eat(',') {
                continue;
            }
            if self.eat('}') {
                return Some(Content::Map(map));
            }
            return self.wrong("`,` or `}` is expected here");
        }
    }

    fn items(&mut self, depth: usize) -> Option<Content> {
        let mut items = Vec::new();
        if self.eat(']') {
            return Some(Content::List(items));
        }
        loop {
            items.push(self.value(depth + 1, None)?);
            if self.eat(',') {
                continue;
            }
            if self.eat(']') {
                return Some(Content::List(items));
            }
            return self.wrong("`,` or `]` is expected here");
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += 1 + offset + 1;
                    return Some(text);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r' | 'b' | 'f') => text.push(' '),
                    Some('u') => {
                        let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        let code = u32::from_str_radix(&hex, 16).ok();
                        text.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                    }
                    Some(c) => text.push(c),
                    None => {}
                },
                c => text.push(c),
            }
        }
        self.wrong("this text is never closed")
    }
}
