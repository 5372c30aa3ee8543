//! What belongs to a backend in HAProxy and to the virtual server here: rules about clients, and
//! what differs between the backends that one frontend chooses from. And lines that nothing comes
//! of.

use std::collections::HashSet;
use std::time::Duration;

use super::super::access::Lists;
use super::super::options::Keepalive;
use super::super::settings::{Settings, Stick};
use super::{Builder, Proxy, Table, Target};
use crate::files::{At, Span};

impl Builder<'_> {
    /// Who gets in.
    pub(super) fn lists(&mut self, index: usize, target: &Target) -> Lists {
        let access = &self.proxies[index].settings.access;
        let backend = &self.proxies[target.proxy];
        let mut theirs = Some(&backend.settings.access).filter(|_| target.proxy != index);
        if let (Some(span), false) =
            (theirs.and_then(|access| access.looks_at_clients()), target.routes.is_empty())
        {
            self.elsewhere(span, &backend.name);
            theirs = None;
        }
        access.lists(theirs).unwrap_or_else(|span| {
            let words = "only clients in this list and in that of another rule get in, and there is one list";
            let help = "write the networks that are in both, in one rule";
            self.ctx.notes.refuse(span, words, help);
            Lists::default()
        })
    }

    fn elsewhere(&mut self, span: Span, backend: &str) {
        let words = format!(
            "rules about clients are the frontend's here, and only some of its connections go to `{backend}`"
        );
        let help = "give this backend a frontend of its own, or write the rule there for all";
        self.ctx.notes.refuse(span, words, help);
    }

    /// What a backend that is chosen by server name says otherwise than the virtual server, which
    /// has the words of `main`.
    pub(super) fn routed_elsewhere(&mut self, main: &Proxy, routes: &[(String, usize, Span)]) {
        let mut seen = HashSet::new();
        for (_, index, _) in routes.iter().filter(|(_, index, _)| seen.insert(*index)) {
            let other = &self.proxies[*index];
            if std::ptr::eq(other, main) {
                continue;
            }
            if let Some(span) = other.settings.access.looks_at_clients() {
                self.elsewhere(span, &other.name);
            }
            if let Some(profile) = self.pools.get(index).and_then(|pool| pool.tls_server.clone()) {
                let words = "the pool cannot be chosen by server name where TLS is begun";
                let help = "pass TLS through, or listen on an address for each backend";
                self.ctx.notes.refuse(profile.span, words, help);
            }
            self.other_timeouts(main, other);
            self.other_persistence(main, other);
        }
    }

    fn other_timeouts(&mut self, main: &Proxy, other: &Proxy) {
        let (ours, theirs) = (quiet(&main.settings), quiet(&other.settings));
        let at = |proxy: &Proxy| {
            let timeouts = &proxy.settings.timeouts;
            let written = timeouts.tunnel.as_ref().or(timeouts.server.as_ref());
            written.map_or(proxy.span, |at| at.span)
        };
        if ours != theirs {
            let words =
                format!("connections to `{}` have the timeouts of `{}`", other.name, main.name);
            if shorter(ours, theirs) {
                let help = "they would be cut sooner: write the same timeouts in both backends";
                self.ctx.notes.refuse(at(other), format!("{words}, which are shorter"), help);
            } else {
                self.ctx.notes.change(at(other), words);
            }
        }
        let details = |settings: &Settings| {
            let user = settings.servers.iter().find_map(|s| s.options.user_timeout.as_ref());
            (keepalive(&settings.options.server_keepalive), user.map(|at| at.value))
        };
        if details(&main.settings) != details(&other.settings) {
            let words = format!(
                "keep-alive and `tcp-ut` toward `{}` are those of `{}`",
                other.name, main.name
            );
            self.ctx.notes.change(other.span, words);
        }
    }

    fn other_persistence(&mut self, main: &Proxy, other: &Proxy) {
        let way = |stick: &Stick, table: Option<&Stick>| {
            let expire = table.and_then(|table| table.expire.as_ref()).map(|at| at.value);
            stick.on_src.map(|_| (expire, stick.mask.as_ref().map(|at| at.value)))
        };
        let (ours, theirs) = (&main.settings.stick, &other.settings.stick);
        let table = |stick: &Stick| self.table_of(stick).cloned();
        let (ours_way, theirs_way) =
            (way(ours, table(ours).as_ref()), way(theirs, table(theirs).as_ref()));
        if ours_way == theirs_way {
            return;
        }
        let span = theirs.on_src.or(ours.on_src).unwrap_or(other.span);
        if theirs_way.is_none() {
            let words = format!(
                "clients of `{}` stick as well, as those of `{}` do",
                other.name, main.name
            );
            return self.ctx.notes.change(span, words);
        }
        let words = format!(
            "clients of `{}` would stick as those of `{}` do, for both are of one virtual server",
            other.name, main.name
        );
        let help = "write the same `stick` lines in both backends, or give each a frontend";
        self.ctx.notes.refuse(span, words, help);
    }

    /// The table that a `stick` line means: its own, or that of the proxy it names.
    fn table_of<'s>(&'s self, stick: &'s Stick) -> Option<&'s Stick> {
        let Some(name) = &stick.of else { return Some(stick) };
        let named = self.proxies.iter().filter(|proxy| proxy.name == name.value);
        named.map(|proxy| &proxy.settings.stick).find(|stick| stick.table.is_some())
    }

    pub(super) fn stick_table(&mut self, stick: &Stick) -> Option<Stick> {
        let found = self.table_of(stick).cloned();
        if let (None, Some(name)) = (&found, &stick.of) {
            let words = format!("no proxy `{}` has a `stick-table`", name.value);
            self.ctx.notes.refuse(name.span, words, "write one there, or leave `table` out");
        }
        found
    }

    /// Rules about HTTP of a proxy that serves connections.
    pub(super) fn http_rules(&mut self, proxy: &Proxy) {
        for span in &proxy.settings.http_rules {
            if proxy.settings.is_http() {
                let words = "HTTP is not looked into: bytes pass as they come";
                let help = "leave it out if it is not needed for Impala";
                self.ctx.notes.refuse(*span, words, help);
            } else {
                self.ctx.notes.drop(*span, "HAProxy, too, ignores this in mode tcp");
            }
        }
    }

    /// Every line of a proxy that nothing comes of.
    pub(super) fn left_out(&mut self, proxy: &Proxy, words: &str) {
        let table = proxy.settings.stick.table.filter(|_| self.is_named(proxy));
        for span in proxy.lines.iter().filter(|span| Some(**span) != table) {
            self.ctx.notes.drop(*span, words);
        }
    }

    /// Whether the `stick` lines of some proxy name the table of this one.
    fn is_named(&self, proxy: &Proxy) -> bool {
        let named = |other: &Proxy| {
            let of = other.settings.stick.of.as_ref();
            of.is_some_and(|name| name.value == proxy.name)
        };
        proxy.settings.stick.table.is_some() && self.proxies.iter().any(named)
    }

    /// Lines about a page and tables where there is none, unless the page has inherited them, too.
    pub(super) fn without_page(&mut self) {
        let page = self.page.map(|index| self.proxies[index].settings.stats.spans());
        let page: HashSet<Span> = page.unwrap_or_default().into_iter().collect();
        for proxy in std::mem::take(&mut self.no_page).into_iter().map(|index| &self.proxies[index])
        {
            let stats = proxy.settings.stats.spans();
            for span in stats.into_iter().filter(|span| !page.contains(span)) {
                if proxy.settings.is_http() {
                    let words = "no page is made here; write one as a `listen` of its own, with `mode http`, \
                                 `bind` and `stats enable`";
                    self.ctx.notes.change(span, words);
                } else {
                    let words = "HAProxy, too, ignores this in mode tcp, and no page is made; for one write a \
                                 `listen` of its own, with `mode http`, `bind` and `stats enable`";
                    self.ctx.notes.drop(span, words);
                }
            }
            let stick = &proxy.settings.stick;
            if let (Some(span), None, false) = (stick.table, stick.on_src, self.is_named(proxy)) {
                self.ctx.notes.drop(span, "no `stick on src` uses this table");
            }
        }
    }
}

impl Lists {
    pub(super) fn write(&self, table: &mut Table) {
        let texts = |networks: &[At<String>]| -> Vec<(String, Span)> {
            networks.iter().map(|at| (at.value.clone(), at.span)).collect()
        };
        let lists = [("allow", self.allow.as_deref().unwrap_or_default()), ("deny", &self.deny)];
        for (key, networks) in lists {
            if let Some(first) = networks.first() {
                table.texts(key, &texts(networks), first.span);
            }
        }
    }
}

/// How long a connection to the servers may be quiet; `None`: for ever.
fn quiet(settings: &Settings) -> Option<Duration> {
    let timeouts = &settings.timeouts;
    timeouts.tunnel.as_ref().or(timeouts.server.as_ref()).and_then(|at| at.value)
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one < other,
        (one, None) => one.is_some(),
        (None, Some(_)) => false,
    }
}

type Numbers = (Option<Duration>, Option<Duration>, Option<u64>);

fn keepalive(keepalive: &Keepalive) -> Option<Numbers> {
    let time = |at: &Option<At<Duration>>| at.as_ref().map(|at| at.value);
    let count = keepalive.count.as_ref().map(|at| at.value);
    keepalive.on.map(|_| (time(&keepalive.idle), time(&keepalive.interval), count))
}
