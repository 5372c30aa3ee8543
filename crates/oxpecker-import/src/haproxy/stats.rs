//! `stats …` in a proxy: HAProxy's page.

use super::lexer::Word;
use super::parser::Line;
use super::{Ctx, words};
use crate::files::Span;

#[derive(Debug, Clone, Default)]
pub(super) struct Stats {
    /// Any of `stats enable`, `uri`, `auth` and others switches it on.
    pub(super) on: Option<Span>,
    /// Lines that say more than `enable`, with their word.
    pub(super) lines: Vec<(String, Span)>,
}

impl Stats {
    pub(super) fn read(&mut self, ctx: &mut Ctx, line: &Line) {
        let word = line.get(1);
        match word {
            "enable" | "uri" | "auth" | "refresh" | "admin" | "realm" | "hide-version"
            | "scope" | "show-desc" | "show-legends" | "show-node" | "show-modules"
            | "http-request" => {
                self.on.get_or_insert(line.span);
                self.lines.push((word.to_owned(), line.span));
            }
            "socket" | "timeout" => {
                ctx.notes.refuse(line.span, format!("`stats {word}` belongs in `global`"), "");
            }
            _ => {
                let known = ["enable", "uri", "auth", "refresh", "admin", "realm", "hide-version"];
                let help = words::did_you_mean(word, known.into_iter());
                ctx.notes.refuse(
                    line.span,
                    format!("`stats {}` is not known", words::shorten(word)),
                    help,
                );
            }
        }
        if word == "auth" {
            let password = line.words.get(2);
            let good = password.is_some_and(|word: &Word| word.text.contains(':'));
            if good {
                let words = "a password in clear text";
                let help = "whoever reads this file can use it; keep others from reading it";
                ctx.notes.warn(line.at(1), words, help);
            } else {
                ctx.notes.refuse(line.span, "`stats auth` needs USER:PASSWORD", "");
            }
        }
    }
}
