//! Profiles: fastL4 and tcp, client-ssl, server-ssl, source-addr.

use std::net::IpAddr;
use std::time::Duration;

use super::objects::{Object, Objects, Property, base_name, inherited, root};
use super::pool::number;
use super::{Ctx, plain_name};
use crate::files::Span;
use crate::native::{Kind, Table, Value, inline, quote};

/// `indefinite` persistence; a year is the longest that can be written.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

const BUILT_IN_SERVER_SSL: &[&str] =
    &["serverssl", "serverssl-insecure-compatible", "apm-default-serverssl"];

/// Whether a profile of a virtual server speaks TLS to members.
pub(super) fn is_server_ssl(objects: &Objects, name: &str, partition: &str) -> bool {
    let found = objects.find("profile server-ssl", name, partition);
    found.is_some() || BUILT_IN_SERVER_SSL.contains(&base_name(name))
}

/// What a profile of a virtual server is.
pub(super) enum Profile<'o> {
    /// Native name of a protocol profile, and whether it is of a layer 4 server.
    Protocol {
        name: String,
        layer4: bool,
    },
    ClientSsl(Option<&'o Object>),
    ServerSsl(Option<&'o Object>),
    /// Means nothing here, with the reason.
    Dropped(&'static str),
}

/// Looks a profile up, and writes it when it is a protocol's.
pub(super) fn read<'o>(
    ctx: &mut Ctx<'_>,
    objects: &'o Objects,
    property: &Property,
    partition: &str,
) -> Option<Profile<'o>> {
    let name = property.name.as_str();
    for (kind, layer4) in [("profile fastl4", true), ("profile tcp", false)] {
        if let Some(object) = objects.find(kind, name, partition) {
            let name = protocol(ctx, objects, object, layer4);
            return Some(Profile::Protocol { name, layer4 });
        }
    }
    if let Some(object) = objects.find("profile client-ssl", name, partition) {
        return Some(Profile::ClientSsl(Some(object)));
    }
    if let Some(object) = objects.find("profile server-ssl", name, partition) {
        return Some(Profile::ServerSsl(Some(object)));
    }
    let built_in = |name: &str, layer4| Some(Profile::Protocol { name: name.to_owned(), layer4 });
    match base_name(name) {
        "fastL4" | "fastl4" => built_in("fastl4", true),
        "tcp"
        | "tcp-legacy"
        | "tcp-lan-optimized"
        | "tcp-wan-optimized"
        | "tcp-mobile-optimized"
        | "f5-tcp-lan"
        | "f5-tcp-wan"
        | "f5-tcp-mobile"
        | "f5-tcp-progressive"
        | "mptcp-mobile-optimized"
        | "tcp-datacenter-optimized" => built_in("tcp", false),
        "clientssl" | "clientssl-insecure-compatible" | "clientssl-secure" => {
            Some(Profile::ClientSsl(None))
        }
        name if BUILT_IN_SERVER_SSL.contains(&name) => Some(Profile::ServerSsl(None)),
        "http" | "http-transparent" | "http-explicit" => {
            Some(Profile::Dropped("HTTP is not looked into: bytes pass as they come"))
        }
        "oneconnect" => {
            Some(Profile::Dropped("connections to members are not shared between clients"))
        }
        "tcp-analytics" | "analytics" | "statistics" | "stats" => {
            Some(Profile::Dropped("statistics are kept anyway"))
        }
        other => {
            let words = format!("no profile that could be read is called `{other}`");
            let help = "profiles are fastl4, tcp, client-ssl and server-ssl";
            ctx.notes.refuse(property.span, words, help);
            None
        }
    }
}

/// Every profile of the line becomes one of ours, so that the inheritance stays.
fn protocol(ctx: &mut Ctx<'_>, objects: &Objects, object: &Object, layer4: bool) -> String {
    let line = objects.lineage(&mut ctx.notes, object);
    line.iter().for_each(|object| ctx.uses(object));
    let top = root(&line, "");
    let known = ["", "fastL4", "fastl4", "tcp", "full-acceleration", "security-fastL4"];
    if !known.contains(&top.as_str()) && !top.contains("tcp") && !is_known(&line, &top) {
        let words = format!("no profile is called `{top}`");
        ctx.notes.refuse(object.head, words, "add it to the file");
    }
    let built_in = if layer4 { "fastl4" } else { "tcp" }.to_owned();
    let parents_first = line.iter().rev();
    parents_first.fold(built_in, |parent, object| one_protocol(ctx, object, &parent, layer4))
}

/// The end of a ring is a member of it.
fn is_known(line: &[&Object], name: &str) -> bool {
    line.iter().any(|object| base_name(&object.path) == name)
}

fn one_protocol(ctx: &mut Ctx<'_>, object: &Object, parent: &str, layer4: bool) -> String {
    let key = (object.kind, object.path.clone());
    if let Some(known) = ctx.written.get(&key) {
        return known.clone();
    }
    let mut table = Table::single(Kind::Protocol, object.head).comment(format!(
        "{}, {}",
        object.path,
        ctx.files.place(object.head)
    ));
    let parent_span = object.get("defaults-from").map_or(object.head, |p| p.value_span);
    table.text("parent", parent, parent_span);
    for property in &object.properties {
        let span = property.value_span;
        match property.name.as_str() {
            "defaults-from" | "description" => {}
            "idle-timeout" => match property.text() {
                "indefinite" => table.text("idle_timeout", "off", span),
                "immediate" => {
                    ctx.notes.refuse(
                        span,
                        "`immediate` would end every connection",
                        "write seconds",
                    );
                }
                _ => {
                    let time = Duration::from_secs(number(property));
                    table.duration("idle_timeout", time, span);
                    short(ctx, property.span, time);
                }
            },
            "keep-alive-interval" if layer4 && property.text() == "disabled" => {}
            "keep-alive-interval" => {
                let words = "keep-alive is on toward both sides, and asks after 60 s";
                ctx.notes.change(property.span, words);
            }
            "tcp-handshake-timeout" => {
                ctx.notes.change(property.span, "handshakes of TCP are the kernel's business");
            }
            "reset-on-timeout" => {
                ctx.notes.change(
                    property.span,
                    "a connection that was idle for too long ends with a reset",
                );
            }
            "app-service" | "partition" => {
                ctx.notes.drop(property.span, "belongs to the appliance")
            }
            _ => ctx.notes.drop(property.span, "tuning of BIG-IP's own engine"),
        }
    }
    let name = ctx.native.add_named(Kind::Protocol, &plain_name(&object.path), table);
    ctx.written.insert(key, name.clone());
    name
}

fn short(ctx: &mut Ctx<'_>, span: Span, time: Duration) {
    if time < Duration::from_secs(600) {
        let shown = crate::native::show_duration(time);
        let words = format!("a query that takes longer than {shown} is cut while its client waits");
        ctx.notes.warn(span, words, "make it as long as the longest query; 3600 is usual");
    }
}

/// The native name of a persistence profile.
pub(super) fn persistence(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    reference: &Property,
    partition: &str,
) -> Option<String> {
    let name = reference.name.as_str();
    let Some(object) = objects.find("persistence source-addr", name, partition) else {
        if base_name(name) == "source_addr" {
            return Some("source_addr".to_owned());
        }
        let words = format!("no source-addr persistence is called `{}`", base_name(name));
        let help = "clients can stick by their address only";
        ctx.notes.refuse(reference.span, words, help);
        return None;
    };
    Some(source_addr(ctx, objects, object))
}

fn source_addr(ctx: &mut Ctx<'_>, objects: &Objects, object: &Object) -> String {
    let line = objects.lineage(&mut ctx.notes, object);
    line.iter().for_each(|object| ctx.uses(object));
    let built_in = "source_addr".to_owned();
    line.iter().rev().fold(built_in, |parent, object| one_source_addr(ctx, object, &parent))
}

fn one_source_addr(ctx: &mut Ctx<'_>, object: &Object, parent: &str) -> String {
    let key = (object.kind, object.path.clone());
    if let Some(known) = ctx.written.get(&key) {
        return known.clone();
    }
    let mut table = Table::single(Kind::Persistence, object.head).comment(format!(
        "{}, {}",
        object.path,
        ctx.files.place(object.head)
    ));
    let parent_span = object.get("defaults-from").map_or(object.head, |p| p.value_span);
    table.text("parent", parent, parent_span);
    for property in &object.properties {
        let span = property.value_span;
        match property.name.as_str() {
            "defaults-from" | "description" | "app-service" | "partition" => {}
            "timeout" if property.text() == "indefinite" => {
                table.duration("timeout", LONGEST, span);
                ctx.notes.change(span, "entries live for a year");
            }
            "timeout" => table.duration("timeout", Duration::from_secs(number(property)), span),
            "mask" if matches!(property.text(), "none" | "255.255.255.255") => {}
            "mask" => match prefix(property.text()) {
                Some((key, length)) => table.number(key, length, span),
                None => {
                    ctx.notes.refuse(
                        span,
                        "a mask is a run of ones and then zeroes",
                        "such as 255.255.255.0",
                    );
                }
            },
            "hash-algorithm" if property.text() == "default" => {}
            "match-across-pools"
            | "match-across-services"
            | "match-across-virtuals"
            | "mirror"
            | "override-connection-limit"
                if property.text() == "disabled" => {}
            "match-across-pools" | "match-across-services" | "match-across-virtuals" => {
                ctx.notes.change(property.span, "each virtual server has entries of its own");
            }
            "mirror" => ctx.notes.change(property.span, "entries are this process's alone"),
            "override-connection-limit" => {
                ctx.notes
                    .change(property.span, "a full member takes nobody; the client's entry stays");
            }
            _ => ctx.notes.drop(property.span, "says nothing about persistence here"),
        }
    }
    let name = ctx.native.add_named(Kind::Persistence, &plain_name(&object.path), table);
    ctx.written.insert(key, name.clone());
    name
}

/// A netmask as a prefix length.
fn prefix(mask: &str) -> Option<(&'static str, u64)> {
    match mask.parse::<IpAddr>().ok()? {
        IpAddr::V4(ip) => {
            let bits = ip.to_bits();
            (bits.leading_ones() == bits.count_ones())
                .then(|| ("mask_v4", bits.count_ones().into()))
        }
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            (bits.leading_ones() == bits.count_ones())
                .then(|| ("mask_v6", bits.count_ones().into()))
        }
    }
}

/// One native profile of all client-ssl profiles of a virtual server, the default one first.
pub(super) fn tls_client(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    found: &[(Option<&Object>, Span)],
) -> String {
    let mut certificates = Vec::new();
    let (first, span) = found[0];
    let mut table = Table::single(Kind::TlsClient, first.map_or(span, |object| object.head));
    table.text("parent", "clientssl", span);
    let mut found: Vec<_> = found.to_vec();
    let is_default =
        |object: &Object| object.get("sni-default").is_some_and(|p| p.text() == "true");
    found.sort_by_key(|(object, _)| !object.is_some_and(is_default));
    for (object, span) in &found {
        let Some(object) = object else {
            certificates.push((files("default.crt", "default.key", ""), *span));
            ctx.notes.change(
                *span,
                "its certificate is default.crt with default.key, beside the configuration",
            );
            continue;
        };
        let line = objects.lineage(&mut ctx.notes, object);
        line.iter().for_each(|object| ctx.uses(object));
        certificates.extend(chains(ctx, &line, object.head));
        client_auth(ctx, &line, &mut table);
        versions(&line, &mut table);
        if !ctx.notes.work(line.iter().map(|o| o.properties.len()).sum(), *span) {
            break;
        }
        for property in line.iter().flat_map(|object| &object.properties) {
            match property.name.as_str() {
                "defaults-from" | "description" | "cert" | "key" | "chain" | "cert-key-chain"
                | "passphrase" | "peer-cert-mode" | "ca-file" | "sni-default" | "server-name"
                | "crl-file" | "app-service" => {}
                "ciphers" | "cipher-group" | "options" | "tm-options" => {
                    let words = "TLS 1.2 and 1.3 with forward secrecy and nothing else";
                    ctx.notes.change(property.span, words);
                }
                _ => ctx.notes.drop(property.span, "the TLS library's business"),
            }
        }
    }
    table.value("certificates", Value::List(certificates), span);
    let name = first.map_or("clientssl_default".to_owned(), |object| plain_name(&object.path));
    ctx.native.share(Kind::TlsClient, &name, table)
}

fn chains(ctx: &mut Ctx<'_>, line: &[&Object], head: Span) -> Vec<(String, Span)> {
    let pair = |of: &dyn Fn(&str) -> Option<String>| {
        (
            of("cert").unwrap_or_default(),
            of("key").unwrap_or_default(),
            of("chain").unwrap_or_default(),
        )
    };
    let passphrase = inherited(line, "passphrase").filter(|p| p.text() != "none");
    let mut all = Vec::new();
    if let Some(list) = inherited(line, "cert-key-chain").filter(|p| !p.inner().is_empty()) {
        if !ctx.notes.work(list.inner().len(), list.span) {
            return Vec::new();
        }
        for entry in list.inner() {
            let parts = pair(&|name| entry.get(name).map(|p| p.text().to_owned()));
            all.push((parts, entry.span, entry.get("passphrase").or(passphrase)));
        }
    } else if let Some(certificate) = inherited(line, "cert") {
        let parts = pair(&|name| inherited(line, name).map(|p| p.text().to_owned()));
        all.push((parts, certificate.span, passphrase));
    } else {
        let parts = ("default.crt".to_owned(), "default.key".to_owned(), String::new());
        all.push((parts, head, passphrase));
    }
    all.into_iter()
        .map(|((certificate, key, chain), span, passphrase)| {
            if let Some(passphrase) = passphrase.filter(|p| p.text() != "none") {
                let words = "the passphrase is encrypted with the appliance's own key";
                let help =
                    "write the key without one: openssl pkey -in KEY -out NEW, and leave this out";
                ctx.notes.refuse(passphrase.span, words, help);
            }
            let text = files(&certificate, &key, &chain);
            ctx.notes.change(span, "the files are looked for beside the configuration");
            (text, span)
        })
        .collect()
}

/// A `certificates` entry. Files go by their name: the appliance keeps them elsewhere.
fn files(certificate: &str, key: &str, chain: &str) -> String {
    let mut parts = vec![("certificate", quote(base_name(certificate)))];
    for (name, value) in [("key", key), ("chain", chain)] {
        if !matches!(value, "" | "none") {
            parts.push((name, quote(base_name(value))));
        }
    }
    inline(&parts)
}

/// `options { no-tlsv1.2 }`: what is left is 1.3.
fn versions(line: &[&Object], table: &mut Table) {
    for name in ["options", "tm-options"] {
        let Some(options) = inherited(line, name) else { continue };
        let words = options.inner().iter().flat_map(|p| [p.name.as_str(), p.text()]);
        let mut words = words.chain(options.text().split(' '));
        if words.any(|word| word == "no-tlsv1.2") {
            table.text("min_version", "1.3", options.value_span);
        }
    }
}

fn client_auth(ctx: &mut Ctx<'_>, line: &[&Object], table: &mut Table) {
    let Some(mode) = inherited(line, "peer-cert-mode") else { return };
    let word = match mode.text() {
        "ignore" | "auto" => return,
        "require" | "always" => "required",
        "request" => "optional",
        other => {
            ctx.notes.refuse(
                mode.span,
                format!("`{other}` is no mode"),
                "ignore, request or require",
            );
            return;
        }
    };
    table.text("client_certificates", word, mode.value_span);
    for (key, name) in [("client_ca_file", "ca-file"), ("client_crl_file", "crl-file")] {
        if let Some(file) = inherited(line, name).filter(|p| p.text() != "none") {
            table.text(key, base_name(file.text()), file.value_span);
        }
    }
}

/// The native profile toward members. BIG-IP's default looks at no certificate.
pub(super) fn tls_server(
    ctx: &mut Ctx<'_>,
    objects: &Objects,
    object: Option<&Object>,
    span: Span,
) -> String {
    let mut table = Table::single(Kind::TlsServer, object.map_or(span, |object| object.head));
    table.text("parent", "serverssl", span);
    let line = object.map_or(Vec::new(), |object| objects.lineage(&mut ctx.notes, object));
    line.iter().for_each(|object| ctx.uses(object));
    let mode = inherited(&line, "peer-cert-mode");
    let verifies = mode.is_some_and(|mode| matches!(mode.text(), "require" | "always"));
    if !verifies {
        let mode_span = mode.map_or(span, |mode| mode.value_span);
        table.text("verify", "none", mode_span);
        ctx.notes.change(
            mode_span,
            "members' certificates are not looked at, as with BIG-IP's serverssl",
        );
    }
    let named = inherited(&line, "authenticate-name").or_else(|| inherited(&line, "server-name"));
    if let Some(name) = named.filter(|p| !matches!(p.text(), "" | "none")) {
        table.text("server_name", name.text(), name.value_span);
    } else if verifies {
        let words = "the member's certificate must also be for its address";
        ctx.notes.warn(
            span,
            words,
            "BIG-IP looks at the authority only; write authenticate-name NAME",
        );
    }
    versions(&line, &mut table);
    for (key, name) in
        [("ca_file", "ca-file"), ("crl_file", "crl-file"), ("certificate", "cert"), ("key", "key")]
    {
        let file = inherited(&line, name).filter(|p| !matches!(p.text(), "" | "none"));
        if let Some(file) = file.filter(|_| verifies || matches!(key, "certificate" | "key")) {
            table.text(key, base_name(file.text()), file.value_span);
            ctx.notes.change(file.span, "the file is looked for beside the configuration");
        }
    }
    for property in line.iter().flat_map(|object| &object.properties) {
        match property.name.as_str() {
            "defaults-from" | "description" | "peer-cert-mode" | "authenticate-name"
            | "server-name" | "ca-file" | "crl-file" | "cert" | "key" | "app-service" => {}
            "passphrase" if property.text() != "none" => {
                let words = "the passphrase is encrypted with the appliance's own key";
                ctx.notes.refuse(
                    property.span,
                    words,
                    "write the key without one, and leave this out",
                );
            }
            "ciphers" | "cipher-group" | "options" | "tm-options" => {
                ctx.notes
                    .change(property.span, "TLS 1.2 and 1.3 with forward secrecy and nothing else");
            }
            _ => ctx.notes.drop(property.span, "the TLS library's business"),
        }
    }
    let name = match object {
        Some(object) => plain_name(&object.path),
        None => "serverssl_unverified".to_owned(),
    };
    ctx.native.share(Kind::TlsServer, &name, table)
}
