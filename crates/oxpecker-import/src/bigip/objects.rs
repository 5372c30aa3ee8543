//! Objects with their properties, by kind and path.

use std::collections::HashMap;

use super::tokens::{Lexer, Token};
use crate::files::{Files, Span};
use crate::report::Notes;

/// More than this is no gateway for Impala, and would take minutes to check.
const OBJECTS_MAX: usize = 20_000;

/// Profiles that inherit from each other; people have three.
const PARENTS_MAX: usize = 32;

/// A value of a property.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Nothing,
    Text(String),
    Block(Vec<Property>),
}

#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) content: Content,
    /// From the name to the end of its value, or of the opening line of its block.
    pub(super) span: Span,
    pub(super) value_span: Span,
}

impl Property {
    /// Its text; empty when it has none.
    pub(super) fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) => text,
            _ => "",
        }
    }

    /// Properties in its braces.
    pub(super) fn inner(&self) -> &[Property] {
        match &self.content {
            Content::Block(inner) => inner,
            _ => &[],
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Property> {
        self.inner().iter().find(|property| property.name == name)
    }
}

#[derive(Debug)]
pub(super) struct Object {
    /// One of [`KINDS`].
    pub(super) kind: &'static str,
    /// With its partition: `/Common/pool-1`.
    pub(super) path: String,
    pub(super) head: Span,
    pub(super) properties: Vec<Property>,
}

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    pub(super) fn partition(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or("Common")
    }
}

#[derive(Debug, Default)]
pub(super) struct Objects {
    list: Vec<Object>,
    index: HashMap<(&'static str, String), usize>,
}

impl Objects {
    pub(super) fn of(&self, kind: &'static str) -> impl Iterator<Item = &Object> {
        self.list.iter().filter(move |object| object.kind == kind)
    }

    pub(super) fn all(&self) -> &[Object] {
        &self.list
    }

    /// The object that a name means to one of `partition`.
    pub(super) fn find(&self, kind: &'static str, name: &str, partition: &str) -> Option<&Object> {
        let own = full_path(name, partition);
        let found = self.index.get(&(kind, own));
        let found = found.or_else(|| self.index.get(&(kind, full_path(name, "Common"))));
        found.map(|index| &self.list[*index])
    }

    /// The object and those it takes values from, nearest first; a ring is cut and told.
    pub(super) fn lineage<'o>(&'o self, notes: &mut Notes, object: &'o Object) -> Vec<&'o Object> {
        let mut line = vec![object];
        let mut last = object;
        while let Some(parent) = last.get("defaults-from") {
            let Some(found) = self.find(object.kind, parent.text(), last.partition()) else {
                break;
            };
            let is_ring = line.iter().any(|known| known.path == found.path);
            if is_ring || line.len() >= PARENTS_MAX {
                let words = match is_ring {
                    true => format!("`{}` inherits from itself", object.path),
                    false => format!("more than {PARENTS_MAX} parents"),
                };
                notes.refuse(parent.span, words, "break the line");
                break;
            }
            line.push(found);
            last = found;
        }
        line
    }
}

/// Where a lineage ends: the name of a built-in profile, without partition.
pub(super) fn root(line: &[&Object], fallback: &str) -> String {
    let last = line.last().and_then(|object| object.get("defaults-from"));
    last.map_or(fallback.to_owned(), |parent| base_name(parent.text()).to_owned())
}

/// The nearest value of a property.
pub(super) fn inherited<'o>(line: &[&'o Object], name: &str) -> Option<&'o Property> {
    line.iter().find_map(|object| object.get(name))
}

pub(super) fn full_path(name: &str, partition: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("/{partition}/{name}") }
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Words of the object's kind, and what we call it.
const KINDS: &[(&[&str], &str)] = &[
    (&["ltm", "node"], "node"),
    (&["ltm", "pool"], "pool"),
    (&["ltm", "virtual"], "virtual"),
    (&["ltm", "virtual-address"], "virtual-address"),
    (&["ltm", "snatpool"], "snatpool"),
    (&["ltm", "snat-translation"], "snat-translation"),
    (&["ltm", "monitor", "tcp"], "monitor tcp"),
    (&["ltm", "monitor", "tcp-half-open"], "monitor tcp-half-open"),
    (&["ltm", "monitor", "http"], "monitor http"),
    (&["ltm", "monitor", "https"], "monitor https"),
    (&["ltm", "persistence", "source-addr"], "persistence source-addr"),
    (&["ltm", "profile", "fastl4"], "profile fastl4"),
    (&["ltm", "profile", "tcp"], "profile tcp"),
    (&["ltm", "profile", "client-ssl"], "profile client-ssl"),
    (&["ltm", "profile", "server-ssl"], "profile server-ssl"),
];

/// What begins an object.
const MODULES: &[&str] = &[
    "ltm",
    "net",
    "sys",
    "auth",
    "cm",
    "cli",
    "apm",
    "asm",
    "gtm",
    "pem",
    "security",
    "util",
    "vcmp",
    "wom",
    "analytics",
    "ilx",
    "api-protection",
];

/// Commands that change no object.
const SHELL: &[&str] = &["save", "quit", "exit"];

/// Commands that mean nothing without what was there before.
const OTHER_COMMANDS: &[&str] = &["modify", "delete", "mv", "load", "show", "cd", "edit", "cp"];

/// Properties that have no value.
const FLAGS: &[&str] = &[
    "disabled",
    "enabled",
    "vlans-enabled",
    "vlans-disabled",
    "internal",
    "ip-forward",
    "l2-forward",
    "reject",
    "stateless",
    "dhcp-relay",
];

/// Properties whose braces hold names.
const LISTS: &[&str] =
    &["members", "profiles", "persist", "vlans", "rules", "policies", "cert-key-chain"];

struct Parser<'a> {
    notes: &'a mut Notes,
    secrets: &'a mut Vec<Span>,
    objects: Objects,
}

pub(super) fn parse(files: &Files, notes: &mut Notes, secrets: &mut Vec<Span>) -> Objects {
    let mut parser = Parser { notes, secrets, objects: Objects::default() };
    for (number, file) in files.iter().enumerate() {
        let mut lexer = Lexer::new(file.text(), number);
        while lexer.peek().is_some() && !parser.notes.is_full() {
            parser.object(&mut lexer);
        }
    }
    parser.objects
}

impl Parser<'_> {
    /// `ltm pool /Common/x { … }`, or `tmsh create ltm pool x …` up to the end of the line.
    fn object(&mut self, lexer: &mut Lexer<'_>) {
        let start = lexer.at;
        let mut words: Vec<(String, Span)> = Vec::new();
        let mut is_command = false;
        let kind = loop {
            if words.len() == 1 && matches!(words[0].0.as_str(), "create" | "tmsh" | "list") {
                is_command |= words[0].0 == "create";
                words.clear();
            }
            let known = KINDS.iter().find(|(kind, _)| {
                kind.len() == words.len() && kind.iter().zip(&words).all(|(a, (b, _))| a == b)
            });
            // `monitor tcp` and `profile tcp` have one word more.
            if let Some((_, kind)) = known {
                break Some(*kind);
            }
            let open = words.is_empty()
                || words.len() < 3 && !lexer.is_line_end() && lexer.peek() != Some('{');
            if !open {
                break None;
            }
            match lexer.token(self.notes, 0) {
                Some(Token::Word { text, span }) => {
                    // `create /ltm pool …`, as in a shell that is in another module.
                    let text = match text.strip_prefix('/') {
                        Some(rest) if is_command && words.is_empty() => rest.to_owned(),
                        _ => text,
                    };
                    words.push((text, span));
                }
                Some(block) => {
                    self.notes.directive(block.span());
                    self.notes.refuse(block.span(), "braces without an object before them", "");
                    return;
                }
                // The text ends here.
                None if lexer.peek().is_none() => break None,
                None => {
                    // A closing brace too much.
                    let span = lexer.span(lexer.at, lexer.at + 1);
                    lexer.at += 1;
                    self.notes.directive(span);
                    self.notes.refuse(span, "this brace closes nothing", "");
                    return;
                }
            }
        };
        let Some(kind) = kind else { return self.other(lexer, start, &words, is_command) };
        let name = match lexer.is_line_end() {
            true => None,
            false => lexer.token(self.notes, 0),
        };
        let Some(Token::Word { text: name, span }) = name else {
            let head = lexer.span(start, lexer.at);
            self.notes.directive(head);
            self.notes.refuse(head, format!("`{kind}` needs a name"), "");
            return;
        };
        let head = lexer.span(start, span.end);
        self.notes.directive(head);
        let tokens = self.body(lexer);
        let properties = self.properties(tokens, true, false);
        self.add(Object { kind, path: full_path(&name, "Common"), head, properties });
    }

    /// What follows the name: a block, or words to the end of the line.
    fn body(&mut self, lexer: &mut Lexer<'_>) -> Vec<Token> {
        let mut tokens = Vec::new();
        while !lexer.is_line_end() {
            match lexer.token(self.notes, 0) {
                Some(token) => tokens.push(token),
                // A closing brace too much is told with the next object.
                None => break,
            }
        }
        match tokens.pop() {
            Some(Token::Block { inner, .. }) if tokens.is_empty() => inner,
            Some(last) => {
                tokens.push(last);
                tokens
            }
            None => tokens,
        }
    }

    /// Objects of other kinds: networks, users, iRules.
    fn other(
        &mut self,
        lexer: &mut Lexer<'_>,
        start: usize,
        words: &[(String, Span)],
        is_command: bool,
    ) {
        let first = words.first().map_or("", |(word, _)| word.as_str());
        let mut end = lexer.at;
        if SHELL.contains(&first) || OTHER_COMMANDS.contains(&first) || first.starts_with('/') {
            while !lexer.is_line_end() && lexer.token(self.notes, 0).is_some() {}
            let span = words.first().map_or(lexer.span(start, lexer.at), |(_, span)| *span);
            let span = span.to(lexer.span(start, lexer.at));
            self.notes.directive(span);
            if SHELL.contains(&first) {
                self.notes.drop(span, "of the shell: nothing is saved or left here");
            } else {
                let words = "only `create` commands and what `list` prints are read";
                let help = "give what `tmsh list ltm` prints: it has every change in it";
                self.notes.refuse(span, words, help);
            }
            return;
        }
        if !MODULES.contains(&first) {
            let span = words.first().map_or(lexer.span(start, lexer.at), |(_, span)| *span);
            let shown: String = first.chars().take(40).collect();
            self.notes.directive(span);
            let words = format!("`{shown}` begins no object");
            self.notes.refuse(
                span,
                words,
                "objects begin with `ltm`, as in `ltm pool /Common/x { … }`",
            );
            lexer.skip_line();
            return;
        }
        while !lexer.is_line_end() && lexer.peek() != Some('{') {
            if lexer.token(self.notes, 0).is_none() {
                break;
            }
            end = lexer.at;
        }
        let head = lexer.span(start, end);
        self.notes.directive(head);
        if is_command {
            lexer.skip_line();
        } else {
            lexer.skip_block(self.notes);
        }
        let what: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        let words = match what.as_slice() {
            ["ltm", "rule", ..] => "iRules are not run; virtual servers that use one are refused",
            ["ltm", "data-group", ..] => "only iRules use data groups",
            ["ltm", ..] => "not needed for TCP services",
            ["net", ..] => "networks are the operating system's business",
            ["auth" | "cli" | "sys", ..] => "the appliance's own business",
            ["cm", ..] => "for a second gateway see docs/operations.md",
            _ => "not needed for TCP services",
        };
        self.notes.drop(head, words);
    }

    /// Names and values; `outer` ones are directives of the report. In a list names stand side by
    /// side, and only a block belongs to the name before it.
    fn properties(&mut self, tokens: Vec<Token>, outer: bool, is_list: bool) -> Vec<Property> {
        let mut properties: Vec<Property> = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let (name, name_span) = match token {
                Token::Word { text, span } => (text, span),
                Token::Block { span, .. } => {
                    self.notes.refuse(span, "braces without a name before them", "");
                    continue;
                }
            };
            // `members add { … }` of the command line.
            let verbs = ["add", "replace-all-with"];
            if let Some(Token::Word { text, .. }) = tokens.peek()
                && verbs.contains(&text.as_str())
            {
                tokens.next();
            }
            let is_flag = FLAGS.contains(&name.as_str());
            let next_is_block = matches!(tokens.peek(), Some(Token::Block { .. }));
            let takes_value = next_is_block || !is_flag && !is_list;
            let (content, value_span) = match tokens.next_if(|_| takes_value) {
                None => (Content::Nothing, name_span),
                Some(Token::Block { inner, span }) => {
                    // Of a block the head is shown, not all of it.
                    let head = Span::new(span.file, span.start, span.start + 1);
                    let is_list = !is_list && LISTS.contains(&name.as_str());
                    (Content::Block(self.properties(inner, false, is_list)), head)
                }
                Some(Token::Word { mut text, mut span }) => {
                    if name == "monitor" {
                        while let Some(more) = monitors(&mut tokens, &text) {
                            text = format!("{text} {}", more.0);
                            span = span.to(more.1);
                        }
                    }
                    (Content::Text(text), span)
                }
            };
            let span = name_span.to(value_span);
            if outer {
                self.notes.directive(span);
            }
            if matches!(name.as_str(), "passphrase" | "password" | "secret") {
                self.secrets.push(value_span);
            }
            properties.push(Property { name, content, span, value_span });
        }
        properties
    }

    fn add(&mut self, object: Object) {
        if self.objects.list.len() >= OBJECTS_MAX {
            let words = format!("more than {OBJECTS_MAX} objects");
            self.notes.refuse(object.head, words, "is this the right file?");
            return;
        }
        let key = (object.kind, object.path.clone());
        if let Some(first) = self.objects.index.get(&key) {
            let first = self.objects.list[*first].head;
            let words = format!("there is another {} `{}` above", object.kind, object.path);
            self.notes.refuse(object.head, words, "leave one of them out");
            debug_assert_ne!(first, object.head);
            return;
        }
        self.objects.index.insert(key, self.objects.list.len());
        self.objects.list.push(object);
    }
}

/// `/Common/tcp and /Common/http`, `min 1 of { … }`.
fn monitors(
    tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>,
    before: &str,
) -> Option<(String, Span)> {
    let last = before.rsplit(' ').next().unwrap_or(before);
    let goes_on = matches!(last, "and" | "min" | "of") || before.starts_with("min ") && last != "}";
    match tokens.peek()? {
        Token::Word { text, .. } if text == "and" || goes_on => match tokens.next()? {
            Token::Word { text, span } => Some((text, span)),
            Token::Block { .. } => None,
        },
        Token::Block { .. } if last == "of" => {
            let token = tokens.next()?;
            Some(("}".to_owned(), token.span()))
        }
        _ => None,
    }
}
