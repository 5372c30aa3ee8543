//! Network Load Balancers: listeners that forward to target groups.

use std::time::Duration;

use super::json::Json;
use super::targets::{self, Check};
use super::{Ctx, Documents, idle, let_in, tls_client, tls_server};
use crate::files::Span;
use crate::native::{Kind, Table, Value, inline, quote};

/// AWS's own for TCP.
const IDLE_TIMEOUT: u64 = 350;
/// How long source address stickiness lasts is nobody's business at AWS.
const STICKY: Duration = Duration::from_secs(3600);

pub(super) fn add(ctx: &mut Ctx<'_>, documents: &Documents<'_>, listener: &Json) {
    // Everything is looked for among everything.
    let all = documents.network.len()
        + documents.target_groups.len()
        + documents.target_health.len()
        + documents.target_attributes.len()
        + documents.listener_attributes.len();
    if !ctx.notes.work(100 + all, listener.span) {
        return;
    }
    let arn = listener.text("LoadBalancerArn");
    let balancer = documents.network.iter().find(|json| json.text("LoadBalancerArn") == arn);
    let name = balancer.map_or_else(|| "nlb".to_owned(), |b| b.text("LoadBalancerName").to_owned());
    let protocol = listener.text("Protocol");
    let span = listener.at("Protocol");
    if let Some(balancer) = balancer {
        if !matches!(balancer.text("Type"), "network" | "") {
            let words = "only network load balancers pass connections on";
            ctx.notes.refuse(
                balancer.at("Type"),
                words,
                "an application load balancer speaks HTTP",
            );
            return;
        }
        if balancer.text("Scheme") == "internet-facing" {
            let words = "this load balancer is reachable from the Internet";
            ctx.notes.warn(balancer.at("Scheme"), words, "give the gateway an internal address");
        }
        if balancer.text("IpAddressType").starts_with("dualstack") {
            let words = "IPv4 only: add `[::]:PORT` to `listen` for clients of IPv6";
            ctx.notes.change(balancer.at("IpAddressType"), words);
        }
    }
    if !matches!(protocol, "TCP" | "TLS") {
        let words = format!("`{protocol}` is not possible");
        ctx.notes.refuse(span, words, "Impala's clients speak TCP, or TLS");
        return;
    }
    let Some(port) = listener.number("Port").and_then(|port| u16::try_from(port).ok()) else {
        ctx.notes.refuse(listener.span, "the listener has no port", "");
        return;
    };
    let Some(group) = target_group(ctx, documents, listener) else { return };
    let attributes = attributes(ctx, documents, group);
    let own = ctx.native.unused(Kind::Virtual, &format!("{name}-{port}"));
    let pool = pool(ctx, documents, group, &attributes);
    let mut table = Table::named(Kind::Virtual, &own, listener.span);
    table.text("listen", &format!("0.0.0.0:{port}"), listener.at("Port"));
    table.text("pool", &pool, listener.span);
    let begins = group.text("Protocol") == "TLS";
    if protocol == "TLS" || begins {
        table.text("type", "standard", span);
    }
    if protocol == "TLS" {
        let certificates: Vec<(&str, Span)> = listener
            .list("Certificates")
            .iter()
            .map(|json| (json.text("CertificateArn"), json.at("CertificateArn")))
            .collect();
        let profile = tls_client(ctx, &certificates, &own, span);
        table.text("tls_client", &profile, span);
        listener.text("SslPolicy");
        ctx.notes.change(
            listener.at("SslPolicy"),
            "TLS 1.2 and 1.3 with forward secrecy and nothing else",
        );
    }
    if begins {
        let profile = tls_server(ctx, group.at("Protocol"));
        table.text("tls_server", &profile, group.at("Protocol"));
    }
    sticky(ctx, &attributes, &mut table);
    let (seconds, at) = idle_timeout(ctx, documents, listener);
    let profile = idle(ctx, seconds, at);
    table.text("protocol_profile", &profile, at);
    let groups = balancer.copied().unwrap_or(listener);
    let_in(ctx, documents, groups, port, &mut table);
    ctx.native.add(table);
}

/// Where a listener forwards to.
fn target_group<'j>(
    ctx: &mut Ctx<'_>,
    documents: &Documents<'j>,
    listener: &Json,
) -> Option<&'j Json> {
    let actions = listener.list("DefaultActions");
    let Some(action) = actions.first().filter(|action| action.text("Type") == "forward") else {
        let words = "this listener does not forward to a target group";
        ctx.notes.refuse(listener.span, words, "");
        return None;
    };
    let listed = action.get("ForwardConfig").map_or(&[][..], |config| config.list("TargetGroups"));
    if listed.len() > 1 {
        let words = "a listener has one pool, not several by weight";
        ctx.notes.refuse(action.span, words, "name one target group");
        return None;
    }
    for other in listed {
        other.text("TargetGroupArn");
        other.text("Weight");
    }
    let arn = action.text("TargetGroupArn");
    let arn = if arn.is_empty() {
        listed.first().map_or("", |json| json.text("TargetGroupArn"))
    } else {
        arn
    };
    let found = documents.target_groups.iter().find(|json| json.text("TargetGroupArn") == arn);
    if found.is_none() {
        let words = "this target group is not described here";
        ctx.notes.refuse(action.span, words, "add what `aws elbv2 describe-target-groups` prints");
    }
    found.copied()
}

/// `Key` and `Value` of a target group.
fn attributes<'j>(
    ctx: &mut Ctx<'_>,
    documents: &Documents<'j>,
    group: &Json,
) -> Vec<(&'j str, &'j Json)> {
    let of = Of {
        key: "TargetGroupArn",
        count: documents.target_groups.len(),
        words: "there are several target groups, and attributes do not tell whose they are",
        help: "write \"TargetGroupArn\": \"arn:…\" before \"Attributes\" in what \
               `aws elbv2 describe-target-group-attributes` printed",
    };
    of.attributes(ctx, &documents.target_attributes, group)
}

/// Of a listener, in seconds.
fn idle_timeout(ctx: &mut Ctx<'_>, documents: &Documents<'_>, listener: &Json) -> (u64, Span) {
    let of = Of {
        key: "ListenerArn",
        count: documents.listeners.len(),
        words: "there are several listeners, and attributes do not tell whose they are",
        help: "write \"ListenerArn\": \"arn:…\" before \"Attributes\" in what \
               `aws elbv2 describe-listener-attributes` printed",
    };
    let found = of.attributes(ctx, &documents.listener_attributes, listener);
    let found = value(&found, "tcp.idle_timeout.seconds");
    match found.and_then(|json| Some((json.number("Value")?, json.at("Value")))) {
        Some(found) => found,
        None => (IDLE_TIMEOUT, listener.at("Protocol")),
    }
}

/// What AWS prints about attributes does not say whose they are: whoever has several objects has to.
struct Of {
    key: &'static str,
    /// How many objects there are.
    count: usize,
    words: &'static str,
    help: &'static str,
}

impl Of {
    fn attributes<'j>(
        &self,
        ctx: &mut Ctx<'_>,
        documents: &[&'j Json],
        object: &Json,
    ) -> Vec<(&'j str, &'j Json)> {
        let arn = object.text(self.key);
        let mut found = Vec::new();
        for root in documents {
            let own = root.text(self.key);
            if own.is_empty() && self.count > 1 {
                ctx.notes.refuse(root.at("Attributes"), self.words, self.help);
                continue;
            }
            if own.is_empty() || own == arn {
                found.extend(root.list("Attributes").iter().map(|json| (json.text("Key"), json)));
            }
        }
        found
    }
}

fn value<'j>(attributes: &[(&'j str, &'j Json)], key: &str) -> Option<&'j Json> {
    attributes.iter().find(|(name, _)| *name == key).map(|(_, json)| *json)
}

fn pool(
    ctx: &mut Ctx<'_>,
    documents: &Documents<'_>,
    group: &Json,
    attributes: &[(&str, &Json)],
) -> String {
    let key = group.text("TargetGroupArn").to_owned();
    if let Some(known) = ctx.nodes.get(&key) {
        return known.clone();
    }
    let name = ctx.native.unused(Kind::Pool, group.text("TargetGroupName"));
    ctx.nodes.insert(key, name.clone());
    let place = ctx.files.place(group.span);
    let title = format!("target group {}, {place}", group.text("TargetGroupName"));
    let mut table = Table::named(Kind::Pool, &name, group.span).comment(title);
    let port = group.number("Port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    table.number("port", port.into(), group.at("Port"));
    members(ctx, documents, group, port, &mut table);
    table.text("method", "round-robin", group.span);
    ctx.notes.change(
        group.at("TargetGroupName"),
        "connections go round, where AWS hashes ports and addresses",
    );
    if group.text("HealthCheckEnabled") == "false" {
        table.text("monitor", "none", group.at("HealthCheckEnabled"));
    } else {
        let number = |key: &str| (group.number(key), group.at(key));
        let check = Check {
            json: group,
            protocol: group.text("HealthCheckProtocol").to_owned(),
            port: group.text("HealthCheckPort").parse().ok(),
            path: group.get("HealthCheckPath").map(|json| json.scalar().to_owned()),
            status: group
                .get("Matcher")
                .map(|json| json.text("HttpCode").to_owned())
                .filter(|s| !s.is_empty()),
            interval: number("HealthCheckIntervalSeconds"),
            timeout: number("HealthCheckTimeoutSeconds"),
            unhealthy: number("UnhealthyThresholdCount"),
            healthy: number("HealthyThresholdCount"),
            target: group.at("HealthCheckProtocol"),
        };
        let is_tls = group.text("Protocol") == "TLS";
        let monitor = targets::monitor(ctx, &check, port, is_tls);
        table.text("monitor", &monitor, check.target);
    }
    if value(attributes, "proxy_protocol_v2.enabled")
        .is_some_and(|json| json.text("Value") == "true")
    {
        table.text("send_proxy", "v2", group.span);
    }
    if let Some(keep) = value(attributes, "preserve_client_ip.enabled")
        && keep.text("Value") == "true"
    {
        let words = "members see the gateway's address; `transparent = true` in the pool would keep the client's";
        ctx.notes.change(keep.at("Value"), words);
    }
    if let Some(delay) = value(attributes, "deregistration_delay.timeout_seconds") {
        delay.text("Value");
        let words = "drain members by `state = \"draining\"` or at run time";
        ctx.notes.change(delay.at("Value"), words);
    }
    let ends = value(attributes, "target_health_state.unhealthy.connection_termination.enabled");
    if let Some(ends) = ends.filter(|json| json.text("Value") == "true") {
        table.text("service_down", "reset", ends.at("Value"));
    }
    ctx.native.add(table);
    name
}

fn members(
    ctx: &mut Ctx<'_>,
    documents: &Documents<'_>,
    group: &Json,
    port: u16,
    table: &mut Table,
) {
    let arn = group.text("TargetGroupArn");
    let mut items = Vec::new();
    let named = |root: &&&Json| root.text("TargetGroupArn") == arn;
    let of_port = |root: &&&Json| {
        let first = root.list("TargetHealthDescriptions").first();
        let own = first.and_then(|json| json.get("Target")?.number("Port"));
        root.text("TargetGroupArn").is_empty() && own == Some(port.into())
    };
    // Without the name that nobody prints, the port has to tell.
    let mut roots: Vec<_> = documents.target_health.iter().filter(named).collect();
    if roots.is_empty() {
        roots = documents.target_health.iter().filter(of_port).collect();
        let alike = documents
            .target_groups
            .iter()
            .filter(|g| g.number("Port") == Some(port.into()))
            .count();
        if alike > 1 && !roots.is_empty() {
            let words = "several target groups have this port, and targets do not tell their group";
            let help = "add \"TargetGroupArn\" to what `describe-target-health` printed";
            ctx.notes.refuse(group.span, words, help);
        }
    }
    let descriptions: Vec<&Json> =
        roots.iter().flat_map(|root| root.list("TargetHealthDescriptions")).collect();
    if !ctx.notes.work(targets::MEMBER_STEPS * descriptions.len(), group.span) {
        return;
    }
    for description in descriptions {
        let Some(target) = description.get("Target") else { continue };
        let Some(id) = target.get("Id") else { continue };
        let Some(node) = targets::node(ctx, documents, id) else { continue };
        let own = target.number("Port").filter(|own| *own != u64::from(port));
        items.push(match own {
            Some(own) => (inline(&[("node", quote(&node)), ("port", own.to_string())]), id.span),
            None => (quote(&node), id.span),
        });
    }
    if items.is_empty() {
        let words = format!("the targets of {} are not known", group.text("TargetGroupName"));
        ctx.notes.refuse(group.span, words, "add what `aws elbv2 describe-target-health` prints");
    }
    table.value("members", Value::List(items), group.span);
}

fn sticky(ctx: &mut Ctx<'_>, attributes: &[(&str, &Json)], table: &mut Table) {
    let is = |key: &str, word: &str| {
        value(attributes, key).is_some_and(|json| json.text("Value") == word)
    };
    if !(is("stickiness.enabled", "true") && is("stickiness.type", "source_ip")) {
        return;
    }
    let Some(json) = value(attributes, "stickiness.type") else { return };
    let span = json.at("Value");
    let mut profile = Table::single(Kind::Persistence, span);
    profile.text("parent", "source_addr", span);
    profile.duration("timeout", STICKY, span);
    ctx.notes.change(span, "a client's entry lives an hour after its last connection");
    let name = ctx.native.share(Kind::Persistence, "source_addr_1h", profile);
    table.text("persistence", &name, span);
}
