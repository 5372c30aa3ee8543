//! Reads the profiles for protocol and persistence.

use super::{Named, Read, chain};
use crate::context::Ctx;
use crate::model::{Keepalive, Persistence, ProtocolProfile};
use crate::reader::{Layer, Reader, Val};
use crate::values::{bad, count, duration, duration_or_off, is_off, reference};

pub(crate) fn protocol(
    ctx: &mut Ctx<'_>,
    all: &[Named<'_>],
    index: usize,
) -> Read<ProtocolProfile> {
    let named = &all[index];
    let (layers, _) = chain(ctx, all, |names| &names.protocols, index);
    let title = format!("[profile.protocol.{}]", named.name);
    let mut reader = Reader::new(ctx, "profile.protocol", title, named.place, layers);
    let parent = reader.own("parent", reference("protocol profile", |names| &names.protocols));
    let idle_timeout = reader.value("idle_timeout", duration_or_off);
    let client_timeout = reader.value("client_timeout", duration_or_off);
    let server_timeout = reader.value("server_timeout", duration_or_off);
    let handshake_timeout = reader.value("handshake_timeout", duration);
    let client_keepalive = reader.value("client_keepalive", keepalive);
    let server_keepalive = reader.value("server_keepalive", keepalive);
    let client_user_timeout = reader.value("client_user_timeout", duration_or_off);
    let server_user_timeout = reader.value("server_user_timeout", duration_or_off);
    let (places, entries) = reader.finish();
    let build = || {
        parent?;
        Some(ProtocolProfile {
            name: named.name.clone(),
            idle_timeout: idle_timeout?,
            client_timeout: client_timeout?,
            server_timeout: server_timeout?,
            handshake_timeout: handshake_timeout?,
            client_keepalive: client_keepalive?,
            server_keepalive: server_keepalive?,
            client_user_timeout: client_user_timeout?,
            server_user_timeout: server_user_timeout?,
        })
    };
    Read { item: build(), places, entries }
}

/// `{ idle, interval, count }` or `off`.
fn keepalive(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Option<Keepalive>> {
    if is_off(ctx, val) {
        return Some(None);
    }
    let toml::de::DeValue::Table(table) = val.value else {
        let message = format!("`{}` must be {}", val.doc.key, val.doc.kind.describe());
        return bad(
            ctx,
            val,
            message,
            &format!("for example: {} = {}", val.doc.key, val.doc.example),
        );
    };
    let layer = Layer { file: val.place.file, table, parent: String::new() };
    let title = format!("`{}`", val.doc.key);
    let mut reader = Reader::new(ctx, "keepalive", title, val.place, vec![layer]);
    let idle = reader.value("idle", duration);
    let interval = reader.value("interval", duration);
    let count = reader.value("count", count);
    reader.finish_inline();
    Some(Some(Keepalive { idle: idle?, interval: interval?, count: count? }))
}

pub(crate) fn persistence(ctx: &mut Ctx<'_>, all: &[Named<'_>], index: usize) -> Read<Persistence> {
    let named = &all[index];
    let (layers, _) = chain(ctx, all, |names| &names.persistences, index);
    let title = format!("[profile.persistence.{}]", named.name);
    let mut reader = Reader::new(ctx, "profile.persistence", title, named.place, layers);
    let parent =
        reader.own("parent", reference("persistence profile", |names| &names.persistences));
    let timeout = reader.value("timeout", duration);
    let mask_v4 = reader.value("mask_v4", count);
    let mask_v6 = reader.value("mask_v6", count);
    let entries_max = reader.value("entries_max", count);
    let (places, entries) = reader.finish();
    let build = || {
        parent?;
        Some(Persistence {
            name: named.name.clone(),
            timeout: timeout?,
            mask_v4: mask_v4?,
            mask_v6: mask_v6?,
            entries_max: entries_max?,
        })
    };
    Read { item: build(), places, entries }
}
