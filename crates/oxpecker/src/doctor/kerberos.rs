//! Principals, keytabs and impalad's flags for them.
//!
//! With a balancer in front, every impalad must prove to clients that it is the balancer
//! (`--principal`) and to other impalads that it is itself (`--be_principal`); its keytab needs the
//! keys of both.

use std::net::IpAddr;
use std::path::Path;

use oxpecker_config::model::{Host, Node};

use super::{Patient, names};
use crate::finding::{Report, Section};
use crate::keytab::{Keytab, Principal};

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let Some(realm) = &patient.options.realm else {
        let section = report.section("Kerberos");
        if !patient.options.keytabs.is_empty() {
            section.note("without --realm keytabs are only read, not compared with what is needed");
            for path in &patient.options.keytabs {
                read(section, path);
            }
        }
        return;
    };
    let service = &patient.options.service;
    let principal = |host: &str| Principal {
        components: vec![service.clone(), host.to_lowercase()],
        realm: realm.clone(),
    };
    let section = report.section("Kerberos");
    let names = patient.public_names().into_iter();
    let names = names.filter(|name| name.parse::<IpAddr>().is_err());
    let public: Vec<_> = names.map(principal).collect();
    let Some(first_public) = public.first() else {
        section.fault(
            "the name that clients use is not known",
            "it is a part of the principal that every coordinator needs",
            "pass --public-name, or write `public_name` in [virtual.NAME]",
        );
        return;
    };
    if patient.options.keytabs.is_empty() {
        section.note(
            "no keytab was looked at: pass --keytab FILE with the one that a coordinator uses (--keytab_file)",
        );
    }
    let (hosts, nameless) = coordinator_hosts(patient);
    for ip in &nameless {
        section.warning(
            format!("{ip} has no name: the principal of the coordinator there is not known"),
            "Kerberos knows hosts by name, and clients and other impalads ask for that name",
            "add a PTR record for it, or write its name as the node's `address`",
        );
    }
    for path in &patient.options.keytabs {
        let Some(keytab) = read(section, path) else { continue };
        for needed in public.iter().filter(|needed| !keytab.has(needed)) {
            section.fault(
                format!("{} has no key for {needed}", path.display()),
                "clients end with `Could not start SASL` or `Server not found in Kerberos \
                 database`, although their ticket is good",
                "`oxpecker keytab merge` joins the gateway's keytab and the coordinator's; with \
                 Cloudera Manager set \"Impala Daemons Load Balancer\" and restart Impala",
            );
        }
        let of_hosts = hosts.iter().filter(|host| keytab.has(&principal(host)));
        match of_hosts.count() {
            0 => section.fault(
                format!("{} has no key for any coordinator's own principal", path.display()),
                "impalads cannot prove themselves to each other",
                format!(
                    "merge the host's own keytab into it, such as the one with {}",
                    hosts.first().map_or_else(|| principal("HOST"), |host| principal(host))
                ),
            ),
            1 => section.fine(format!("{} has the keys of both names", path.display())),
            count => section.warning(
                format!("{} has the keys of {count} coordinators", path.display()),
                "whoever takes it from one host can pretend to be the others",
                "give each host a keytab with the gateway's key and its own only",
            ),
        }
    }
    let flags: String = hosts
        .iter()
        .map(|host| {
            let own = principal(host);
            format!(
                "{host}: --principal={first_public} --be_principal={own} \
                 --keytab_file=/etc/security/keytabs/{service}_{host}.keytab\n"
            )
        })
        .chain(nameless.iter().map(|ip| {
            let own = Principal {
                components: vec![service.clone(), "HOST".to_owned()],
                realm: realm.clone(),
            };
            format!(
                "{ip}: --principal={first_public} --be_principal={own} \
                 --keytab_file=/etc/security/keytabs/{service}_HOST.keytab\n"
            )
        }))
        .collect();
    report.text("impalad's flags on each host (then restart Impala)", flags);
    report.text(
        "to join two keytabs",
        format!("oxpecker keytab merge gateway.keytab {service}.keytab -o merged.keytab"),
    );
}

/// Names of the coordinators, as Kerberos wants them, and addresses that have none.
fn coordinator_hosts(patient: &Patient<'_>) -> (Vec<String>, Vec<IpAddr>) {
    let (mut hosts, mut nameless) = (Vec::new(), Vec::new());
    for node in &patient.config.nodes {
        match (host_name(node), &node.address) {
            (Some(name), _) => hosts.push(name),
            (None, Host::Ip(ip)) => nameless.push(*ip),
            (None, Host::Name(_)) => {}
        }
    }
    (hosts, nameless)
}

/// The name in a coordinator's own principal.
pub(super) fn host_name(node: &Node) -> Option<String> {
    match &node.address {
        Host::Name(name) => Some(name.to_lowercase()),
        Host::Ip(ip) => names::reverse(*ip).map(|name| name.to_lowercase()),
    }
}

fn read(section: &mut Section, path: &Path) -> Option<Keytab> {
    let shown = path.display();
    match crate::keytab::read(path) {
        Err(error) => {
            section.fault(
                format!("{shown} cannot be used: {error:#}"),
                "impalad would not start with it",
                format!("`klist -k {shown}` should list its principals"),
            );
            None
        }
        Ok(keytab) => {
            for weak in keytab.entries.iter().filter(|entry| entry.is_weak()) {
                section.warning(
                    format!("{shown}: {weak:?} is weak"),
                    "current Kerberos libraries refuse it",
                    "let the KDC make keys of aes256-cts-hmac-sha1-96 or newer",
                );
            }
            Some(keytab)
        }
    }
}
