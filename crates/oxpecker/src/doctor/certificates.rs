//! Members' certificates against the name that clients use.
//!
//! Where TLS is passed through, a client sees the coordinator's own certificate, and that has to
//! name the balancer as well; where it is begun anew, the gateway compares it with the node's name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxpecker_config::model::{Host, TlsServer, Virtual};
use oxpecker_proxy::{ShownCertificate, inspect_certificate};

use super::{Patient, host, names};
use crate::finding::{Report, Section};

const PATIENCE: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    // Names that each host's certificate should have, if some are missing.
    let mut to_issue: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let section = report.section("Certificates of members");
    for virtual_server in &patient.config.virtuals {
        let public = patient.public_name_of(virtual_server);
        let pool = &patient.config.pools[virtual_server.pool];
        for member in &pool.members {
            let node = &patient.config.nodes[member.node];
            let address = match &node.address {
                Host::Ip(ip) => Some(*ip),
                Host::Name(name) => {
                    names::lookup(name).ok().and_then(|found| found.first().copied())
                }
            };
            let Some(ip) = address else { continue };
            let what = format!("{}:{}", node.name, member.port);
            let address = SocketAddr::new(ip, member.port);
            let asked = public.map_or_else(|| host(node), str::to_owned);
            match inspect_certificate(address, &asked, PATIENCE) {
                // Not reachable: reported with the members.
                Err(_) => {}
                Ok(None) => no_tls(section, virtual_server, &what),
                Ok(Some(certificate)) => {
                    dates(section, &what, &certificate);
                    let needed = needed_names(virtual_server, public, &host(node));
                    let missing: Vec<_> =
                        needed.iter().filter(|name| !certificate.covers(name)).collect();
                    if missing.is_empty() {
                        let names = certificate.names.join(", ");
                        section.fine(format!("{what} shows a certificate for {names}"));
                    } else {
                        missing_names(section, &what, &certificate, &missing);
                        to_issue.insert(host(node), needed);
                    }
                }
            }
        }
    }
    if !to_issue.is_empty() {
        let lines = to_issue.iter().map(|(host, names)| {
            let names: Vec<_> = names.iter().map(|name| format!("DNS:{name}")).collect();
            format!("{host}: subjectAltName={}\n", names.join(","))
        });
        report.text(
            "certificates to issue anew, then restart Impala on these hosts",
            lines.collect::<String>(),
        );
    }
}

fn needed_names(virtual_server: &Virtual, public: Option<&str>, host: &str) -> Vec<String> {
    let is_passed_through =
        virtual_server.tls_client.is_none() && virtual_server.tls_server.is_none();
    let mut needed = Vec::new();
    match &virtual_server.tls_server {
        Some(TlsServer { server_name: Some(name), .. }) => needed.push(name.clone()),
        _ if host.parse::<std::net::IpAddr>().is_err() => needed.push(host.to_owned()),
        _ => {}
    }
    if is_passed_through {
        needed.extend(public.map(str::to_owned));
    }
    needed.dedup();
    needed
}

fn missing_names(
    section: &mut Section,
    what: &str,
    certificate: &ShownCertificate,
    missing: &[&String],
) {
    let missing: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    section.fault(
        format!(
            "{what} shows a certificate for {}, not for {}",
            if certificate.names.is_empty() {
                "no name".to_owned()
            } else {
                certificate.names.join(", ")
            },
            missing.join(" and "),
        ),
        "clients that verify it end with `hostname does not match the certificate`",
        "issue it anew with the names below, or end TLS at the gateway (`tls_client`)",
    );
}

fn no_tls(section: &mut Section, virtual_server: &Virtual, what: &str) {
    if virtual_server.tls_server.is_some() {
        section.fault(
            format!("{what} speaks no TLS, and `{}` begins TLS with it", virtual_server.name),
            "no client can be connected",
            "start impalad with --ssl_server_certificate and --ssl_private_key, or take \
             `tls_server` away",
        );
    }
}

fn dates(section: &mut Section, what: &str, certificate: &ShownCertificate) {
    let Some(not_after) = certificate.not_after else { return };
    let date = Timestamp::try_from(not_after).map_or_else(|_| "-".into(), |at| at.to_string());
    let why = "clients refuse it from then on";
    match not_after.duration_since(SystemTime::now()) {
        Err(_) => section.fault(
            format!("the certificate of {what} ended on {date}"),
            "every client that verifies it is refused",
            "issue it anew and restart impalad there",
        ),
        Ok(left) if left < SOON => section.warning(
            format!("the certificate of {what} ends on {date}"),
            why,
            "issue it anew in time",
        ),
        Ok(_) => {}
    }
}
