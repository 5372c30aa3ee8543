//! TLS toward the servers of a proxy, of connections and of probes.

use super::super::server::{Server, ServerOptions};
use super::super::settings::Settings;
use super::super::{Ctx, Proxy};
use crate::files::{At, Span};
use crate::native::{Kind, Native, Table};

/// The TLS profile toward the servers of a proxy.
pub(super) fn profile(ctx: &mut Ctx, native: &mut Native, proxy: &Proxy) -> Option<At<String>> {
    let servers = &proxy.settings.servers;
    let first = servers.iter().find(|server| server.options.ssl.is_some())?;
    let span = first.options.ssl.unwrap_or(first.span);
    for server in servers.iter().filter(|server| server.options.ssl.is_none()) {
        let words = "clear text to this member, and TLS to others of its pool";
        ctx.notes.refuse(server.span, words, "put it into a backend of its own");
    }
    let mut profile = Table::single(Kind::TlsServer, span);
    let verifies = |server: &Server| server.options.tls.verify.as_ref().is_none_or(|at| at.value);
    if let Some(other) = servers.iter().find(|server| verifies(server) != verifies(first)) {
        let at = other.options.tls.verify.as_ref().map_or(other.span, |at| at.span);
        let words = "some members' certificates are verified and others' are not";
        ctx.notes.refuse(at, words, "put those into a backend of their own");
    }
    let verifies = verifies(first);
    if let Some(at) = first.options.tls.verify.as_ref().filter(|at| !at.value) {
        profile.text("verify", "none", at.span);
    }
    let name = name_to_ask_for(ctx, servers, verifies);
    if let Some(name) = &name {
        profile.text("server_name", &name.value, name.span);
    } else if verifies {
        let words = "the member's certificate must also be for its address";
        ctx.notes.change(span, words);
        let help = "HAProxy looks at the authority only; for a common name write `verifyhost NAME`";
        ctx.notes.warn(span, words, help);
    }
    if verifies {
        if let Some(at) = alike(ctx, servers, |o| o.tls.ca_file.as_ref(), "ca-file") {
            if at.value.starts_with('@') {
                ctx.notes.change(at.span, "the system's authorities");
            } else {
                profile.text("ca_file", &at.value, at.span);
            }
        }
        if let Some(at) = alike(ctx, servers, |o| o.tls.crl_file.as_ref(), "crl-file") {
            profile.text("crl_file", &at.value, at.span);
        }
    }
    let min = alike(ctx, servers, |o| o.tls.min.as_ref(), "ssl-min-ver");
    let max = alike(ctx, servers, |o| o.tls.max.as_ref(), "ssl-max-ver");
    versions(&mut profile, min, max);
    if let Some(at) = alike(ctx, servers, |o| o.tls.cipher_suites.as_ref(), "ciphersuites") {
        suites(ctx, &mut profile, at);
    }
    if let Some(at) = alike(ctx, servers, |o| o.tls.certificate.as_ref(), "crt") {
        profile.text("certificate", &at.value, at.span);
    }
    let name = match profile.is_empty() {
        true => "serverssl".to_owned(),
        false => native.share(Kind::TlsServer, &proxy.name, profile),
    };
    Some(At::new(name, span))
}

/// What has no compromise: all members have the same, or the configuration cannot be used.
fn alike<'s, T: PartialEq>(
    ctx: &mut Ctx,
    servers: &'s [Server],
    of: impl Fn(&'s ServerOptions) -> Option<&'s At<T>>,
    what: &str,
) -> Option<&'s At<T>> {
    let first = servers.iter().find_map(|server| of(&server.options))?;
    let differs =
        |server: &&'s Server| of(&server.options).is_none_or(|at| at.value != first.value);
    if let Some(server) = servers.iter().find(differs) {
        let words = format!("`{what}` is the same for all members of a pool");
        let at = of(&server.options).map_or(server.span, |at| at.span);
        ctx.notes.refuse(at, words, "put those that differ into a backend of their own");
    }
    Some(first)
}

/// `verifyhost`, else `sni`; the same for all, for profiles belong to virtual servers.
fn name_to_ask_for(ctx: &mut Ctx, servers: &[Server], verifies: bool) -> Option<At<String>> {
    let name = |server: &Server| {
        server.options.tls.verifyhost.clone().or_else(|| server.options.tls.sni.clone())
    };
    let first = servers.first().and_then(name);
    let is_own = |server: &Server| {
        name(server).is_some_and(|name| name.value.eq_ignore_ascii_case(&server.host.value))
    };
    // What would be asked for anyway.
    if !servers.is_empty() && servers.iter().all(is_own) {
        return None;
    }
    let value = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let other = servers.iter().find(|server| value(&name(server)) != value(&first));
    let Some(other) = other else { return first };
    let at = name(other).map_or(other.span, |at| at.span);
    if verifies {
        let words = "each member has another name in its certificate";
        let help = "write these names as the servers' addresses instead: the name of the address is verified";
        ctx.notes.refuse(at, words, help);
        return first;
    }
    // Nobody verifies it.
    for span in servers.iter().filter_map(name).map(|at| at.span) {
        ctx.notes.change(span, "members are asked for the name in their own address");
    }
    None
}

pub(in super::super) fn versions(
    profile: &mut Table,
    min: Option<&At<&'static str>>,
    max: Option<&At<&'static str>>,
) {
    // 1.2 to 1.3 is what there is.
    if let Some(min) = min.filter(|at| at.value != "1.2") {
        profile.text("min_version", min.value, min.span);
    }
    if let Some(max) = max.filter(|at| at.value != "1.3") {
        profile.text("max_version", max.value, max.span);
    }
}

/// `TLS_AES_256_GCM_SHA384:…`
pub(in super::super) fn suites(ctx: &mut Ctx, profile: &mut Table, at: &At<String>) {
    let texts: Vec<(String, Span)> =
        at.value.split(':').map(|name| (name.to_owned(), at.span)).collect();
    profile.texts("cipher_suites", &texts, at.span);
    ctx.notes.change(at.span, "these suites of TLS 1.3 only, and none of TLS 1.2");
}

/// Whether probes speak TLS, as HAProxy has it: `check-ssl`, else the server's own TLS unless the
/// probe goes to another port; a rule that connects says itself.
pub(super) fn probe(
    ctx: &mut Ctx,
    native: &mut Native,
    settings: &Settings,
    tls_server: Option<&At<String>>,
    elsewhere: bool,
    monitor: &mut Table,
) {
    let health = &settings.health;
    let rule = health.connect.as_ref().filter(|connect| !connect.default || connect.ssl);
    let by_line = |server: &Server| {
        let options = &server.options;
        let own = options.ssl.is_some() && options.check_port.is_none();
        options.check_ssl.as_ref().map_or(own, |at| at.value)
    };
    let is_on = |server: &&Server| server.options.check.as_ref().is_some_and(|at| at.value);
    let mut probed = settings.servers.iter().filter(is_on);
    let Some(first) = probed.next() else { return };
    let by_line_first = by_line(first);
    if let Some(other) = probed.find(|server| by_line(server) != by_line_first && rule.is_none()) {
        let words = "some members are probed in clear text and others by TLS";
        ctx.notes.refuse(other.span, words, "put those into a backend of their own");
    }
    let line_span = first.options.check_ssl.as_ref().map_or(first.span, |at| at.span);
    let (wanted, span) = match (health.tls, rule) {
        // Nobody verifies what `ssl-hello-chk` finds.
        (Some(span), _) => (true, span),
        (None, Some(rule)) => (rule.ssl, rule.span),
        (None, None) => (by_line_first, line_span),
    };
    // What the native check gives a monitor that says nothing: a page elsewhere is asked in clear.
    let given = tls_server.filter(|_| !(health.http.is_some() && elsewhere));
    match (wanted, given, tls_server) {
        (true, Some(_), _) | (false, None, _) => {}
        (false, Some(_), _) => monitor.text("tls", "off", span),
        (true, None, Some(profile)) => monitor.text("tls", &profile.value, span),
        (true, None, None) => {
            let mut profile = Table::single(Kind::TlsServer, span);
            profile.text("verify", "none", span);
            let name = native.share(Kind::TlsServer, "probes", profile);
            monitor.text("tls", &name, span);
        }
    }
    for server in &settings.servers {
        let tls = &server.options.tls;
        let Some(asked) = &tls.check_sni else { continue };
        let name =
            tls.verifyhost.as_ref().or(tls.sni.as_ref()).map_or(&server.host.value, |at| &at.value);
        if !wanted {
            ctx.notes.drop(asked.span, "the probe is in clear text");
        } else if *name != asked.value {
            let words = format!("probes ask for `{name}`, as connections do");
            ctx.notes.change(asked.span, words);
        }
    }
}
