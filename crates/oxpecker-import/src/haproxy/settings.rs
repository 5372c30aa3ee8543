//! What a proxy says: its own lines over those of its `defaults`. Each line is judged here, once.

use std::time::Duration;

use super::access::{self, Access};
use super::bind::{self, Bind};
use super::global::{self, Global, LogTarget};
use super::health::Health;
use super::lexer::Word;
use super::options::Options;
use super::parser::Line;
use super::server::{self, Server, ServerOptions, SourceAddress};
use super::stats::Stats;
use super::{Ctx, ProxyKind, words};
use crate::files::{At, Span};

/// Statements run longer than this; what is cut earlier is cut by mistake.
const SHORT_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Tcp,
    Http,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Balance {
    RoundRobin,
    LeastConnections,
    Source,
    Random,
    First,
}

/// `None` inside: never.
pub(super) type Timeout = Option<At<Option<Duration>>>;

#[derive(Debug, Clone, Default)]
pub(super) struct Timeouts {
    pub(super) connect: Timeout,
    pub(super) client: Timeout,
    pub(super) server: Timeout,
    pub(super) tunnel: Timeout,
    pub(super) queue: Timeout,
    pub(super) check: Timeout,
    pub(super) handshake: Timeout,
}

/// `stick-table` and `stick on`.
#[derive(Debug, Clone, Default)]
pub(super) struct Stick {
    pub(super) table: Option<Span>,
    pub(super) size: Option<At<u64>>,
    pub(super) expire: Option<At<Duration>>,
    pub(super) on_src: Option<Span>,
    pub(super) mask: Option<At<u64>>,
    /// The proxy whose table it is, when that is another one.
    pub(super) of: Option<At<String>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) mode: Option<At<Mode>>,
    pub(super) balance: Option<At<Balance>>,
    pub(super) maxconn: Option<At<u64>>,
    pub(super) backlog: Option<At<u64>>,
    pub(super) retries: Option<At<u64>>,
    pub(super) timeouts: Timeouts,
    pub(super) options: Options,
    pub(super) health: Health,
    pub(super) stats: Stats,
    pub(super) stick: Stick,
    pub(super) source: Option<SourceAddress>,
    pub(super) description: Option<At<String>>,
    pub(super) default_backend: Option<At<String>>,
    pub(super) default_server: ServerOptions,
    pub(super) log_global: bool,
    pub(super) logs: Vec<LogTarget>,
    pub(super) disabled: Option<Span>,
    /// Rules about HTTP, which only a page of statistics can do without.
    pub(super) http_rules: Vec<Span>,
    pub(super) access: Access,
    // What follows is never inherited.
    pub(super) binds: Vec<Bind>,
    pub(super) servers: Vec<Server>,
}

impl Settings {
    pub(super) fn is_http(&self) -> bool {
        self.mode.as_ref().is_some_and(|at| at.value == Mode::Http)
    }

    /// Lists that every heir copies.
    pub(super) fn inherited(&self) -> usize {
        self.logs.len()
            + self.access.len()
            + self.http_rules.len()
            + self.stats.users.len()
            + self.stats.others.len()
            + self.health.status.len()
    }

    /// Forgets what a section does not inherit.
    pub(super) fn begin_section(&mut self) {
        self.binds.clear();
        self.servers.clear();
        self.access.begin_section();
        self.health.begin_section();
    }

    /// `listen impala :25003`, as it was written until HAProxy 1.5.
    pub(super) fn listen_on(&mut self, ctx: &mut Ctx, address: &Word, _: &Global) {
        self.binds.insert(0, bind::bare(ctx, address));
    }

    /// Reads one line; `kind` is none in `defaults`.
    pub(super) fn read(
        &mut self,
        ctx: &mut Ctx,
        kind: Option<ProxyKind>,
        line: &Line,
        global: &Global,
    ) {
        let word = |ctx: &mut Ctx| {
            let found = line.words.get(1).map(|word| At::new(word.text.clone(), word.span));
            if found.is_none() {
                ctx.notes.refuse(line.span, format!("`{}` needs a value", line.keyword()), "");
            }
            found
        };
        if !allowed(ctx, kind, line) {
            return;
        }
        match line.keyword() {
            "mode" => self.mode(ctx, line),
            "balance" => self.balance(ctx, line),
            "hash-type" | "hash-balance-factor" | "hash-preserve-affinity" => {
                let words =
                    "`source-hash` is always consistent: when a member goes, only its clients move";
                ctx.notes.change(line.span, words);
            }
            "bind" => self.binds.extend(bind::read(ctx, line, global)),
            "server" => {
                self.servers.extend(server::read(ctx, line, &self.default_server, global));
            }
            "default-server" => {
                let mut args = bind::Args { line, next: 1 };
                server::read_options(ctx, &mut self.default_server, &mut args, global);
            }
            "server-template" => {
                let words = "members are written one by one";
                let help = "write a `server` line for each coordinator";
                ctx.notes.refuse(line.span, words, help);
            }
            "maxconn" => self.maxconn = global::value(ctx, line).filter(|at| at.value > 0),
            "backlog" => self.backlog = global::value(ctx, line),
            "retries" => self.retries = global::value(ctx, line),
            "timeout" => self.timeout(ctx, line),
            "contimeout" | "clitimeout" | "srvtimeout" => self.old_timeout(ctx, line),
            "option" => self.options.read(ctx, line, 1, true, &mut self.health),
            "no" if line.get(1) == "option" => {
                self.options.read(ctx, line, 2, false, &mut self.health);
            }
            "no" if line.get(1) == "log" => (self.log_global, self.logs) = (false, Vec::new()),
            "http-check" | "tcp-check" | "external-check" => self.health.rule(ctx, line),
            "log" if line.get(1) == "global" => self.log_global = true,
            "log" => {
                self.logs.extend(global::log(ctx, line));
                ctx.notes.change(line.span, "log targets are for all proxies together");
            }
            "log-format" | "log-format-sd" | "error-log-format" => {
                ctx.notes
                    .change(line.span, "the access record is HAProxy's tcplog, field by field");
            }
            "stats" => self.stats.read(ctx, line),
            "stick-table" => self.stick_table(ctx, line),
            "stick" => self.stick_on(ctx, line),
            "source" => {
                let mut args = bind::Args { line, next: 1 };
                self.source = server::source(ctx, &line.words[0], &mut args);
            }
            "default_backend" => self.default_backend = word(ctx),
            "acl" | "use_backend" | "tcp-request" | "block" => {
                access::read(ctx, &mut self.access, line)
            }
            "tcp-response" | "filter" | "dispatch" | "transparent" | "use-server"
            | "force-be-switch" => {
                let words = format!("`{}` would send connections another way", line.keyword());
                let help = "connections go to a member of their pool, and bytes pass as they come";
                ctx.notes.refuse(line.span, words, help);
            }
            "description" => self.description = text_of(line),
            "disabled" => self.disabled = Some(line.span),
            "enabled" => self.disabled = None,
            "clitcpka-idle" | "clitcpka-intvl" | "clitcpka-cnt" => {
                self.options.client_keepalive.read(ctx, line)
            }
            "srvtcpka-idle" | "srvtcpka-intvl" | "srvtcpka-cnt" => {
                self.options.server_keepalive.read(ctx, line)
            }
            "cookie" | "appsession" | "http-request" | "redirect" | "rewrite" | "reqrep"
            | "rsprep" | "reqdel" | "rspdel" | "reqirep" | "rspirep" | "capture"
            | "monitor-uri" | "monitor" | "dynamic-cookie-key" | "persist" => {
                self.http_rules.push(line.span)
            }
            keyword => match words::reason(words::PROXY, keyword) {
                Some(reason) => ctx.notes.drop(line.span, reason),
                None => {
                    let help = words::did_you_mean(keyword, PROXY_WORDS.iter().copied());
                    let shown = words::shorten(keyword);
                    let words = format!("`{shown}` is no keyword of proxies");
                    ctx.notes.refuse(line.words[0].span, words, help);
                }
            },
        }
    }

    fn mode(&mut self, ctx: &mut Ctx, line: &Line) {
        let mode = match line.get(1) {
            "tcp" => Mode::Tcp,
            "http" => Mode::Http,
            other => {
                let words = format!("mode `{}` is not possible here", words::shorten(other));
                ctx.notes.refuse(line.span, words, "there are tcp and http");
                return;
            }
        };
        self.mode = Some(At::new(mode, line.span));
    }

    fn balance(&mut self, ctx: &mut Ctx, line: &Line) {
        let word = line.get(1);
        let name = word.split('(').next().unwrap_or_default();
        let balance = match name {
            // Without a word: HAProxy's default.
            "" => {
                ctx.notes.change(
                    line.span,
                    "`balance` without a word, which HAProxy refuses, is roundrobin",
                );
                Balance::RoundRobin
            }
            "roundrobin" => Balance::RoundRobin,
            "static-rr" => {
                ctx.notes.change(line.span, "round-robin; weights may change while it runs");
                Balance::RoundRobin
            }
            "leastconn" => {
                let words = "`least-connections` with `scope = \"member\"`: HAProxy's leastconn counts each \
                             port of a host by itself. Without `scope` a host's connections over all pools \
                             count";
                let short = "`least-connections` with `scope = \"member\"`, as above";
                ctx.notes.explain(line.span, words, short);
                Balance::LeastConnections
            }
            "source" => {
                let words =
                    "`source-hash`, which is consistent: when a member goes, only its clients move";
                ctx.notes.explain(line.span, words, "`source-hash`, as above");
                Balance::Source
            }
            "random" => {
                if !matches!(word, "random" | "random(2)") {
                    ctx.notes
                        .change(line.span, "two members are drawn, and the less busy one is taken");
                }
                Balance::Random
            }
            "first" => {
                ctx.notes.change(
                    line.span,
                    "priorities: each member is a group of its own, in this order",
                );
                Balance::First
            }
            other => {
                let words =
                    format!("balancing by `{}` is not possible here", words::shorten(other));
                let help = "there are roundrobin, leastconn, source, random and first";
                ctx.notes.refuse(line.span, words, help);
                return;
            }
        };
        self.balance = Some(At::new(balance, line.span));
    }

    /// Without unit: milliseconds. 0: never.
    fn timeout(&mut self, ctx: &mut Ctx, line: &Line) {
        let name = line.get(1);
        let Some(value) = line.words.get(2) else {
            ctx.notes.refuse(line.span, "`timeout` needs a name and a time", "timeout client 1h");
            return;
        };
        let Some(time) = bind::time(ctx, value, &format!("timeout {name}")) else { return };
        let timeout = Some(At::new(Some(time.value).filter(|t| !t.is_zero()), line.span));
        let timeouts = &mut self.timeouts;
        match name {
            "connect" => timeouts.connect = timeout,
            "client" => timeouts.client = timeout,
            "server" => timeouts.server = timeout,
            "tunnel" => timeouts.tunnel = timeout,
            "queue" => timeouts.queue = timeout,
            "check" => timeouts.check = timeout,
            "client-hs" => timeouts.handshake = timeout,
            "client-fin" | "server-fin" => {
                let words = "half-closed connections have the timeouts of the others";
                ctx.notes.change(line.span, words);
                return;
            }
            "http-request" | "http-keep-alive" | "tarpit" => {
                ctx.notes.drop(line.span, "HTTP is not looked into: bytes pass as they come");
                return;
            }
            "clitimeout" | "contimeout" | "srvtimeout" => {
                ctx.notes.refuse(
                    line.span,
                    format!("`timeout {name}` is no timeout"),
                    "leave out `timeout`",
                );
                return;
            }
            other => {
                let known = ["connect", "client", "server", "tunnel", "queue", "check"];
                let help = words::did_you_mean(other, known.into_iter());
                let words = format!("`timeout {}` is not known", words::shorten(other));
                ctx.notes.refuse(line.at(1), words, help);
                return;
            }
        }
        if matches!(name, "client" | "server" | "tunnel") {
            short(ctx, line.span, time.value, &value.text);
        }
    }

    /// Words that HAProxy refuses since 2.1.
    fn old_timeout(&mut self, ctx: &mut Ctx, line: &Line) {
        let Some(time) = global::time(ctx, line) else { return };
        let timeout = Some(At::new(Some(time.value).filter(|t| !t.is_zero()), line.span));
        let name = match line.keyword() {
            "contimeout" => {
                self.timeouts.connect = timeout;
                "connect"
            }
            "clitimeout" => {
                self.timeouts.client = timeout;
                "client"
            }
            _ => {
                self.timeouts.server = timeout;
                "server"
            }
        };
        ctx.notes.change(
            line.span,
            format!("old word for `timeout {name}`, which HAProxy refuses since 2.1"),
        );
        if name != "connect" {
            short(ctx, line.span, time.value, line.get(1));
        }
    }

    fn stick_table(&mut self, ctx: &mut Ctx, line: &Line) {
        self.stick.table = Some(line.span);
        let mut args = bind::Args { line, next: 1 };
        while let Some(word) = args.next() {
            match word.text.as_str() {
                "type" => {
                    match args.value(ctx, word).map(|value| (value.text.as_str(), value.span)) {
                        Some(("ip" | "ipv6" | "ipv4", _)) | None => {}
                        Some((other, span)) => {
                            // Only what sticks by it is lost, and that is refused.
                            ctx.notes.change(
                                span,
                                format!("tables are of addresses, not of type {other}"),
                            );
                            if args.line.get(args.next) == "len" {
                                args.next += 2;
                            }
                        }
                    }
                }
                "size" => {
                    if let Some(value) = args.value(ctx, word) {
                        match super::units::size(&value.text).filter(|size| *size > 0) {
                            Some(size) => self.stick.size = Some(At::new(size, value.span)),
                            None => {
                                let words = format!("`{}` is no size", words::shorten(&value.text));
                                ctx.notes.refuse(value.span, words, "such as 200k");
                            }
                        }
                    }
                }
                "expire" => {
                    self.stick.expire = args.time(ctx, word).filter(|at| !at.value.is_zero())
                }
                "nopurge" | "peers" | "store" | "srvkey" | "write-to" | "recv-only"
                | "brates-factor" => {
                    if word.text != "nopurge" && word.text != "recv-only" {
                        args.next();
                    }
                    let reason = match word.text.as_str() {
                        "peers" | "write-to" => "the table is this process's alone",
                        "nopurge" => "the oldest entry goes when the table is full",
                        _ => "the table tells a client's member and nothing else",
                    };
                    ctx.notes.change(word.span, reason);
                }
                other => {
                    let words =
                        format!("`stick-table` option `{}` is not known", words::shorten(other));
                    ctx.notes.refuse(word.span, words, "type ip size 200k expire 1h");
                }
            }
        }
    }

    fn stick_on(&mut self, ctx: &mut Ctx, line: &Line) {
        let what = line.get(2);
        let mask = what.strip_prefix("src,ipmask(").and_then(|rest| rest.strip_suffix(')'));
        let mask = mask.and_then(|mask| mask.split(',').next()?.parse::<u64>().ok());
        if !matches!(line.get(1), "on" | "match" | "store-request")
            || !(what == "src" || mask.is_some())
        {
            let words = "clients can stick by their address only";
            ctx.notes.refuse(line.span, words, "write `stick on src`");
            return;
        }
        self.stick.mask = mask.map(|mask| At::new(mask, line.at(2)));
        self.stick.on_src = Some(line.span);
        let mut args = bind::Args { line, next: 3 };
        while let Some(word) = args.next() {
            match word.text.as_str() {
                "table" => {
                    self.stick.of = args.text(ctx, word);
                    let words = "each virtual server has a table of its own";
                    ctx.notes.change(word.span, words);
                }
                _ => {
                    let words = "clients stick always or never";
                    ctx.notes.refuse(word.span, words, "leave the condition out");
                    return;
                }
            }
        }
    }
}

/// A timeout in which no query of any size ends.
fn short(ctx: &mut Ctx, span: Span, time: Duration, written: &str) {
    if !time.is_zero() && time < SHORT_TIMEOUT {
        let shown = crate::native::show_duration(time);
        let words = format!("a query that takes longer than {shown} is cut while its client waits");
        let help = "make it as long as the longest query; 1h is usual";
        let help = match written.bytes().all(|b| b.is_ascii_digit()) {
            true => format!("a bare number is milliseconds: is {written}s meant? {help}"),
            false => help.to_owned(),
        };
        ctx.notes.warn(span, words, help);
    }
}

fn text_of(line: &Line) -> Option<At<String>> {
    let words: Vec<&str> = line.rest(1).iter().map(|word| word.text.as_str()).collect();
    Some(At::new(words.join(" "), line.span)).filter(|at| !at.value.is_empty())
}

/// Whether a keyword may stand in this kind of section at all.
fn allowed(ctx: &mut Ctx, kind: Option<ProxyKind>, line: &Line) -> bool {
    let Some(kind) = kind else {
        if matches!(line.keyword(), "bind" | "server" | "use_backend") {
            let words = format!("`{}` is not possible in `defaults`", line.keyword());
            ctx.notes.refuse(line.span, words, "put it into `listen`, `frontend` or `backend`");
            return false;
        }
        return true;
    };
    let good = match line.keyword() {
        "bind" | "default_backend" | "use_backend" => kind.accepts(),
        "server" | "server-template" => kind.has_servers(),
        "balance" | "stick" | "hash-type" | "retries" if !kind.has_servers() => {
            ctx.notes.drop(line.span, "this belongs to backends, and HAProxy ignores it here");
            return false;
        }
        _ => true,
    };
    if !good {
        let words = format!("`{}` is not possible in `{}`", line.keyword(), kind.as_str());
        let other = if kind.accepts() { "backend" } else { "frontend" };
        ctx.notes.refuse(line.span, words, format!("put it into `{other}` or `listen`"));
    }
    good
}

const PROXY_WORDS: &[&str] = &[
    "mode",
    "balance",
    "bind",
    "server",
    "default-server",
    "maxconn",
    "backlog",
    "retries",
    "timeout",
    "option",
    "log",
    "stats",
    "stick-table",
    "stick",
    "source",
    "default_backend",
    "use_backend",
    "acl",
    "tcp-request",
    "description",
    "disabled",
    "hash-type",
    "http-check",
    "tcp-check",
    "cookie",
    "http-request",
];
