//! What TLS profiles, the virtual servers and monitors that use them and the authorities behind
//! them must not or should not say together.

use std::collections::{HashMap, HashSet};

use super::Parts;
use super::advice::unused_of;
use crate::context::Ctx;
use crate::file::virtual_server::VirtualRead;
use crate::model::{
    AcmeChallenge, Certificate, Listen, Pool, Probe, Protocol, TlsServer, Verify, Virtual,
    VirtualKind,
};
use crate::reader::Places;
use crate::text::Place;

/// Where authorities connect to (RFC 8737 §3, RFC 8555 §8.3).
const TLS_ALPN_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

pub(super) fn check(ctx: &mut Ctx<'_>, parts: &Parts) {
    for read in &parts.virtuals {
        if let Some(item) = &read.item {
            virtual_server(ctx, item, &read.places);
        }
    }
    for read in &parts.monitors {
        let profile = read.item.as_ref().and_then(|read| read.monitor.tls.as_ref());
        if let (Some(profile), true) = (profile, read.places.has("tls")) {
            unverified(ctx, profile, read.places.of("tls"));
        }
    }
    acmes(ctx, parts);
    unused(ctx, parts);
}

/// Probes of a pool speak TLS as its clients' connections do, unless the monitor says.
pub(super) fn give_to_probes(ctx: &mut Ctx<'_>, parts: &mut Parts) {
    let mut profiles: HashMap<usize, Vec<&TlsServer>> = HashMap::new();
    for server in parts.virtuals.iter().filter_map(|read| Some(&read.item.as_ref()?.server)) {
        let Some(profile) = &server.tls_server else { continue };
        let of_pool = profiles.entry(server.pool).or_default();
        if of_pool.iter().all(|other| other.name != profile.name) {
            of_pool.push(profile);
        }
    }
    for (index, read) in parts.pools.iter_mut().enumerate() {
        let Some(item) = &mut read.item else { continue };
        if item.monitor_tls_written || asks_elsewhere(&item.pool) {
            continue;
        }
        let Some(monitor) = &mut item.pool.monitor else { continue };
        match profiles.get(&index).map(Vec::as_slice) {
            None | Some([]) => {}
            Some([profile]) => monitor.tls = Some((*profile).clone()),
            Some([first, second, ..]) => {
                let message = format!(
                    "probes of pool `{}` could use the TLS profile `{}` or `{}`, and use neither",
                    item.pool.name, first.name, second.name
                );
                let help = format!(
                    "write [monitor.NAME] with parent = \"{}\" and tls = \"{}\", or tls = \"off\"",
                    monitor.name, first.name
                );
                ctx.warn(read.places.of("monitor"), message).help(help);
            }
        }
    }
}

/// A web page on a port of its own: clients' TLS says nothing about it.
fn asks_elsewhere(pool: &Pool) -> bool {
    let Some(monitor) = &pool.monitor else { return false };
    let web = matches!(monitor.probe, Probe::Http { .. } | Probe::Healthz);
    let other = |port: u16| pool.members.iter().any(|member| member.port != port);
    web && monitor.port.is_some_and(other)
}

fn virtual_server(ctx: &mut Ctx<'_>, item: &VirtualRead, places: &Places) {
    let server = &item.server;
    match server.kind {
        VirtualKind::Layer4 => {
            for key in ["tls_client", "tls_server"] {
                if places.has(key) {
                    let message = format!("`{key}` is not possible on a `layer4` virtual server");
                    let help = "write type = \"standard\"; layer4 passes TLS through untouched";
                    ctx.error(places.of(key), message).help(help);
                }
            }
        }
        VirtualKind::Standard => {
            let key = if server.sni_routes.is_empty() { "sni_peek" } else { "sni_routes" };
            if server.sni_peek {
                let message = format!("`{key}` is not possible on a `standard` virtual server");
                let help = "it is for TLS that is passed through: write type = \"layer4\"";
                ctx.error(places.of(key), message).help(help);
            }
        }
    }
    if let Some(profile) = &server.tls_client {
        let place = places.of("tls_client");
        if profile.certificates.is_empty() && profile.name == "clientssl" {
            let message = "`clientssl` has no certificate";
            let help =
                "write [profile.tls_client.NAME] with parent = \"clientssl\" and `certificates`";
            ctx.error(place, message).help(help);
        }
        if server.protocol == Protocol::Hs2Http && profile.alpn.iter().any(|name| name == "h2") {
            let message = format!("`{}` offers `h2`, which is not read here", profile.name);
            let help = "impalad speaks HTTP 1.1: write alpn = [\"http/1.1\"]";
            ctx.warn(place, message).help(help);
        }
        if let Some(name) = &server.public_name {
            covered(ctx, name, &profile.certificates, places.of("public_name"));
        }
    }
    if let Some(profile) = &server.tls_server {
        unverified(ctx, profile, places.of("tls_server"));
    }
    routes(ctx, item);
}

fn unverified(ctx: &mut Ctx<'_>, profile: &TlsServer, place: Place) {
    if profile.verify == Verify::None {
        let message = format!("`{}` does not verify the members' certificates", profile.name);
        let help = "anybody on the way can read and change everything";
        ctx.warn(place, message).help(help);
    }
}

/// What is in certificate files is not known here.
fn covered(ctx: &mut Ctx<'_>, public_name: &str, certificates: &[Certificate], place: Place) {
    let mut all: Vec<&str> = Vec::new();
    for certificate in certificates {
        match certificate {
            Certificate::Files(_) => return,
            Certificate::Acme { names, .. } => all.extend(names.iter().map(String::as_str)),
        }
    }
    if !all.is_empty() && !all.contains(&public_name) {
        let message = format!("no certificate is asked for `{public_name}`");
        ctx.warn(place, message).help("add it to the `names` of the certificate");
    }
}

/// Routes that no client can reach.
fn routes(ctx: &mut Ctx<'_>, item: &VirtualRead) {
    let mut before: HashMap<&str, Place> = HashMap::new();
    for (route, place) in item.server.sni_routes.iter().zip(&item.route_places) {
        let name = route.name.as_str();
        let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let earlier = [Some(name), wildcard.as_deref()];
        let first = earlier.into_iter().flatten().find_map(|key| Some((key, *before.get(key)?)));
        match first {
            Some((key, first)) => {
                let message = format!("nobody comes here: `{key}` stands before `{name}`");
                let message = match key == name {
                    true => format!("`{name}` is routed twice; the first one wins"),
                    false => message,
                };
                ctx.warn(*place, message).note(first, "first");
            }
            None => drop(before.insert(name, *place)),
        }
    }
}

fn acmes(ctx: &mut Ctx<'_>, parts: &Parts) {
    // Where an authority may come: virtual servers that end TLS on its port.
    let doors: Vec<_> = parts
        .virtuals
        .iter()
        .filter(|read| read.item.as_ref().is_some_and(|item| is_on_tls_alpn_port(&item.server)))
        .collect();
    let lets_in = |server: &Virtual| {
        server.allow.is_empty() || server.allow.iter().any(|net| net.prefix_len() == 0)
    };
    let all_closed =
        doors.iter().all(|read| read.item.as_ref().is_some_and(|item| !lets_in(&item.server)));
    let used = used_acmes(parts);
    for (index, read) in parts.acmes.iter().enumerate() {
        let Some(acme) = read.item.as_ref().filter(|_| used.contains(&index)) else { continue };
        match &acme.challenge {
            AcmeChallenge::TlsAlpn01 if doors.is_empty() => {
                let message = format!(
                    "the authority `{}` will connect to port 443, where no virtual server ends TLS",
                    acme.name
                );
                let help = "fine if another device leads port 443 here; else add a listener, or \
                            write challenge = \"http-01\"";
                ctx.warn(read.places.of("challenge"), message).help(help).consequence();
            }
            AcmeChallenge::TlsAlpn01 if all_closed => {
                let message = format!(
                    "the authority `{}` will connect to port 443, and may be kept out by `allow`",
                    acme.name
                );
                let help = "fine if it comes from there, as one of your own may; public ones come \
                            from anywhere: write challenge = \"http-01\", or let everybody in";
                ctx.warn(doors[0].places.of("allow"), message).help(help);
            }
            AcmeChallenge::Http01 { listen } if listen.port() != HTTP_PORT => {
                let message = format!(
                    "the authority `{}` will connect to port 80, not to {}",
                    acme.name,
                    listen.port()
                );
                let help = "fine if another device leads port 80 here";
                ctx.warn(read.places.of("http_listen"), message).help(help);
            }
            _ => {}
        }
    }
}

fn is_on_tls_alpn_port(server: &Virtual) -> bool {
    let has_port =
        |listen: &Listen| matches!(listen, Listen::Tcp(address) if address.port() == TLS_ALPN_PORT);
    server.tls_client.is_some() && server.listen.iter().any(has_port)
}

fn used_acmes(parts: &Parts) -> HashSet<usize> {
    let profiles = parts.profiles.tls_clients.iter().filter_map(|read| read.item.as_ref());
    let certificates = profiles.flat_map(|profile| &profile.certificates);
    let acme = |certificate: &Certificate| match certificate {
        Certificate::Acme { acme, .. } => Some(*acme),
        Certificate::Files(_) => None,
    };
    certificates.filter_map(acme).collect()
}

/// A profile that nobody uses mostly means clear text where TLS was wanted.
fn unused(ctx: &mut Ctx<'_>, parts: &Parts) {
    if parts.profiles.tls_clients.iter().all(|read| read.item.is_some()) {
        unused_of(ctx, &parts.acmes, &used_acmes(parts), "authority", "certificate");
    }
    let servers: Option<Vec<_>> = parts.virtuals.iter().map(|read| read.item.as_ref()).collect();
    let Some(servers) = servers else { return };
    let clients: Option<Vec<_>> = servers.iter().map(|server| server.tls_client).collect();
    let admin = match &parts.admin {
        None => Some(None),
        Some(read) => read.item.as_ref().map(|read| read.tls_client),
    };
    if let (Some(clients), Some(admin)) = (clients, admin) {
        let mut used = parts.tls_client_parents.clone();
        used.extend(admin);
        used.extend(clients.into_iter().flatten());
        let profiles = &parts.profiles.tls_clients;
        unused_of(ctx, profiles, &used, "TLS profile", "virtual server");
    }
    let to_members: Option<Vec<_>> = servers.iter().map(|server| server.tls_server).collect();
    let monitors: Option<Vec<_>> = parts.monitors.iter().map(|read| read.item.as_ref()).collect();
    let all_good = parts.profiles.tls_servers.iter().all(|read| read.item.is_some());
    if let (Some(to_members), Some(monitors), true) = (to_members, monitors, all_good) {
        let pools = parts.pools.iter().filter_map(|read| read.item.as_ref());
        let asking = pools.filter_map(|read| read.pool.load.as_ref()?.tls.as_ref());
        let probing: HashSet<&str> = monitors
            .iter()
            .filter_map(|read| read.monitor.tls.as_ref())
            .chain(asking)
            .map(|profile| profile.name.as_str())
            .collect();
        let profiles = &parts.profiles.tls_servers;
        let mut used = parts.tls_server_parents.clone();
        used.extend(to_members.into_iter().flatten());
        used.extend(profiles.iter().enumerate().filter_map(|(index, read)| {
            read.item.as_ref().filter(|item| probing.contains(item.name.as_str())).map(|_| index)
        }));
        unused_of(ctx, profiles, &used, "TLS profile", "virtual server and no monitor");
    }
}
