//! Monitors. BIG-IP's `timeout` is how long no probe may succeed, ours how long one may take.

use std::time::Duration;

use super::objects::{Object, Objects, base_name, inherited, root};
use super::pool::number;
use super::{Ctx, plain_name};
use crate::files::{At, Span};
use crate::native::{Kind, Table};
use crate::report::Notes;

const INTERVAL: u64 = 5;
const TIMEOUT: u64 = 16;
/// Without `recv` any answer passes.
const ANY_STATUS: &str = "100-599";
/// Native defaults.
const FALL: u64 = 3;

/// Monitors that every BIG-IP has.
const BUILT_IN: &[(&str, &str)] = &[
    ("tcp", "monitor tcp"),
    ("tcp_half_open", "monitor tcp-half-open"),
    ("http", "monitor http"),
    ("https", "monitor https"),
];

pub(super) fn of_pool(ctx: &mut Ctx<'_>, objects: &Objects, pool: &Object, table: &mut Table) {
    let Some(property) = pool.get("monitor").filter(|property| property.text() != "none") else {
        table.text("monitor", "none", pool.head);
        table.told("monitor", "is not monitored");
        let words = format!("pool `{}` has no monitor", base_name(&pool.path));
        ctx.notes.warn(
            pool.head,
            words,
            "a dead host keeps its share until connecting fails; add `monitor tcp`",
        );
        return;
    };
    let text = property.text();
    if text.starts_with("min ") {
        let words = "a member has one monitor, and that one decides";
        return ctx.notes.refuse(property.span, words, "name one monitor");
    }
    let mut names: Vec<&str> = text.split(" and ").collect();
    if names.len() > 1 {
        // A port that opens is what the others ask anyway.
        let is_weak = |name: &&str| matches!(base_name(name), "tcp" | "tcp_half_open");
        names.sort_by_key(|name| (!is_possible(objects, pool, name), is_weak(name)));
        let others: Vec<String> =
            names[1..].iter().map(|name| format!("`{}`", base_name(name))).collect();
        let words = format!("only `{}` is asked, not {}", base_name(names[0]), others.join(", "));
        ctx.notes.change(property.span, words);
    }
    let span = property.value_span;
    let Some(name) = name(ctx, objects, pool, names[0], span) else { return };
    // The native default.
    if name != "tcp" {
        table.text("monitor", &name, span);
    }
}

fn find<'o>(objects: &'o Objects, pool: &Object, reference: &str) -> Option<&'o Object> {
    BUILT_IN.iter().find_map(|(_, kind)| objects.find(kind, reference, pool.partition()))
}

fn is_possible(objects: &Objects, pool: &Object, reference: &str) -> bool {
    let is_built_in = BUILT_IN.iter().any(|(name, _)| *name == base_name(reference));
    is_built_in || find(objects, pool, reference).is_some()
}

/// The native name of a monitor.
fn name(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    pool: &Object,
    reference: &str,
    span: Span,
) -> Option<String> {
    // Monitors do not care how the pool's connections speak; ours would take over their TLS.
    let in_clear = ctx.encrypted.contains(&pool.path);
    let Some(object) = find(objects, pool, reference) else {
        return match base_name(reference) {
            "tcp" | "tcp_half_open" if in_clear => {
                let mut table = Table::single(Kind::Monitor, span);
                table.text("parent", "tcp", span);
                table.text("tls", "off", span);
                Some(ctx.native.share(Kind::Monitor, "f5_tcp", table))
            }
            "tcp" | "tcp_half_open" => Some("tcp".to_owned()),
            name @ ("http" | "https") => {
                let mut table = Table::single(Kind::Monitor, span);
                table.text("parent", "http", span);
                table.number("rise", 1, span);
                table.text("status", ANY_STATUS, span);
                if name == "http" && in_clear {
                    table.text("tls", "off", span);
                }
                tls(ctx, name == "https", span, &mut table);
                Some(ctx.native.share(Kind::Monitor, &format!("f5_{name}"), table))
            }
            other => {
                let words = format!("no tcp, http or https monitor is called `{other}`");
                let help = "others are not possible; docs/health.md has probes for Impala";
                ctx.notes.refuse(span, words, help);
                None
            }
        };
    };
    let in_clear =
        in_clear && object.kind != "monitor https" && !asks_elsewhere(objects, pool, object);
    let way = if in_clear { " in clear text" } else { "" };
    let key = (object.kind, format!("{}{way}", object.path));
    if let Some(known) = ctx.written.get(&key) {
        return Some(known.clone());
    }
    let line = objects.lineage(&mut ctx.notes, object);
    line.iter().for_each(|object| ctx.uses(object));
    let mut table = Table::single(Kind::Monitor, object.head).comment(format!(
        "{}, {}",
        object.path,
        ctx.files.place(object.head)
    ));
    let is_http = matches!(object.kind, "monitor http" | "monitor https");
    let top = root(&line, "");
    if !matches!(top.as_str(), "" | "tcp" | "tcp_half_open" | "http" | "https") {
        let words = format!("no monitor is called `{top}`");
        ctx.notes.refuse(object.head, words, "add it to the file");
    }
    table.text("parent", if is_http { "http" } else { "tcp" }, object.head);
    let at = |name: &str| inherited(&line, name).map(|p| At::new(number(p), p.value_span));
    let interval = at("interval").unwrap_or(At::new(INTERVAL, object.head));
    let timeout = at("timeout").unwrap_or(At::new(TIMEOUT, object.head));
    if interval.value != INTERVAL {
        table.duration("interval", Duration::from_secs(interval.value), interval.span);
    }
    // 16 s at every 5 s: after three that failed.
    let fall = (timeout.value.saturating_sub(1) / interval.value.max(1)).max(1);
    if fall != FALL {
        table.number("fall", fall, timeout.span);
    }
    if inherited(&line, "timeout").is_some() {
        ctx.notes.change(timeout.span, format!("down after {fall} failed probes in a row"));
    }
    if let Some(up) = at("up-interval").filter(|up| up.value > 0) {
        table.duration("interval_down", Duration::from_secs(interval.value), interval.span);
        table.duration("interval", Duration::from_secs(up.value), up.span);
    }
    if is_http {
        table.number("rise", 1, object.head);
    }
    if let Some(destination) = inherited(&line, "destination") {
        let port = destination.text().rsplit([':', '.']).next().unwrap_or_default();
        let host = destination.text().trim_end_matches(port).trim_end_matches([':', '.']);
        match port.parse::<u64>() {
            Ok(port) if port > 0 => table.number("port", port, destination.value_span),
            _ => {}
        }
        if !matches!(base_name(host), "*" | "any" | "any6" | "") {
            let words = "probes go to the members' own addresses";
            ctx.notes.refuse(destination.value_span, words, "write `*:PORT`");
        }
    }
    questions(ctx, &line, is_http, &mut table);
    tls(ctx, object.kind == "monitor https", object.head, &mut table);
    if in_clear {
        table.text("tls", "off", object.head);
    }
    rest(ctx, &line);
    let name = ctx.native.add_named(Kind::Monitor, &plain_name(&object.path), table);
    ctx.written.insert(key, name.clone());
    Some(name)
}

/// A page on a port that is no member's, which the native check asks in clear text by itself.
fn asks_elsewhere(objects: &Objects, pool: &Object, object: &Object) -> bool {
    let line = objects.lineage(&mut Notes::default(), object);
    let port =
        |text: &str| text.rsplit([':', '.']).next().and_then(|port| port.parse::<u16>().ok());
    let Some(own) = inherited(&line, "destination").and_then(|d| port(d.text())) else {
        return false;
    };
    let mut members = pool.get("members").map_or(&[][..], |list| list.inner()).iter();
    object.kind == "monitor http" && own > 0 && members.all(|m| port(&m.name) != Some(own))
}

/// BIG-IP's https monitor looks at no certificate.
fn tls(ctx: &mut Ctx<'_>, is_https: bool, span: Span, table: &mut Table) {
    if is_https {
        let mut profile = Table::single(Kind::TlsServer, span);
        profile.text("verify", "none", span);
        let name = ctx.native.share(Kind::TlsServer, "unverified", profile);
        table.text("tls", &name, span);
    }
}

/// `send` and `recv`
fn questions(ctx: &mut Ctx<'_>, line: &[&Object], is_http: bool, table: &mut Table) {
    let send = inherited(line, "send").filter(|p| !matches!(p.text(), "" | "none"));
    let recv = inherited(line, "recv").filter(|p| !matches!(p.text(), "" | "none"));
    if !is_http {
        for property in [send, recv].into_iter().flatten() {
            ctx.notes.change(property.span, "the probe connects and says nothing");
            let help = "the monitors `hs2` and `beeswax` log in and ask; see docs/health.md";
            ctx.notes.warn(property.span, "the probe connects and says nothing", help);
        }
        return;
    }
    if let Some(send) = send {
        let mut words = send.text().split([' ', '\r', '\n']).filter(|word| !word.is_empty());
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or("/"));
        if method != "GET" {
            ctx.notes.change(send.span, "probes ask with GET");
        }
        if path != "/" {
            table.text("path", path, send.value_span);
        }
        let host = send.text().lines().find_map(|line| line.strip_prefix("Host:")).map(str::trim);
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            table.text("host", host, send.value_span);
        }
    }
    let Some(recv) = recv else {
        table.text("status", ANY_STATUS, line[0].head);
        return;
    };
    let status = recv.text().split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 3);
    match status.filter(|_| recv.text().contains("HTTP") || recv.text().len() < 8) {
        Some(status) => {
            table.text("status", status, recv.value_span);
            ctx.notes.change(recv.span, format!("an answer passes by its status, {status}"));
        }
        None => {
            let words = "an answer passes by its status, not by its text";
            ctx.notes.refuse(recv.span, words, "write recv \"HTTP/1.1 200\"");
        }
    }
}

/// What says nothing here.
fn rest(ctx: &mut Ctx<'_>, line: &[&Object]) {
    for property in line.iter().flat_map(|object| &object.properties) {
        match property.name.as_str() {
            "defaults-from" | "interval" | "timeout" | "up-interval" | "destination" | "send"
            | "recv" | "description" => {}
            "recv-disable" if matches!(property.text(), "" | "none") => {}
            "time-until-up" if number(property) == 0 => {}
            "adaptive" if property.text() == "disabled" => {}
            "manual-resume" if property.text() == "disabled" => {}
            "reverse" | "transparent" if property.text() == "disabled" => {}
            "reverse" | "transparent" | "username" | "password" | "manual-resume"
            | "recv-disable" => {
                let words = format!("`{}` is not possible for probes", property.name);
                ctx.notes.refuse(property.span, words, "");
            }
            "time-until-up" | "adaptive" => {
                ctx.notes.change(property.span, format!("without `{}`", property.name));
            }
            _ => ctx.notes.drop(property.span, "says nothing about probes here"),
        }
    }
}
