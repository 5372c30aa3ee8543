//! What each part may say on its own and the parts must not say together; and what is allowed
//! but probably not meant.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::Parts;
use crate::context::Ctx;
use crate::file::Read;
use crate::file::admin::AdminRead;
use crate::file::pool::PoolRead;
use crate::file::virtual_server::VirtualRead;
use crate::model::{
    AccessFormat, Certificate, Delivery, Level, Listen, Log, LogTarget, Method, Protocol,
    QueryFormat, Records, Role, Virtual, VirtualKind,
};
use crate::reader::Places;
use crate::text::Place;
use crate::units::show_duration;

/// Ports of Impala that are not for clients (Impala's port list; 22000 until Impala 3).
const INTERNAL_PORTS: &[(u16, &str)] = &[
    (22_000, "impalad's internal backend port"),
    (23_000, "impalad's statestore subscriber port"),
    (23_020, "catalogd's statestore subscriber port"),
    (24_000, "the statestore's port; there is a single statestore"),
    (25_000, "impalad's web server"),
    (25_010, "the statestore's web server"),
    (25_020, "catalogd's web server"),
    (26_000, "catalogd's port; there is a single active catalogd"),
    (27_000, "the KRPC port impalads exchange rows on"),
];

const CLIENT_PORTS: &str = "client ports are 21050 (HiveServer2: Hue, JDBC, ODBC, impala-shell), \
                            21000 (Beeswax: old impala-shell) and 28000 (HiveServer2 over HTTP)";

pub(super) fn check(ctx: &mut Ctx<'_>, parts: &Parts, nowhere: Place) {
    for read in &parts.pools {
        if let Some(item) = &read.item {
            pool(ctx, item, &read.places, parts);
        }
    }
    for read in &parts.virtuals {
        if let Some(item) = &read.item {
            virtual_server(ctx, item, &read.places, parts);
        }
    }
    admin(ctx, parts);
    unused(ctx, parts);
    if parts.virtuals.is_empty() {
        let message = "no virtual server: nothing listens for clients";
        ctx.warn(nowhere, message)
            .help("write [virtual.NAME] with `listen` and `pool`")
            .consequence();
    }
}

/// Records that are made and then shown nowhere.
pub(super) fn unseen_records(
    ctx: &mut Ctx<'_>,
    log: &Read<Log>,
    targets: &[Read<LogTarget>],
    delivery: Option<&Read<Delivery>>,
) {
    let Some(config) = &log.item else { return };
    let seen = |kind: Records| {
        let takes = |level: Level, records: Records| {
            level >= Level::Info && (records == Records::All || records == kind)
        };
        match targets {
            [] => takes(config.level, Records::All),
            targets => targets
                .iter()
                .filter_map(|target| target.item.as_ref())
                .any(|target| takes(target.level, target.records)),
        }
    };
    let all_known = targets.iter().all(|target| target.item.is_some());
    let place = targets.first().map_or(log.places.of("level"), |t| t.places.of("level"));
    if config.queries != QueryFormat::Off && !seen(Records::Queries) && all_known {
        ctx.warn(place, "no log target shows query records: they have the level \"info\"")
            .help("give a target `level = \"info\"`, or write `queries = \"off\"` in [log]");
    }
    if let Some(delivery) = delivery {
        if config.access == AccessFormat::Off {
            let message = "there is nothing to deliver: `access` of [log] is \"off\"";
            let help = "write access = \"tcplog\" or \"json\", or take [log.delivery] out";
            ctx.error(delivery.places.name, message).help(help);
        }
        return;
    }
    if config.access != AccessFormat::Off && !seen(Records::Access) && all_known {
        ctx.warn(place, "no log target shows access records: they have the level \"info\"")
            .help("give a target `level = \"info\"`, or write `access = \"off\"` in [log]");
    }
}

fn pool(ctx: &mut Ctx<'_>, item: &PoolRead, places: &Places, parts: &Parts) {
    let pool = &item.pool;
    if pool.members.is_empty() {
        ctx.error(places.of("members"), format!("pool `{}` has no members", pool.name));
    }
    if pool.monitor.is_none() {
        let message = format!("pool `{}` is not monitored", pool.name);
        let help = "a dead member keeps its share until connecting to it fails; \
                    write monitor = \"tcp\" or better";
        ctx.warn(places.of("monitor"), message).help(help);
    }
    let counts_connections = matches!(pool.method, Method::LeastConnections | Method::RandomTwo);
    if places.has("scope") && !counts_connections {
        let message = "`scope` does nothing with this method";
        let help = "it says whose connections `least-connections` and `random-two` count";
        ctx.warn(places.of("scope"), message).help(help);
    }
    load(ctx, item, places);
    if pool.transparent && !pool.source.is_empty() {
        let message = "`source` and `transparent` both say where to connect from";
        ctx.error(places.of("source"), message).help("keep one of them");
    }
    if places.has("priority_min_active")
        && pool.priority_min_active as usize > pool.members.len()
        && !pool.members.is_empty()
    {
        let message = format!("there are only {} members", pool.members.len());
        ctx.warn(places.of("priority_min_active"), message);
    }
    let mut seen: HashMap<(usize, u16), Place> = HashMap::new();
    for (member, (place, port_place)) in pool.members.iter().zip(&item.member_places) {
        let internal = INTERNAL_PORTS.iter().find(|(port, _)| *port == member.port);
        if let Some((port, what)) = internal {
            let message = format!("port {port} is {what}: not for clients");
            ctx.error(*port_place, message).help(CLIENT_PORTS);
        }
        if let Some(first) = seen.insert((member.node, member.port), *place) {
            let node = parts.nodes.get(member.node).and_then(|read| read.item.as_ref());
            let node = node.map_or("", |node| node.name.as_str());
            let message = format!("`{node}:{}` is in pool `{}` twice", member.port, pool.name);
            ctx.error(*place, message).note(first, "first");
        }
    }
}

/// What coordinators tell of their work, and nobody asked for.
fn load(ctx: &mut Ctx<'_>, item: &PoolRead, places: &Places) {
    let pool = &item.pool;
    if places.has("load_tls") && !places.has("load_port") {
        let message = "`load_tls` does nothing without `load_port`";
        ctx.warn(places.of("load_tls"), message).help("write load_port = 25000");
    }
    if places.has("load_port") && pool.method != Method::LeastOperations {
        let message = "`load_port` does nothing with this method";
        let help = "write method = \"least-operations\": no other asks coordinators for their work";
        ctx.warn(places.of("load_port"), message).help(help);
    }
}

fn virtual_server(ctx: &mut Ctx<'_>, item: &VirtualRead, places: &Places, parts: &Parts) {
    let server = &item.server;
    if server.kind == VirtualKind::Layer4 && server.protocol != Protocol::Tcp {
        let message = "a `layer4` virtual server does not read the protocol";
        let help = "write type = \"standard\", or leave `protocol` out";
        ctx.error(places.of("protocol"), message).help(help);
    }
    timeouts(ctx, server, places);
    let mut pools = vec![(server.pool, places.of("pool"))];
    let routes = server.sni_routes.iter().zip(&item.route_places);
    pools.extend(routes.map(|(route, place)| (route.pool, *place)));
    for (pool, place) in pools {
        let Some(pool) = parts.pools.get(pool).and_then(|read| read.item.as_ref()) else {
            continue;
        };
        if pool.pool.method == Method::LeastOperations && server.protocol == Protocol::Tcp {
            let message = format!(
                "pool `{}` counts operations, which this virtual server does not see",
                pool.pool.name
            );
            let help = "write type = \"standard\" and protocol = \"hs2\" (or what clients speak)";
            ctx.error(place, message).help(help);
        }
    }
    if let Some(pool) = parts.pools.get(server.pool).and_then(|read| read.item.as_ref()) {
        port_differs(ctx, item, pool);
    }
    open_to_all(ctx, item);
}

/// A timeout shorter than persistence: the client comes back to its member, and finds its
/// connection cut.
fn timeouts(ctx: &mut Ctx<'_>, server: &Virtual, places: &Places) {
    let Some(persistence) = &server.persistence else { return };
    let profile = &server.protocol_profile;
    let timeouts = [
        ("idle_timeout", profile.idle_timeout),
        ("client_timeout", profile.client_timeout),
        ("server_timeout", profile.server_timeout),
    ];
    for (key, timeout) in timeouts {
        let Some(timeout) = timeout.filter(|timeout| *timeout < persistence.timeout) else {
            continue;
        };
        let key_at =
            if places.has("protocol_profile") { "protocol_profile" } else { "persistence" };
        let message = format!(
            "`{key}` of `{}` ({}) is shorter than persistence `{}` ({})",
            profile.name,
            show_duration(timeout),
            persistence.name,
            show_duration(persistence.timeout)
        );
        let help = "make both as long as the longest query, such as 1h";
        ctx.warn(places.of(key_at), message).help(help);
    }
}

fn port_differs(ctx: &mut Ctx<'_>, item: &VirtualRead, pool: &PoolRead) {
    let ports: HashSet<u16> = pool.pool.members.iter().map(|member| member.port).collect();
    if ports.is_empty() {
        return;
    }
    for (listen, place) in item.server.listen.iter().zip(&item.listen_places) {
        let Listen::Tcp(address) = listen else { continue };
        let port = address.port();
        // Nobody takes 443 by mistake, and authorities look there.
        let is_https = port == 443 && item.tls_client != Some(None);
        if port == 0 || is_https || ports.contains(&port) {
            continue;
        }
        let mut served: Vec<u16> = ports.iter().copied().collect();
        served.sort_unstable();
        let served: Vec<String> = served.iter().take(3).map(u16::to_string).collect();
        let message = format!(
            "`{}` listens on port {port}, its members on {}",
            item.server.name,
            served.join(", ")
        );
        let help = format!("fine if it is meant so: clients must be told port {port}");
        ctx.warn(*place, message).help(help);
        return;
    }
}

/// Anybody may connect, from anywhere.
fn open_to_all(ctx: &mut Ctx<'_>, item: &VirtualRead) {
    let server = &item.server;
    // A PROXY header's sender is as good as an allow list, unless it is anybody.
    if let Some(senders) = &server.accept_proxy {
        let place = item.listen_places.first().filter(|_| server.allow.is_empty());
        if let (Some(place), true) = (place, senders.iter().any(|net| net.prefix_len() == 0)) {
            let message = format!(
                "`{}` takes PROXY headers from everybody, so that anybody can pretend to be another",
                server.name
            );
            let help = "name the balancers that send them: accept_proxy = [\"10.0.0.5\"]";
            ctx.warn(*place, message).help(help);
        }
        return;
    }
    let open = server.allow.is_empty() || server.allow.iter().any(|net| net.prefix_len() == 0);
    if !open {
        return;
    }
    for (listen, place) in server.listen.iter().zip(&item.listen_places) {
        let Listen::Tcp(address) = listen else { continue };
        let ip = address.ip();
        if ip.is_unspecified() || is_global(ip) {
            let which = if ip.is_unspecified() { "every address" } else { "a public address" };
            let message = format!("`{}` listens on {which} and everybody may connect", server.name);
            let help = "write allow = [\"10.0.0.0/8\"], or listen on an internal address";
            ctx.warn(*place, message).help(help);
            return;
        }
    }
}

/// Routed over the Internet, as far as the address alone tells.
fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_unspecified()
                || shared
                || a == 0
                || a >= 224)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            let documentation = first == 0x2001 && ip.segments()[1] == 0xdb8;
            // 2000::/3 is what the registries hand out.
            first & 0xe000 == 0x2000 && !documentation
        }
    }
}

fn admin(ctx: &mut Ctx<'_>, parts: &Parts) {
    let Some(read) = &parts.admin else { return };
    let Some(AdminRead { admin, .. }) = &read.item else { return };
    if let Some(profile) = &admin.tls_client
        && profile.certificates.is_empty()
        && profile.name == "clientssl"
    {
        let help = "write [profile.tls_client.NAME] with parent = \"clientssl\" and `certificates`";
        let place = read.places.of("tls_client");
        ctx.error(place, "`clientssl` has no certificate").help(help);
    }
    let profile = admin.tls_client.as_ref();
    let is_issued = |certificate: &Certificate| matches!(certificate, Certificate::Acme { .. });
    if profile.is_some_and(|profile| profile.certificates.iter().any(is_issued)) {
        let message = "the admin side cannot use certificates that come by themselves";
        let help = "name a profile whose certificates stand in files";
        ctx.error(read.places.of("tls_client"), message).help(help);
    }
    if admin.listen.is_none_or(|listen| listen.ip().to_canonical().is_loopback()) {
        return;
    }
    let listen = read.places.of("listen");
    let has_credentials = !admin.users.is_empty() || !admin.tokens.is_empty();
    match admin.anonymous {
        Some(Role::Operator | Role::Admin) => {
            let message = "whoever reaches the admin address may change things, without a password";
            let help =
                "write anonymous = \"viewer\" or \"none\"; the Unix socket can do everything";
            ctx.warn(read.places.of("anonymous"), message).help(help);
        }
        Some(Role::Viewer) if !has_credentials && !read.places.has("anonymous") => {
            let message =
                "the admin page is reachable from other hosts, and shows everything to anybody";
            let help = "write [admin.user.NAME], or listen on 127.0.0.1; anonymous = \"viewer\" says \
                        that it is meant so";
            ctx.warn(listen, message).help(help);
        }
        _ => {}
    }
    if has_credentials && admin.tls_client.is_none() {
        let message = "passwords and tokens cross the network in clear text";
        ctx.warn(listen, message).help("write tls_client = \"NAME\", or listen on 127.0.0.1");
    }
}

fn unused(ctx: &mut Ctx<'_>, parts: &Parts) {
    // With a broken one among them nobody knows.
    let virtuals = &parts.virtuals;
    if virtuals.iter().all(|read| read.item.is_some()) {
        let servers = || virtuals.iter().filter_map(|read| Some(&read.item.as_ref()?.server));
        let routes = servers().flat_map(|server| server.sni_routes.iter().map(|route| route.pool));
        let used: HashSet<usize> = servers().map(|server| server.pool).chain(routes).collect();
        unused_of(ctx, &parts.pools, &used, "pool", "virtual server");
    }
    if parts.pools.iter().all(|read| read.item.is_some()) {
        let pools = parts.pools.iter().filter_map(|read| read.item.as_ref());
        let used: HashSet<usize> =
            pools.flat_map(|pool| pool.pool.members.iter().map(|member| member.node)).collect();
        unused_of(ctx, &parts.nodes, &used, "node", "pool");
    }
}

pub(super) fn unused_of<T>(
    ctx: &mut Ctx<'_>,
    all: &[Read<T>],
    used: &HashSet<usize>,
    what: &str,
    by: &str,
) {
    for (index, read) in all.iter().enumerate() {
        let built_in = read.places.name.file == 0;
        if !built_in && !used.contains(&index) {
            let place = read.places.name;
            let name = ctx.files[place.file].slice(place).trim_matches(['"', '\'']).to_owned();
            ctx.warn(place, format!("{what} `{name}` is used by no {by}")).consequence();
        }
    }
}
