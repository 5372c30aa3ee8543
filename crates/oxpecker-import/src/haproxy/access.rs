//! Who may connect and which backend they get: `acl`, `tcp-request`, `use_backend`, as far as
//! addresses, ports and TLS server names go.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use super::lexer::Word;
use super::parser::Line;
use super::{Ctx, words};
use crate::files::{At, Span};

#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    acls: HashMap<String, Vec<Test>>,
    /// Rules of `connection`, `session` and `content`, one after the other: who passes one phase
    /// comes to the next.
    phases: [Phase; 3],
    pub(super) routes: Vec<Route>,
}

/// Networks as the native lists have them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    pub(super) allow: Option<Vec<At<String>>>,
    pub(super) deny: Vec<At<String>>,
}

/// The rules of a phase so far: the first one that fits a client decides.
#[derive(Debug, Clone, Default)]
struct Phase {
    lists: Lists,
    /// Whom some rule has accepted: later ones do not see them.
    accepted: Vec<At<String>>,
    /// Whoever speaks TLS is accepted.
    accepts_tls: bool,
    /// A rule has decided about everybody.
    decided: bool,
}

/// The index of its phase.
const CONTENT: usize = 2;

/// `use_backend NAME if …`
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) backend: At<String>,
    pub(super) when: When,
}

/// The conditions that can be said here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    Always,
    Never,
    /// The client's TLS asks for one of these names.
    Sni(Vec<At<String>>),
    /// The client came to one of these ports.
    Ports(Vec<(u16, u16)>),
    /// The client speaks TLS.
    Tls,
    Src {
        networks: Vec<At<String>>,
        negated: bool,
    },
}

impl When {
    /// What it lists.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Sni(names) | Self::Src { networks: names, .. } => names.len(),
            Self::Ports(ports) => ports.len(),
            Self::Always | Self::Never | Self::Tls => 1,
        }
    }
}

/// One test of an `acl`; `None` when it looks at something else.
type Test = Option<When>;

pub(super) fn read(ctx: &mut Ctx, access: &mut Access, line: &Line) {
    match line.keyword() {
        "acl" => {
            // What looks elsewhere is refused where it is used.
            let test = test(line.rest(2));
            access.acls.entry(line.get(1).to_owned()).or_default().push(test);
        }
        "use_backend" => route(ctx, access, line),
        _ => rule(ctx, access, line),
    }
}

fn route(ctx: &mut Ctx, access: &mut Access, line: &Line) {
    let Some(name) = line.words.get(1) else {
        return ctx.notes.refuse(line.span, "`use_backend` needs a name", "");
    };
    if !ctx.notes.work(access.cost(line.rest(2)), line.span) {
        return;
    }
    let when = match access.condition(line.rest(2)) {
        Some(when @ (When::Always | When::Never | When::Sni(_) | When::Ports(_))) => when,
        _ => {
            let words = "the backend can be chosen by port (dst_port) or TLS server name (req.ssl_sni) only";
            let help = "bytes pass as they come: HTTP, cookies and users are not looked at";
            return ctx.notes.refuse(line.span, words, help);
        }
    };
    if let When::Sni(names) = &when {
        for name in names.iter().filter(|name| name.value.starts_with('*')) {
            let words = format!(
                "`{}`: one label stands for the star here; names of more labels, which HAProxy's `end` takes \
                 as well, go on to the next rule",
                name.value
            );
            ctx.notes.change(name.span, words);
        }
    }
    let backend = At::new(name.text.clone(), name.span);
    access.routes.push(Route { backend, when });
}

/// `tcp-request connection reject if …`
fn rule(ctx: &mut Ctx, access: &mut Access, line: &Line) {
    let (phase, action) = (line.get(1), line.get(2));
    if phase == "inspect-delay" {
        return ctx
            .notes
            .drop(line.span, "a server name in TLS is waited for as long as a handshake may take");
    }
    if !matches!(phase, "connection" | "content" | "session") {
        let words = format!("`tcp-request {}` is not known", words::shorten(phase));
        return ctx.notes.refuse(line.span, words, "there are connection, content and session");
    }
    let action_name = action.split('(').next().unwrap_or_default();
    if matches!(action_name, "set-var" | "set-var-fmt" | "unset-var" | "capture")
        || action_name.starts_with("track-sc")
        || action_name.starts_with("sc-")
    {
        return ctx.notes.drop(line.span, "nothing here looks at what this notes");
    }
    let rejects = match action {
        "accept" => false,
        "reject" | "silent-drop" => true,
        _ => {
            let words =
                format!("`tcp-request {phase} {}` is not possible here", words::shorten(action));
            let help = "clients can be accepted or rejected by their address (src)";
            return ctx.notes.refuse(line.span, words, help);
        }
    };
    if action == "silent-drop" {
        ctx.notes.change(line.span, "refused clients see their connection end");
    }
    if !ctx.notes.work(access.cost(line.rest(3)), line.span) {
        return;
    }
    let when = access.condition(line.rest(3));
    let phase = match phase {
        "connection" => 0,
        "session" => 1,
        _ => CONTENT,
    };
    if access.phases[phase].decided && when != Some(When::Never) {
        let words = "never reached: a rule above decides about everybody";
        ctx.notes.drop(line.span, words);
        return ctx.notes.warn(line.span, words, "put it before that rule");
    }
    if !access.phases[phase].apply(rejects, when) {
        let words = "this rule cannot be said as a list of allowed and a list of denied networks";
        let help = "clients can be accepted or rejected by their address (src); \
                    denied networks are looked at first";
        ctx.notes.refuse(line.span, words, help);
    }
}

impl Phase {
    /// Whether the rule fits into the two lists.
    fn apply(&mut self, rejects: bool, when: Option<When>) -> bool {
        let lists = &mut self.lists;
        // Whom an earlier line accepts, a later one does not reject; lists have no order.
        let in_order = self.accepted.is_empty() && !self.accepts_tls;
        match (rejects, when) {
            (_, Some(When::Never)) => true,
            (false, Some(When::Always)) => {
                self.decided = true;
                true
            }
            // Peeking at the server name needs no permission.
            (false, Some(When::Tls)) => {
                self.accepts_tls = true;
                true
            }
            (false, Some(When::Src { networks, negated: false })) => {
                self.accepted.extend(networks);
                true
            }
            (true, Some(When::Always)) => {
                let fits = !self.accepted.is_empty() && !self.accepts_tls && lists.allow.is_none();
                lists.allow.get_or_insert_with(|| self.accepted.clone());
                self.decided = true;
                fits
            }
            (true, Some(When::Src { networks, negated: false })) => {
                lists.deny.extend(networks);
                in_order
            }
            (true, Some(When::Src { mut networks, negated: true })) => {
                let fits = lists.allow.is_none() && !self.accepts_tls;
                networks.extend(self.accepted.iter().cloned());
                lists.allow.get_or_insert(networks);
                fits
            }
            _ => false,
        }
    }
}

impl Lists {
    /// Who passes both. `Err`: a rule whose networks would have to be cut with others.
    fn and(&mut self, other: &Self) -> Result<(), Span> {
        for network in &other.deny {
            if self.deny.iter().all(|known| known.value != network.value) {
                self.deny.push(network.clone());
            }
        }
        let Some(theirs) = &other.allow else { return Ok(()) };
        let Some(ours) = &self.allow else {
            self.allow = Some(theirs.clone());
            return Ok(());
        };
        let texts = |networks: &[At<String>]| -> BTreeSet<String> {
            networks.iter().map(|at| at.value.clone()).collect()
        };
        match theirs.first() {
            Some(first) if texts(ours) != texts(theirs) => Err(first.span),
            _ => Ok(()),
        }
    }
}

impl Access {
    /// Forgets what a section does not inherit from its `defaults`: rules stay, and come first.
    pub(super) fn begin_section(&mut self) {
        self.acls.clear();
        self.routes.clear();
    }

    /// How many networks an heir copies.
    pub(super) fn len(&self) -> usize {
        let of = |phase: &Phase| {
            let lists = &phase.lists;
            lists.allow.as_ref().map_or(0, Vec::len) + lists.deny.len() + phase.accepted.len()
        };
        self.phases.iter().map(of).sum()
    }

    /// Who gets in by the rules of a frontend and, where all its connections go there, by those of
    /// a backend.
    pub(super) fn lists(&self, backend: Option<&Self>) -> Result<Lists, Span> {
        let mut all = Lists::default();
        let theirs = backend.map(|access| &access.phases[CONTENT]);
        for phase in self.phases.iter().chain(theirs) {
            all.and(&phase.lists)?;
        }
        Ok(all)
    }

    /// A network that some rule of `content`, which a backend has, is about.
    pub(super) fn looks_at_clients(&self) -> Option<Span> {
        let lists = &self.phases[CONTENT].lists;
        lists.allow.iter().flatten().chain(&lists.deny).next().map(|at| at.span)
    }

    /// What looking at a condition takes: its tests are copied.
    fn cost(&self, words: &[Word]) -> usize {
        let tests = |word: &Word| {
            let named = self.acls.get(word.text.trim_start_matches('!'));
            named.map_or(1, |tests| tests.iter().flatten().map(When::len).sum::<usize>())
        };
        words.iter().map(tests).sum()
    }

    /// `if …` or `unless …`; nothing means always. `None`: cannot be said here.
    fn condition(&self, words: &[Word]) -> Option<When> {
        let Some((first, rest)) = words.split_first() else { return Some(When::Always) };
        let unless = match first.text.as_str() {
            "if" => false,
            "unless" => true,
            _ => return None,
        };
        let mut any: Option<When> = None;
        for terms in rest.split(|word| matches!(word.text.as_str(), "or" | "||")) {
            let all = self.terms(terms)?;
            any = Some(match any {
                None => all,
                Some(before) => either(before, all)?,
            });
        }
        let when = any?;
        if unless { negate(when) } else { Some(when) }
    }

    /// Terms that must all hold.
    fn terms(&self, words: &[Word]) -> Option<When> {
        let mut all = When::Always;
        let mut rest = words;
        while let Some((word, after)) = rest.split_first() {
            let mut text = word.text.as_str();
            let mut negated = false;
            rest = after;
            if text == "!" {
                negated = true;
                (text, rest) = (rest.first()?.text.as_str(), &rest[1..]);
            } else if let Some(bare) = text.strip_prefix('!') {
                (negated, text) = (true, bare);
            }
            let found = if text == "{" {
                let end = rest.iter().position(|word| word.text == "}")?;
                let found = test(&rest[..end])?;
                rest = &rest[end + 1..];
                found
            } else {
                self.named(text)?
            };
            let found = if negated { negate(found)? } else { found };
            all = both(all, found)?;
        }
        Some(all)
    }

    fn named(&self, name: &str) -> Option<When> {
        let Some(tests) = self.acls.get(name) else {
            return match name {
                "TRUE" | "WAIT_END" => Some(When::Always),
                "FALSE" => Some(When::Never),
                "LOCALHOST" => {
                    let networks = vec![At::new("127.0.0.0/8".to_owned(), Span::new(0, 0, 0))];
                    Some(When::Src { networks, negated: false })
                }
                _ => None,
            };
        };
        let mut any: Option<When> = None;
        for test in tests {
            let test = test.clone()?;
            any = Some(match any {
                None => test,
                Some(before) => either(before, test)?,
            });
        }
        any
    }
}

fn negate(when: When) -> Option<When> {
    match when {
        When::Always => Some(When::Never),
        When::Never => Some(When::Always),
        When::Src { networks, negated } => Some(When::Src { networks, negated: !negated }),
        _ => None,
    }
}

fn either(one: When, other: When) -> Option<When> {
    match (one, other) {
        (When::Always, _) | (_, When::Always) => Some(When::Always),
        (When::Never, when) | (when, When::Never) => Some(when),
        (When::Sni(mut names), When::Sni(more)) => {
            names.extend(more);
            Some(When::Sni(names))
        }
        (When::Ports(mut ports), When::Ports(more)) => {
            ports.extend(more);
            Some(When::Ports(ports))
        }
        (
            When::Src { mut networks, negated: false },
            When::Src { networks: more, negated: false },
        ) => {
            networks.extend(more);
            Some(When::Src { networks, negated: false })
        }
        (When::Tls, When::Tls) => Some(When::Tls),
        _ => None,
    }
}

fn both(one: When, other: When) -> Option<When> {
    match (one, other) {
        (When::Never, _) | (_, When::Never) => Some(When::Never),
        (When::Always, when) | (when, When::Always) => Some(when),
        // Only TLS has a server name.
        (When::Tls, when @ When::Sni(_)) | (when @ When::Sni(_), When::Tls) => Some(when),
        (When::Tls, When::Tls) => Some(When::Tls),
        // Not in one and not in the other.
        (
            When::Src { mut networks, negated: true },
            When::Src { networks: more, negated: true },
        ) => {
            networks.extend(more);
            Some(When::Src { networks, negated: true })
        }
        _ => None,
    }
}

/// `req.ssl_sni -i a.example.com`: what is looked at, flags, values.
fn test(words: &[Word]) -> Test {
    let (fetch, rest) = words.split_first()?;
    let mut method = "";
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        match word.text.as_str() {
            "-i" | "-n" | "-u" => {}
            "-m" => {
                at += 1;
                method = &rest.get(at)?.text;
            }
            "--" => {
                at += 1;
                break;
            }
            flag if flag.starts_with('-') => return None,
            _ => break,
        }
        at += 1;
    }
    let values = rest.get(at..)?;
    let fetch = fetch.text.trim_end_matches(",lower");
    match (fetch, method) {
        ("always_true", _) => Some(When::Always),
        ("always_false", _) => Some(When::Never),
        ("src", "" | "ip") if !values.is_empty() => {
            let network = |word: &Word| Some(At::new(network(&word.text)?, word.span));
            let networks: Option<Vec<_>> = values.iter().map(network).collect();
            Some(When::Src { networks: networks?, negated: false })
        }
        ("dst_port", "" | "int") => {
            let ports: Option<Vec<_>> = values.iter().map(|word| port_range(&word.text)).collect();
            ports.filter(|ports| !ports.is_empty()).map(When::Ports)
        }
        ("req.ssl_hello_type" | "req_ssl_hello_type", "" | "int") => {
            values.iter().all(|word| word.text == "1").then_some(When::Tls)
        }
        ("req.ssl_sni" | "req_ssl_sni", "" | "str" | "end")
        | ("req.ssl_sni_end" | "req_ssl_sni_end", "") => {
            let is_end = method == "end" || fetch.ends_with("_end");
            let name = |word: &Word| {
                let text = word.text.to_ascii_lowercase();
                let text = match (is_end, text.starts_with('.')) {
                    (false, _) => text,
                    (true, true) => format!("*{text}"),
                    (true, false) => return None,
                };
                Some(At::new(text, word.span))
            };
            let names: Option<Vec<_>> = values.iter().map(name).collect();
            names.filter(|names| !names.is_empty()).map(When::Sni)
        }
        _ => None,
    }
}

/// `10.0.0.0/255.0.0.0` as `10.0.0.0/8`; nothing for a mask with holes.
fn network(text: &str) -> Option<String> {
    let parts = text.split_once('/').map(|(host, mask)| (host, mask.parse::<Ipv4Addr>()));
    let Some((host, Ok(mask))) = parts else { return Some(text.to_owned()) };
    let ones = mask.to_bits().leading_ones();
    (ones == mask.to_bits().count_ones()).then(|| format!("{host}/{ones}"))
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}
