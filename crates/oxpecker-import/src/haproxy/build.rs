//! Proxies as virtual servers, and what belongs to the whole process.

mod admin;
mod back;
mod profiles;

use std::collections::HashMap;

use super::access::When;
use super::bind::{BindOptions, Listen};
use super::global::Global;
use super::pool::{self, Nodes, Pool};
use super::settings::{Balance, Settings};
use super::{Ctx, Proxy, ProxyKind};
use crate::files::{At, Files, Span};
use crate::native::{Kind, Native, Table, Value, inline, quote};

pub(super) fn build(
    ctx: &mut Ctx,
    files: &Files,
    global: &Global,
    proxies: &[Proxy],
    native: &mut Native,
) {
    process(global, native);
    logs(ctx, global, proxies, native);
    let backends = proxies
        .iter()
        .enumerate()
        .filter(|(_, proxy)| proxy.kind.has_servers())
        .map(|(index, proxy)| (proxy.name.as_str(), index))
        .collect();
    let nodes = Nodes::default();
    let pools = HashMap::new();
    let mut builder = Builder {
        ctx,
        files,
        proxies,
        native,
        nodes,
        backends,
        pools,
        page: None,
        no_page: vec![],
    };
    for (index, proxy) in proxies.iter().enumerate() {
        if let Some(span) = proxy.settings.disabled {
            let words = format!("`{}` is disabled, and left out", proxy.name);
            builder.ctx.notes.change(span, &*words);
            builder.left_out(proxy, &words);
        } else if proxy.kind.accepts() {
            builder.accepting(index);
        }
    }
    builder.admin(global);
    builder.without_page();
    // Backends that nobody uses are checked as well.
    for (index, proxy) in proxies.iter().enumerate() {
        let unused = proxy.kind == ProxyKind::Backend && !builder.pools.contains_key(&index);
        if unused && proxy.settings.disabled.is_none() {
            let words = format!("no frontend uses `{}`, and it is left out", proxy.name);
            builder.ctx.notes.change(proxy.span, &*words);
            builder.left_out(proxy, &words);
        }
    }
}

fn process(global: &Global, native: &mut Native) {
    let Some(span) = global.span else { return };
    let mut table = Table::single(Kind::Process, span);
    for (key, at) in [("connections_max", &global.maxconn), ("threads", &global.threads)] {
        if let Some(at) = at {
            table.number(key, at.value, at.span);
        }
    }
    for (key, at) in [
        ("user", &global.user),
        ("group", &global.group),
        ("chroot", &global.chroot),
        ("pidfile", &global.pidfile),
    ] {
        if let Some(at) = at {
            table.text(key, &at.value, at.span);
        }
    }
    if let Some(at) = &global.drain_timeout {
        table.duration("drain_timeout", at.value, at.span);
    }
    if !table.is_empty() {
        native.add(table);
    }
}

fn logs(ctx: &mut Ctx, global: &Global, proxies: &[Proxy], native: &mut Native) {
    let logging: Vec<&Settings> = proxies
        .iter()
        .map(|proxy| &proxy.settings)
        .filter(|settings| settings.log_global || !settings.logs.is_empty())
        .collect();
    let mut targets = global.logs.clone();
    for target in logging.iter().flat_map(|settings| &settings.logs) {
        // The same target in several proxies is one.
        let same = |known: &super::global::LogTarget| {
            (&known.to, &known.facility, &known.level)
                == (&target.to, &target.facility, &target.level)
        };
        if !targets.iter().any(same) {
            targets.push(target.clone());
        }
    }
    let null = proxies.iter().find_map(|proxy| proxy.settings.options.dontlognull);
    if let Some(span) = null {
        let mut table = Table::single(Kind::Log, span);
        table.switch("dontlognull", true, span);
        native.add(table);
    }
    for target in targets {
        let mut table = Table::single(Kind::LogTarget, target.span);
        table.text("to", &target.to, target.span);
        if let Some(facility) = target.facility.as_deref().filter(|name| *name != "local0") {
            let facility = if facility == "auth2" { "authpriv" } else { facility };
            table.text("facility", facility, target.span);
        }
        if let Some(level) = target.level.as_deref().filter(|name| *name != "info") {
            table.text("level", level, target.span);
        }
        if let Some(protocol) = target.protocol {
            table.text("protocol", protocol, target.span);
        }
        if logging.is_empty() {
            table.text("records", "process", target.span);
            let words = "no proxy says `log global`: access records are not written";
            ctx.notes.change(target.span, words);
        }
        native.add(table);
    }
}

struct Builder<'b> {
    ctx: &'b mut Ctx,
    files: &'b Files,
    proxies: &'b [Proxy],
    native: &'b mut Native,
    nodes: Nodes,
    /// Proxies that have servers, by name.
    backends: HashMap<&'b str, usize>,
    /// By the proxy whose servers they are.
    pools: HashMap<usize, Pool>,
    /// The proxy that is a page of statistics.
    page: Option<usize>,
    /// Proxies with lines about a page that serve connections.
    no_page: Vec<usize>,
}

/// Where the connections of one listener go.
#[derive(Debug, Clone, PartialEq)]
struct Target {
    /// Index of the proxy.
    proxy: usize,
    span: Span,
    /// Server names and proxies.
    routes: Vec<(String, usize, Span)>,
}

impl Builder<'_> {
    fn accepting(&mut self, index: usize) {
        let proxy = &self.proxies[index];
        let settings = &proxy.settings;
        let is_http = settings.is_http();
        let serves = settings.default_backend.is_some()
            || !settings.servers.is_empty()
            || !settings.access.routes.is_empty();
        if settings.stats.on.is_some() && is_http && !serves {
            if let Some(first) = self.page {
                let name = &self.proxies[first].name;
                let words = format!("there is one page, and it is that of `{name}`");
                self.ctx.notes.change(proxy.span, words);
            } else {
                self.page = Some(index);
            }
            return;
        }
        self.no_page.push(index);
        self.http_rules(proxy);
        if let Some(mode) = settings.mode.as_ref().filter(|_| is_http) {
            let words = "HTTP passes as bytes: a member is chosen for each connection, not for each request";
            self.ctx.notes.change(mode.span, words);
        }
        if settings.binds.is_empty() {
            let words = format!("`{}` listens nowhere", proxy.name);
            self.ctx.notes.refuse(proxy.span, words, "write `bind ADDRESS:PORT`");
            return;
        }
        self.virtual_servers(index);
    }

    /// One for each set of options and each way that connections go.
    fn virtual_servers(&mut self, index: usize) {
        let proxy = &self.proxies[index];
        let mut groups: Vec<(&BindOptions, Target, Vec<At<Listen>>)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for bind in &proxy.settings.binds {
            let options = bind.options.key();
            for listen in &bind.listens {
                let Some(target) = self.target(index, listen.value.port()) else { continue };
                let key = format!("{options} {} {:?}", target.proxy, target.routes);
                let group = *known.entry(key).or_insert(groups.len());
                match groups.get_mut(group) {
                    Some((_, _, listens)) => listens.push(listen.clone()),
                    None => groups.push((&bind.options, target, vec![listen.clone()])),
                }
            }
        }
        let several = groups.len() > 1;
        for (options, target, listens) in groups {
            let port = listens.first().map_or(0, |listen| listen.value.port());
            let name = match several {
                true => format!("{}-{port}", proxy.name),
                false => proxy.name.clone(),
            };
            self.virtual_server(index, &name, options, &target, &listens);
        }
    }

    /// The backends of connections to a port, by `use_backend` in order and `default_backend`.
    fn target(&mut self, index: usize, port: u16) -> Option<Target> {
        let proxy = &self.proxies[index];
        let settings = &proxy.settings;
        let mut routes = Vec::new();
        for route in &settings.access.routes {
            if !self.ctx.notes.work(10 + route.when.len(), route.backend.span) {
                return None;
            }
            let backend = self.backend(&route.backend)?;
            match &route.when {
                When::Always => {
                    return Some(Target { proxy: backend, span: route.backend.span, routes });
                }
                When::Ports(ports) if ports.iter().any(|(a, b)| (*a..=*b).contains(&port)) => {
                    return Some(Target { proxy: backend, span: route.backend.span, routes });
                }
                When::Sni(names) => {
                    routes
                        .extend(names.iter().map(|name| (name.value.clone(), backend, name.span)));
                }
                _ => {}
            }
        }
        let Some(name) = &settings.default_backend else {
            if !settings.servers.is_empty() {
                return Some(Target { proxy: index, span: proxy.span, routes });
            }
            let words = match proxy.kind {
                ProxyKind::Listen => format!("`{}` has no server", proxy.name),
                _ => format!("`{}` has no `default_backend`", proxy.name),
            };
            let help = "connections that come here have nowhere to go";
            self.ctx.notes.refuse(proxy.span, words, help);
            return None;
        };
        // As in HAProxy, which warns of it.
        for server in &settings.servers {
            let words = format!("never used: `default_backend {}` comes first", name.value);
            self.ctx.notes.drop(server.span, &*words);
            self.ctx.notes.warn(server.span, words, "leave one of both out");
        }
        let backend = self.backend(name)?;
        Some(Target { proxy: backend, span: name.span, routes })
    }

    fn backend(&mut self, name: &At<String>) -> Option<usize> {
        let Some(found) = self.backends.get(name.value.as_str()).copied() else {
            let words = format!("no backend is called `{}`", super::words::shorten(&name.value));
            self.ctx.notes.refuse(name.span, words, "names of variables (%[…]) are not possible");
            return None;
        };
        let proxy = &self.proxies[found];
        if proxy.settings.disabled.is_some() {
            let words =
                format!("backend `{}` is disabled, and connections to it end at once", proxy.name);
            self.ctx.notes.refuse(name.span, words, "leave this line out, or enable the backend");
            return None;
        }
        if proxy.settings.servers.is_empty() {
            let words = format!("backend `{}` has no server", name.value);
            self.ctx.notes.refuse(name.span, words, "write `server NAME HOST:PORT check`");
            return None;
        }
        Some(found)
    }

    /// The pool of a proxy, made when it is first asked for.
    fn pool(&mut self, index: usize, from: &Proxy) -> (String, Option<At<String>>) {
        if !self.pools.contains_key(&index) {
            let ports: Vec<u16> = from
                .settings
                .binds
                .iter()
                .flat_map(|bind| bind.listens.iter().map(|listen| listen.value.port()))
                .collect();
            // Servers without a port get the client's, which must be a single one.
            let is_own = from.kind == ProxyKind::Listen && ports.len() == 1;
            let port = ports.first().copied().filter(|port| *port > 0 && is_own);
            let proxy = &self.proxies[index];
            if proxy.kind == ProxyKind::Backend {
                self.no_page.push(index);
                self.http_rules(proxy);
            }
            let pool = pool::add(self.ctx, self.files, self.native, &mut self.nodes, proxy, port);
            self.pools.insert(index, pool);
        }
        let pool = &self.pools[&index];
        (pool.name.clone(), pool.tls_server.clone())
    }

    fn virtual_server(
        &mut self,
        index: usize,
        name: &str,
        options: &BindOptions,
        target: &Target,
        listens: &[At<Listen>],
    ) {
        let proxy = &self.proxies[index];
        let settings = &proxy.settings;
        let backend = &self.proxies[target.proxy];
        let back = &backend.settings;
        let (pool, tls_server) = self.pool(target.proxy, proxy);
        let mut routes = Vec::new();
        for (name, backend, span) in &target.routes {
            let (pool, _) = self.pool(*backend, proxy);
            routes.push((inline(&[("name", quote(name)), ("pool", quote(&pool))]), *span));
        }
        let name = self.native.unused(Kind::Virtual, name);
        let mut table = Table::named(Kind::Virtual, &name, proxy.span);
        if proxy.kind == ProxyKind::Frontend {
            let place = self.files.place(proxy.span);
            table = table.comment(format!("frontend {}, {place}", proxy.name));
        }
        if let Some(at) = &settings.description {
            table.text("description", &at.value, at.span);
        }
        let shown: Vec<_> = listens.iter().map(|at| (at.value.show(), at.span)).collect();
        table.texts("listen", &shown, proxy.span);
        table.text("pool", &pool, target.span);
        let tls_client = options.ssl.map(|span| (span, self.tls_client(proxy, options)));
        if let Some(span) = options.ssl.or(tls_server.as_ref().map(|at| at.span)) {
            table.text("type", "standard", span);
        }
        if let Some((span, profile)) = tls_client {
            table.text("tls_client", &profile, span);
        }
        if let Some(profile) = &tls_server {
            table.text("tls_server", &profile.value, profile.span);
        }
        if let Some((_, span)) = routes.first() {
            let span = *span;
            if options.ssl.is_some() || tls_server.is_some() {
                let words = "the pool cannot be chosen by server name where TLS is ended or begun";
                self.ctx.notes.refuse(
                    span,
                    words,
                    "pass TLS through, or listen on several addresses",
                );
            }
            table.value("sni_routes", Value::List(routes), span);
            self.routed_elsewhere(backend, &target.routes);
        }
        self.persistence(back, &mut table);
        self.protocol_profile(settings, back, options, &mut table);
        let lists = self.lists(index, target);
        lists.write(&mut table);
        if lists.allow.is_none() {
            self.open_to_all(proxy, listens, options, &mut table);
        }
        if let Some(max) = options.maxconn.as_ref().or(settings.maxconn.as_ref()) {
            table.number("connections_max", max.value, max.span);
        }
        self.listening(settings, options, &mut table);
        if let Some(balance) = back.balance.as_ref().filter(|at| at.value == Balance::Source) {
            let words = "all users behind one address, such as those of a Hue server, share one coordinator";
            let help = "a native file with protocol = \"hs2\" on the virtual server makes it needless: \
                        each call finds the coordinator that has its session, and users are spread";
            self.ctx.notes.warn(balance.span, words, help);
        }
        self.native.add(table);
    }

    fn listening(&mut self, settings: &Settings, options: &BindOptions, table: &mut Table) {
        if let Some(span) = options.accept_proxy {
            let everybody = [("0.0.0.0/0".to_owned(), span), ("::/0".to_owned(), span)];
            table.texts("accept_proxy", &everybody, span);
        }
        if let Some(backlog) = options.backlog.as_ref().or(settings.backlog.as_ref()) {
            table.number("backlog", backlog.value.min(65_535), backlog.span);
        }
        if let Some(interface) = &options.interface {
            table.text("interface", &interface.value, interface.span);
        }
        if let Some(span) = options.v6only {
            table.switch("dual_stack", false, span);
        }
        if let Some(mode) = &options.mode {
            let digits = mode.value.trim_start_matches('0');
            table.text("socket_mode", &format!("0{digits}"), mode.span);
        }
    }

    /// The check says the same in native words.
    fn open_to_all(
        &mut self,
        proxy: &Proxy,
        listens: &[At<Listen>],
        options: &BindOptions,
        table: &mut Table,
    ) {
        let every = |at: &&At<Listen>| matches!(&at.value, Listen::Tcp(address) if address.ip().is_unspecified());
        let Some(open) = listens.iter().find(every) else { return };
        if options.accept_proxy.is_some() {
            return;
        }
        table.told("listen", "everybody may connect");
        let words = format!("`{}` listens on every address, and everybody may connect", proxy.name);
        let help = "add `tcp-request connection reject unless { src 10.0.0.0/8 }`, or bind to an internal address";
        self.ctx.notes.warn(open.span, words, help);
    }
}
