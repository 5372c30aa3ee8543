//! `stats …`: in a proxy HAProxy's page, in `global` its socket for commands.

use super::lexer::Word;
use super::parser::Line;
use super::{Ctx, bind, words};
use crate::files::{At, Span};

#[derive(Debug, Clone, Default)]
pub(super) struct Stats {
    /// Any of `stats enable`, `uri`, `auth` and others switches it on.
    pub(super) on: Option<Span>,
    pub(super) uri: Option<At<String>>,
    /// Names and passwords.
    pub(super) users: Vec<(String, String, Span)>,
    /// Who may change states: always, only from this host, or by conditions of other kinds.
    pub(super) admin: Option<At<Who>>,
    /// Lines that say how the page looks or what else it does, with their word.
    pub(super) others: Vec<(String, Span)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Everybody,
    ThisHost,
    SomeRule,
}

/// `stats socket PATH`
#[derive(Debug, Clone)]
pub(super) struct Socket {
    pub(super) path: At<String>,
    /// In our words, which are HAProxy's.
    pub(super) level: Option<At<&'static str>>,
}

impl Stats {
    pub(super) fn read(&mut self, ctx: &mut Ctx, line: &Line) {
        let word = line.get(1);
        match word {
            "enable" => self.on = Some(line.span),
            "uri" => {
                let Some(uri) = line.words.get(2) else {
                    ctx.notes.refuse(line.span, "`stats uri` needs a path", "");
                    return;
                };
                self.uri = Some(At::new(uri.text.clone(), line.span));
            }
            "auth" => self.user(ctx, line),
            "admin" => self.admin = Some(At::new(who(line), line.span)),
            "refresh" | "realm" | "hide-version" | "scope" | "show-desc" | "show-legends"
            | "show-node" | "show-modules" | "http-request" => {
                self.others.push((word.to_owned(), line.span));
            }
            "socket" | "timeout" => {
                ctx.notes.refuse(line.span, format!("`stats {word}` belongs in `global`"), "");
                return;
            }
            _ => {
                let known = ["enable", "uri", "auth", "refresh", "admin", "realm", "hide-version"];
                let help = words::did_you_mean(word, known.into_iter());
                let shown = words::shorten(word);
                ctx.notes.refuse(line.span, format!("`stats {shown}` is not known"), help);
                return;
            }
        }
        self.on.get_or_insert(line.span);
    }

    fn user(&mut self, ctx: &mut Ctx, line: &Line) {
        let given = line.words.get(2).and_then(|word: &Word| word.text.split_once(':'));
        let Some((name, password)) = given.filter(|(_, password)| !password.is_empty()) else {
            ctx.notes.refuse(line.span, "`stats auth` needs USER:PASSWORD", "");
            return;
        };
        let help = "whoever reads this file can use it; a native file may have the hash of it";
        ctx.notes.warn(line.at(1), "a password in clear text", help);
        self.users.push((name.to_owned(), password.to_owned(), line.span));
    }

    /// Of every line.
    pub(super) fn spans(&self) -> Vec<Span> {
        let one = |at: Option<Span>| at.into_iter();
        one(self.on)
            .chain(one(self.uri.as_ref().map(|at| at.span)))
            .chain(self.users.iter().map(|(.., span)| *span))
            .chain(one(self.admin.as_ref().map(|at| at.span)))
            .chain(self.others.iter().map(|(_, span)| *span))
            .collect()
    }
}

fn who(line: &Line) -> Who {
    let words: Vec<&str> = line.rest(2).iter().map(|word| word.text.as_str()).collect();
    match words.as_slice() {
        ["if", "TRUE"] | ["unless", "FALSE"] => Who::Everybody,
        ["if", "LOCALHOST"] => Who::ThisHost,
        _ => Who::SomeRule,
    }
}

/// `stats …` in `global`: the run-time interface.
pub(super) fn socket(ctx: &mut Ctx, line: &Line) -> Option<Socket> {
    match line.get(1) {
        "socket" => {}
        "timeout" | "maxconn" | "bind-process" => {
            ctx.notes.drop(line.span, "the socket has limits of its own");
            return None;
        }
        other => {
            let words = format!("`stats {}` is not possible in `global`", words::shorten(other));
            ctx.notes.refuse(line.span, words, "there are socket, timeout and maxconn");
            return None;
        }
    }
    let Some(address) = line.words.get(2) else {
        ctx.notes.refuse(line.span, "`stats socket` needs a path", "");
        return None;
    };
    let path = address.text.strip_prefix("unix@").unwrap_or(&address.text);
    if !path.starts_with('/') {
        let words = "commands are not taken over TCP, and scripts that use this address find nobody: write \
                     `stats socket /run/haproxy/admin.sock level operator`, and tell them that path";
        ctx.notes.change(line.span, words);
        return None;
    }
    let mut socket = Socket { path: At::new(path.to_owned(), line.span), level: None };
    let mut args = bind::Args { line, next: 3 };
    while let Some(word) = args.next() {
        match word.text.as_str() {
            "level" => socket.level = level(ctx, &mut args, word),
            "mode" | "user" | "uid" | "group" | "gid" => {
                let value = args.next();
                if !(word.text == "mode" && value.is_some_and(|mode| is_660(&mode.text))) {
                    let words = "its mode is 0660, and its owner is [process]'s user and group";
                    ctx.notes.change(line.span, words);
                }
            }
            "expose-fd" | "name" | "process" | "backlog" | "maxconn" | "nice" => drop(args.next()),
            _ => {}
        }
    }
    Some(socket)
}

fn is_660(mode: &str) -> bool {
    mode.trim_start_matches('0') == "660"
}

fn level(ctx: &mut Ctx, args: &mut bind::Args<'_>, word: &Word) -> Option<At<&'static str>> {
    let found = args.next();
    match found.map(|value| value.text.as_str()) {
        Some("user") => Some(At::new("user", word.span)),
        Some("operator") => Some(At::new("operator", word.span)),
        Some("admin") => Some(At::new("admin", word.span)),
        _ => {
            let words = "`level` is one of user, operator and admin";
            ctx.notes.refuse(word.span, words, "");
            None
        }
    }
}
