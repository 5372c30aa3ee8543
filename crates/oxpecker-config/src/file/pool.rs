//! Reads `[node.NAME]` and `[pool.NAME]`.

use toml::de::DeValue;

use super::monitor::{self, MonitorRead};
use super::{Named, Read};
use crate::context::{Ctx, did_you_mean, shorten};
use crate::model::{LoadSource, Member, Node, Pool, TlsServer};
use crate::reader::{Layer, Reader, Val};
use crate::text::Place;
use crate::values::{count, duration, each, entry_table, network, reference, switch, text, word};

/// Priority of a member that says nothing, and of one that is a backup.
const PRIORITY_BACKUP: u16 = 0;

pub(crate) fn node(ctx: &mut Ctx<'_>, named: &Named<'_>) -> Read<Node> {
    let title = format!("[node.{}]", named.name);
    let mut reader = Reader::new(ctx, "node", title, named.place, vec![named.layer.clone()]);
    let description = reader.value("description", text);
    let address = reader.required("address", network::host);
    let (places, entries) = reader.finish();
    let build =
        || Some(Node { name: named.name.clone(), description: description?, address: address? });
    Read { item: build(), places, entries }
}

/// A pool with what its checks need besides.
pub(crate) struct PoolRead {
    pub(crate) pool: Pool,
    /// Place of each member, and of the port it serves.
    pub(crate) member_places: Vec<(Place, Place)>,
    /// The monitor itself says whether it speaks TLS.
    pub(crate) monitor_tls_written: bool,
}

pub(crate) fn pool(
    ctx: &mut Ctx<'_>,
    named: &Named<'_>,
    monitors: &[Read<MonitorRead>],
    tls_servers: &[Read<TlsServer>],
) -> Read<PoolRead> {
    let title = format!("[pool.{}]", named.name);
    let mut reader = Reader::new(ctx, "pool", title, named.place, vec![named.layer.clone()]);
    let description = reader.value("description", text);
    let port = reader.optional("port", count::<u16>);
    let port_place = reader.place("port");
    // A port that could not be read is one problem, not one per member.
    let member_port = port.unwrap_or(Some(0)).map(|port| (port, port_place));
    let members = reader.required("members", each(member(member_port)));
    let method = reader.value("method", word);
    let scope = reader.value("scope", word);
    let monitor = reader.value("monitor", probed_by);
    let service_down = reader.value("service_down", word);
    let when_all_down = reader.value("when_all_down", word);
    let slow_start = reader.optional("slow_start", duration);
    let priority_min_active = reader.value("priority_min_active", count);
    let connect_timeout = reader.value("connect_timeout", duration);
    let retries = reader.value("retries", count);
    let redispatch = reader.value("redispatch", switch);
    let queue_max = reader.value("queue_max", count);
    let queue_timeout = reader.value("queue_timeout", duration);
    let connect_failures_max = reader.value("connect_failures_max", count);
    let connect_failures_retry = reader.value("connect_failures_retry", duration);
    let source = reader.optional("source", each(network::address));
    let transparent = reader.value("transparent", switch);
    let send_proxy = reader.optional("send_proxy", word);
    let load_port = reader.optional("load_port", count);
    let load_tls = reader.value("load_tls", monitor::tls);
    let (places, entries) = reader.finish();
    let build = || {
        port?;
        let members = members?;
        let member_places = members.iter().map(|((_, port), place)| (*place, *port)).collect();
        let monitor = match monitor? {
            None => None,
            // A monitor with a problem must not hide the pool's own.
            Some(index) => {
                let found = monitors.get(index).and_then(|read| read.item.clone());
                found.or_else(|| monitors.first()?.item.clone())
            }
        };
        let monitor_tls_written = monitor.as_ref().is_some_and(|monitor| monitor.tls_written);
        let source = source?.unwrap_or_default();
        let pool = Pool {
            name: named.name.clone(),
            description: description?,
            members: members.into_iter().map(|((member, _), _)| member).collect(),
            method: method?,
            scope: scope?,
            monitor: monitor.map(|read| read.monitor),
            service_down: service_down?,
            when_all_down: when_all_down?,
            slow_start: slow_start?,
            priority_min_active: priority_min_active?,
            connect_timeout: connect_timeout?,
            retries: retries?,
            redispatch: redispatch?,
            queue_max: queue_max?,
            queue_timeout: queue_timeout?,
            connect_failures_max: connect_failures_max?,
            connect_failures_retry: connect_failures_retry?,
            source: source.into_iter().map(|(address, _)| address).collect(),
            transparent: transparent?,
            send_proxy: send_proxy?,
            load: load(load_port?, load_tls?, tls_servers),
        };
        Some(PoolRead { pool, member_places, monitor_tls_written })
    };
    Read { item: build(), places, entries }
}

fn load(
    port: Option<u16>,
    tls: Option<usize>,
    tls_servers: &[Read<TlsServer>],
) -> Option<LoadSource> {
    // A profile with a problem, reported there, must not hide the pool's own.
    let tls = tls.and_then(|profile| tls_servers.get(profile)?.item.clone());
    port.map(|port| LoadSource { port, tls })
}

/// The index of a monitor, or `None` for the word `none`.
fn probed_by(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<usize>> {
    let found = text(ctx, val)?;
    if found == "none" {
        return Some(None);
    }
    reference("monitor", |names| &names.monitors)(ctx, val).map(Some)
}

/// A member and the place of its port.
fn member(
    pool_port: Option<(u16, Place)>,
) -> impl Fn(&mut Ctx<'_>, &Val<'_>) -> Option<(Member, Place)> {
    move |ctx, val| {
        let read = |ctx: &mut Ctx<'_>, layer: Layer<'_>, place: Place| {
            member_table(ctx, layer, place, pool_port)
        };
        entry_table(ctx, val, read, "node")
    }
}

fn member_table(
    ctx: &mut Ctx<'_>,
    layer: Layer<'_>,
    place: Place,
    pool_port: Option<(u16, Place)>,
) -> Option<(Member, Place)> {
    let mut reader = Reader::new(ctx, "pool.members", "the member", place, vec![layer]);
    let node = reader.required("node", node_name);
    let port = reader.optional("port", count::<u16>);
    let weight = reader.value("weight", count);
    let priority = reader.value("priority", count);
    let backup = reader.value("backup", switch);
    let connections_max = reader.optional("connections_max", count);
    let state = reader.value("state", word);
    let port_place = reader.place("port");
    let port = match (port, pool_port) {
        (None, _) => None,
        (Some(Some(port)), _) => Some((port, port_place)),
        (Some(None), Some((port, place))) => {
            reader.computed("port", port.to_string());
            Some((port, place))
        }
        (Some(None), None) => {
            let message = "no port for this member";
            let help = "write `port` in the pool, or { node = \"NAME\", port = 21050 }";
            reader.ctx.error(place, message).help(help).consequence();
            None
        }
    };
    let priority = match backup {
        Some(true) => {
            if reader.is_written("priority") {
                let place = reader.place("backup");
                reader.ctx.error(place, "`backup = true` is priority 0; keep one of the two");
            }
            Some(PRIORITY_BACKUP)
        }
        Some(false) => priority,
        None => None,
    };
    if priority == Some(PRIORITY_BACKUP) && backup == Some(true) {
        reader.hide("priority");
    } else {
        reader.hide("backup");
    }
    reader.finish_inline();
    let (port, port_place) = port?;
    let member = Member {
        node: node?,
        port,
        weight: weight?,
        priority: priority?,
        connections_max: connections_max?,
        state: state?,
    };
    Some((member, port_place))
}

fn node_name(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<usize> {
    let name = text(ctx, val)?;
    if let Some(index) = ctx.names.nodes.get(&name) {
        return Some(index);
    }
    let with_port = name
        .rsplit_once(':')
        .filter(|(node, port)| ctx.names.nodes.get(node).is_some() && port.parse::<u16>().is_ok());
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let help = match with_port {
        Some((node, port)) => Some(format!("write {{ node = \"{node}\", port = {port} }}")),
        None if is_address => {
            Some(format!("write [node.NAME] with address = \"{name}\" and use NAME here"))
        }
        None => did_you_mean(&name, ctx.names.nodes.iter()),
    };
    let message = format!("no node is called `{}`", shorten(&name));
    // The entry itself when it is a plain text.
    debug_assert!(matches!(val.value, DeValue::String(_)));
    ctx.error(val.place, message).help_if(help).consequence();
    None
}
