//! Pools with their members and nodes.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::objects::{Content, Object, Objects, Property, base_name, full_path};
use super::{Ctx, monitor, plain_name};
use crate::files::{At, Span};
use crate::native::{Kind, Table, Value, inline, quote};

/// Ten thousand members are all that is read: checking more takes minutes.
const MEMBER_STEPS: usize = 100;

/// BIG-IP's default of `slow-ramp-time`.
const SLOW_RAMP: u64 = 10;

/// The native name of a pool, which is written when it is first asked for. `sources` are the
/// addresses of a snatpool: here they are the pool's.
pub(super) fn name(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    reference: &Property,
    partition: &str,
    sources: Option<&Object>,
) -> Option<String> {
    let Some(object) = objects.find("pool", reference.text(), partition) else {
        let words = format!("no pool is called `{}`", reference.text());
        ctx.notes.refuse(reference.value_span, words, "add its `ltm pool` to the file");
        return None;
    };
    ctx.uses(object);
    let way = sources.map_or(String::new(), |snatpool| snatpool.path.clone());
    let key = ("pool", format!("{} from {way}", object.path));
    if let Some(known) = ctx.written.get(&key) {
        return Some(known.clone());
    }
    let any = ("pool from anywhere", object.path.clone());
    if let Some(twin) = ctx.written.get(&any) {
        let words = format!(
            "`{}` is written twice, for this server's connections come from other addresses: each of both is \
             probed, and has limits and persistence of its own, unlike `{twin}`",
            object.path
        );
        ctx.notes.change(reference.span, words);
    }
    let name = ctx.native.unused(Kind::Pool, &plain_name(&object.path));
    ctx.written.insert(any, name.clone());
    let place = ctx.files.place(object.head);
    let mut table =
        Table::named(Kind::Pool, &name, object.head).comment(format!("{}, {place}", object.path));
    write(ctx, objects, object, &mut table);
    if let Some(snatpool) = sources {
        source(ctx, objects, snatpool, &mut table);
    }
    ctx.native.add(table);
    ctx.written.insert(key, name.clone());
    Some(name)
}

fn write(ctx: &mut Ctx<'_>, objects: &Objects, object: &Object, table: &mut Table) {
    if let Some(text) = object.get("description") {
        table.text("description", text.text(), text.value_span);
    }
    let method = object.get("load-balancing-mode");
    let word = method.map_or("round-robin", Property::text);
    let by_ratio = word.starts_with("ratio-") || word.starts_with("weighted-");
    let groups = object.get("min-active-members").filter(|property| number(property) > 0);
    members(ctx, objects, object, by_ratio, groups.is_some(), table);
    balance(ctx, method, word, object.head, table);
    monitor::of_pool(ctx, objects, object, table);
    let mut slow_ramp = At::new(SLOW_RAMP, object.head);
    let mut queues = None;
    for property in &object.properties {
        let span = property.value_span;
        match property.name.as_str() {
            "description"
            | "load-balancing-mode"
            | "members"
            | "monitor"
            | "min-active-members" => {}
            "service-down-action" => match property.text() {
                word @ ("none" | "reset" | "drop" | "reselect") => {
                    if word != "none" {
                        table.text("service_down", word, span);
                    }
                }
                other => {
                    let words = format!("`{other}` is no action");
                    ctx.notes.refuse(span, words, "none, reset, drop or reselect");
                }
            },
            "slow-ramp-time" => slow_ramp = At::new(number(property), span),
            "reselect-tries" => table.number("retries", number(property), span),
            "queue-on-connection-limit" => {
                queues = Some(property.text() == "enabled").filter(|on| *on);
            }
            "queue-depth-limit" if number(property) > 0 => {
                table.number("queue_max", number(property), span);
            }
            "queue-time-limit" if number(property) > 0 => {
                table.duration("queue_timeout", Duration::from_millis(number(property)), span);
            }
            "queue-depth-limit" | "queue-time-limit" => {}
            "min-up-members" | "min-up-members-action" | "min-up-members-checking" => {
                ctx.notes.change(
                    property.span,
                    "this gateway does not hand over to another one by itself",
                );
            }
            "ignore-persisted-weight"
            | "allow-nat"
            | "allow-snat"
            | "autoscale-group-id"
            | "gateway-failsafe-device"
            | "inherit-profile"
            | "ip-tos-to-client"
            | "ip-tos-to-server"
            | "link-qos-to-client"
            | "link-qos-to-server"
            | "metadata"
            | "partition"
            | "app-service"
            | "profiles"
            | "traffic-acceleration" => {
                ctx.notes.drop(property.span, "means nothing to TCP services here");
            }
            name => unknown(ctx, property, &format!("`{name}` of a pool is not known")),
        }
    }
    if slow_ramp.value > 0 {
        table.duration("slow_start", Duration::from_secs(slow_ramp.value), slow_ramp.span);
    }
    if let Some(groups) = groups.filter(|groups| number(groups) > 1) {
        table.number("priority_min_active", number(groups), groups.value_span);
    }
    // Beyond a member's limit BIG-IP refuses, unless told to queue.
    if queues.is_none() && has_limits(object) {
        table.number("queue_max", 0, object.head);
    }
}

fn has_limits(object: &Object) -> bool {
    let members = object.get("members").map_or(&[][..], Property::inner);
    members
        .iter()
        .any(|member| member.get("connection-limit").is_some_and(|limit| number(limit) > 0))
}

fn balance(
    ctx: &mut Ctx<'_>,
    method: Option<&Property>,
    word: &str,
    head: Span,
    table: &mut Table,
) {
    let span = method.map_or(head, |property| property.value_span);
    match word {
        "least-connections-node" => {}
        "least-connections-member" => table.text("scope", "member", span),
        "round-robin" | "ratio-member" => table.text("method", "round-robin", span),
        "ratio-node" => {
            table.text("method", "round-robin", span);
            ctx.notes.change(span, "the ratios are the members'");
        }
        "weighted-least-connections-member" | "ratio-least-connections-member" => {
            table.text("scope", "member", span);
        }
        "weighted-least-connections-node" | "ratio-least-connections-node" => {}
        other
            if other.ends_with("-node")
                || other.ends_with("-member")
                || other == "least-sessions" =>
        {
            if other.ends_with("-member") {
                table.text("scope", "member", span);
            }
            ctx.notes.change(span, "by least connections: past times and loads are not looked at");
        }
        other => {
            let words = format!("`{other}` is no load-balancing mode");
            ctx.notes.refuse(span, words, "such as least-connections-node");
        }
    }
}

fn members(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    object: &Object,
    by_ratio: bool,
    groups: bool,
    table: &mut Table,
) {
    let Some(list) = object.get("members") else {
        ctx.notes.refuse(object.head, format!("pool `{}` has no members", object.path), "");
        return;
    };
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut hosts: HashMap<(String, u16), String> = HashMap::new();
    if !ctx.notes.work(MEMBER_STEPS * list.inner().len(), list.span) {
        return;
    }
    for member in list.inner() {
        let Some((node, port)) = split_port(ctx, &member.name, member.span) else { continue };
        if !seen.insert(member.name.clone()) {
            let words = format!("`{}` is in this pool twice", member.name);
            ctx.notes.refuse(member.span, words, "leave one out");
            continue;
        }
        if port == 0 {
            let words = "a member needs a port";
            ctx.notes.refuse(member.span, words, "such as :21050");
            continue;
        }
        let Some(node) = node_name(ctx, objects, object, member, &node) else { continue };
        let address = ctx.addresses.get(&node).cloned().unwrap_or_default();
        if let Some(other) = hosts.insert((address, port), member.name.clone()) {
            let words = format!("the same address and port as `{}`", base_name(&other));
            let help = "it gets two shares of the connections, and is probed twice: leave one out";
            ctx.notes.warn(member.span, words, help);
        }
        found.push((node, port, member));
    }
    let common = common_port(&found);
    if let Some(port) = common {
        table.number("port", port.into(), list.span);
    }
    let any_priority = groups && found.iter().any(|(.., m)| m.get("priority-group").is_some());
    let mut items = Vec::new();
    for (node, port, member) in found {
        let mut parts: Vec<(&str, String)> = vec![("node", quote(&node))];
        if Some(port) != common {
            parts.push(("port", port.to_string()));
        }
        let mut down = false;
        for property in member.inner() {
            let value = number(property);
            match property.name.as_str() {
                "address" | "fqdn" | "description" | "ephemeral" | "inherit-profile"
                | "logging" | "parent" | "app-service" | "metadata" | "profiles" => {}
                "ratio" if by_ratio && value != 1 => {
                    parts.push(("weight", value.min(256).to_string()))
                }
                "ratio" => {}
                "priority-group" if !any_priority => {
                    ctx.notes.change(
                        property.span,
                        "without `min-active-members` priorities mean nothing",
                    );
                }
                "priority-group" => {}
                "connection-limit" if value > 0 => {
                    parts.push(("connections_max", value.to_string()));
                }
                "connection-limit" | "rate-limit" | "dynamic-ratio" => {}
                "session" | "state" => down |= admin_state(ctx, property, &mut parts, down),
                "monitor" if property.text() == "default" => {}
                "monitor" => {
                    ctx.notes.change(property.span, "probed as the other members of its pool");
                }
                _ => {
                    unknown(ctx, property, &format!("`{}` of a member is not known", property.name))
                }
            }
        }
        if any_priority {
            let priority = member.get("priority-group").map_or(0, number);
            // 10 is what members have here.
            if priority != 10 {
                parts.insert(1, ("priority", priority.to_string()));
            }
        }
        let text = if parts.len() == 1 { quote(&node) } else { inline(&parts) };
        items.push((text, member.span));
    }
    table.value("members", Value::List(items), list.span);
}

/// `session user-disabled` keeps persisted clients, `state user-down` keeps nobody.
fn admin_state(
    ctx: &mut Ctx<'_>,
    property: &Property,
    parts: &mut Vec<(&str, String)>,
    known: bool,
) -> bool {
    let state = match property.text() {
        "user-disabled" => "draining",
        "user-down" => "disabled",
        "up" | "down" | "unchecked" | "fqdn-up" | "fqdn-up-no-addr" | "checking" => return false,
        "monitor-enabled" | "user-enabled" | "user-up" => return false,
        other => {
            ctx.notes.refuse(property.value_span, format!("`{other}` is no state"), "");
            return false;
        }
    };
    if !known || state == "disabled" {
        parts.retain(|(name, _)| *name != "state");
        parts.push(("state", quote(state)));
    }
    true
}

/// The port that most members have.
fn common_port(members: &[(String, u16, &Property)]) -> Option<u16> {
    let mut counts: HashMap<u16, usize> = HashMap::new();
    for (_, port, _) in members {
        *counts.entry(*port).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(port, count)| (*count, Reverse(*port)));
    most.map(|(port, _)| port)
}

/// The native node of a member: its `ltm node`, or the address that the member itself gives.
fn node_name(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    pool: &Object,
    member: &Property,
    reference: &str,
) -> Option<String> {
    let object = objects.find("node", reference, pool.partition());
    let path = object.map_or_else(|| full_path(reference, pool.partition()), |o| o.path.clone());
    let key = ("node", path.clone());
    if let Some(known) = ctx.written.get(&key) {
        return Some(known.clone());
    }
    let mut span = object.map_or(member.span, |object| object.head);
    let address =
        |of: &dyn Fn(&str) -> Option<(String, Span)>| of("address").or_else(|| of("fqdn"));
    let value = |property: &Property| match &property.content {
        Content::Block(_) => {
            property.get("name").map(|name| (name.text().to_owned(), name.value_span))
        }
        _ => Some((property.text().to_owned(), property.value_span)),
    };
    let found = object
        .and_then(|object| address(&|name| object.get(name).and_then(value)))
        .or_else(|| address(&|name| member.get(name).and_then(value)))
        .or_else(|| {
            // `10.0.0.1:21000` needs no node.
            let base = base_name(reference);
            base.parse::<IpAddr>().ok().map(|_| (base.to_owned(), member.span))
        });
    let Some((address, address_span)) = found else {
        let words = format!("no address for `{}`", base_name(reference));
        ctx.notes.refuse(member.span, words, "add its `ltm node` to the file");
        return None;
    };
    if let Some(object) = object {
        ctx.uses(object);
        node_properties(ctx, object);
    }
    let address = no_route_domain(ctx, &address, address_span)?;
    span.end = span.end.max(span.start);
    let mut table = Table::single(Kind::Node, span);
    if let Some(text) = object.and_then(|object| object.get("description")) {
        table.text("description", text.text(), text.value_span);
    }
    table.text("address", &address, address_span);
    let name = ctx.native.add_named(Kind::Node, &plain_name(&path), table);
    ctx.addresses.insert(name.clone(), address);
    ctx.written.insert(key, name.clone());
    Some(name)
}

fn node_properties(ctx: &mut Ctx<'_>, object: &Object) {
    for property in &object.properties {
        match property.name.as_str() {
            "address" | "fqdn" | "description" => {}
            "session" | "state" => {
                if matches!(property.text(), "user-disabled" | "user-down") {
                    let words = "states are the members': set it in each pool";
                    ctx.notes.refuse(property.span, words, "or leave the host out of the pools");
                }
            }
            "monitor" if matches!(property.text(), "default" | "none") => {}
            "monitor" => ctx.notes.change(property.span, "members are probed, hosts are not"),
            "ratio" | "dynamic-ratio" | "logging" | "metadata" | "partition" | "app-service"
            | "rate-limit" => {
                ctx.notes.drop(property.span, "means nothing to TCP services here");
            }
            "connection-limit" if number(property) == 0 => {}
            "connection-limit" => {
                ctx.notes.refuse(property.span, "limits are the members'", "set it in each pool");
            }
            name => unknown(ctx, property, &format!("`{name}` of a node is not known")),
        }
    }
}

/// The snatpool's addresses, to connect from in turn.
fn source(ctx: &mut Ctx<'_>, objects: &Objects, snatpool: &Object, table: &mut Table) {
    let Some(list) = snatpool.get("members") else { return };
    let mut sources = Vec::new();
    for member in list.inner() {
        let translation = objects.find("snat-translation", &member.name, snatpool.partition());
        let address = translation.and_then(|object| object.get("address"));
        let address = address.map_or_else(|| base_name(&member.name), Property::text).to_owned();
        if let Some(object) = translation {
            ctx.uses(object);
        }
        if let Some(address) = no_route_domain(ctx, &address, member.span) {
            sources.push((address, member.span));
        }
    }
    table.texts("source", &sources, list.span);
}

/// `10.0.0.1%2` is an address in a network of its own, which Linux spells otherwise.
pub(super) fn no_route_domain(ctx: &mut Ctx<'_>, address: &str, span: Span) -> Option<String> {
    match address.split_once('%') {
        None => Some(address.to_owned()),
        Some((plain, "0")) => Some(plain.to_owned()),
        Some((_, domain)) => {
            let words = format!("route domain {domain} is not possible");
            let help =
                "a gateway lives in one network: run one in a network namespace for each domain";
            ctx.notes.refuse(span, words, help);
            None
        }
    }
}

/// `/Common/n1:21050`, or `/Common/fd00::1.21050`.
pub(super) fn split_port(ctx: &mut Ctx<'_>, text: &str, span: Span) -> Option<(String, u16)> {
    let base = base_name(text);
    let is_v6 = base.matches(':').count() > 1;
    let split = if is_v6 { text.rsplit_once('.') } else { text.rsplit_once(':') };
    let Some((host, port)) = split else {
        let words = format!("`{base}` has no port");
        ctx.notes.refuse(span, words, "write ADDRESS:PORT");
        return None;
    };
    match service(port) {
        Some(port) => Some((host.to_owned(), port)),
        None => {
            ctx.notes.refuse(span, format!("`{port}` is no port"), "write the number");
            None
        }
    }
}

/// A port by number, or by the name that `tmsh list` prints for it.
fn service(text: &str) -> Option<u16> {
    match text {
        "any" => Some(0),
        "http" => Some(80),
        "https" => Some(443),
        // What the list of the Internet's services has for Impala's ports.
        "irtrans" => Some(21_000),
        "icl-twobase1" => Some(25_000),
        "nxlmd" => Some(28_000),
        number => number.parse().ok(),
    }
}

pub(super) fn number(property: &Property) -> u64 {
    property.text().parse().unwrap_or(0)
}

pub(super) fn unknown(ctx: &mut Ctx<'_>, property: &Property, words: &str) {
    let shown: String = words.chars().take(120).collect();
    ctx.notes.refuse(property.span, shown, "leave it out if TCP services do not need it");
}
