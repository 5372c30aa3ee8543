//! Reads `[virtual.NAME]`.

use super::{Named, Read};
use crate::context::Ctx;
use crate::model::{
    Abandonment, Listen, Orphans, Persistence, Protocol, ProtocolProfile, SniRoute, TlsClient,
    TlsServer, Virtual, VirtualKind,
};
use crate::reader::{Layer, Reader, Val};
use crate::text::Place;
use crate::values::{
    bad, count, duration, duration_or_off, each, filled, network, path, reference, switch, text,
    tls, word, wrong_type,
};

/// Linux cuts interface names to 15 bytes.
const INTERFACE_BYTES_MAX: usize = 15;

/// One to sign with, and those before it while keys are changed.
const HANDLE_KEYS_MAX: usize = 4;

/// The profiles a virtual server may name.
pub(crate) struct Profiles {
    pub(crate) protocols: Vec<Read<ProtocolProfile>>,
    pub(crate) persistences: Vec<Read<Persistence>>,
    pub(crate) tls_clients: Vec<Read<TlsClient>>,
    pub(crate) tls_servers: Vec<Read<TlsServer>>,
}

/// A virtual server with what its checks need besides.
pub(crate) struct VirtualRead {
    pub(crate) server: Virtual,
    pub(crate) listen_places: Vec<Place>,
    pub(crate) route_places: Vec<Place>,
    /// Indices of the TLS profiles; `None` outside = the reference leads nowhere.
    pub(crate) tls_client: Option<Option<usize>>,
    pub(crate) tls_server: Option<Option<usize>>,
}

pub(crate) fn virtual_server(
    ctx: &mut Ctx<'_>,
    named: &Named<'_>,
    profiles: &Profiles,
) -> Read<VirtualRead> {
    let title = format!("[virtual.{}]", named.name);
    let mut reader = Reader::new(ctx, "virtual", title, named.place, vec![named.layer.clone()]);
    let description = reader.value("description", text);
    let listen = reader.required("listen", each(network::listen));
    let pool = reader.required("pool", reference("pool", |names| &names.pools));
    let kind = reader.value("type", word::<VirtualKind>);
    let protocol = reader.value("protocol", word);
    let strict_protocol = reader.value("strict_protocol", switch);
    let handle_keys = reader.optional("handle_keys", each(path));
    let protocol_is_read = protocol.is_some_and(|protocol: Protocol| protocol != Protocol::Tcp);
    for key in ["strict_protocol", "handle_keys"] {
        let asked =
            reader.has_own(key) && !(key == "strict_protocol" && strict_protocol == Some(false));
        if asked && !protocol_is_read {
            let place = reader.place(key);
            let message = format!("`{key}` does nothing without a `protocol` that is read");
            let help = "write type = \"standard\" and protocol = \"hs2\" (or what clients speak)";
            reader.ctx.error(place, message).help(help);
        }
    }
    if let Some(Some(keys)) = &handle_keys
        && keys.len() > HANDLE_KEYS_MAX
    {
        let place = reader.place("handle_keys");
        let message =
            format!("`handle_keys` has {} keys, at most {HANDLE_KEYS_MAX} are kept", keys.len());
        reader.ctx.error(place, message).help("drop those that no client's handle can still carry");
    }
    let abandonment = abandonment(&mut reader, protocol);
    let persistence = reader.optional("persistence", persistence);
    let protocol_profile = reader
        .optional("protocol_profile", reference("protocol profile", |names| &names.protocols));
    let default_profile = match kind {
        Some(VirtualKind::Standard) => "tcp",
        _ => "fastl4",
    };
    reader.computed("protocol_profile", format!("\"{default_profile}\""));
    let tls_client =
        reader.optional("tls_client", reference("tls_client profile", |names| &names.tls_clients));
    let tls_server =
        reader.optional("tls_server", reference("tls_server profile", |names| &names.tls_servers));
    let public_name = reader.optional("public_name", tls::host_name);
    let sni_peek = reader.optional("sni_peek", switch);
    let sni_routes = reader.optional("sni_routes", each(sni_route));
    let has_routes = matches!(&sni_routes, Some(Some(routes)) if !routes.is_empty());
    reader.computed("sni_peek", has_routes.to_string());
    if has_routes && sni_peek == Some(Some(false)) {
        let place = reader.place("sni_peek");
        let message = "`sni_routes` need the server name that `sni_peek` looks for";
        reader.ctx.error(place, message).help("leave `sni_peek` out");
    }
    let allow = reader.optional("allow", each(network::network));
    let deny = reader.optional("deny", each(network::network));
    let connections_max = reader.optional("connections_max", count);
    let accept_proxy = reader.optional("accept_proxy", each(network::network));
    let backlog = reader.value("backlog", count);
    let reuse_port = reader.value("reuse_port", switch);
    let interface = reader.optional("interface", interface);
    let dual_stack = reader.value("dual_stack", switch);
    let socket_mode = reader.value("socket_mode", socket_mode);
    for (key, list) in [("allow", &allow), ("accept_proxy", &accept_proxy)] {
        if matches!(list, Some(Some(list)) if list.is_empty()) {
            let place = reader.place(key);
            let message = format!("`{key}` is empty: nobody could connect");
            reader.ctx.error(place, message).help("leave the key out, or name networks");
        }
    }
    if matches!(&listen, Some(list) if list.is_empty()) {
        let place = reader.place("listen");
        reader.ctx.error(place, "`listen` must not be empty");
    }
    let default_profile = reader.ctx.names.protocols.get(default_profile);
    let (places, mut entries) = reader.finish();
    if abandonment.is_none_or(|policy| policy.cancel_after.is_none()) {
        // What it would say is not in effect, and would be refused when written.
        entries.retain(|entry| entry.key != "orphan_timeout");
    }
    let networks =
        |list: Vec<(ipnet::IpNet, Place)>| list.into_iter().map(|(net, _)| net).collect();
    let build = || {
        let listen = listen?;
        let listen_places = listen.iter().map(|(_, place)| *place).collect();
        let routes = sni_routes?.unwrap_or_default();
        let route_places = routes.iter().map(|(_, place)| *place).collect();
        let server = Virtual {
            name: named.name.clone(),
            description: description?,
            listen: listen.into_iter().map(|(listen, _)| listen).collect::<Vec<Listen>>(),
            pool: pool?,
            kind: kind?,
            protocol: protocol?,
            strict_protocol: strict_protocol?,
            handle_keys: handle_keys?
                .map(|keys| keys.into_iter().map(|(key, _)| key).collect())
                .unwrap_or_default(),
            abandonment: abandonment?,
            // A reference that leads nowhere is reported; the server's other problems still show.
            persistence: pick(persistence.flatten().flatten(), &profiles.persistences),
            protocol_profile: pick(
                protocol_profile.flatten().or(default_profile),
                &profiles.protocols,
            )
            .or_else(|| any_protocol_profile(&profiles.protocols))?,
            tls_client: pick(tls_client.flatten(), &profiles.tls_clients),
            tls_server: pick(tls_server.flatten(), &profiles.tls_servers),
            public_name: public_name?,
            sni_peek: sni_peek?.unwrap_or(has_routes),
            sni_routes: routes.into_iter().map(|(route, _)| route).collect(),
            allow: allow?.map(networks).unwrap_or_default(),
            deny: deny?.map(networks).unwrap_or_default(),
            connections_max: connections_max?,
            accept_proxy: accept_proxy?.map(networks),
            backlog: backlog?,
            reuse_port: reuse_port?,
            interface: interface?,
            dual_stack: dual_stack?,
            socket_mode: socket_mode?,
        };
        Some(VirtualRead { server, listen_places, route_places, tls_client, tls_server })
    };
    Read { item: build(), places, entries }
}

/// What becomes of sessions without clients; only HiveServer2's outlive connections.
fn abandonment(reader: &mut Reader<'_, '_, '_>, protocol: Option<Protocol>) -> Option<Abandonment> {
    let close_after = reader.value("abandoned_timeout", duration_or_off);
    let orphans = reader.value("orphans", word);
    let cancel_after = reader.value("orphan_timeout", duration);
    let outlives = matches!(protocol, None | Some(Protocol::Hs2 | Protocol::Hs2Http));
    let is_asked = [
        ("abandoned_timeout", close_after.is_some_and(|timeout| timeout.is_some())),
        ("orphans", orphans == Some(Orphans::Cancel)),
    ];
    for (key, is_asked) in is_asked {
        if is_asked && !outlives {
            let place = reader.place(key);
            let message = format!("`{key}` does nothing with this `protocol`");
            let help = "only sessions of hs2 and hs2-http outlive their connections";
            reader.ctx.error(place, message).help(help);
        }
    }
    if reader.has_own("orphan_timeout") && orphans == Some(Orphans::Keep) {
        let place = reader.place("orphan_timeout");
        let message = "`orphan_timeout` does nothing while orphans are kept";
        reader.ctx.error(place, message).help("write orphans = \"cancel\", or leave it out");
    }
    let cancel_after = (orphans? == Orphans::Cancel).then_some(cancel_after?);
    Some(Abandonment { close_after: close_after?, cancel_after })
}

/// A profile by its index; `None` as well when it could not be read, which is reported there.
fn pick<T: Clone>(index: Option<usize>, all: &[Read<T>]) -> Option<T> {
    all.get(index?)?.item.clone()
}

/// Stands in for a profile with a problem, so that it does not hide the server's own problems.
fn any_protocol_profile(all: &[Read<ProtocolProfile>]) -> Option<ProtocolProfile> {
    let built_in = all.first()?.item.clone()?;
    Some(ProtocolProfile { idle_timeout: None, ..built_in })
}

/// The index of a profile, or `None` for the word `none`.
fn persistence(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<usize>> {
    let found = text(ctx, val)?;
    if found == "none" {
        return Some(None);
    }
    reference("persistence profile", |names| &names.persistences)(ctx, val).map(Some)
}

/// An entry of `sni_routes`.
fn sni_route(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<SniRoute> {
    let toml::de::DeValue::Table(table) = val.value else { return wrong_type(ctx, val) };
    let layer = Layer { file: val.place.file, table, parent: String::new() };
    let mut reader = Reader::new(ctx, "virtual.sni_routes", "`sni_routes`", val.place, vec![layer]);
    let name = reader.required("name", tls::sni_name);
    let pool = reader.required("pool", reference("pool", |names| &names.pools));
    reader.finish_inline();
    Some(SniRoute { name: name?, pool: pool? })
}

fn interface(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<String> {
    let found = filled(ctx, val)?;
    if found.len() > INTERFACE_BYTES_MAX || found.contains(['/', ' ']) {
        let message = format!("`{}` is not the name of a network interface", val.doc.key);
        return bad(ctx, val, message, "`ip link` lists them");
    }
    Some(found)
}

/// "0660" → 0o660. A bare 0660 is not TOML, and 660 would be read as decimal.
fn socket_mode(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<u32> {
    let found = text(ctx, val)?;
    match u32::from_str_radix(&found, 8) {
        Ok(mode) if mode <= 0o777 && found.bytes().all(|b| b.is_ascii_digit()) => Some(mode),
        _ => {
            let message = format!("`{}` must be {}", val.doc.key, val.doc.kind.describe());
            bad(ctx, val, message, "")
        }
    }
}
