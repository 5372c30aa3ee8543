//! The page of statistics and the socket for commands, as `[admin]`.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::{Builder, Global, Listen, Proxy};
use crate::files::Span;
use crate::native::{Kind, Table, clean_name};

use super::super::stats::{Stats, Who};

/// Of the page, and so not to be had for statistics.
const TAKEN: &[&str] = &["/api", "/livez", "/readyz", "/metrics", "/openapi.json", "/ui"];

impl Builder<'_> {
    /// Nothing, when the file has neither.
    pub(super) fn admin(&mut self, global: &Global) {
        let page = self.page.map(|index| &self.proxies[index]);
        let socket = global.sockets.first();
        let Some(span) = page.map(|page| page.span).or(socket.map(|socket| socket.path.span))
        else {
            return;
        };
        let mut table = Table::single(Kind::Admin, span);
        let mut users = Vec::new();
        match page {
            Some(page) => users = self.page(page, &mut table),
            // HAProxy has no address for it then.
            None => table.text("listen", "off", span),
        }
        if let Some(socket) = socket {
            table.text("haproxy_socket", &socket.path.value, socket.path.span);
            if let Some(level) = socket.level.as_ref().filter(|level| level.value != "operator") {
                table.text("haproxy_socket_level", level.value, level.span);
            }
        }
        for socket in global.sockets.iter().skip(1) {
            self.ctx.notes.change(socket.path.span, "there is one such socket, the first");
        }
        self.native.add(table);
        for user in users {
            self.native.add(user);
        }
    }

    /// What the page becomes, and its users.
    fn page(&mut self, proxy: &Proxy, table: &mut Table) -> Vec<Table> {
        let settings = &proxy.settings;
        let stats = &settings.stats;
        *table = table.clone().comment(format!(
            "{} {}, {}",
            proxy.kind.as_str(),
            proxy.name,
            self.files.place(proxy.span)
        ));
        let binds = settings.binds.iter();
        let listens = binds.flat_map(|bind| bind.listens.iter().map(move |at| (bind, at)));
        let mut addresses = listens.filter_map(|(bind, at)| match at.value {
            Listen::Tcp(address) => Some((bind, address, at.span)),
            Listen::Unix(_) => None,
        });
        let Some((bind, address, span)) = addresses.next() else {
            let words = format!("`{}` listens nowhere", proxy.name);
            self.ctx.notes.refuse(proxy.span, words, "write `bind ADDRESS:PORT`");
            return Vec::new();
        };
        if let Some((.., further)) = addresses.next() {
            self.ctx.notes.change(further, "the page has one address, the first");
        }
        let own = self.page_address(stats, address, span);
        table.text("listen", &own.to_string(), span);
        // The check says the same in native words.
        if let Some(ssl) = bind.options.ssl {
            let profile = self.tls_client(proxy, &bind.options);
            table.text("tls_client", &profile, ssl);
        } else if !stats.users.is_empty() && !own.ip().is_loopback() {
            table.told("listen", "passwords and tokens cross the network in clear text");
            let words = "passwords of the page cross the network in clear text";
            let help = "write `ssl crt FILE` behind the address, or bind to 127.0.0.1";
            self.ctx.notes.warn(span, words, help);
        }
        let role = self.page_role(stats, own);
        if stats.users.is_empty() {
            // HAProxy's page shows itself to everybody, and changes nothing unless told so.
            table.text("anonymous", role, span);
        }
        self.page_path(stats, table);
        for (_, span) in stats.others.iter().filter(|(word, _)| word != "http-request") {
            self.ctx.notes.drop(*span, "the page looks as it looks, and refreshes itself");
        }
        let rules = stats.others.iter().filter(|(word, _)| word == "http-request");
        for span in rules.map(|(_, span)| span).chain(&settings.http_rules) {
            let words = "passwords alone say who may see the page, wherever they come from";
            self.ctx.notes.change(*span, words);
        }
        let mut known = HashSet::new();
        let mut users = Vec::new();
        for user in &stats.users {
            if known.insert(user.0.as_str()) {
                users.push(self.user(user, role));
            } else {
                self.ctx.notes.change(user.2, "this user has a password already, the first");
            }
        }
        users
    }

    /// As written, unless nobody is asked for a password: the page shows more than HAProxy's.
    fn page_address(&mut self, stats: &Stats, address: SocketAddr, span: Span) -> SocketAddr {
        if !stats.users.is_empty() || address.ip().is_loopback() {
            return address;
        }
        let words = "on the loopback address only, for nobody is asked for a password: add `stats auth USER:PASSWORD`";
        self.ctx.notes.change(span, words);
        match address {
            SocketAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
            SocketAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port())),
        }
    }

    fn page_role(&mut self, stats: &Stats, address: SocketAddr) -> &'static str {
        let Some(who) = &stats.admin else { return "viewer" };
        match who.value {
            Who::Everybody => "operator",
            Who::ThisHost if address.ip().is_loopback() => "operator",
            Who::ThisHost | Who::SomeRule => {
                let words = "users of the page only look, for rights do not depend on such rules; the local socket may change states";
                self.ctx.notes.change(who.span, words);
                "viewer"
            }
        }
    }

    /// The path of HAProxy's page is where scripts find its CSV.
    fn page_path(&mut self, stats: &Stats, table: &mut Table) {
        let Some(uri) = &stats.uri else { return };
        let path = uri.value.split(['?', ';']).next().unwrap_or_default().trim_end_matches('/');
        let good =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'/');
        let is_path = path.starts_with('/') && path.bytes().all(good) && !path.contains("//");
        let below = |taken: &&str| {
            path.strip_prefix(*taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !is_path || path.len() > 128 || TAKEN.iter().any(below) {
            let words = "the page is at `/`, and HAProxy's statistics are at `/stats`, `/stats;csv` and `/stats;json`";
            self.ctx.notes.change(uri.span, words);
            return;
        }
        table.text("stats_path", path, uri.span);
    }

    fn user(&mut self, (name, password, span): &(String, String, Span), role: &str) -> Table {
        let own = self.native.unused(Kind::AdminUser, name);
        if own != clean_name(name) || own != *name {
            self.ctx.notes.change(*span, format!("this user logs in as `{own}`"));
        }
        let mut table = Table::named(Kind::AdminUser, &own, *span);
        table.text("password", password, *span);
        table.told("password", "stands here in clear text");
        table.text("role", role, *span);
        table
    }
}
