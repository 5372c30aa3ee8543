//! `option NAME` and `no option NAME`.

use std::time::Duration;

use super::health::Health;
use super::parser::Line;
use super::{Ctx, bind, words};
use crate::files::{At, Span};

#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) redispatch: Option<Span>,
    pub(super) dontlognull: Option<Span>,
    pub(super) log: Option<Span>,
    pub(super) client_keepalive: Keepalive,
    pub(super) server_keepalive: Keepalive,
    pub(super) allbackups: bool,
}

/// TCP keep-alive toward one side; all numbers are the system's when not written.
#[derive(Debug, Clone, Default)]
pub(super) struct Keepalive {
    pub(super) on: Option<Span>,
    pub(super) idle: Option<At<Duration>>,
    pub(super) interval: Option<At<Duration>>,
    pub(super) count: Option<At<u64>>,
}

impl Keepalive {
    /// `clitcpka-idle 60s` and its like.
    pub(super) fn read(&mut self, ctx: &mut Ctx, line: &Line) {
        let Some(word) = line.words.get(1) else {
            ctx.notes.refuse(line.span, format!("`{}` needs a value", line.keyword()), "");
            return;
        };
        match line.keyword().rsplit('-').next() {
            Some("cnt") => self.count = bind::number(ctx, word, line.keyword()),
            Some("intvl") => self.interval = bind::time(ctx, word, line.keyword()),
            _ => self.idle = bind::time(ctx, word, line.keyword()),
        }
    }
}

impl Options {
    /// `at` is the index of the option's name.
    pub(super) fn read(
        &mut self,
        ctx: &mut Ctx,
        line: &Line,
        at: usize,
        on: bool,
        health: &mut Health,
    ) {
        let span = Some(line.span).filter(|_| on);
        match line.get(at) {
            "redispatch" => {
                self.redispatch = span.filter(|_| line.get(at + 1) != "0");
                if self.redispatch.is_some() {
                    ctx.notes.change(line.span, "further attempts go to another member at once");
                }
            }
            "dontlognull" => {
                self.dontlognull = span;
                if on {
                    ctx.notes.change(line.span, "for all virtual servers together");
                }
            }
            "tcplog" => self.log = span,
            "httplog" => {
                self.log = span;
                ctx.notes
                    .change(line.span, "the access record is HAProxy's tcplog, field by field");
            }
            "tcpka" => {
                (self.client_keepalive.on, self.server_keepalive.on) = (span, span);
                keepalive(ctx, line, on);
            }
            "clitcpka" => {
                self.client_keepalive.on = span;
                keepalive(ctx, line, on);
            }
            "srvtcpka" => {
                self.server_keepalive.on = span;
                keepalive(ctx, line, on);
            }
            "allbackups" => {
                self.allbackups = on;
            }
            "forwardfor" => {
                ctx.notes.drop(
                    line.span,
                    "coordinators see the gateway's address; no header tells the client's",
                );
            }
            "httpchk" | "tcp-check" | "ssl-hello-chk" | "smtpchk" | "mysql-check"
            | "pgsql-check" | "redis-check" | "ldap-check" | "spop-check" | "external-check" => {
                health.option(ctx, line, at, on)
            }
            "http_proxy" | "http-use-htx" | "transparent" | "persist" => {
                if on && line.get(at) != "http-use-htx" {
                    let words =
                        format!("`option {}` would send connections another way", line.get(at));
                    let help = "connections go to a member of their pool";
                    ctx.notes.refuse(line.span, words, help);
                } else {
                    ctx.notes.drop(line.span, "");
                }
            }
            "" => ctx.notes.refuse(line.span, "`option` needs a name", ""),
            other => match words::reason(words::OPTION, other) {
                Some(reason) => ctx.notes.drop(line.span, reason),
                None => {
                    let help = words::did_you_mean(other, OPTION_WORDS.iter().copied());
                    let words = format!("`option {}` is not known", words::shorten(other));
                    ctx.notes.refuse(line.at(at), words, help);
                }
            },
        }
    }
}

/// Keep-alive is on by default here, which HAProxy's is not.
fn keepalive(ctx: &mut Ctx, line: &Line, on: bool) {
    let words = match on {
        true => "keep-alive is on anyway, and asks after 60 s unless told otherwise",
        false => "keep-alive stays on, so that firewalls do not forget quiet connections",
    };
    ctx.notes.change(line.span, words);
}

const OPTION_WORDS: &[&str] = &[
    "redispatch",
    "dontlognull",
    "tcplog",
    "httplog",
    "tcpka",
    "clitcpka",
    "srvtcpka",
    "allbackups",
    "forwardfor",
    "httpchk",
    "tcp-check",
    "ssl-hello-chk",
    "http-server-close",
    "httpclose",
    "log-health-checks",
    "nolinger",
    "dontlog-normal",
    "abortonclose",
    "splice-auto",
];
