//! Names forward and back: Kerberos and TLS take what reverse look-up says.

use std::net::{IpAddr, ToSocketAddrs};

use oxpecker_config::model::{Host, Listen, Virtual};

use super::Patient;
use crate::finding::{Report, Section};

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let section = report.section("Names");
    if patient.public_names().is_empty() {
        section.warning(
            "no virtual server has a `public_name`",
            "without it neither names nor certificates can be compared with what clients use",
            "write `public_name = \"impala.example.com\"` in [virtual.NAME], or pass --public-name",
        );
    }
    let kerberos = patient.options.realm.is_some();
    for name in patient.public_names() {
        if let Ok(ip) = name.parse::<IpAddr>() {
            section.fault(
                format!("clients use the address {ip}, not a name"),
                "neither a Kerberos principal nor, as a rule, a certificate is for an address",
                "give the gateway a name in DNS, forward and reverse, and let clients use it",
            );
            continue;
        }
        if !name.contains('.') {
            section.warning(
                format!("`{name}` is a short name"),
                "principals and certificates are for full names; another host may add another \
                 domain to it",
                "let clients use the full name, as in `impala.example.com`",
            );
        }
        there_and_back(section, name, "clients", kerberos);
    }
    for virtual_server in &patient.config.virtuals {
        if let Some(name) = patient.public_name_of(virtual_server) {
            leads_here(section, virtual_server, name);
        }
    }
    for node in &patient.config.nodes {
        match &node.address {
            Host::Name(name) => there_and_back(section, name, "the gateway", false),
            Host::Ip(ip) => back(section, *ip, &node.name),
        }
    }
}

/// A name that leads elsewhere brings nobody. With wildcard listeners any address may be ours.
fn leads_here(section: &mut Section, virtual_server: &Virtual, name: &str) {
    let listens = virtual_server.listen.iter().filter_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.ip()),
        Listen::Unix(_) => None,
    });
    let listens: Vec<IpAddr> = listens.collect();
    let Ok(found) = lookup(name) else { return };
    if listens.is_empty() || listens.iter().any(|ip| ip.is_unspecified() || found.contains(ip)) {
        return;
    }
    let shown = |ips: &[IpAddr]| ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    section.warning(
        format!(
            "`{name}` is {}, and virtual server `{}` listens on {}",
            shown(&found),
            virtual_server.name,
            shown(&listens)
        ),
        "clients end up somewhere else, unless something on the way changes the address",
        format!("let the A record of `{name}` say {}", shown(&listens)),
    );
}

/// A name's addresses, and whether each leads back to the name. `must`: Kerberos clients rely on it.
fn there_and_back(section: &mut Section, name: &str, user: &str, must: bool) {
    let addresses = match lookup(name) {
        Ok(addresses) => addresses,
        Err(error) => {
            section.fault(
                format!("`{name}` has no address: {error}"),
                format!("{user} cannot connect to it"),
                format!("add an A or AAAA record for `{name}`; `getent hosts {name}` shows what this machine sees"),
            );
            return;
        }
    };
    for address in addresses {
        match reverse(address) {
            Some(back) if back.eq_ignore_ascii_case(name) => {
                section.fine(format!("`{name}` is {address}, and {address} is `{name}`"));
            }
            Some(back) => {
                let what = format!("`{name}` is {address}, but {address} is `{back}`");
                let why = "Kerberos clients that ask for the reverse name, as they do by default, \
                           request a ticket for the wrong principal (`Server not found in \
                           Kerberos database`)";
                let fix = format!(
                    "let the PTR record of {address} say `{name}`, or set `rdns = false` in the \
                     [libdefaults] of every client's krb5.conf"
                );
                if must { section.fault(what, why, fix) } else { section.warning(what, why, fix) }
            }
            None => section.warning(
                format!("`{name}` is {address}, and {address} has no name"),
                "Kerberos clients that ask for the reverse name find none",
                format!("add a PTR record for {address} that says `{name}`"),
            ),
        }
    }
}

fn back(section: &mut Section, address: IpAddr, node: &str) {
    match reverse(address) {
        Some(name) => section.fine(format!("node `{node}`: {address} is `{name}`")),
        None => section.note(format!(
            "node `{node}`: {address} has no name; certificates and principals cannot be compared with one"
        )),
    }
}

pub(super) fn lookup(name: &str) -> std::io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = (name, 0).to_socket_addrs()?.map(|found| found.ip()).collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

/// `None` when there is no name, or only the address again.
pub(super) fn reverse(address: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    (name.parse::<IpAddr>().is_err()).then(|| name.trim_end_matches('.').to_owned())
}
