//! The `global` section.

use std::net::IpAddr;
use std::time::Duration;

use super::bind;
use super::lexer::Word;
use super::parser::{Line, Section};
use super::{Ctx, stats, words};
use crate::files::{At, Span};

#[derive(Debug, Default)]
pub(super) struct Global {
    pub(super) span: Option<Span>,
    pub(super) maxconn: Option<At<u64>>,
    pub(super) user: Option<At<String>>,
    pub(super) group: Option<At<String>>,
    pub(super) chroot: Option<At<String>>,
    pub(super) pidfile: Option<At<String>>,
    pub(super) threads: Option<At<u64>>,
    pub(super) drain_timeout: Option<At<Duration>>,
    pub(super) logs: Vec<LogTarget>,
    pub(super) sockets: Vec<stats::Socket>,
    pub(super) ca_base: Option<String>,
    pub(super) crt_base: Option<String>,
    pub(super) bind_min: Option<At<&'static str>>,
    pub(super) bind_max: Option<At<&'static str>>,
    pub(super) server_min: Option<At<&'static str>>,
    pub(super) server_max: Option<At<&'static str>>,
    pub(super) no_tickets: Option<Span>,
    /// `ssl-server-verify none`
    pub(super) no_verify: Option<Span>,
}

/// `log ADDRESS FACILITY [LEVEL]`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LogTarget {
    pub(super) to: String,
    pub(super) facility: Option<String>,
    pub(super) level: Option<String>,
    pub(super) protocol: Option<&'static str>,
    pub(super) span: Span,
}

impl Global {
    pub(super) fn read(&mut self, ctx: &mut Ctx, section: &Section) {
        self.span.get_or_insert(section.head.span);
        for line in &section.lines {
            self.line(ctx, line);
        }
    }

    fn line(&mut self, ctx: &mut Ctx, line: &Line) {
        let text = || line.words.get(1).map(|word| At::new(word.text.clone(), word.span));
        match line.keyword() {
            "maxconn" => self.maxconn = value(ctx, line).filter(|at| at.value > 0),
            "nbthread" => self.threads = value(ctx, line),
            "nbproc" => {
                let words = "one process serves all; `nbthread` says how many threads it has";
                ctx.notes.change(line.span, words);
            }
            "user" => self.user = text(),
            "group" => self.group = text(),
            "uid" | "gid" => {
                let name = if line.keyword() == "uid" { "user" } else { "group" };
                let words = format!("a {name} is known by name here");
                ctx.notes.refuse(line.span, words, format!("write `{name} NAME`"));
            }
            "chroot" => self.chroot = text(),
            "pidfile" => self.pidfile = text(),
            "daemon" => ctx.notes.drop(line.span, "it stays in the foreground; systemd starts it"),
            "hard-stop-after" => self.drain_timeout = time(ctx, line),
            "log" => self.logs.extend(log(ctx, line)),
            "stats" => self.sockets.extend(stats::socket(ctx, line)),
            "ca-base" => self.ca_base = text().map(|at| at.value),
            "crt-base" => self.crt_base = text().map(|at| at.value),
            "ssl-server-verify" => {
                self.no_verify = Some(line.span).filter(|_| line.get(1) == "none");
            }
            "ssl-default-bind-options" => self.tls_options(ctx, line, true),
            "ssl-default-server-options" => self.tls_options(ctx, line, false),
            "ssl-default-bind-ciphersuites" | "ssl-default-server-ciphersuites" => {
                ctx.notes.drop(line.span, "the suites of TLS 1.3 are all good");
            }
            "maxconnrate" | "maxsessrate" | "maxsslrate" | "maxsslconn" => {
                let words = "rates of connections are not limited";
                ctx.notes.change(line.span, words);
            }
            "numa" => ctx.notes.drop(line.span, ""),
            keyword => match words::reason(words::GLOBAL, keyword) {
                Some(reason) => ctx.notes.drop(line.span, reason),
                None => {
                    let known = GLOBAL_WORDS.iter().copied();
                    let help = words::did_you_mean(keyword, known);
                    let shown = words::shorten(keyword);
                    let words = format!("`{shown}` is no keyword of `global`");
                    ctx.notes.refuse(line.words[0].span, words, help);
                }
            },
        }
        if line.words.len() == 1
            && matches!(
                line.keyword(),
                "user" | "group" | "chroot" | "pidfile" | "ca-base" | "crt-base"
            )
        {
            let words = format!("`{}` needs a value", line.keyword());
            ctx.notes.refuse(line.span, words, "");
        }
    }

    fn tls_options(&mut self, ctx: &mut Ctx, line: &Line, for_bind: bool) {
        let mut args = bind::Args { line, next: 1 };
        while let Some(word) = args.next() {
            let (min, max) = match for_bind {
                true => (&mut self.bind_min, &mut self.bind_max),
                false => (&mut self.server_min, &mut self.server_max),
            };
            match word.text.as_str() {
                "ssl-min-ver" => *min = bind::version(ctx, word, &mut args),
                "ssl-max-ver" => *max = bind::version(ctx, word, &mut args),
                "no-tlsv12" | "force-tlsv13" => *min = Some(At::new("1.3", word.span)),
                "no-tlsv13" => *max = Some(At::new("1.2", word.span)),
                "force-tlsv12" => {
                    (*min, *max) =
                        (Some(At::new("1.2", word.span)), Some(At::new("1.2", word.span)));
                }
                "no-tls-tickets" if for_bind => self.no_tickets = Some(word.span),
                other => {
                    let words =
                        format!("without `{}`: it needs no saying here", words::shorten(other));
                    ctx.notes.change(word.span, words);
                }
            }
        }
    }
}

const GLOBAL_WORDS: &[&str] = &[
    "maxconn",
    "nbthread",
    "user",
    "group",
    "chroot",
    "pidfile",
    "daemon",
    "log",
    "stats",
    "ca-base",
    "crt-base",
    "hard-stop-after",
    "ssl-server-verify",
    "ssl-default-bind-options",
    "ssl-default-bind-ciphers",
    "ulimit-n",
    "description",
    "node",
    "setenv",
    "presetenv",
    "unsetenv",
    "resetenv",
];

/// The number that a keyword needs.
pub(super) fn value(ctx: &mut Ctx, line: &Line) -> Option<At<u64>> {
    match line.words.get(1) {
        Some(word) => bind::number(ctx, word, line.keyword()),
        None => {
            ctx.notes.refuse(line.span, format!("`{}` needs a number", line.keyword()), "");
            None
        }
    }
}

/// The time that a keyword needs.
pub(super) fn time(ctx: &mut Ctx, line: &Line) -> Option<At<Duration>> {
    match line.words.get(1) {
        Some(word) => bind::time(ctx, word, line.keyword()),
        None => {
            ctx.notes.refuse(line.span, format!("`{}` needs a time", line.keyword()), "");
            None
        }
    }
}

const LEVELS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// `log global` and `no log` are the proxies' business.
pub(super) fn log(ctx: &mut Ctx, line: &Line) -> Option<LogTarget> {
    let address = line.words.get(1)?;
    let (to, is_syslog) =
        Some(address).filter(|word| !word.is_broken).and_then(|word| log_address(ctx, word))?;
    let mut target = LogTarget { to, facility: None, level: None, protocol: None, span: line.span };
    let mut args = bind::Args { line, next: 2 };
    while let Some(word) = args.next() {
        match word.text.as_str() {
            "len" => {
                args.next();
                ctx.notes.change(word.span, "lines have the length they have");
            }
            "format" => match args.value(ctx, word).map(|value| value.text.as_str()) {
                Some("rfc5424") => target.protocol = Some("rfc5424"),
                Some("rfc3164" | "local" | "raw" | "short" | "timed" | "iso" | "priority")
                | None => {}
                Some(other) => {
                    let words = format!("`{}` is no format of lines", words::shorten(other));
                    ctx.notes.refuse(word.span, words, "there are rfc3164, rfc5424, raw");
                }
            },
            "sample" | "profile" => {
                args.next();
                ctx.notes
                    .change(word.span, format!("without `{}`: all lines are written", word.text));
            }
            facility if target.facility.is_none() => {
                target.facility = Some(facility.to_owned()).filter(|_| is_syslog);
                target.level = args.next().and_then(|word| level(ctx, word));
                if let Some(least) = args.next() {
                    if LEVELS.contains(&least.text.as_str()) {
                        let words = "more urgent lines keep their urgency";
                        ctx.notes.change(least.span, words);
                    } else {
                        args.next -= 1;
                    }
                }
                if !FACILITIES.contains(&facility) {
                    let words = format!("`{}` is no facility", words::shorten(facility));
                    ctx.notes.refuse(word.span, words, "such as local0");
                }
            }
            other => {
                let words = format!("`{}` has no place here", words::shorten(other));
                ctx.notes.refuse(word.span, words, "log ADDRESS FACILITY [LEVEL]");
            }
        }
    }
    Some(target)
}

const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2",
    "ftp", "ntp", "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

fn level(ctx: &mut Ctx, word: &Word) -> Option<String> {
    if !LEVELS.contains(&word.text.as_str()) {
        let words = format!("`{}` is no level", words::shorten(&word.text));
        ctx.notes.refuse(word.span, words, LEVELS.join(", "));
        return None;
    }
    Some(word.text.clone())
}

/// As the native `to` has it, and whether that speaks syslog.
fn log_address(ctx: &mut Ctx, word: &Word) -> Option<(String, bool)> {
    let text = word.text.as_str();
    if matches!(text, "stdout" | "stderr") || text == "fd@1" || text == "fd@2" {
        let name = if matches!(text, "stderr" | "fd@2") { "stderr" } else { "stdout" };
        return Some((name.to_owned(), false));
    }
    let (family, rest) = text.split_once('@').unwrap_or(("", text));
    if rest.starts_with('/') && matches!(family, "" | "unix" | "uxdg" | "uxst") {
        return Some((format!("unix:{rest}"), true));
    }
    let mut refuse = |words: String, help: &str| {
        ctx.notes.refuse(word.span, words, help);
        None
    };
    if !matches!(family, "" | "ipv4" | "ipv6" | "udp" | "udp4" | "udp6" | "tcp" | "tcp4" | "tcp6") {
        return refuse(
            format!("`{family}@` is no place for log lines"),
            "udp, tcp, /dev/log, stdout",
        );
    }
    let transport = if family.starts_with("tcp") { "tcp" } else { "udp" };
    let (host, port) = match rest.parse::<IpAddr>() {
        Ok(_) => (rest, ""),
        Err(_) => rest.rsplit_once(':').unwrap_or((rest, "")),
    };
    let host = host.trim_matches(['[', ']']);
    let Ok(ip) = host.parse::<IpAddr>() else {
        let words = format!("log server `{}` is no IP address", words::shorten(host));
        return refuse(words, "names of log servers are not looked up: write the address");
    };
    let port = match port {
        "" | "514" => String::new(),
        port if port.parse::<u16>().is_ok_and(|port| port > 0) => format!(":{port}"),
        port => return refuse(format!("`{}` is no port", words::shorten(port)), ""),
    };
    match ip {
        IpAddr::V6(ip) => Some((format!("{transport}:[{ip}]{port}"), true)),
        IpAddr::V4(ip) => Some((format!("{transport}:{ip}{port}"), true)),
    }
}
