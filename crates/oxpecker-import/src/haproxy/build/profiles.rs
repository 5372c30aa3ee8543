//! What several lines of a proxy and its backend make of one profile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::bind::BindOptions;
use super::super::options::Keepalive;
use super::super::settings::{Settings, Timeout};
use super::super::{Proxy, pool};
use super::Builder;
use crate::native::{Kind, Table, inline, quote, show_duration};

/// HAProxy's entries may live for ever; a year is the longest that can be written.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Builder<'_> {
    pub(super) fn tls_client(&mut self, proxy: &Proxy, options: &BindOptions) -> String {
        let span = options.ssl.unwrap_or(proxy.span);
        let mut profile = Table::single(Kind::TlsClient, span);
        let certificates: Vec<_> =
            options.certificates.iter().map(|at| (at.value.clone(), at.span)).collect();
        profile.texts("certificates", &certificates, span);
        pool::versions(&mut profile, options.tls_min.as_ref(), options.tls_max.as_ref());
        if let Some(at) = &options.cipher_suites {
            pool::suites(self.ctx, &mut profile, at);
        }
        if let Some(at) = &options.alpn {
            let names: Vec<_> =
                at.value.split(',').map(|name| (name.to_owned(), at.span)).collect();
            profile.texts("alpn", &names, at.span);
        }
        if let Some(span) = options.no_tickets {
            profile.switch("tickets", false, span);
        }
        if let Some(at) = &options.client_auth {
            profile.text("client_certificates", at.value, at.span);
            if let Some(at) = &options.ca_file {
                profile.text("client_ca_file", &at.value, at.span);
            }
            if let Some(at) = &options.crl_file {
                profile.text("client_crl_file", &at.value, at.span);
            }
        }
        self.native.share(Kind::TlsClient, &proxy.name, profile)
    }

    pub(super) fn persistence(&mut self, back: &Settings, table: &mut Table) {
        let own = &back.stick;
        let Some(span) = own.on_src else {
            return;
        };
        let Some(stick) = self.stick_table(own) else { return };
        let mut profile = Table::single(Kind::Persistence, stick.table.unwrap_or(span));
        let expire = stick.expire.as_ref().map_or(LONGEST, |at| at.value);
        let expire_span = stick.expire.as_ref().map_or(span, |at| at.span);
        profile.duration("timeout", expire, expire_span);
        if stick.expire.is_none() {
            let words = "entries live for a year, for there is no `expire`";
            self.ctx.notes.change(stick.table.unwrap_or(span), words);
        }
        if let Some(size) = &stick.size {
            profile.number("entries_max", size.value.min(10_000_000), size.span);
        }
        if let Some(mask) = &own.mask {
            profile.number("mask_v4", mask.value, mask.span);
        }
        let name = format!("source_addr_{}", show_duration(expire));
        let name = self.native.share(Kind::Persistence, &name, profile);
        table.text("persistence", &name, span);
    }

    pub(super) fn protocol_profile(
        &mut self,
        front: &Settings,
        back: &Settings,
        options: &BindOptions,
        table: &mut Table,
    ) {
        let span = table.span();
        let (client, server) = (&front.timeouts.client, &back.timeouts.server);
        // HAProxy looks at no frontend's.
        let tunnel = back.timeouts.tunnel.as_ref();
        let place = |timeout: &Timeout| timeout.as_ref().map_or(span, |at| at.span);
        let time = |timeout: &Timeout| timeout.as_ref().and_then(|at| at.value);
        let mut profile = Table::single(Kind::Protocol, place(client));
        let name = match tunnel {
            // Once connected only this one counts.
            Some(tunnel) => {
                let idle = tunnel.value.map_or("off".to_owned(), show_duration);
                profile.text("idle_timeout", &idle, tunnel.span);
                format!("tunnel_{idle}")
            }
            None => {
                let client_at = if client.is_some() { place(client) } else { place(server) };
                profile.raw("idle_timeout", quote("off"), client_at);
                if let Some(time) = time(client) {
                    profile.duration("client_timeout", time, place(client));
                }
                if let Some(time) = time(server) {
                    profile.duration("server_timeout", time, place(server));
                }
                match (time(client), time(server)) {
                    (Some(one), Some(other)) if one == other => {
                        format!("timeout_{}", show_duration(one))
                    }
                    (None, None) => "no_timeout".to_owned(),
                    _ => "timeouts".to_owned(),
                }
            }
        };
        if let Some((Some(time), at)) =
            front.timeouts.handshake.as_ref().map(|at| (at.value, at.span))
        {
            profile.duration("handshake_timeout", time, at);
        }
        keepalive(&mut profile, "client_keepalive", &front.options.client_keepalive);
        keepalive(&mut profile, "server_keepalive", &back.options.server_keepalive);
        if let Some(at) = &options.user_timeout {
            profile.duration("client_user_timeout", at.value, at.span);
        }
        let user_timeout =
            back.servers.iter().find_map(|server| server.options.user_timeout.as_ref());
        if let Some(at) = user_timeout {
            profile.duration("server_user_timeout", at.value, at.span);
        }
        let name = self.native.share(Kind::Protocol, &name, profile);
        table.text("protocol_profile", &name, place(client));
    }
}

fn keepalive(profile: &mut Table, key: &'static str, keepalive: &Keepalive) {
    // Without `option …ka` HAProxy ignores the numbers.
    let Some(span) = keepalive.on else { return };
    let mut parts: BTreeMap<u8, (&str, String)> = BTreeMap::new();
    if let Some(at) = &keepalive.idle {
        parts.insert(0, ("idle", quote(&show_duration(at.value))));
    }
    if let Some(at) = &keepalive.interval {
        parts.insert(1, ("interval", quote(&show_duration(at.value))));
    }
    if let Some(at) = &keepalive.count {
        parts.insert(2, ("count", at.value.to_string()));
    }
    if !parts.is_empty() {
        let parts: Vec<_> = parts.into_values().collect();
        profile.raw(key, inline(&parts), span);
    }
}
