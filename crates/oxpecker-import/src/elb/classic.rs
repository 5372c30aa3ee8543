//! Classic Load Balancers.

use std::collections::HashMap;

use super::json::Json;
use super::targets::{self, Check};
use super::{Ctx, Documents, idle, is_empty, let_in, tls_client, tls_server};
use crate::files::Span;
use crate::native::{Kind, Table, Value, quote};

/// Some thousands of listeners are all that is read.
const LISTENER_STEPS: usize = 100;

/// AWS's own, which is a minute.
const IDLE_TIMEOUT: u64 = 60;

pub(super) fn add(ctx: &mut Ctx<'_>, documents: &Documents<'_>, balancer: &Json) {
    let name = balancer.text("LoadBalancerName").to_owned();
    if balancer.text("Scheme") == "internet-facing" {
        let words = "this load balancer is reachable from the Internet";
        ctx.notes.warn(balancer.at("Scheme"), words, "give the gateway an internal address");
    }
    let attributes = attributes(ctx, documents, balancer);
    // The members of a pool are the same for all listeners; its port is not.
    let mut pools: HashMap<u16, String> = HashMap::new();
    let several = balancer.list("ListenerDescriptions").len() > 1;
    for description in balancer.list("ListenerDescriptions") {
        let Some(listener) = description.get("Listener") else { continue };
        if !ctx.notes.work(LISTENER_STEPS, listener.span) {
            return;
        }
        let port = |ctx: &mut Ctx<'_>, key: &str| {
            let port = listener.number(key).and_then(|port| u16::try_from(port).ok());
            let port = port.filter(|port| *port > 0);
            if port.is_none() {
                ctx.notes.refuse(listener.at(key), format!("the listener has no {key}"), "");
            }
            port
        };
        let (Some(front), Some(back)) = (port(ctx, "LoadBalancerPort"), port(ctx, "InstancePort"))
        else {
            continue;
        };
        let own = if several { format!("{name}-{front}") } else { name.clone() };
        let pool = match pools.get(&back) {
            Some(pool) => pool.clone(),
            None => {
                let wanted = if several { format!("{name}-{back}") } else { name.clone() };
                let pool = pool(ctx, documents, balancer, &wanted, back);
                pools.insert(back, pool.clone());
                pool
            }
        };
        let own = ctx.native.unused(Kind::Virtual, &own);
        let mut table = Table::named(Kind::Virtual, &own, listener.span);
        table.text("listen", &format!("0.0.0.0:{front}"), listener.at("LoadBalancerPort"));
        table.text("pool", &pool, listener.at("InstancePort"));
        protocols(ctx, listener, &own, &mut table);
        let (seconds, span) = attributes;
        let profile = idle(ctx, seconds, span);
        table.text("protocol_profile", &profile, span);
        let_in(ctx, documents, balancer, front, &mut table);
        for policy in description.list("PolicyNames") {
            let words = format!("the policy {} is not looked at", policy.scalar());
            ctx.notes.change(policy.span, words);
        }
        ctx.native.add(table);
    }
    for backend in balancer.list("BackendServerDescriptions") {
        if !is_empty(backend.get("PolicyNames")) {
            let words = "policies of members cannot be read here";
            let help = "for the proxy protocol write send_proxy = \"v1\" in the pool";
            ctx.notes.refuse(backend.at("PolicyNames"), words, help);
        }
    }
}

/// Front and back protocol are two values: TLS may be ended, begun, both or neither.
fn protocols(ctx: &mut Ctx<'_>, listener: &Json, name: &str, table: &mut Table) {
    let span = listener.at("Protocol");
    let (front, back) = (listener.text("Protocol"), listener.text("InstanceProtocol"));
    let back = if back.is_empty() { front } else { back };
    for (protocol, span) in [(front, span), (back, listener.at("InstanceProtocol"))] {
        match protocol {
            "TCP" | "SSL" => {}
            "HTTP" | "HTTPS" => {
                ctx.notes
                    .change(span, "HTTP passes as bytes: a member is chosen for each connection");
            }
            other => ctx.notes.refuse(span, format!("`{other}` is no protocol of a listener"), ""),
        }
    }
    let (ends, begins) = (matches!(front, "SSL" | "HTTPS"), matches!(back, "SSL" | "HTTPS"));
    if ends || begins {
        table.text("type", "standard", span);
    }
    if ends {
        let certificate = (listener.text("SSLCertificateId"), listener.at("SSLCertificateId"));
        let profile = tls_client(ctx, &[certificate], name, span);
        table.text("tls_client", &profile, span);
    }
    if begins {
        let span = listener.at("InstanceProtocol");
        let profile = tls_server(ctx, span);
        table.text("tls_server", &profile, span);
    }
}

fn pool(
    ctx: &mut Ctx<'_>,
    documents: &Documents<'_>,
    balancer: &Json,
    name: &str,
    port: u16,
) -> String {
    let name = ctx.native.unused(Kind::Pool, name);
    let place = ctx.files.place(balancer.span);
    let title = format!("Classic Load Balancer {}, {place}", balancer.text("LoadBalancerName"));
    let mut table = Table::named(Kind::Pool, &name, balancer.span).comment(title);
    table.number("port", port.into(), balancer.span);
    let mut members = Vec::new();
    let steps = targets::MEMBER_STEPS * balancer.list("Instances").len();
    let fits = ctx.notes.work(steps, balancer.at("Instances"));
    for instance in balancer.list("Instances").iter().filter(|_| fits) {
        let Some(id) = instance.get("InstanceId") else { continue };
        if let Some(node) = targets::node(ctx, documents, id) {
            members.push((quote(&node), id.span));
        }
    }
    table.value("members", Value::List(members), balancer.at("Instances"));
    // What AWS does with TCP listeners.
    table.text("method", "round-robin", balancer.span);
    match balancer.get("HealthCheck") {
        Some(json) => {
            if let Some(check) = check(ctx, json) {
                if check.port.is_some_and(|own| own != port) {
                    let words = "one check decides for all ports of an instance";
                    let help = "a coordinator may answer on one port and not on another: probe each pool's own";
                    ctx.notes.warn(check.target, words, help);
                }
                let monitor = targets::monitor(ctx, &check, port, begins_tls(balancer, port));
                table.text("monitor", &monitor, json.span);
            }
        }
        None => table.text("monitor", "none", balancer.span),
    }
    ctx.native.add(table);
    name
}

/// Whether some listener speaks TLS to this port of its instances.
fn begins_tls(balancer: &Json, port: u16) -> bool {
    let listeners = balancer.list("ListenerDescriptions").iter().filter_map(|d| d.get("Listener"));
    let mut same =
        listeners.filter(|listener| listener.number("InstancePort") == Some(port.into()));
    same.any(|listener| {
        let (front, back) = (listener.text("Protocol"), listener.text("InstanceProtocol"));
        matches!(if back.is_empty() { front } else { back }, "SSL" | "HTTPS")
    })
}

/// `TCP:21000`, `HTTP:25000/healthz`; a path behind a TCP port means nothing.
fn check<'j>(ctx: &mut Ctx<'_>, json: &'j Json) -> Option<Check<'j>> {
    let target = json.text("Target");
    let span = json.at("Target");
    let mut refuse = |words: String| {
        ctx.notes.refuse(span, words, "such as TCP:21050 or HTTP:25000/healthz");
        None
    };
    let Some((protocol, rest)) = target.split_once(':') else {
        return refuse(format!("`{target}` is no target of a health check"));
    };
    let (port, path) = match rest.find('/') {
        Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
        None => (rest, None),
    };
    let Ok(port) = port.parse() else { return refuse(format!("`{port}` is no port")) };
    if !matches!(protocol, "TCP" | "SSL" | "HTTP" | "HTTPS") {
        return refuse(format!("`{protocol}` is no protocol of a health check"));
    }
    let number = |key: &str| (json.number(key), json.at(key));
    Some(Check {
        json,
        protocol: protocol.to_owned(),
        port: Some(port),
        path,
        status: None,
        interval: number("Interval"),
        timeout: number("Timeout"),
        unhealthy: number("UnhealthyThreshold"),
        healthy: number("HealthyThreshold"),
        target: span,
    })
}

/// The idle timeout, and words about the rest. What AWS prints does not say whose they are.
fn attributes(ctx: &mut Ctx<'_>, documents: &Documents<'_>, balancer: &Json) -> (u64, Span) {
    let found = match documents.classic_attributes.as_slice() {
        [] => None,
        [one] => Some(*one),
        [first, ..] => {
            let words = "attributes do not tell whose they are: import one load balancer at a time";
            ctx.notes.refuse(first.span, words, "");
            None
        }
    };
    let Some(found) = found else { return (IDLE_TIMEOUT, balancer.at("LoadBalancerName")) };
    if let Some(draining) = found.get("ConnectionDraining")
        && draining.text("Enabled") == "true"
    {
        draining.text("Timeout");
        let words = "drain members by `state = \"draining\"` or at run time";
        ctx.notes.change(draining.at("Timeout"), words);
    }
    let settings = found.get("ConnectionSettings");
    let seconds = settings.and_then(|json| json.number("IdleTimeout"));
    let span = settings.map_or(found.span, |json| json.at("IdleTimeout"));
    (seconds.unwrap_or(IDLE_TIMEOUT), span)
}
