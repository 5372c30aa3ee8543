//! Members' certificates against the name that clients use.
//!
//! Where TLS is passed through, a client sees the coordinator's own certificate, and that has to
//! name the balancer as well; where it is begun anew, a handshake like that of a client's connection
//! tells what the gateway thinks of it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use oxpecker_config::model::{Host, TlsServer, Virtual};
use oxpecker_proxy::{MemberRefusal, ShownCertificate, inspect_certificate, try_member};

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
    node: &'a Host,
    address: SocketAddr,
}

/// What was seen at one member.
struct Seen {
    certificate: ShownCertificate,
    /// By the virtual server's own profile.
    refusal: Option<MemberRefusal>,
}

/// Tells of each virtual server whether its clients have to speak TLS.
pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) -> Vec<bool> {
    let virtuals = &patient.config.virtuals;
    let mut has_tls: Vec<bool> = virtuals.iter().map(|v| v.tls_client.is_some()).collect();
    // Names that each host's certificate should have, if some are missing.
    let mut to_issue: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let section = report.section("Certificates of members");
    let places = places(patient);
    let seen = side_by_side(&places, look);
    for (place, seen) in places.iter().zip(seen) {
        match seen {
            Ok(None) => no_tls(section, place),
            Ok(Some(seen)) => {
                if place.virtual_server.tls_server.is_none() {
                    // Passed through; or an end to TLS here, and a member that wants it as well.
                    has_tls[place.index] = true;
                }
                ended_twice(section, place);
                to_issue
                    .entry(place.host.clone())
                    .or_default()
                    .extend(judge(section, place, &seen));
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
    to_issue.retain(|_, names| !names.is_empty());
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

fn look(place: &Place<'_>) -> io::Result<Option<Seen>> {
    let asked = place.public.unwrap_or(&place.host);
    let Some(certificate) = inspect_certificate(place.address, asked, PATIENCE)? else {
        return Ok(None);
    };
    let refusal = match &place.virtual_server.tls_server {
        Some(profile) => try_member(place.address, place.node, profile, PATIENCE)?,
        None => None,
    };
    Ok(Some(Seen { certificate, refusal }))
}

/// Names that a new certificate should have, when the one that is shown does not do.
fn judge(section: &mut Section, place: &Place<'_>, seen: &Seen) -> Vec<String> {
    let Seen { certificate, refusal } = seen;
    let needed = needed_names(place);
    let has_ended = dates(section, &place.what, certificate);
    if let Some(refusal) = refusal {
        // That it has ended was said.
        if !has_ended || refusal.for_another_name {
            refused(section, place, certificate, refusal);
        }
        return if refusal.for_another_name { needed } else { Vec::new() };
    }
    let of_clients = place.virtual_server.tls_server.is_none();
    let missing: Vec<_> = needed.iter().filter(|name| !certificate.covers(name)).collect();
    if of_clients && !missing.is_empty() {
        missing_names(section, &place.what, certificate, &missing);
        return needed;
    }
    section.fine(format!(
        "{} shows a certificate for {}",
        place.what,
        certificate.names.join(", ")
    ));
    Vec::new()
}

fn refused(
    section: &mut Section,
    place: &Place<'_>,
    certificate: &ShownCertificate,
    refusal: &MemberRefusal,
) {
    let Place { virtual_server, what, .. } = place;
    let profile = virtual_server.tls_server.as_ref().map_or("", |profile| profile.name.as_str());
    let fix = match refusal.for_another_name {
        true => format!(
            "issue it anew with the names below, or write `server_name` in [profile.tls_server.{profile}]"
        ),
        false => format!(
            "its issuer is {}: mend [profile.tls_server.{profile}], or issue the certificate anew",
            certificate.issuer
        ),
    };
    section.fault(
        format!("{what}: `{}` refuses its certificate: {}", virtual_server.name, refusal.text),
        "no client can be connected to it",
        fix,
    );
}

fn places<'a>(patient: &'a Patient<'_>) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    for (index, virtual_server) in patient.config.virtuals.iter().enumerate() {
        let own = (virtual_server.pool, patient.public_name_of(virtual_server));
        // A client that asked for a name wants to see it in the certificate.
        let routed = virtual_server.sni_routes.iter().map(|route| {
            (route.pool, Some(route.name.as_str()).filter(|name| !name.starts_with('*')))
        });
        for (pool, public) in [own].into_iter().chain(routed) {
            for member in &patient.config.pools[pool].members {
                let node = &patient.config.nodes[member.node];
                let Some(ip) = ip_of(node) else { continue };
                places.push(Place {
                    index,
                    virtual_server,
                    public,
                    what: format!("{}:{}", node.name, member.port),
                    host: host(node),
                    node: &node.address,
                    address: SocketAddr::new(ip, member.port),
                });
            }
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

/// What a good certificate of this member is for.
fn needed_names(place: &Place<'_>) -> Vec<String> {
    let Place { virtual_server, host, .. } = place;
    match &virtual_server.tls_server {
        Some(TlsServer { server_name: Some(name), .. }) => vec![name.clone()],
        Some(_) => vec![host.clone()],
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

/// Whether it has ended.
fn dates(section: &mut Section, what: &str, certificate: &ShownCertificate) -> bool {
    let Some(not_after) = certificate.not_after else { return false };
    let date = Timestamp::try_from(not_after).map_or_else(|_| "-".into(), |at| at.to_string());
    let left = not_after.duration_since(SystemTime::now());
    match left {
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
    left.is_err()
}
