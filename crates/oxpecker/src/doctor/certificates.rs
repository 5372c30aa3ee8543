//! Members' certificates against the name that clients use.
//!
//! Where TLS is passed through, a client sees the coordinator's own certificate, and that has to
//! name the balancer as well; where it is begun anew, the gateway compares it with the node's name.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxpecker_config::model::{TlsServer, Verify, Virtual};
use oxpecker_proxy::{ShownCertificate, inspect_certificate};

use super::{Patient, host, ip_of, side_by_side};
use crate::finding::{Report, Section};

const PATIENCE: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// One member behind one virtual server.
struct Place<'a> {
    /// Index of the virtual server.
    index: usize,
    virtual_server: &'a Virtual,
    public: Option<&'a str>,
    /// As people call it.
    what: String,
    host: String,
    address: SocketAddr,
}

/// Tells of each virtual server whether its clients have to speak TLS.
pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) -> Vec<bool> {
    let virtuals = &patient.config.virtuals;
    let mut has_tls: Vec<bool> = virtuals.iter().map(|v| v.tls_client.is_some()).collect();
    // Names that each host's certificate should have, if some are missing.
    let mut to_issue: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let section = report.section("Certificates of members");
    let places = places(patient);
    let shown = side_by_side(&places, |place| {
        let asked = place.public.unwrap_or(&place.host);
        inspect_certificate(place.address, asked, PATIENCE)
    });
    for (place, shown) in places.iter().zip(shown) {
        match shown {
            Ok(None) => no_tls(section, place),
            Ok(Some(certificate)) => {
                if place.virtual_server.tls_server.is_none() {
                    // Passed through; or an end to TLS here, and a member that wants it as well.
                    has_tls[place.index] = true;
                }
                ended_twice(section, place);
                dates(section, &place.what, &certificate);
                let needed = needed_names(place);
                let missing: Vec<_> =
                    needed.iter().filter(|name| !certificate.covers(name)).collect();
                if missing.is_empty() {
                    let names = certificate.names.join(", ");
                    section.fine(format!("{} shows a certificate for {names}", place.what));
                } else {
                    missing_names(section, &place.what, &certificate, &missing);
                    let names = to_issue.entry(place.host.clone()).or_default();
                    names.extend(needed);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => section.fault(
                format!("{} speaks TLS, but not with us: {error}", place.what),
                "no client that needs TLS 1.2 or newer is served",
                "look at impalad's --ssl_minimum_version and --ssl_cipher_list there",
            ),
            // Not reachable: reported with the members.
            Err(_) => {}
        }
    }
    if !to_issue.is_empty() {
        let lines = to_issue.into_iter().map(|(host, mut names)| {
            names.sort();
            names.dedup();
            format!("{host}: subjectAltName={}\n", alternative_names(&names))
        });
        report.text(
            "certificates to issue anew, then restart Impala on these hosts",
            lines.collect::<String>(),
        );
    }
    has_tls
}

fn places<'a>(patient: &'a Patient<'_>) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    for (index, virtual_server) in patient.config.virtuals.iter().enumerate() {
        for member in &patient.config.pools[virtual_server.pool].members {
            let node = &patient.config.nodes[member.node];
            let Some(ip) = ip_of(node) else { continue };
            places.push(Place {
                index,
                virtual_server,
                public: patient.public_name_of(virtual_server),
                what: format!("{}:{}", node.name, member.port),
                host: host(node),
                address: SocketAddr::new(ip, member.port),
            });
        }
    }
    places
}

/// As `openssl` takes them in `subjectAltName`.
fn alternative_names(names: &[String]) -> String {
    let kind = |name: &str| if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    let names: Vec<_> = names.iter().map(|name| format!("{}:{name}", kind(name))).collect();
    names.join(",")
}

fn needed_names(place: &Place<'_>) -> Vec<String> {
    let Place { virtual_server, host, .. } = place;
    match &virtual_server.tls_server {
        Some(TlsServer { verify: Verify::Pinned(_) | Verify::None, .. }) => Vec::new(),
        Some(TlsServer { server_name: Some(name), .. }) => vec![name.clone()],
        Some(_) if host.parse::<IpAddr>().is_err() => vec![host.clone()],
        // An address is compared with names of type IP, which only a handshake of its own tells.
        Some(_) => Vec::new(),
        None => {
            let own = host.parse::<IpAddr>().is_err().then(|| host.clone());
            own.into_iter().chain(place.public.map(str::to_owned)).collect()
        }
    }
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
        "whoever verifies it ends with `hostname does not match the certificate`",
        "issue it anew with the names below, or end TLS at the gateway (`tls_client`) and begin it \
         anew toward members (`tls_server`)",
    );
}

fn no_tls(section: &mut Section, place: &Place<'_>) {
    let Place { virtual_server, what, .. } = place;
    if virtual_server.tls_server.is_some() {
        section.fault(
            format!("{what} speaks no TLS, and `{}` begins TLS with it", virtual_server.name),
            "no client can be connected",
            "start impalad with --ssl_server_certificate and --ssl_private_key, or take \
             `tls_server` away",
        );
    } else if virtual_server.sni_peek {
        section.warning(
            format!("{what} speaks no TLS, and `{}` expects it to pass", virtual_server.name),
            "clients with --ssl hang; those without send everything in clear text",
            "start impalad with --ssl_server_certificate and --ssl_private_key, or take `sni_peek` \
             away",
        );
    } else if virtual_server.tls_client.is_some() {
        section.note(format!(
            "{what}: behind the gateway everything is in clear text, passwords included (offload)"
        ));
    }
}

/// TLS ends at the gateway, and the member waits for TLS.
fn ended_twice(section: &mut Section, place: &Place<'_>) {
    let Place { virtual_server, what, .. } = place;
    if virtual_server.tls_client.is_some() && virtual_server.tls_server.is_none() {
        section.fault(
            format!("{what} wants TLS, and `{}` speaks clear text to it", virtual_server.name),
            "every login hangs or ends at once",
            format!("write `tls_server` in [virtual.{}] (bridging)", virtual_server.name),
        );
    }
}

fn dates(section: &mut Section, what: &str, certificate: &ShownCertificate) {
    let Some(not_after) = certificate.not_after else { return };
    let date = Timestamp::try_from(not_after).map_or_else(|_| "-".into(), |at| at.to_string());
    match not_after.duration_since(SystemTime::now()) {
        Err(_) => section.fault(
            format!("the certificate of {what} ended on {date}"),
            "everybody who verifies it refuses it",
            "issue it anew and restart impalad there",
        ),
        Ok(left) if left < SOON => section.warning(
            format!("the certificate of {what} ends on {date}"),
            "clients refuse it from then on",
            "issue it anew in time",
        ),
        Ok(_) => {}
    }
}
