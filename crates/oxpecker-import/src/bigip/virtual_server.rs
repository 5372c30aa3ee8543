//! Virtual servers.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::objects::{Object, Objects, Property, base_name};
use super::pool::{self, number};
use super::profiles::{self, Profile};
use super::{Ctx, plain_name};
use crate::files::Span;
use crate::native::{Kind, Table};

pub(super) fn add(ctx: &mut Ctx<'_>, objects: &Objects, object: &Object) {
    if let Some(disabled) = object.get("disabled") {
        let words = format!("`{}` is disabled, and left out", base_name(&object.path));
        ctx.notes.change(disabled.span, words);
        return;
    }
    let partition = object.partition();
    let name = ctx.native.unused(Kind::Virtual, &plain_name(&object.path));
    let place = ctx.files.place(object.head);
    let mut table = Table::named(Kind::Virtual, &name, object.head)
        .comment(format!("{}, {place}", object.path));
    if let Some(text) = object.get("description") {
        table.text("description", text.text(), text.value_span);
    }
    let every = listen(ctx, objects, object, &mut table);
    let snatpool = translation(ctx, objects, object);
    let found = match object.get("pool") {
        Some(reference) => pool::name(ctx, objects, reference, partition, snatpool)
            .map(|name| (name, reference.value_span)),
        None => {
            let words = format!("`{}` has no pool", base_name(&object.path));
            ctx.notes.refuse(object.head, words, "connections that come here have nowhere to go");
            None
        }
    };
    if let Some((pool, span)) = &found {
        table.text("pool", pool, *span);
    }
    let protocol = with_profiles(ctx, objects, object, &mut table);
    persistence(ctx, objects, object, &mut table);
    if let Some((profile, span)) = protocol {
        table.text("protocol_profile", &profile, span);
        if matches!(profile.as_str(), "fastl4" | "tcp") {
            let words = "a connection that is quiet for 5 minutes is cut, even while a query runs";
            let help = "use a profile with idle-timeout 3600";
            ctx.notes.warn(span, words, help);
        }
    }
    let source =
        object.get("source").filter(|p| !matches!(p.text(), "0.0.0.0/0" | "::/0" | "any" | "any6"));
    if let Some(source) = source
        && let Some(network) = pool::no_route_domain(ctx, source.text(), source.value_span)
    {
        table.texts("allow", &[(network, source.value_span)], source.value_span);
    } else if every {
        table.told("listen", "everybody may connect");
        let words = format!(
            "`{}` listens on every address, and everybody may connect",
            base_name(&object.path)
        );
        ctx.notes.warn(object.head, words, "write `source 10.0.0.0/8`, or a destination address");
    }
    rest(ctx, object, &mut table);
    ctx.native.add(table);
}

/// Pools behind a server-ssl profile.
pub(super) fn encrypted_pools(objects: &Objects) -> BTreeSet<String> {
    let of = |object: &Object| {
        let profiles = object.get("profiles")?.inner().iter();
        let mut names = profiles.map(|property| property.name.as_str());
        names
            .any(|name| profiles::is_server_ssl(objects, name, object.partition()))
            .then_some(())?;
        let pool = objects.find("pool", object.get("pool")?.text(), object.partition())?;
        Some(pool.path.clone())
    };
    objects.of("virtual").filter_map(of).collect()
}

/// `destination`, by address or by the name of a virtual address; whether that is every address.
fn listen(ctx: &mut Ctx<'_>, objects: &Objects, object: &Object, table: &mut Table) -> bool {
    let Some(destination) = object.get("destination") else {
        let words = format!("`{}` has no destination", base_name(&object.path));
        ctx.notes.refuse(object.head, words, "write `destination 10.17.84.12:21050`");
        return false;
    };
    let span = destination.value_span;
    let Some((host, port)) = pool::split_port(ctx, destination.text(), span) else { return false };
    let mut host = base_name(&host).to_owned();
    if let Some(address) = objects.find("virtual-address", &host, object.partition()) {
        ctx.uses(address);
        if let Some(own) = address.get("address") {
            host = own.text().to_owned();
        }
        if let Some(disabled) = address.get("enabled").filter(|p| p.text() == "no") {
            ctx.notes.refuse(
                disabled.span,
                "this address is disabled",
                "leave its virtual servers out",
            );
        }
        for property in &address.properties {
            if !matches!(property.name.as_str(), "address" | "enabled" | "description") {
                let words = "the address is the operating system's, or keepalived's";
                ctx.notes.drop(property.span, words);
            }
        }
    }
    let Some(host) = pool::no_route_domain(ctx, &host, span) else { return false };
    let ip = match host.as_str() {
        "any" | "0.0.0.0" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        "any6" | "::" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        text => match text.parse() {
            Ok(ip) => ip,
            Err(_) => {
                let words = format!("`{text}` is no address");
                ctx.notes.refuse(span, words, "add its `ltm virtual-address` to the file");
                return false;
            }
        },
    };
    if port == 0 {
        ctx.notes.refuse(span, "a virtual server has one port", "write it instead of `any`");
        return false;
    }
    table.text("listen", &SocketAddr::new(ip, port).to_string(), span);
    ip.is_unspecified()
}

/// The snatpool, when one is named.
fn translation<'o>(ctx: &mut Ctx<'_>, objects: &'o Objects, object: &Object) -> Option<&'o Object> {
    let words = "members see the gateway's address, as with Auto Map; `transparent = true` in the pool \
                 would keep the client's";
    // `snat automap` is what old versions write.
    let property = object.get("source-address-translation").or_else(|| object.get("snat"));
    let Some(property) = property else {
        ctx.notes.change(object.head, words);
        return None;
    };
    let kind = property.get("type").map_or(property.text(), Property::text);
    let pool = property.get("pool").or_else(|| object.get("snatpool"));
    match (kind, pool) {
        ("automap", _) => None,
        ("snat", Some(pool)) => {
            let found = objects.find("snatpool", pool.text(), object.partition());
            match found {
                Some(found) => ctx.uses(found),
                None => {
                    let words = format!("no snatpool is called `{}`", pool.text());
                    ctx.notes.refuse(pool.value_span, words, "add its `ltm snatpool` to the file");
                }
            }
            found
        }
        _ => {
            ctx.notes.change(property.span, words);
            None
        }
    }
}

/// The protocol profile; TLS profiles are written into the table.
fn with_profiles(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    object: &Object,
    table: &mut Table,
) -> Option<(String, Span)> {
    let Some(list) = object.get("profiles") else {
        return Some(("tcp".to_owned(), object.head))
            .inspect(|_| table.text("type", "standard", object.head));
    };
    let mut protocol: Option<(String, bool, Span)> = None;
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    if !ctx.notes.work(list.inner().len(), list.span) {
        return None;
    }
    for property in list.inner() {
        let toward_members = property.get("context").is_some_and(|p| p.text() == "serverside");
        match profiles::read(ctx, objects, property, object.partition()) {
            Some(Profile::Protocol { name, layer4 }) => match &protocol {
                Some((known, ..)) if *known != name => {
                    let words = "both sides have the timeouts of the clients' profile";
                    ctx.notes.change(property.span, words);
                    if !toward_members {
                        protocol = Some((name, layer4, property.span));
                    }
                }
                _ => protocol = Some((name, layer4, property.span)),
            },
            Some(Profile::ClientSsl(found)) => clients.push((found, property.span)),
            Some(Profile::ServerSsl(found)) => servers.push((found, property.span)),
            Some(Profile::Dropped(words)) => ctx.notes.change(property.span, words),
            None => {}
        }
    }
    let (name, layer4, span) = protocol.unwrap_or(("tcp".to_owned(), false, list.span));
    if !layer4 {
        table.text("type", "standard", span);
    }
    if let Some((_, span)) = clients.first() {
        let profile = profiles::tls_client(ctx, objects, &clients);
        table.text("tls_client", &profile, *span);
    }
    if let Some((found, span)) = servers.first() {
        let profile = profiles::tls_server(ctx, objects, *found, *span);
        table.text("tls_server", &profile, *span);
    }
    Some((name, span))
}

fn persistence(ctx: &mut Ctx<'_>, objects: &Objects, object: &Object, table: &mut Table) {
    let Some(list) = object.get("persist").filter(|p| p.text() != "none") else { return };
    // `persist source_addr` of the command line is a name alone.
    let alone = [Property { name: list.text().to_owned(), ..list.clone() }];
    let entries = if list.text().is_empty() { list.inner() } else { &alone };
    for (number, reference) in entries.iter().enumerate() {
        if number > 0 {
            let words = "the first persistence profile counts";
            ctx.notes.change(reference.span, words);
            continue;
        }
        if let Some(name) = profiles::persistence(ctx, objects, reference, object.partition()) {
            table.text("persistence", &name, reference.span);
        }
    }
}

/// Everything that is looked at nowhere else.
fn rest(ctx: &mut Ctx<'_>, object: &Object, table: &mut Table) {
    for property in &object.properties {
        let text = property.text();
        match property.name.as_str() {
            "description"
            | "destination"
            | "source-address-translation"
            | "snat"
            | "snatpool"
            | "pool"
            | "profiles"
            | "persist"
            | "source"
            | "enabled" => {}
            "ip-protocol" if text == "tcp" => {}
            "ip-protocol" => {
                ctx.notes.refuse(
                    property.span,
                    format!("`{text}` is not TCP"),
                    "Impala's clients speak TCP",
                );
            }
            "mask"
                if matches!(text, "255.255.255.255" | "any" | "any6") || text.ends_with("ffff") => {
            }
            "mask" => {
                let words = "a virtual server has addresses, not a network";
                ctx.notes.refuse(property.span, words, "");
            }
            "connection-limit" if number(property) > 0 => {
                table.number("connections_max", number(property), property.value_span);
            }
            "connection-limit" => {}
            "vlans" | "vlans-enabled" | "vlans-disabled" => {
                ctx.notes.change(property.span, "connections are taken from all networks");
                if property.name == "vlans-enabled" && object.get("vlans").is_some() {
                    let words = "on BIG-IP only some VLANs reach this server";
                    ctx.notes.warn(
                        property.span,
                        words,
                        "write `interface` or `allow` in the native file",
                    );
                }
            }
            "translate-address" | "translate-port" if text == "enabled" => {}
            "rules"
            | "policies"
            | "clone-pools"
            | "fw-enforced-policy"
            | "per-flow-request-access-policy"
            | "traffic-matching-criteria"
            | "auth"
            | "ip-intelligence-policy"
            | "translate-address"
            | "translate-port"
            | "internal"
            | "ip-forward"
            | "l2-forward"
            | "reject"
            | "stateless"
            | "dhcp-relay"
            | "last-hop-pool" => {
                if property.inner().is_empty() && matches!(text, "none") {
                    continue;
                }
                let words = format!("`{}` would treat connections another way", property.name);
                let help = "leave it out if Impala's clients do not need it";
                ctx.notes.refuse(property.span, words, help);
            }
            "fallback-persistence" => {
                ctx.notes.change(property.span, "there is no second way of sticking");
            }
            "rate-limit"
            | "rate-limit-mode"
            | "rate-class"
            | "rate-limit-dst-mask"
            | "rate-limit-src-mask"
            | "bwc-policy" => {
                if !matches!(text, "disabled" | "none" | "object" | "0") {
                    ctx.notes.change(property.span, "rates of connections are not limited");
                }
            }
            _ => ctx.notes.drop(property.span, "means nothing to TCP services here"),
        }
    }
}
