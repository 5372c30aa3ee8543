//! The native configuration in the making: tables with their keys, each knowing where in the
//! foreign text it comes from. Knows how a file should look, not what it means.

mod write;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use crate::files::Span;

pub(crate) use write::Written;

/// Tables in the order they are written; within a kind in the order they were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Process,
    Log,
    LogTarget,
    Admin,
    AdminUser,
    Node,
    Pool,
    Virtual,
    Protocol,
    Persistence,
    TlsClient,
    TlsServer,
    Monitor,
}

impl Kind {
    /// Pools and virtual servers stand together, as they were added.
    fn group(self) -> Self {
        if self == Self::Virtual { Self::Pool } else { self }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Log => "log",
            Self::LogTarget => "log.target",
            Self::Admin => "admin",
            Self::AdminUser => "admin.user",
            Self::Node => "node",
            Self::Pool => "pool",
            Self::Virtual => "virtual",
            Self::Protocol => "profile.protocol",
            Self::Persistence => "profile.persistence",
            Self::TlsClient => "profile.tls_client",
            Self::TlsServer => "profile.tls_server",
            Self::Monitor => "monitor",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// TOML as it is written.
    One(String),
    /// The same, one for each element.
    List(Vec<(String, Span)>),
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    name: &'static str,
    value: Value,
    span: Span,
    /// Part of a warning that the importer has given in the foreign language.
    told: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    kind: Kind,
    heading: String,
    comments: Vec<String>,
    keys: Vec<Key>,
    span: Span,
}

impl Table {
    fn of(kind: Kind, heading: String, span: Span) -> Self {
        Self { kind, heading, comments: Vec::new(), keys: Vec::new(), span }
    }

    /// `[process]` and others that have no name.
    pub(crate) fn single(kind: Kind, span: Span) -> Self {
        Self::of(kind, kind.heading().to_owned(), span)
    }

    /// `[pool.NAME]` and others; the name comes from [`Native::unused`].
    pub(crate) fn named(kind: Kind, name: &str, span: Span) -> Self {
        Self::of(kind, format!("{}.{}", kind.heading(), bare(name)), span)
    }

    pub(crate) fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comments.push(comment.into());
        self
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// TOML as it is written.
    pub(crate) fn raw(&mut self, name: &'static str, value: impl Into<String>, span: Span) {
        self.value(name, Value::One(value.into()), span);
    }

    pub(crate) fn value(&mut self, name: &'static str, value: Value, span: Span) {
        // The last one wins, as in the formats we read.
        self.keys.retain(|key| key.name != name);
        self.keys.push(Key { name, value, span, told: None });
    }

    pub(crate) fn text(&mut self, name: &'static str, text: &str, span: Span) {
        self.raw(name, quote(text), span);
    }

    pub(crate) fn number(&mut self, name: &'static str, number: u64, span: Span) {
        self.raw(name, number.to_string(), span);
    }

    pub(crate) fn switch(&mut self, name: &'static str, on: bool, span: Span) {
        self.raw(name, on.to_string(), span);
    }

    pub(crate) fn duration(&mut self, name: &'static str, duration: Duration, span: Span) {
        self.raw(name, quote(&show_duration(duration)), span);
    }

    /// Texts; a single one stands alone.
    pub(crate) fn texts(&mut self, name: &'static str, texts: &[(String, Span)], span: Span) {
        let quoted: Vec<_> = texts.iter().map(|(text, span)| (quote(text), *span)).collect();
        self.value(name, Value::List(quoted), span);
    }

    /// The check's warning about this key that says `part` has been given in the foreign language.
    pub(crate) fn told(&mut self, name: &str, part: &'static str) {
        for key in self.keys.iter_mut().filter(|key| key.name == name) {
            key.told = Some(part);
        }
    }

    fn signature(&self) -> String {
        let mut signature = String::new();
        for key in &self.keys {
            let _ = match &key.value {
                Value::One(text) => writeln!(signature, "{} = {text}", key.name),
                Value::List(items) => {
                    let texts: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
                    writeln!(signature, "{} = {texts:?}", key.name)
                }
            };
        }
        signature
    }
}

/// Built-in names, which cannot be given to others.
const BUILT_IN: &[(Kind, &[&str])] = &[
    (Kind::Protocol, &["fastl4", "tcp"]),
    (Kind::Persistence, &["source_addr", "none"]),
    (Kind::TlsClient, &["clientssl"]),
    (Kind::TlsServer, &["serverssl", "off"]),
    (Kind::Monitor, &["tcp", "http", "healthz", "hs2", "beeswax", "hs2-http", "none"]),
];

/// A configuration in the making.
#[derive(Debug)]
pub(crate) struct Native {
    tables: Vec<Table>,
    names: HashMap<Kind, HashSet<String>>,
    shared: HashMap<(Kind, String), String>,
    next: HashMap<(Kind, String), usize>,
}

impl Native {
    pub(crate) fn new() -> Self {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            tables: Vec::new(),
            names: BUILT_IN.iter().map(|(kind, built_in)| (*kind, names(built_in))).collect(),
            shared: HashMap::new(),
            next: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Adds a table under `name`, or under a name like it when that one is taken.
    pub(crate) fn add_named(&mut self, kind: Kind, name: &str, mut table: Table) -> String {
        let name = self.unused(kind, name);
        table.heading = format!("{}.{}", kind.heading(), bare(&name));
        self.tables.push(table);
        name
    }

    /// The same, unless there is one that says the same already.
    pub(crate) fn share(&mut self, kind: Kind, name: &str, table: Table) -> String {
        let key = (kind, table.signature());
        if let Some(known) = self.shared.get(&key) {
            return known.clone();
        }
        let name = self.add_named(kind, name, table);
        self.shared.insert(key, name.clone());
        name
    }

    /// A name that no other object of this kind has.
    pub(crate) fn unused(&mut self, kind: Kind, wanted: &str) -> String {
        let names = self.names.entry(kind).or_default();
        let clean = clean_name(wanted);
        let mut name = clean.clone();
        // Counts on from where the last one of this name ended: there may be thousands.
        let next = self.next.entry((kind, clean.clone())).or_insert(1);
        while !names.insert(name.clone()) {
            *next += 1;
            name = format!("{clean}-{next}");
        }
        name
    }

    pub(crate) fn is_unused(&self, kind: Kind, wanted: &str) -> bool {
        let names = self.names.get(&kind);
        names.is_none_or(|names| !names.contains(&clean_name(wanted)))
    }

    pub(crate) fn write(self, head: &[String]) -> Written {
        write::write(self.tables, head)
    }
}

/// Letters, digits, `-`, `_` and `.`: what names consist of here.
pub(crate) fn clean_name(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let clean: String = name.chars().take(200).map(|c| if good(c) { c } else { '_' }).collect();
    if clean.is_empty() { "unnamed".to_owned() } else { clean }
}

/// A key of TOML: in quotes when it holds dots.
fn bare(name: &str) -> String {
    if name.contains('.') { quote(name) } else { name.to_owned() }
}

/// A text of TOML. `${` is written so that it stays what it is.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.replace("${", "$${").chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `{ node = "a", port = 21050 }`
pub(crate) fn inline(parts: &[(&str, String)]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// `1h`, `50s`, `1500ms`: the way a person would write it.
pub(crate) fn show_duration(duration: Duration) -> String {
    let total = duration.as_millis();
    for (scale, unit) in
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")]
    {
        if total >= scale && total.is_multiple_of(scale) {
            return format!("{}{unit}", total / scale);
        }
    }
    "0s".to_owned()
}
