//! `server NAME ADDRESS[:PORT] [OPTION…]` and `default-server`.

use std::net::IpAddr;
use std::time::Duration;

use super::bind::{self, Args};
use super::lexer::Word;
use super::parser::Line;
use super::{Ctx, SERVERS_MAX, global::Global, words};
use crate::files::{At, Span};

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) name: At<String>,
    /// An IP address or a host name.
    pub(super) host: At<String>,
    /// None: the port that the client connected to.
    pub(super) port: Option<u16>,
    pub(super) span: Span,
    pub(super) options: ServerOptions,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ServerOptions {
    pub(super) check: Option<At<bool>>,
    pub(super) inter: Option<At<Duration>>,
    pub(super) downinter: Option<At<Duration>>,
    pub(super) rise: Option<At<u64>>,
    pub(super) fall: Option<At<u64>>,
    pub(super) check_port: Option<At<u64>>,
    pub(super) check_ssl: Option<At<bool>>,
    pub(super) weight: Option<At<u64>>,
    pub(super) backup: Option<Span>,
    pub(super) maxconn: Option<At<u64>>,
    pub(super) maxqueue: Option<At<u64>>,
    pub(super) disabled: Option<Span>,
    pub(super) slowstart: Option<At<Duration>>,
    pub(super) shutdown_sessions: Option<Span>,
    pub(super) send_proxy: Option<At<&'static str>>,
    pub(super) source: Option<SourceAddress>,
    pub(super) user_timeout: Option<At<Duration>>,
    pub(super) observe: Option<Span>,
    pub(super) error_limit: Option<At<u64>>,
    pub(super) ssl: Option<Span>,
    pub(super) tls: ServerTls,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ServerTls {
    pub(super) verify: Option<At<bool>>,
    pub(super) ca_file: Option<At<String>>,
    pub(super) crl_file: Option<At<String>>,
    pub(super) certificate: Option<At<String>>,
    /// `sni str(NAME)`, with the name.
    pub(super) sni: Option<At<String>>,
    pub(super) verifyhost: Option<At<String>>,
    pub(super) check_sni: Option<At<String>>,
    pub(super) cipher_suites: Option<At<String>>,
    pub(super) min: Option<At<&'static str>>,
    pub(super) max: Option<At<&'static str>>,
}

/// `source ADDRESS [usesrc clientip]`
#[derive(Debug, Clone)]
pub(super) struct SourceAddress {
    pub(super) address: Option<At<String>>,
    pub(super) transparent: Option<Span>,
}

/// Reads a `server` line over the options of `default-server`.
pub(super) fn read(
    ctx: &mut Ctx,
    line: &Line,
    defaults: &ServerOptions,
    global: &Global,
) -> Option<Server> {
    let (Some(name), Some(address)) = (line.words.get(1), line.words.get(2)) else {
        let words = "`server` needs a name and an address";
        ctx.notes.refuse(line.span, words, "such as `server coord-1 10.0.0.1:21050 check`");
        return None;
    };
    ctx.servers += 1;
    if ctx.servers > SERVERS_MAX {
        let words = format!("more than {SERVERS_MAX} servers");
        ctx.notes.refuse(line.span, words, "is this the right file?");
        return None;
    }
    let mut options = defaults.clone();
    read_options(ctx, &mut options, &mut Args { line, next: 3 }, global);
    let tls = &mut options.tls;
    tls.verify = tls.verify.take().or(global.no_verify.map(|span| At::new(false, span)));
    tls.min = tls.min.take().or_else(|| global.server_min.clone());
    tls.max = tls.max.take().or_else(|| global.server_max.clone());
    let (host, port) = host_and_port(ctx, address)?;
    let name = At::new(name.text.clone(), name.span);
    Some(Server { name, host: At::new(host, address.span), port, span: line.span, options })
}

pub(super) fn read_options(
    ctx: &mut Ctx,
    options: &mut ServerOptions,
    args: &mut Args<'_>,
    global: &Global,
) {
    while let Some(word) = args.next() {
        option(ctx, options, word, args, global);
    }
}

fn option(
    ctx: &mut Ctx,
    options: &mut ServerOptions,
    word: &Word,
    args: &mut Args<'_>,
    global: &Global,
) {
    let tls = &mut options.tls;
    let base = |at: Option<At<String>>, base: &Option<String>| {
        at.map(|at| At::new(bind::join(base, &at.value), at.span))
    };
    match word.text.as_str() {
        "check" => options.check = Some(At::new(true, word.span)),
        "no-check" => options.check = Some(At::new(false, word.span)),
        "inter" => options.inter = args.time(ctx, word),
        "downinter" => options.downinter = args.time(ctx, word),
        "fastinter" => {
            args.time(ctx, word);
            let words =
                "without `fastinter`: the interval is the same while a member's state is in doubt";
            ctx.notes.change(word.span, words);
        }
        "rise" => options.rise = args.number(ctx, word),
        "fall" => options.fall = args.number(ctx, word),
        "port" => options.check_port = args.number(ctx, word),
        "check-ssl" => options.check_ssl = Some(At::new(true, word.span)),
        "no-check-ssl" => options.check_ssl = Some(At::new(false, word.span)),
        "weight" => options.weight = args.number(ctx, word),
        "backup" => options.backup = Some(word.span),
        "no-backup" => options.backup = None,
        "maxconn" => options.maxconn = args.number(ctx, word).filter(|at| at.value > 0),
        "maxqueue" => options.maxqueue = args.number(ctx, word).filter(|at| at.value > 0),
        "minconn" => {
            args.number(ctx, word);
            ctx.notes.change(word.span, "without `minconn`: the limit of a member does not move");
        }
        "disabled" => options.disabled = Some(word.span),
        "enabled" => options.disabled = None,
        "slowstart" => options.slowstart = args.time(ctx, word),
        "on-marked-down" => match args.value(ctx, word) {
            Some(value) if value.text == "shutdown-sessions" => {
                options.shutdown_sessions = Some(word.span);
            }
            Some(value) => {
                let words = format!("`{}` is not possible here", words::shorten(&value.text));
                ctx.notes.refuse(value.span, words, "there is shutdown-sessions");
            }
            None => {}
        },
        "on-marked-up" => {
            args.next();
            let words = "backup members keep their connections when another one is back";
            ctx.notes.change(word.span, words);
        }
        "send-proxy" => options.send_proxy = Some(At::new("v1", word.span)),
        "send-proxy-v2" => options.send_proxy = Some(At::new("v2", word.span)),
        "send-proxy-v2-ssl" | "send-proxy-v2-ssl-cn" => {
            options.send_proxy = Some(At::new("v2", word.span));
            ctx.notes.change(word.span, "the header says nothing about the client's TLS");
        }
        "proxy-v2-options" => {
            args.next();
            ctx.notes.change(word.span, "the header has addresses and nothing else");
        }
        "check-send-proxy" => {
            ctx.notes.change(word.span, "probes send no PROXY header");
        }
        "no-send-proxy" | "no-send-proxy-v2" => options.send_proxy = None,
        "source" => options.source = source(ctx, word, args),
        "tcp-ut" => options.user_timeout = args.time(ctx, word),
        "observe" => match args.value(ctx, word) {
            Some(value) if value.text == "layer4" => options.observe = Some(word.span),
            Some(value) => {
                let words = "only connections that cannot be opened count against a member";
                ctx.notes.change(value.span, words);
                options.observe = Some(word.span);
            }
            None => {}
        },
        "error-limit" => options.error_limit = args.number(ctx, word),
        "on-error" => {
            if let Some(value) = args.value(ctx, word).filter(|value| value.text != "mark-down") {
                ctx.notes.change(value.span, "a member with too many errors is marked down");
            }
        }
        "non-stick" => {
            let words = "clients stick to this member like to the others";
            ctx.notes.change(word.span, words);
        }
        "track" => {
            args.next();
            if options.check.is_none() {
                options.check = Some(At::new(true, word.span));
            }
            ctx.notes.change(word.span, "the member is probed itself");
        }
        "agent-check" => {
            let words = "agents on members are not asked";
            let help = "impalad's own port 25000 tells more: see `healthz` in docs/health.md";
            ctx.notes.change(word.span, words);
            ctx.notes.warn(word.span, words, help);
        }
        "agent-inter" | "agent-port" | "agent-addr" | "agent-send" => args.next += 1,
        "ssl" => options.ssl = Some(word.span),
        "no-ssl" => options.ssl = None,
        "verify" => match args.value(ctx, word).map(|value| (value.text.as_str(), value.span)) {
            Some(("none", span)) => tls.verify = Some(At::new(false, span)),
            Some(("required", span)) => tls.verify = Some(At::new(true, span)),
            Some((other, span)) => {
                let words = format!("`verify` is none or required, not `{other}`");
                ctx.notes.refuse(span, words, "");
            }
            None => {}
        },
        "ca-file" => tls.ca_file = base(args.text(ctx, word), &global.ca_base),
        "crl-file" => tls.crl_file = base(args.text(ctx, word), &global.ca_base),
        "crt" => tls.certificate = base(args.text(ctx, word), &global.crt_base),
        "verifyhost" => tls.verifyhost = args.text(ctx, word),
        "sni" => tls.sni = sni(ctx, word, args),
        "check-sni" => tls.check_sni = args.text(ctx, word),
        "alpn" | "check-alpn" => {
            args.next();
            let words =
                format!("without `{}`: Impala does not ask for protocols in TLS", word.text);
            ctx.notes.change(word.span, words);
        }
        "ciphersuites" => tls.cipher_suites = args.text(ctx, word),
        "ssl-min-ver" => tls.min = bind::version(ctx, word, args),
        "ssl-max-ver" => tls.max = bind::version(ctx, word, args),
        "force-tlsv12" => {
            tls.min = Some(At::new("1.2", word.span));
            tls.max = Some(At::new("1.2", word.span));
        }
        "force-tlsv13" | "no-tlsv12" => tls.min = Some(At::new("1.3", word.span)),
        "no-tlsv13" => tls.max = Some(At::new("1.2", word.span)),
        other => unknown(ctx, word, other, args),
    }
}

fn unknown(ctx: &mut Ctx, word: &Word, keyword: &str, args: &mut Args<'_>) {
    if let Some((values, reason)) = words::option_reason(words::SERVER, keyword) {
        args.next += values;
        return match reason {
            "" => {}
            reason => ctx.notes.change(word.span, format!("without `{keyword}`: {reason}")),
        };
    }
    let help = match keyword {
        "addr" => "probes go to the member's own address; `port` may differ".to_owned(),
        "redir" => "this is for HTTP sites".to_owned(),
        "usesrc" => "it belongs behind `source`".to_owned(),
        _ => words::did_you_mean(keyword, SERVER_WORDS.iter().copied()),
    };
    let words = format!("`server` option `{}` is not possible here", words::shorten(keyword));
    ctx.notes.refuse(word.span, words, help);
    args.skip_values(|word| {
        SERVER_WORDS.contains(&word) || words::option_reason(words::SERVER, word).is_some()
    });
}

const SERVER_WORDS: &[&str] = &[
    "check",
    "inter",
    "fastinter",
    "downinter",
    "rise",
    "fall",
    "weight",
    "backup",
    "maxconn",
    "maxqueue",
    "ssl",
    "verify",
    "verifyhost",
    "ca-file",
    "crl-file",
    "sni",
    "send-proxy",
    "send-proxy-v2",
    "source",
    "on-marked-down",
    "slowstart",
    "disabled",
    "port",
    "observe",
    "error-limit",
    "track",
    "cookie",
    "check-ssl",
    "check-sni",
    "check-send-proxy",
    "no-ssl",
    "crt",
    "ciphersuites",
    "ssl-min-ver",
    "ssl-max-ver",
    "force-tlsv12",
    "force-tlsv13",
    "no-tlsv12",
    "no-tlsv13",
    "on-error",
    "on-marked-up",
    "minconn",
    "tcp-ut",
    "agent-check",
    "alpn",
];

/// `str(NAME)`; other expressions depend on the client.
fn sni(ctx: &mut Ctx, word: &Word, args: &mut Args<'_>) -> Option<At<String>> {
    let value = args.value(ctx, word)?;
    let name = value.text.strip_prefix("str(").and_then(|rest| rest.strip_suffix(')'));
    if name.is_none() {
        let words = "without `sni`: members are asked for the name in their own address";
        ctx.notes.change(value.span, words);
    }
    name.map(|name| At::new(name.to_owned(), value.span))
}

pub(super) fn source(ctx: &mut Ctx, word: &Word, args: &mut Args<'_>) -> Option<SourceAddress> {
    let value = args.value(ctx, word).filter(|value| !value.is_broken)?;
    let (host, port) = match value.text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (value.text.as_str(), ""),
    };
    if !matches!(port, "" | "0") {
        let words = "ports to connect from are the kernel's choice";
        ctx.notes.change(value.span, words);
    }
    let host = host.trim_matches(['[', ']']);
    let address = match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => None,
        Ok(ip) => Some(At::new(ip.to_string(), value.span)),
        Err(_) if matches!(host, "" | "*") => None,
        Err(_) => {
            let words = format!("`{}` is no address to connect from", words::shorten(host));
            ctx.notes.refuse(value.span, words, "write an IP address of this host");
            None
        }
    };
    let mut source = SourceAddress { address, transparent: None };
    loop {
        match args.line.get(args.next) {
            "usesrc" => {
                args.next();
                match args.value(ctx, word) {
                    Some(value) if matches!(value.text.as_str(), "clientip" | "client") => {
                        source.transparent = Some(value.span);
                    }
                    Some(value) => {
                        let words = "the source address can be fixed or the client's own";
                        ctx.notes.refuse(value.span, words, "write `usesrc clientip`");
                    }
                    None => {}
                }
            }
            "interface" => {
                let span = args.line.at(args.next);
                args.next();
                args.next();
                let words = "connections to members take the route that the kernel has";
                ctx.notes.refuse(span, words, "leave `interface` out, or set a route");
            }
            _ => return Some(source),
        }
    }
}

/// The last colon is before the port, also in IPv6 addresses without brackets.
fn host_and_port(ctx: &mut Ctx, word: &Word) -> Option<(String, Option<u16>)> {
    let text = word.text.as_str();
    // The configuration cannot be used; nothing more is said about this server.
    if word.is_broken {
        return Some((format!("unset-{}.invalid", word.span.start), Some(1)));
    }
    let (family, text) = text.split_once('@').unwrap_or(("", text));
    let mut refuse = |words: String, help: &str| {
        ctx.notes.refuse(word.span, words, help);
        None
    };
    if !matches!(family, "" | "ipv4" | "ipv6" | "tcp" | "tcp4" | "tcp6") || text.starts_with('/') {
        let words = format!("`{}` is no address of a coordinator", words::shorten(&word.text));
        return refuse(words, "write HOST:PORT");
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (text, ""),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || matches!(host, "*" | "0.0.0.0" | "::") {
        let words = "a member needs an address of its own".to_owned();
        return refuse(
            words,
            "`0.0.0.0` means the client's destination to HAProxy; write the host",
        );
    }
    if port.starts_with(['+', '-']) {
        let words = "ports cannot be counted from the client's".to_owned();
        return refuse(words, "write the port itself");
    }
    let port = match port {
        "" | "0" => None,
        port => match port.parse::<u16>() {
            Ok(port) => Some(port),
            Err(_) => {
                let words = format!("`{}` is no port", words::shorten(port));
                return refuse(words, "ports go from 1 to 65535");
            }
        },
    };
    Some((host.to_owned(), port))
}
