//! HAProxy's configuration: read as HAProxy reads it, then said in our words.
//!
//! `lexer` splits lines into words, `parser` finds sections, `settings` gathers what a proxy says
//! (its own lines over those of its `defaults`), `build` turns proxies into pools and virtual
//! servers.

mod access;
mod bind;
mod build;
mod global;
mod health;
mod lexer;
mod options;
mod parser;
mod pool;
mod server;
mod settings;
mod stats;
mod units;
mod words;

use std::collections::HashMap;
use std::rc::Rc;

use oxpecker_config::Source;

use crate::Mapped;
use crate::files::{Files, Span};
use crate::native::Native;
use crate::report::Notes;
use lexer::Environment;
use parser::{Line, Section};
use settings::Settings;

/// More servers than this are no gateway for Impala, and would take minutes to check.
const SERVERS_MAX: usize = 10_000;

/// The same for addresses to listen on.
const LISTENS_MAX: usize = 10_000;

/// What all steps share.
struct Ctx {
    notes: Notes,
    secrets: Vec<Span>,
    servers: usize,
    listens: usize,
}

/// Reads the files in order, as `haproxy -f A -f B` does.
pub(crate) fn read(files: &Files, source: &dyn Source) -> Mapped {
    let mut ctx = Ctx { notes: Notes::default(), secrets: Vec::new(), servers: 0, listens: 0 };
    let mut environment = Environment::new(source);
    let sections = parser::parse(files, &mut environment, &mut ctx.notes, &mut ctx.secrets);
    let mut global = global::Global::default();
    for section in sections.iter().filter(|section| section.kind == "global") {
        global.read(&mut ctx, section);
    }
    let proxies = proxies(&mut ctx, &sections, &global);
    let mut native = Native::new();
    build::build(&mut ctx, files, &global, &proxies, &mut native);
    Mapped { native, notes: ctx.notes, secrets: ctx.secrets }
}

/// A `listen`, `frontend` or `backend` with everything it inherits.
struct Proxy {
    kind: ProxyKind,
    name: String,
    span: Span,
    /// Its own.
    lines: Vec<Span>,
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyKind {
    Listen,
    Frontend,
    Backend,
}

impl ProxyKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
        }
    }

    fn accepts(self) -> bool {
        self != Self::Backend
    }

    fn has_servers(self) -> bool {
        self != Self::Frontend
    }
}

fn proxies(ctx: &mut Ctx, sections: &[Section], global: &global::Global) -> Vec<Proxy> {
    let mut proxies: Vec<Proxy> = Vec::new();
    let mut names: HashMap<(bool, String), Span> = HashMap::new();
    let mut named: HashMap<String, Rc<Settings>> = HashMap::new();
    let mut current = Rc::new(Settings::default());
    for section in sections {
        if ctx.notes.is_full() {
            break;
        }
        let kind = match section.kind {
            "defaults" => None,
            "listen" => Some(ProxyKind::Listen),
            "frontend" => Some(ProxyKind::Frontend),
            "backend" => Some(ProxyKind::Backend),
            _ => continue,
        };
        let mut parent = if kind.is_none() { Rc::default() } else { Rc::clone(&current) };
        let head = Head::read(ctx, section, kind.is_some());
        if let Some(from) = &head.from {
            match named.get(&from.0) {
                Some(known) => parent = Rc::clone(known),
                None => {
                    let words = format!("no `defaults {}` stands before this line", from.0);
                    let help = "HAProxy knows only the sections above; put it there";
                    ctx.notes.refuse(from.1, words, help);
                }
            }
        }
        if !ctx.notes.work(parent.inherited(), section.head.span) {
            break;
        }
        let mut settings = Settings::clone(&parent);
        settings.begin_section();
        for line in &section.lines {
            if ctx.notes.is_full() {
                break;
            }
            settings.read(ctx, kind, line, global);
        }
        let Some(kind) = kind else {
            current = Rc::new(settings);
            if let Some(name) = head.name {
                named.insert(name, Rc::clone(&current));
            }
            continue;
        };
        let Some(name) = head.name else { continue };
        if let Some(address) = head.address {
            settings.listen_on(ctx, address, global);
        }
        // A frontend and a backend may have the same name.
        for accepts in [true, false] {
            let takes = if accepts { kind.accepts() } else { kind.has_servers() };
            if takes && names.insert((accepts, name.clone()), section.head.span).is_some() {
                let words = format!("there is another `{name}` above");
                ctx.notes.refuse(section.head.span, words, "give it a name of its own");
                break;
            }
        }
        let lines = section.lines.iter().map(|line| line.span).collect();
        proxies.push(Proxy { kind, name, span: section.head.span, lines, settings });
    }
    proxies
}

/// `listen impala :25003 from base`
#[derive(Default)]
struct Head<'s> {
    name: Option<String>,
    /// On the line itself, as HAProxy took it until version 1.5.
    address: Option<&'s lexer::Word>,
    from: Option<(String, Span)>,
}

impl<'s> Head<'s> {
    fn read(ctx: &mut Ctx, section: &'s Section, needs_name: bool) -> Self {
        let line: &Line = &section.head;
        let mut head = Self::default();
        let mut words = line.words[1..].iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "from" if head.name.is_some() || !needs_name => match words.next() {
                    Some(from) => head.from = Some((from.text.clone(), from.span)),
                    None => ctx.notes.refuse(
                        word.span,
                        "`from` needs the name of a defaults section",
                        "",
                    ),
                },
                _ if head.name.is_none() => head.name = Some(word.text.clone()),
                _ if needs_name && section.kind != "backend" && head.address.is_none() => {
                    head.address = Some(word);
                    let words = "address on this line, which HAProxy refuses since 1.6, \
                                 is read as `bind`";
                    ctx.notes.change(word.span, words);
                }
                text => {
                    let words = format!("`{text}` has no place on this line");
                    ctx.notes.refuse(word.span, words, "");
                }
            }
        }
        if needs_name && head.name.is_none() {
            let words = format!("`{}` needs a name", section.kind);
            ctx.notes.refuse(line.span, words, "");
        }
        head
    }
}
