//! Names forward and back: Kerberos and TLS take what reverse look-up says.

use std::net::{IpAddr, ToSocketAddrs};

use oxpecker_config::model::Host;

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
    for name in patient.public_names() {
        there_and_back(section, name, "clients");
    }
    for node in &patient.config.nodes {
        match &node.address {
            Host::Name(name) => there_and_back(section, name, "the gateway"),
            Host::Ip(ip) => back(section, *ip, &node.name),
        }
    }
}

/// A name's addresses, and whether each leads back to the name.
fn there_and_back(section: &mut Section, name: &str, user: &str) {
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
            Some(back) => section.warning(
                format!("`{name}` is {address}, but {address} is `{back}`"),
                "Kerberos clients that ask for the reverse name request a ticket for the wrong \
                 principal (`Server not found in Kerberos database`)",
                format!("let the PTR record of {address} say `{name}`, or set `rdns = false` in the clients' krb5.conf"),
            ),
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
