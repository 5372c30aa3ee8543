//! What a probe asks: `option httpchk`, `option tcp-check` and their rules.

use super::lexer::Word;
use super::parser::Line;
use super::{Ctx, bind, words};
use crate::files::{At, Span};

#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    /// `option httpchk`
    pub(super) http: Option<Span>,
    pub(super) path: Option<At<String>>,
    pub(super) host: Option<At<String>>,
    /// As the native `status` has them.
    pub(super) status: Vec<(String, Span)>,
    pub(super) port: Option<At<u64>>,
    /// `option ssl-hello-chk`
    pub(super) tls: Option<Span>,
    /// `tcp-check connect` and its like.
    pub(super) connect: Option<Connect>,
}

/// How a rule connects; without such a rule, as the server's line says.
#[derive(Debug, Clone)]
pub(super) struct Connect {
    pub(super) ssl: bool,
    /// As the server's line says, too.
    pub(super) default: bool,
    pub(super) span: Span,
    /// From `defaults`; a rule of the proxy's own takes its place.
    inherited: bool,
}

impl Health {
    /// `option httpchk GET /healthz` and its like; `at` is the index of the name.
    pub(super) fn option(&mut self, ctx: &mut Ctx, line: &Line, at: usize, on: bool) {
        match line.get(at) {
            "httpchk" => {
                self.http = Some(line.span).filter(|_| on);
                self.http_option(ctx, line, at);
            }
            // Only its rules make it more than a probe that connects.
            "tcp-check" => self.http = self.http.filter(|_| !on),
            "ssl-hello-chk" => {
                self.tls = Some(line.span).filter(|_| on);
                ctx.notes.change(
                    line.span,
                    "the probe makes a whole TLS handshake, of version 1.2 or 1.3",
                );
            }
            other => {
                let words = format!("`option {other}` asks what a coordinator does not know");
                let help = "`option tcp-check` connects; docs/health.md has probes for Impala";
                ctx.notes.refuse(line.span, words, help);
            }
        }
    }

    /// `[METHOD] PATH [VERSION]`; one word alone is the path.
    fn http_option(&mut self, ctx: &mut Ctx, line: &Line, at: usize) {
        let args = line.rest(at + 1);
        let (method, path) = match args {
            [] => ("OPTIONS", None),
            [path] => ("OPTIONS", Some(path)),
            [method, path, ..] => (method.text.as_str(), Some(path)),
        };
        if method != "GET" {
            ctx.notes.change(line.span, format!("probes ask with GET, not {method}"));
        }
        self.path = path.map(|path| At::new(path.text.clone(), path.span));
        // The old way to send headers: all in one word.
        let version: String = args.iter().skip(2).map(|word| word.text.as_str()).collect();
        if let Some((_, host)) = version.split_once("Host:") {
            let host = host.split(['\r', '\n']).next().unwrap_or_default().trim();
            self.host = Some(At::new(host.to_owned(), line.span));
        }
    }

    /// `http-check …` and `tcp-check …`
    pub(super) fn rule(&mut self, ctx: &mut Ctx, line: &Line) {
        let mut args = bind::Args { line, next: 2 };
        match (line.keyword(), line.get(1)) {
            ("tcp-check" | "http-check", "connect") => self.connect(ctx, line, &mut args),
            ("http-check", "send") => {
                while let Some(word) = args.next() {
                    match word.text.as_str() {
                        "meth" => {
                            if let Some(value) = args.value(ctx, word).filter(|v| v.text != "GET") {
                                let words = format!(
                                    "probes ask with GET, not {}",
                                    words::shorten(&value.text)
                                );
                                ctx.notes.change(value.span, words);
                            }
                        }
                        "uri" => self.path = args.text(ctx, word),
                        "ver" => args.next += 1,
                        "hdr" => {
                            let name = args.next().map(|word| word.text.to_ascii_lowercase());
                            let value = args.text(ctx, word);
                            if name.as_deref() == Some("host") {
                                self.host = value;
                            } else {
                                ctx.notes
                                    .change(word.span, "probes send no other header than Host");
                            }
                        }
                        other => skip(ctx, word, other, &mut args),
                    }
                }
            }
            ("http-check", "expect") => self.expect(ctx, line, &mut args),
            ("http-check", "disable-on-404" | "send-state") => {
                ctx.notes
                    .change(line.span, "a draining coordinator is told by the monitor `healthz`");
            }
            ("tcp-check" | "http-check", "comment" | "set-var" | "unset-var") => {
                ctx.notes.drop(line.span, "for people");
            }
            ("tcp-check", "send" | "send-binary" | "send-lf" | "send-binary-lf" | "expect") => {
                let words = "the probe connects and says nothing";
                ctx.notes.change(line.span, words);
                let help = "the monitors `hs2` and `beeswax` log in and ask; see docs/health.md";
                ctx.notes.warn(line.span, words, help);
            }
            _ => {
                let words = "probes follow no such script here";
                ctx.notes.refuse(line.span, words, "docs/health.md has probes for Impala");
            }
        }
    }

    fn connect(&mut self, ctx: &mut Ctx, line: &Line, args: &mut bind::Args<'_>) {
        if self.connect.as_ref().is_some_and(|first| !first.inherited) {
            let words = "a probe makes one connection, and HAProxy's would make another";
            let help = "leave one line, for the port that tells most; docs/health.md has probes for Impala";
            return ctx.notes.refuse(line.span, words, help);
        }
        self.port = None;
        let mut connect = Connect { ssl: false, default: false, span: line.span, inherited: false };
        while let Some(word) = args.next() {
            match word.text.as_str() {
                "port" => self.port = args.number(ctx, word),
                "ssl" => connect.ssl = true,
                "default" => connect.default = true,
                "linger" => {}
                other => skip(ctx, word, other, args),
            }
        }
        self.connect = Some(connect);
    }

    pub(super) fn begin_section(&mut self) {
        if let Some(connect) = &mut self.connect {
            connect.inherited = true;
        }
    }

    fn expect(&mut self, ctx: &mut Ctx, line: &Line, args: &mut bind::Args<'_>) {
        let mut negated = false;
        while let Some(word) = args.next() {
            match word.text.as_str() {
                "!" => negated = true,
                "status" => {
                    let Some(value) = args.value(ctx, word) else { return };
                    self.status =
                        value.text.split(',').map(|part| (part.to_owned(), value.span)).collect();
                }
                "rstatus" | "string" | "rstring" | "hdr" | "fhdr" => {
                    args.next();
                    let words = "an answer passes by its status";
                    let help = "write `http-check expect status 200-399`";
                    ctx.notes.refuse(word.span, words, help);
                    return;
                }
                _ => args.next += 1,
            }
        }
        if negated {
            let words = "statuses that pass are listed";
            ctx.notes.refuse(line.span, words, "write `http-check expect status 200-399`");
        }
    }
}

/// Something that takes a value and cannot be said here.
fn skip(ctx: &mut Ctx, word: &Word, keyword: &str, args: &mut bind::Args<'_>) {
    let flag = matches!(keyword, "send-proxy" | "via-socks4");
    if !flag {
        args.next();
    }
    ctx.notes.change(word.span, format!("probes without `{}`", words::shorten(keyword)));
}
