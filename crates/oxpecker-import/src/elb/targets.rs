//! Instances and addresses as nodes, health checks as monitors.

use std::net::IpAddr;
use std::time::Duration;

use super::json::Json;
use super::{Ctx, Documents};
use crate::files::Span;
use crate::native::{Kind, Table};

/// Ten thousand members are all that is read: checking more takes minutes.
pub(super) const MEMBER_STEPS: usize = 100;

/// The native name of the node of an instance, or of an address.
pub(super) fn node(ctx: &mut Ctx<'_>, documents: &Documents<'_>, target: &Json) -> Option<String> {
    let id = target.scalar();
    if let Some(known) = ctx.nodes.get(id) {
        return Some(known.clone());
    }
    let (name, address, span) = if id.parse::<IpAddr>().is_ok() {
        (format!("ip-{}", id.replace(['.', ':'], "-")), id.to_owned(), target.span)
    } else if let Some(instance) = documents.instances.get(id) {
        let key = if instance.get("PrivateIpAddress").is_some() {
            "PrivateIpAddress"
        } else {
            "PrivateDnsName"
        };
        let tag = instance.list("Tags").iter().find(|tag| tag.text("Key") == "Name");
        let name = tag.map(|tag| tag.text("Value")).filter(|name| !name.is_empty());
        let name =
            name.unwrap_or_else(|| match instance.text("PrivateDnsName").split('.').next() {
                Some(first) if !first.is_empty() => first,
                _ => id,
            });
        (name.to_owned(), instance.text(key).to_owned(), instance.at(key))
    } else {
        let words = format!("the address of {id} is not known");
        let help = format!("add what `aws ec2 describe-instances --instance-ids {id}` prints");
        ctx.notes.refuse(target.span, words, help);
        return None;
    };
    let mut table = Table::single(Kind::Node, target.span).comment(id.to_owned());
    table.text("address", &address, span);
    let name = ctx.native.add_named(Kind::Node, &name, table);
    ctx.nodes.insert(id.to_owned(), name.clone());
    Some(name)
}

/// What a health check says, whichever API it came from.
pub(super) struct Check<'j> {
    pub(super) json: &'j Json,
    pub(super) protocol: String,
    /// None: the member's own.
    pub(super) port: Option<u16>,
    pub(super) path: Option<String>,
    pub(super) status: Option<String>,
    pub(super) interval: (Option<u64>, Span),
    pub(super) timeout: (Option<u64>, Span),
    pub(super) unhealthy: (Option<u64>, Span),
    pub(super) healthy: (Option<u64>, Span),
    pub(super) target: Span,
}

/// Defaults of a native tcp monitor.
const INTERVAL: u64 = 5;
const TIMEOUT_MAX: u64 = 5;
const FALL: u64 = 3;

/// The native name of a monitor for a pool of this port. `is_tls`: connections to its members are
/// encrypted, and probes would be as well.
pub(super) fn monitor(ctx: &mut Ctx<'_>, check: &Check<'_>, port: u16, is_tls: bool) -> String {
    let mut table = Table::single(Kind::Monitor, check.json.span);
    let is_http = matches!(check.protocol.as_str(), "HTTP" | "HTTPS");
    table.text("parent", if is_http { "http" } else { "tcp" }, check.target);
    let interval = check.interval.0.unwrap_or(30);
    if interval != INTERVAL {
        table.duration("interval", Duration::from_secs(interval), check.interval.1);
    }
    let timeout = check.timeout.0.unwrap_or(5).min(interval);
    if timeout != interval.min(TIMEOUT_MAX) {
        table.duration("timeout", Duration::from_secs(timeout), check.timeout.1);
    }
    let (rise, native_rise) = (check.healthy.0.unwrap_or(5), if is_http { 2 } else { 1 });
    if rise != native_rise {
        table.number("rise", rise, check.healthy.1);
    }
    let fall = check.unhealthy.0.unwrap_or(2);
    if fall != FALL {
        table.number("fall", fall, check.unhealthy.1);
    }
    if let Some(own) = check.port.filter(|own| *own != port) {
        table.number("port", own.into(), check.target);
    }
    if is_http {
        if let Some(path) = check.path.as_ref().filter(|path| *path != "/") {
            table.text("path", path, check.target);
        }
        let status = check.status.as_deref().unwrap_or("200");
        let texts: Vec<_> =
            status.split(',').map(|part| (part.trim().to_owned(), check.target)).collect();
        table.texts("status", &texts, check.target);
    } else if check.path.is_some() {
        ctx.notes.change(check.target, "a TCP check has no path");
    }
    if matches!(check.protocol.as_str(), "HTTPS" | "SSL" | "TLS") {
        let profile = super::tls_server(ctx, check.target);
        table.text("tls", &profile, check.target);
    } else if is_tls {
        table.text("tls", "off", check.target);
    }
    ctx.native.share(Kind::Monitor, "health_check", table)
}
