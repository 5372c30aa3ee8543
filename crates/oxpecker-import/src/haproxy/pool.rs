//! A proxy's servers as nodes, a pool, a monitor and a TLS profile.

mod tls;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub(super) use tls::{suites, versions};

use super::server::{Server, ServerOptions};
use super::settings::{Balance, Settings};
use super::{Ctx, Proxy, ProxyKind};
use crate::files::{At, Files, Span};
use crate::native::{Kind, Native, Table, Value, inline, quote};

/// HAProxy's defaults of probes.
const INTER: Duration = Duration::from_secs(2);
const RISE: u64 = 2;
/// Native defaults that need no writing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT_MAX: Duration = Duration::from_secs(5);
const RETRIES: u64 = 3;
const FALL: u64 = 3;

/// Hosts that have a node already.
#[derive(Default)]
pub(super) struct Nodes {
    by_host: HashMap<String, String>,
}

/// What a virtual server needs to know of its pool.
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) tls_server: Option<At<String>>,
}

/// Adds the pool of a proxy with servers. `port` is what servers without one get.
pub(super) fn add(
    ctx: &mut Ctx,
    files: &Files,
    native: &mut Native,
    nodes: &mut Nodes,
    proxy: &Proxy,
    port: Option<u16>,
) -> Pool {
    let settings = &proxy.settings;
    let servers = &settings.servers;
    let name = native.unused(Kind::Pool, &proxy.name);
    let what = format!("{} {}, {}", proxy.kind.as_str(), proxy.name, files.place(proxy.span));
    let mut table = Table::named(Kind::Pool, &name, proxy.span).comment(what);
    if let (Some(at), ProxyKind::Backend) = (&settings.description, proxy.kind) {
        table.text("description", &at.value, at.span);
    }
    members(ctx, native, nodes, proxy, port, &mut table);
    method(&mut table, settings);
    let tls_server = tls::profile(ctx, native, proxy);
    monitor(ctx, native, settings, tls_server.as_ref(), &mut table);
    connecting(ctx, settings, &mut table);
    if let Some(span) = same_flag(ctx, servers, |o| o.shutdown_sessions, "on-marked-down") {
        table.text("service_down", "reset", span);
    }
    if let Some(time) = same(ctx, servers, |o| o.slowstart.as_ref(), "slowstart") {
        table.duration("slow_start", time.value, time.span);
    }
    native.add(table);
    Pool { name, tls_server }
}

fn members(
    ctx: &mut Ctx,
    native: &mut Native,
    nodes: &mut Nodes,
    proxy: &Proxy,
    port: Option<u16>,
    table: &mut Table,
) {
    let settings = &proxy.settings;
    let servers = &settings.servers;
    let common = common_port(servers, port);
    if let Some(common) = common {
        table.number("port", common.into(), servers.first().map_or(proxy.span, |s| s.host.span));
    }
    let weight = |server: &Server| server.options.weight.as_ref().map_or(1, |at| at.value);
    let alike = servers.windows(2).all(|pair| weight(&pair[0]) == weight(&pair[1]));
    let by_order = settings.balance.as_ref().is_some_and(|at| at.value == Balance::First);
    let mut names: HashSet<&str> = HashSet::new();
    let mut hosts: HashMap<(String, u16), &str> = HashMap::new();
    let mut taken: HashSet<(String, u16)> = HashSet::new();
    let mut items = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        if !names.insert(&server.name.value) {
            let words = format!("there is another server `{}` above", server.name.value);
            ctx.notes.refuse(server.name.span, words, "give it a name of its own");
            continue;
        }
        let Some(own_port) = server.port.or(port) else {
            let words = "no port for this member";
            let help = "it would be the client's, and clients come to several: write HOST:PORT";
            ctx.notes.refuse(server.host.span, words, help);
            continue;
        };
        let host = (server.host.value.to_ascii_lowercase(), own_port);
        if let Some(other) = hosts.insert(host, &server.name.value) {
            let words = format!("the same address and port as `{other}`");
            let help = "it gets two shares of the connections, and is probed twice: leave one out";
            ctx.notes.warn(server.host.span, words, help);
        }
        let node = nodes.get(ctx, native, proxy, server, own_port, &mut taken);
        let options = &server.options;
        let mut parts: Vec<(&str, String)> = vec![("node", quote(&node))];
        if Some(own_port) != common {
            parts.push(("port", own_port.to_string()));
        }
        if weight(server) != 1 && !(alike && weight(server) > 0) {
            parts.push(("weight", weight(server).to_string()));
        }
        match (options.backup, by_order) {
            (Some(_), _) => parts.push(("backup", "true".to_owned())),
            // The first one is the highest.
            (None, true) => parts.push(("priority", (servers.len() - number).to_string())),
            (None, false) => {}
        }
        if let Some(maxconn) = &options.maxconn {
            parts.push(("connections_max", maxconn.value.to_string()));
        }
        if options.disabled.is_some() {
            parts.push(("state", quote("disabled")));
        }
        let text = if parts.len() == 1 { quote(&node) } else { inline(&parts) };
        items.push((text, server.span));
    }
    if let (false, Some(second)) = (
        settings.options.allbackups,
        servers.iter().filter_map(|server| server.options.backup).nth(1),
    ) {
        let words =
            "all backups serve together when nobody else is left, as with `option allbackups`";
        ctx.notes.change(second, words);
    }
    table.value("members", Value::List(items), proxy.span);
}

/// The port that most members have.
fn common_port(servers: &[Server], fallback: Option<u16>) -> Option<u16> {
    let mut counts: HashMap<u16, usize> = HashMap::new();
    for port in servers.iter().filter_map(|server| server.port.or(fallback)) {
        *counts.entry(port).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(port, count)| (*count, std::cmp::Reverse(*port)))
        .map(|(port, _)| port)
}

impl Nodes {
    /// The node of a server: one for each host, named for the first server that stands there.
    fn get(
        &mut self,
        ctx: &mut Ctx,
        native: &mut Native,
        proxy: &Proxy,
        server: &Server,
        port: u16,
        taken: &mut HashSet<(String, u16)>,
    ) -> String {
        let host = server.host.value.to_ascii_lowercase();
        if let Some(known) = self.by_host.get(&host)
            // A host may serve twice in a pool, but a member stands there once.
            && taken.insert((known.clone(), port))
        {
            if *known != server.name.value {
                let words = format!("the member is called `{known}`, as the same host above");
                ctx.notes.change(server.name.span, words);
            }
            return known.clone();
        }
        let mut table = Table::single(Kind::Node, server.span);
        table.text("address", &server.host.value, server.host.span);
        let name = match native.is_unused(Kind::Node, &server.name.value) {
            true => server.name.value.clone(),
            false => format!("{}-{}", proxy.name, server.name.value),
        };
        let name = native.add_named(Kind::Node, &name, table);
        if name != server.name.value {
            let words = format!("the member is called `{name}`");
            ctx.notes.change(server.name.span, words);
        }
        taken.insert((name.clone(), port));
        self.by_host.entry(host).or_insert_with(|| name.clone());
        name
    }
}

fn method(table: &mut Table, settings: &Settings) {
    let nowhere = table.span();
    let (balance, span) = match &settings.balance {
        Some(at) => (&at.value, at.span),
        None => (&Balance::RoundRobin, nowhere),
    };
    let (word, scope) = match balance {
        Balance::RoundRobin | Balance::First => ("round-robin", false),
        Balance::LeastConnections => ("", true),
        Balance::Source => ("source-hash", false),
        Balance::Random => ("random-two", true),
    };
    if !word.is_empty() {
        table.text("method", word, span);
    }
    if scope {
        table.text("scope", "member", span);
    }
}

/// `None` inside a pool without probes.
fn monitor(
    ctx: &mut Ctx,
    native: &mut Native,
    settings: &Settings,
    tls_server: Option<&At<String>>,
    table: &mut Table,
) {
    let servers = &settings.servers;
    let health = &settings.health;
    let is_on = |server: &&Server| server.options.check.as_ref().is_some_and(|at| at.value);
    let checked: Vec<&Server> = servers.iter().filter(is_on).collect();
    let Some(first) = checked.first() else {
        let Some(server) = servers.first() else { return };
        table.text("monitor", "none", server.span);
        table.told("monitor", "is not monitored");
        let words = match servers.len() {
            1 => "this member is not probed".to_owned(),
            count => format!("none of these {count} members is probed"),
        };
        let help = "a dead host keeps its share until connecting to it fails; add `check`";
        ctx.notes.warn(server.span, words, help);
        return;
    };
    for server in servers.iter().filter(|server| !is_on(server)) {
        let words = "probed like the other members of its pool";
        ctx.notes.change(server.span, words);
    }
    let span = first.options.check.as_ref().map_or(first.span, |at| at.span);
    let options = |of: fn(&ServerOptions) -> Option<&At<Duration>>, ctx: &mut Ctx, what: &str| {
        same(ctx, servers, of, what).map(|at| at.value)
    };
    let inter = options(|o| o.inter.as_ref(), ctx, "inter").unwrap_or(INTER);
    let down = options(|o| o.downinter.as_ref(), ctx, "downinter").filter(|down| *down != inter);
    let rise = same(ctx, servers, |o| o.rise.as_ref(), "rise").map_or(RISE, |at| at.value);
    let fall = same(ctx, servers, |o| o.fall.as_ref(), "fall").map_or(FALL, |at| at.value);
    let port = same(ctx, servers, |o| o.check_port.as_ref(), "port").or(health.port.as_ref());
    let mut monitor = Table::single(Kind::Monitor, span);
    let parent = if health.http.is_some() { "http" } else { "tcp" };
    monitor.text("parent", parent, health.http.unwrap_or(span));
    monitor.duration("interval", inter, span);
    if let Some(down) = down {
        monitor.duration("interval_down", down, span);
    }
    if let Some(timeout) =
        probe_timeout(ctx, settings, inter, down.map_or(inter, |down| down.min(inter)))
    {
        monitor.duration("timeout", timeout, span);
    }
    let native_rise = if health.http.is_some() { RISE } else { 1 };
    if rise != native_rise {
        monitor.number("rise", rise, span);
    }
    if fall != FALL {
        monitor.number("fall", fall, span);
    }
    if let Some(port) = port {
        monitor.number("port", port.value, port.span);
    }
    if health.http.is_some() {
        for (key, at) in [("path", &health.path), ("host", &health.host)] {
            if let Some(at) = at {
                monitor.text(key, &at.value, at.span);
            }
        }
        if let Some((_, span)) = health.status.first() {
            monitor.texts("status", &health.status, *span);
        }
    }
    tls::probe(ctx, native, settings, tls_server, port.is_some(), &mut monitor);
    let name = native.share(Kind::Monitor, &format!("{parent}_check"), monitor);
    table.text("monitor", &name, span);
}

/// How long a probe may take: HAProxy's `timeout check` counts from when it is connected.
/// `None`: as long as it would be without writing it.
fn probe_timeout(
    ctx: &mut Ctx,
    settings: &Settings,
    inter: Duration,
    shortest: Duration,
) -> Option<Duration> {
    let timeouts = &settings.timeouts;
    let mut wanted = inter;
    if let Some((Some(check), span)) = timeouts.check.as_ref().map(|at| (at.value, at.span)) {
        let connect = timeouts.connect.as_ref().and_then(|at| at.value).unwrap_or(inter);
        wanted = check + connect.min(inter);
        if wanted > shortest {
            ctx.notes.change(span, "a probe takes no longer than the shortest interval");
        }
    }
    wanted = wanted.min(shortest);
    (wanted != inter.min(PROBE_TIMEOUT_MAX)).then_some(wanted)
}

/// Everything about opening connections to members.
fn connecting(ctx: &mut Ctx, settings: &Settings, table: &mut Table) {
    let servers = &settings.servers;
    let timeouts = &settings.timeouts;
    let connect = timeouts.connect.as_ref();
    match connect.map(|at| (at.value, at.span)) {
        Some((Some(time), _)) if time == CONNECT_TIMEOUT => {}
        Some((Some(time), span)) => table.duration("connect_timeout", time, span),
        Some((None, span)) => {
            ctx.notes.change(span, "connecting to a member may take 5 s");
        }
        None => {}
    }
    if let Some(retries) = settings.retries.as_ref().filter(|at| at.value != RETRIES) {
        table.number("retries", retries.value, retries.span);
    }
    if settings.options.redispatch.is_none() {
        table.switch("redispatch", false, table.span());
    }
    // Only members with a limit make clients wait.
    let limited = servers.iter().find_map(|server| server.options.maxconn.as_ref());
    if let Some(limited) = limited {
        let queue = timeouts.queue.as_ref().or(connect);
        if let Some((time, span)) = queue.and_then(|at| Some((at.value?, at.span))) {
            table.duration("queue_timeout", time, span);
            if timeouts.queue.is_none() {
                let words =
                    "connections over the limit wait as long as `timeout connect`, as in HAProxy";
                ctx.notes.change(limited.span, words);
            }
        }
    }
    if let Some(queue) = same(ctx, servers, |o| o.maxqueue.as_ref(), "maxqueue") {
        let all = queue.value.saturating_mul(servers.len() as u64).min(1_000_000);
        table.number("queue_max", all, queue.span);
        ctx.notes.change(queue.span, "connections wait at the pool, not at a member");
    }
    if let Some(limit) = same(ctx, servers, |o| o.error_limit.as_ref(), "error-limit") {
        table.number("connect_failures_max", limit.value, limit.span);
    } else if let Some(span) = same_flag(ctx, servers, |o| o.observe, "observe") {
        // HAProxy's own default.
        table.number("connect_failures_max", 10, span);
    }
    source(ctx, settings, table);
    let versions: HashSet<_> = servers
        .iter()
        .map(|server| server.options.send_proxy.as_ref().map(|at| at.value))
        .collect();
    let first = servers.iter().find_map(|server| server.options.send_proxy.as_ref());
    if let Some(first) = first {
        if versions.len() > 1 {
            let words = "some members get a PROXY header and others do not";
            ctx.notes.refuse(first.span, words, "put those into a backend of their own");
        }
        table.text("send_proxy", first.value, first.span);
    }
}

fn source(ctx: &mut Ctx, settings: &Settings, table: &mut Table) {
    let own = settings.servers.iter().find_map(|server| server.options.source.as_ref());
    let Some(source) = own.or(settings.source.as_ref()) else { return };
    let text = |source: Option<&super::server::SourceAddress>| {
        source.and_then(|s| s.address.as_ref()).map(|at| at.value.clone())
    };
    for server in &settings.servers {
        let theirs = server.options.source.as_ref().or(settings.source.as_ref());
        if text(theirs) != text(Some(source)) {
            let words = "members of a pool are connected to from the same addresses";
            ctx.notes.refuse(server.span, words, "put it into a backend of its own");
        }
    }
    match (source.transparent, &source.address) {
        (Some(span), _) => table.switch("transparent", true, span),
        (None, Some(at)) => table.texts("source", &[(at.value.clone(), at.span)], at.span),
        (None, None) => {}
    }
}

/// What is a pool's here and a server's in HAProxy: the first one's, with a word where others
/// differ.
fn same<'s, T: PartialEq>(
    ctx: &mut Ctx,
    servers: &'s [Server],
    of: impl Fn(&'s ServerOptions) -> Option<&'s At<T>>,
    what: &str,
) -> Option<&'s At<T>> {
    let first = servers.iter().find_map(|server| of(&server.options))?;
    for server in servers {
        let own = of(&server.options);
        if own.is_none_or(|own| own.value != first.value) {
            let words =
                format!("`{what}` is the same for all members of a pool: the first one counts");
            ctx.notes.change(own.map_or(server.span, |own| own.span), words);
        }
    }
    Some(first)
}

fn same_flag(
    ctx: &mut Ctx,
    servers: &[Server],
    of: impl Fn(&ServerOptions) -> Option<Span>,
    what: &str,
) -> Option<Span> {
    let first = servers.iter().find_map(|server| of(&server.options))?;
    for server in servers.iter().filter(|server| of(&server.options).is_none()) {
        let words = format!("`{what}` is for all members of a pool");
        ctx.notes.change(server.span, words);
    }
    Some(first)
}
