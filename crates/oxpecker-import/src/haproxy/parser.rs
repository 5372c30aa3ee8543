//! Files into sections, with conditional blocks (`.if`) left out or in.

use super::lexer::{Environment, Lexer, Word};
use super::words;
use crate::files::{Files, Span};
use crate::report::Notes;

/// `.if` within `.if`; HAProxy has 32.
const DEPTH_MAX: usize = 32;

#[derive(Debug)]
pub(super) struct Line {
    /// At least one.
    pub(super) words: Vec<Word>,
    pub(super) span: Span,
}

impl Line {
    pub(super) fn keyword(&self) -> &str {
        &self.words[0].text
    }

    /// The word at `index`, from 0 for the keyword; empty when there is none.
    pub(super) fn get(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |word| &word.text)
    }

    /// Where that word stands, or the whole line.
    pub(super) fn at(&self, index: usize) -> Span {
        self.words.get(index).map_or(self.span, |word| word.span)
    }

    /// From the word at `index` to the end.
    pub(super) fn rest(&self, index: usize) -> &[Word] {
        self.words.get(index..).unwrap_or(&[])
    }
}

#[derive(Debug)]
pub(super) struct Section {
    /// `global`, `defaults`, `listen`, `frontend`, `backend`; others are not kept.
    pub(super) kind: &'static str,
    pub(super) head: Line,
    pub(super) lines: Vec<Line>,
}

const KINDS: &[&str] = &["global", "defaults", "listen", "frontend", "backend"];

/// Sections that HAProxy has and that mean nothing here.
const OTHERS: &[(&str, &str)] = &[
    ("peers", "nothing is shared with other HAProxies"),
    ("resolvers", "names are looked up every 30 s through the system's resolver"),
    ("userlist", "nothing here asks for HTTP passwords"),
    ("mailers", "changes of health are in the log"),
    ("program", "let systemd start other programs"),
    ("http-errors", "no HTTP answers are made here"),
    ("ring", "log lines are written at once"),
    ("log-forward", "other programs' logs are not forwarded"),
    ("log-profile", "access records have HAProxy's tcplog form"),
    ("cache", "nothing is cached"),
    ("fcgi-app", "there are no FastCGI applications here"),
    ("crt-store", "certificates are named where they are used"),
    ("traces", "there are no trace points here"),
    ("acme", "certificates stand in files"),
];

struct Parser<'a, 's> {
    environment: &'a mut Environment<'s>,
    notes: &'a mut Notes,
    secrets: &'a mut Vec<Span>,
    sections: Vec<Section>,
    /// Whether the lines of a section are left out, and why.
    dropped: Option<&'static str>,
    /// For each open `.if`: whether its lines count, and whether some branch has counted.
    conditions: Vec<(bool, bool, Span)>,
    in_section: bool,
}

pub(super) fn parse(
    files: &Files,
    environment: &mut Environment<'_>,
    notes: &mut Notes,
    secrets: &mut Vec<Span>,
) -> Vec<Section> {
    let mut parser = Parser {
        environment,
        notes,
        secrets,
        sections: Vec::new(),
        dropped: None,
        conditions: Vec::new(),
        in_section: false,
    };
    for (number, file) in files.iter().enumerate() {
        let mut start = 0;
        // A section ends with its file.
        (parser.in_section, parser.dropped) = (false, None);
        for raw in file.text().split_inclusive('\n') {
            if parser.notes.is_full() {
                break;
            }
            parser.line(number, start, raw.trim_end_matches(['\n', '\r']));
            start += raw.len();
        }
        for (_, _, span) in std::mem::take(&mut parser.conditions) {
            parser.notes.refuse(span, "this `.if` is never closed", "write `.endif`");
        }
    }
    parser.sections
}

impl Parser<'_, '_> {
    fn line(&mut self, file: usize, start: usize, text: &str) {
        let mut lexer = Lexer { environment: self.environment, notes: self.notes, file, start };
        // A commented-out line would only report its own unset variables.
        if text.trim_start().starts_with('#') {
            return;
        }
        let counts = self.conditions.iter().all(|(counts, ..)| *counts);
        if !counts && !text.trim_start().starts_with('.') {
            return;
        }
        let mut words = lexer.split(text);
        if let Some(address) = words.first().and_then(|word| address_index(&word.text)) {
            words.get_mut(address).into_iter().for_each(|word| lexer.expand(word));
        }
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let span = first.span.to(last.span);
        let line = Line { words, span };
        self.hide(&line);
        self.notes.directive(span);
        if line.keyword().starts_with('.') {
            self.condition(&line, counts);
            return;
        }
        if line.keyword().ends_with("env") && self.variables(&line) {
            return;
        }
        self.sort(line);
    }

    /// Passwords that no message may show.
    fn hide(&mut self, line: &Line) {
        let words: Vec<&str> = line.words.iter().map(|word| word.text.as_str()).collect();
        match words.as_slice() {
            ["stats", "auth", ..] => self.secrets.push(line.at(2)),
            ["user", _, "password" | "insecure-password", ..] => self.secrets.push(line.at(3)),
            ["setenv" | "presetenv", name, ..] if names_a_secret(name) => {
                self.secrets.push(line.at(2));
            }
            _ => {}
        }
    }

    fn sort(&mut self, line: Line) {
        let keyword = line.keyword();
        if let Some(kind) = KINDS.iter().find(|kind| **kind == keyword) {
            (self.dropped, self.in_section) = (None, true);
            self.sections.push(Section { kind, head: line, lines: Vec::new() });
            return;
        }
        let other = OTHERS.iter().find(|(name, _)| *name == keyword);
        // `user` and `peers` are also lines of sections; a section's name stands at the margin.
        if let Some((_, reason)) = other.copied().filter(|_| !self.in_proxy_with(keyword)) {
            (self.dropped, self.in_section) = (Some(reason), true);
            self.notes.drop(line.span, reason);
            return;
        }
        if let Some(reason) = self.dropped {
            self.notes.drop(line.span, reason);
            return;
        }
        match self.sections.last_mut().filter(|_| self.in_section) {
            Some(section) => section.lines.push(line),
            None => {
                let known = KINDS.iter().chain(OTHERS.iter().map(|(name, _)| name));
                let help = words::nearest(keyword, known.copied());
                let help = help.map_or_else(
                    || {
                        "a HAProxy configuration begins with `global`, `defaults` or `listen`"
                            .into()
                    },
                    |name| format!("did you mean `{name}`?"),
                );
                let shown = words::shorten(keyword);
                let words = format!("`{shown}` stands before any section");
                self.notes.refuse(line.span, words, help);
            }
        }
    }

    /// Words that begin a section and are keywords of others, too.
    fn in_proxy_with(&self, keyword: &str) -> bool {
        self.in_section && self.dropped.is_none() && matches!(keyword, "log-profile")
    }

    /// `setenv`, `presetenv`, `unsetenv`, `resetenv` hold for the lines below.
    fn variables(&mut self, line: &Line) -> bool {
        match (line.keyword(), line.words.len()) {
            ("setenv", 3..) => self.environment.set(line.get(1), Some(line.get(2).to_owned())),
            ("presetenv", 3..) if self.environment.get(line.get(1)).is_none() => {
                self.environment.set(line.get(1), Some(line.get(2).to_owned()));
            }
            ("presetenv", 3..) => {}
            ("unsetenv", 2..) => {
                for word in line.rest(1) {
                    self.environment.set(&word.text, None);
                }
            }
            ("resetenv", _) => {
                let kept: Vec<&str> = line.rest(1).iter().map(|word| word.text.as_str()).collect();
                self.environment.reset(&kept);
            }
            _ => return false,
        }
        let words = "variables are replaced while this file is read";
        self.notes.change(line.span, words);
        true
    }

    fn condition(&mut self, line: &Line, counts: bool) {
        match line.keyword() {
            ".if" => {
                if self.conditions.len() >= DEPTH_MAX {
                    let words = format!("more than {DEPTH_MAX} `.if` within each other");
                    self.notes.refuse(line.span, words, "");
                    return;
                }
                let holds = counts && self.holds(line);
                self.conditions.push((holds, holds || !counts, line.span));
            }
            ".elif" | ".else" => {
                let Some((_, done, span)) = self.conditions.pop() else {
                    let words = format!("`{}` without `.if`", line.keyword());
                    self.notes.refuse(line.span, words, "");
                    return;
                };
                let holds = !done && (line.keyword() == ".else" || self.holds(line));
                self.conditions.push((holds, done || holds, span));
            }
            ".endif" => {
                if self.conditions.pop().is_none() {
                    self.notes.refuse(line.span, "`.endif` without `.if`", "");
                }
            }
            ".notice" | ".warning" | ".diag" if counts => {
                self.notes.drop(line.span, "messages of the file are not shown");
            }
            ".alert" if counts => {
                let text = line.get(1).to_owned();
                self.notes.refuse(line.span, format!("the file itself says: {text}"), "");
            }
            ".notice" | ".warning" | ".diag" | ".alert" => {}
            other => {
                let words = format!("`{other}` is no known directive");
                self.notes.refuse(line.span, words, "there are .if, .elif, .else and .endif");
            }
        }
    }

    fn holds(&mut self, line: &Line) -> bool {
        let text: String = line.rest(1).iter().map(|word| word.text.as_str()).collect();
        let (negated, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let call = |name: &str| {
            let inner = text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
            Some(inner.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>())
        };
        let found = match text {
            "" | "0" | "false" => Some(false),
            "true" => Some(true),
            number if number.bytes().all(|b| b.is_ascii_digit()) => Some(true),
            _ => call("defined")
                .map(|names| names.iter().all(|name| self.environment.get(name).is_some()))
                .or_else(|| call("streq").map(|parts| parts.windows(2).all(|p| p[0] == p[1])))
                .or_else(|| call("strneq").map(|parts| parts.windows(2).all(|p| p[0] != p[1])))
                // What is newer than the version we read is named line by line.
                .or_else(|| call("version_atleast").map(|_| true))
                .or_else(|| call("version_before").map(|_| false)),
        };
        let Some(found) = found else {
            let help =
                "known: true, false, defined(NAME), streq(a,b), strneq(a,b), version_atleast(v)";
            self.notes.refuse(line.span, format!("condition `{text}` is not understood"), help);
            return false;
        };
        found != negated
    }
}

/// Which word is an address, where variables need no quotes.
fn address_index(keyword: &str) -> Option<usize> {
    match keyword {
        "bind" | "log" | "source" => Some(1),
        "server" | "listen" | "frontend" | "stats" => Some(2),
        _ => None,
    }
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "credential", "auth"].iter().any(|part| name.contains(part))
}
