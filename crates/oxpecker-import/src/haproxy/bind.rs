//! `bind ADDRESS[,…] [OPTION…]`: where a proxy accepts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::lexer::Word;
use super::parser::Line;
use super::{Ctx, LISTENS_MAX, global::Global, units, words};
use crate::files::{At, Span};

/// `:1-65535` is more than anybody means.
const PORTS_MAX: usize = 1000;

#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub(super) listens: Vec<At<Listen>>,
    pub(super) options: BindOptions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listen {
    Tcp(SocketAddr),
    Unix(String),
}

impl Listen {
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Tcp(address) => address.port(),
            Self::Unix(_) => 0,
        }
    }

    /// As the native `listen` has it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => format!("unix:{path}"),
        }
    }
}

/// What is the same for several addresses makes one virtual server.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct BindOptions {
    pub(super) ssl: Option<Span>,
    pub(super) certificates: Vec<At<String>>,
    /// How many of them, from the first on, are by `default-crt`.
    defaults: usize,
    pub(super) client_auth: Option<At<&'static str>>,
    pub(super) ca_file: Option<At<String>>,
    pub(super) crl_file: Option<At<String>>,
    pub(super) alpn: Option<At<String>>,
    pub(super) cipher_suites: Option<At<String>>,
    pub(super) tls_min: Option<At<&'static str>>,
    pub(super) tls_max: Option<At<&'static str>>,
    pub(super) no_tickets: Option<Span>,
    pub(super) accept_proxy: Option<Span>,
    pub(super) interface: Option<At<String>>,
    pub(super) v6only: Option<Span>,
    pub(super) backlog: Option<At<u64>>,
    pub(super) maxconn: Option<At<u64>>,
    pub(super) mode: Option<At<String>>,
    pub(super) user_timeout: Option<At<Duration>>,
}

impl BindOptions {
    /// Without places: whether two lines ask for the same.
    pub(super) fn key(&self) -> String {
        let mut plain = self.clone();
        let nowhere = Span::new(0, 0, 0);
        let unplace = |at: &mut Option<At<String>>| {
            if let Some(at) = at {
                at.span = nowhere;
            }
        };
        for at in &mut plain.certificates {
            at.span = nowhere;
        }
        for at in [&mut plain.ca_file, &mut plain.crl_file, &mut plain.alpn] {
            unplace(at);
        }
        for at in [&mut plain.cipher_suites, &mut plain.interface, &mut plain.mode] {
            unplace(at);
        }
        for at in [&mut plain.client_auth, &mut plain.tls_min, &mut plain.tls_max] {
            at.iter_mut().for_each(|at| at.span = nowhere);
        }
        for at in [&mut plain.backlog, &mut plain.maxconn] {
            at.iter_mut().for_each(|at| at.span = nowhere);
        }
        plain.user_timeout.iter_mut().for_each(|at| at.span = nowhere);
        for span in
            [&mut plain.ssl, &mut plain.no_tickets, &mut plain.accept_proxy, &mut plain.v6only]
        {
            span.iter_mut().for_each(|span| *span = nowhere);
        }
        format!("{plain:?}")
    }
}

/// Reads a `bind` line.
pub(super) fn read(ctx: &mut Ctx, line: &Line, global: &Global) -> Option<Bind> {
    let Some(address) = line.words.get(1) else {
        ctx.notes.refuse(line.span, "`bind` needs an address", "such as `bind 10.0.0.1:21050`");
        return None;
    };
    let listens = addresses(ctx, address);
    let mut options = BindOptions {
        tls_min: global.bind_min.clone(),
        tls_max: global.bind_max.clone(),
        no_tickets: global.no_tickets,
        ..BindOptions::default()
    };
    let mut args = Args { line, next: 2 };
    while let Some(word) = args.next() {
        option(ctx, &mut options, word, &mut args, global);
    }
    if let (Some(span), true) = (options.ssl, options.certificates.is_empty()) {
        let words = "`ssl` needs a certificate";
        ctx.notes.refuse(span, words, "write `crt FILE`");
    }
    Some(Bind { listens, options })
}

/// A line whose address stands on `listen`, as in old files.
pub(super) fn bare(ctx: &mut Ctx, word: &Word) -> Bind {
    Bind { listens: addresses(ctx, word), options: BindOptions::default() }
}

/// Words after the address.
pub(super) struct Args<'l> {
    pub(super) line: &'l Line,
    pub(super) next: usize,
}

impl<'l> Args<'l> {
    pub(super) fn next(&mut self) -> Option<&'l Word> {
        let word = self.line.words.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// Goes on to the next keyword: behind one that nobody knows its values may stand.
    pub(super) fn skip_values(&mut self, is_keyword: impl Fn(&str) -> bool) {
        while self.line.words.get(self.next).is_some_and(|word| !is_keyword(&word.text)) {
            self.next += 1;
        }
    }

    /// The value that a keyword needs.
    pub(super) fn value(&mut self, ctx: &mut Ctx, keyword: &Word) -> Option<&'l Word> {
        let value = self.next();
        if value.is_none() {
            let words = format!("`{}` needs a value", keyword.text);
            ctx.notes.refuse(keyword.span, words, "");
        }
        value
    }

    pub(super) fn text(&mut self, ctx: &mut Ctx, keyword: &Word) -> Option<At<String>> {
        self.value(ctx, keyword).map(|word| At::new(word.text.clone(), word.span))
    }

    pub(super) fn number(&mut self, ctx: &mut Ctx, keyword: &Word) -> Option<At<u64>> {
        let word = self.value(ctx, keyword)?;
        number(ctx, word, &keyword.text)
    }

    pub(super) fn time(&mut self, ctx: &mut Ctx, keyword: &Word) -> Option<At<Duration>> {
        let word = self.value(ctx, keyword)?;
        time(ctx, word, &keyword.text)
    }
}

pub(super) fn number(ctx: &mut Ctx, word: &Word, what: &str) -> Option<At<u64>> {
    match word.text.parse() {
        Ok(number) => Some(At::new(number, word.span)),
        Err(_) => {
            let words =
                format!("`{what}` needs a whole number, not `{}`", words::shorten(&word.text));
            ctx.notes.refuse(word.span, words, "");
            None
        }
    }
}

pub(super) fn time(ctx: &mut Ctx, word: &Word, what: &str) -> Option<At<Duration>> {
    match units::time(&word.text) {
        Ok(time) => Some(At::new(time, word.span)),
        Err(wrong) => {
            ctx.notes.refuse(word.span, format!("`{what}`: {wrong}"), "");
            None
        }
    }
}

fn option(
    ctx: &mut Ctx,
    options: &mut BindOptions,
    word: &Word,
    args: &mut Args<'_>,
    global: &Global,
) {
    let base = |at: Option<At<String>>, base: &Option<String>| {
        at.map(|at| At::new(join(base, &at.value), at.span))
    };
    match word.text.as_str() {
        "ssl" => options.ssl = Some(word.span),
        "crt" | "default-crt" => {
            let Some(at) = base(args.text(ctx, word), &global.crt_base) else { return };
            if at.value.ends_with('/') {
                let words = "directories of certificates are not read";
                let help =
                    "name each file by `crt`; the first one is for clients that ask for no name";
                return ctx.notes.refuse(at.span, words, help);
            }
            // Whoever asks for no name gets the first one.
            let at_front =
                if word.text == "crt" { options.certificates.len() } else { options.defaults };
            options.defaults += usize::from(word.text != "crt");
            options.certificates.insert(at_front, at);
        }
        "ca-verify-file" => {
            args.next();
            let words = "clients' certificates are verified by one file of authorities";
            let help =
                "put its authorities into that of `ca-file`; all of them are named to clients then";
            ctx.notes.refuse(word.span, words, help);
        }
        "ca-file" => options.ca_file = base(args.text(ctx, word), &global.ca_base),
        "crl-file" => options.crl_file = base(args.text(ctx, word), &global.ca_base),
        "verify" => {
            let Some(value) = args.value(ctx, word) else { return };
            let how = match value.text.as_str() {
                "none" => "none",
                "optional" => "optional",
                "required" => "required",
                other => {
                    let words = format!("`verify` is none, optional or required, not `{other}`");
                    return ctx.notes.refuse(value.span, words, "");
                }
            };
            options.client_auth = Some(At::new(how, value.span)).filter(|_| how != "none");
        }
        "alpn" => options.alpn = args.text(ctx, word),
        "ciphersuites" => options.cipher_suites = args.text(ctx, word),
        "ssl-min-ver" => options.tls_min = version(ctx, word, args),
        "ssl-max-ver" => options.tls_max = version(ctx, word, args),
        "force-tlsv12" => {
            options.tls_min = Some(At::new("1.2", word.span));
            options.tls_max = Some(At::new("1.2", word.span));
        }
        "force-tlsv13" => options.tls_min = Some(At::new("1.3", word.span)),
        "no-tlsv12" => options.tls_min = Some(At::new("1.3", word.span)),
        "no-tlsv13" => options.tls_max = Some(At::new("1.2", word.span)),
        "force-sslv3" | "force-tlsv10" | "force-tlsv11" => {
            let words = format!("`{}` asks for what is broken", word.text);
            ctx.notes.refuse(word.span, words, "TLS 1.2 and 1.3 are spoken; leave it out");
        }
        "no-tls-tickets" => options.no_tickets = Some(word.span),
        "accept-proxy" => options.accept_proxy = Some(word.span),
        "interface" => options.interface = args.text(ctx, word),
        // `[::]` takes IPv4 as well unless told otherwise.
        "v4v6" => {}
        "v6only" => options.v6only = Some(word.span),
        "backlog" => options.backlog = args.number(ctx, word),
        "maxconn" => options.maxconn = args.number(ctx, word),
        "mode" => options.mode = args.text(ctx, word),
        "tcp-ut" => options.user_timeout = args.time(ctx, word),
        "strict-sni" => {
            let words = "clients that ask for another name get the first certificate; \
                         those that verify refuse it";
            ctx.notes.change(word.span, words);
        }
        other => {
            if let Some((values, reason)) = words::option_reason(words::BIND, other) {
                args.next += values;
                return match reason {
                    "" => {}
                    reason => ctx.notes.change(word.span, format!("without `{other}`: {reason}")),
                };
            }
            let help = match other {
                "crt-list" => "name the certificates by `crt`".to_owned(),
                "transparent" => "only addresses of this host can be listened on".to_owned(),
                _ => words::did_you_mean(other, BIND_WORDS.iter().copied()),
            };
            let words = format!("`bind` option `{}` is not possible here", words::shorten(other));
            ctx.notes.refuse(word.span, words, help);
            args.skip_values(|word| {
                BIND_WORDS.contains(&word) || words::option_reason(words::BIND, word).is_some()
            });
        }
    }
}

const BIND_WORDS: &[&str] = &[
    "ssl",
    "crt",
    "default-crt",
    "ca-file",
    "ca-verify-file",
    "crl-file",
    "ciphersuites",
    "ssl-min-ver",
    "ssl-max-ver",
    "force-tlsv12",
    "force-tlsv13",
    "no-tlsv12",
    "no-tlsv13",
    "no-tls-tickets",
    "strict-sni",
    "tcp-ut",
    "verify",
    "alpn",
    "accept-proxy",
    "interface",
    "v4v6",
    "v6only",
    "backlog",
    "maxconn",
    "mode",
    "name",
    "user",
    "group",
];

pub(super) fn version(ctx: &mut Ctx, word: &Word, args: &mut Args<'_>) -> Option<At<&'static str>> {
    let value = args.value(ctx, word)?;
    match value.text.as_str() {
        "TLSv1.2" => Some(At::new("1.2", value.span)),
        "TLSv1.3" => Some(At::new("1.3", value.span)),
        "SSLv3" | "TLSv1.0" | "TLSv1.1" if word.text == "ssl-min-ver" => {
            ctx.notes.change(value.span, "TLS 1.2 is the oldest that is spoken");
            None
        }
        other => {
            let words = format!("`{}` is none of TLSv1.2 and TLSv1.3", words::shorten(other));
            ctx.notes.refuse(value.span, words, "");
            None
        }
    }
}

/// `crt-base` and `ca-base` stand before relative paths.
pub(super) fn join(base: &Option<String>, path: &str) -> String {
    match base {
        Some(base) if !path.starts_with(['/', '@']) => {
            format!("{}/{path}", base.trim_end_matches('/'))
        }
        _ => path.to_owned(),
    }
}

fn addresses(ctx: &mut Ctx, word: &Word) -> Vec<At<Listen>> {
    let mut listens = Vec::new();
    if word.is_broken {
        return listens;
    }
    for part in word.text.split(',').filter(|part| !part.is_empty()) {
        match address(part) {
            Ok(found) => {
                ctx.listens += found.len();
                if ctx.listens > LISTENS_MAX {
                    let words = format!("more than {LISTENS_MAX} addresses to listen on");
                    ctx.notes.refuse(word.span, words, "is this the right file?");
                    break;
                }
                listens.extend(found.into_iter().map(|listen| At::new(listen, word.span)));
            }
            Err((words, help)) => ctx.notes.refuse(word.span, words, help),
        }
    }
    if listens.is_empty() && word.text.is_empty() {
        ctx.notes.refuse(word.span, "the address is empty", "such as `10.0.0.1:21050`");
    }
    listens
}

/// One of a comma list: `10.0.0.1:21050`, `:21050-21053`, `*:21050`, `[::]:21050`, `/path`.
fn address(text: &str) -> Result<Vec<Listen>, (String, &'static str)> {
    let (family, text) = match text.split_once('@') {
        Some((family, rest)) => (family, rest),
        None => ("", text),
    };
    if family == "unix" || text.starts_with('/') {
        return Ok(vec![Listen::Unix(text.to_owned())]);
    }
    if !matches!(family, "" | "ipv4" | "ipv6" | "tcp" | "tcp4" | "tcp6") {
        let help = "addresses are IPv4, IPv6 or paths of Unix sockets";
        return Err((format!("`{family}@` addresses are not possible here"), help));
    }
    let bad = |help| Err((format!("`{}` is no address to listen on", words::shorten(text)), help));
    let Some((host, ports)) = text.rsplit_once(':') else {
        return bad("write ADDRESS:PORT, or :PORT for all addresses");
    };
    let six = family.ends_with('6');
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let ip = match bare {
        "" | "*" if six => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "" | "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => match bare.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) => return bad("a listener needs an IP address, names are not looked up"),
        },
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        return bad("ports go from 1 to 65535");
    };
    if first == 0 || last < first || usize::from(last - first) >= PORTS_MAX {
        return bad("ports go from 1 to 65535, and no more than 1000 at once");
    }
    Ok((first..=last).map(|port| Listen::Tcp(SocketAddr::new(ip, port))).collect())
}
