//! What coordinators say of themselves on their web pages: role, state, flags that matter behind a
//! balancer, and their clock.

mod flags;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822;
use oxpecker_config::model::Node;
use oxpecker_proxy::unverified_client;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use super::{Patient, ip_of, names, side_by_side};
use crate::finding::{Report, Section};

const PATIENCE: Duration = Duration::from_secs(3);

/// impalad's longest page here, the flags, has some hundred kilobytes.
const PAGE_BYTES_MAX: u64 = 8 << 20;

/// Kerberos refuses tickets beyond five minutes.
const SKEW_FAULT: Duration = Duration::from_secs(300);
const SKEW_WARNING: Duration = Duration::from_secs(30);

/// What one coordinator's pages say; what could not be had is absent.
struct Pages {
    root: io::Result<Page>,
    flags: Option<Page>,
    backends: Option<Page>,
}

struct Page {
    /// What the server's clock said, and what ours said then.
    date: Option<(SystemTime, SystemTime)>,
    body: Value,
}

/// True: names and passwords are taken (LDAP).
pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) -> bool {
    let section = report.section("Coordinators");
    let web_port = patient.options.web_port;
    let nodes: Vec<(&Node, SocketAddr)> = patient
        .config
        .nodes
        .iter()
        .filter_map(|node| Some((node, SocketAddr::new(ip_of(node)?, web_port))))
        .collect();
    let pages = side_by_side(&nodes, |(_, address)| Pages::read(*address));
    let mut has_ldap = false;
    for ((node, address), pages) in nodes.iter().zip(&pages) {
        let name = node.name.as_str();
        match &pages.root {
            Err(error) => section.note(format!(
                "{name}: no web page at {address} ({error}): role, flags and clock are not known"
            )),
            Ok(page) => {
                clock(section, name, page);
                role(section, name, &page.body);
            }
        }
        if let Some(flags) = &pages.flags {
            has_ldap |= flags::examine(patient, section, node, &flags.body);
        }
    }
    let names = || nodes.iter().map(|(node, _)| node.name.as_str());
    let versions = names().zip(&pages).filter_map(|(name, pages)| {
        let page = pages.root.as_ref().ok()?;
        Some((name, version(&page.body)?))
    });
    differing_versions(section, &versions.collect::<Vec<_>>());
    flags::compare(
        section,
        &names()
            .zip(&pages)
            .filter_map(|(name, pages)| Some((name, &pages.flags.as_ref()?.body)))
            .collect::<Vec<_>>(),
    );
    // Each knows all; one is enough.
    if let Some(backends) = pages.iter().find_map(|pages| pages.backends.as_ref()) {
        left_out(section, &nodes, &backends.body);
    }
    has_ldap
}

impl Pages {
    fn read(address: SocketAddr) -> Self {
        let root = get(address, "/?json");
        let is_there = root.is_ok();
        let more = |path| is_there.then(|| get(address, path).ok()).flatten();
        let (flags, backends) = (more("/varz?json"), more("/backends?json"));
        Self { root, flags, backends }
    }
}

/// In clear text or, where that is not understood, in TLS. Nobody is trusted with anything, so
/// certificates are not looked at.
fn get(address: SocketAddr, path: &str) -> io::Result<Page> {
    let mut stream = connect(address)?;
    let answer = ask(&mut stream, address, path)?;
    let answer = if answer.starts_with(b"HTTP/") {
        answer
    } else {
        let name = ServerName::from(address.ip());
        let tls = ClientConnection::new(unverified_client(), name).map_err(io::Error::other)?;
        ask(&mut StreamOwned::new(tls, connect(address)?), address, path)?
    };
    Page::parse(&answer)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// HTTP/1.0: the answer ends with the connection.
fn ask(stream: &mut (impl Read + Write), address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    // In one piece: a server that wants TLS hangs up after the first.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(PAGE_BYTES_MAX).read_to_end(&mut answer) {
        // impalad hangs up without TLS's own good-bye. A page that was cut is no JSON.
        Err(error) if answer.is_empty() && error.kind() != io::ErrorKind::ConnectionReset => {
            Err(error)
        }
        _ => Ok(answer),
    }
}

impl Page {
    fn parse(answer: &[u8]) -> io::Result<Self> {
        let now = SystemTime::now();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let end = end.ok_or_else(|| io::Error::other("this is not HTTP"))?;
        let head = String::from_utf8_lossy(&answer[..end]);
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some("200") => {}
            Some("401" | "403") => return Err(io::Error::other("the pages want a login")),
            _ => return Err(io::Error::other(format!("answer `{status}`"))),
        }
        let date = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let parsed = || rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok();
            let date = name.eq_ignore_ascii_case("date").then(parsed)??;
            Some((SystemTime::from(date), now))
        });
        let body = serde_json::from_slice(&answer[end + 4..]).map_err(io::Error::other)?;
        Ok(Self { date, body })
    }
}

fn clock(section: &mut Section, node: &str, page: &Page) {
    let Some((theirs, ours)) = page.date else { return };
    let skew = theirs.duration_since(ours).unwrap_or_else(|error| error.duration());
    let seconds = skew.as_secs();
    if skew >= SKEW_FAULT {
        section.fault(
            format!("{node}: its clock differs from this machine's by {seconds} s"),
            "Kerberos refuses tickets (`Clock skew too great`), and certificates seem too young",
            "let all hosts take the time from the same servers: `chronyc tracking`",
        );
    } else if skew >= SKEW_WARNING {
        section.warning(
            format!("{node}: its clock differs from this machine's by {seconds} s"),
            "from 300 s on Kerberos refuses tickets",
            "let all hosts take the time from the same servers: `chronyc tracking`",
        );
    } else {
        section.fine(format!("{node}: its clock agrees with this machine's"));
    }
}

fn version(page: &Value) -> Option<&str> {
    page["version"].as_str().and_then(|text| text.lines().next())
}

/// While a cluster is updated; else a host was forgotten.
fn differing_versions(section: &mut Section, found: &[(&str, &str)]) {
    let mut by_version: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in found {
        by_version.entry(version).or_default().push(name);
    }
    if by_version.len() > 1 {
        let parts =
            by_version.iter().map(|(version, names)| format!("{} ({version})", names.join(", ")));
        section.warning(
            format!(
                "coordinators have different versions: {}",
                parts.collect::<Vec<_>>().join("; ")
            ),
            "what a client can do depends on the coordinator that it happens to get",
            "update all, or give each version a pool of its own until then",
        );
    }
}

fn role(section: &mut Section, node: &str, page: &Value) {
    let version = version(page).unwrap_or("-");
    if page["is_coordinator"] == false {
        section.fault(
            format!("{node}: is no coordinator, only an executor ({version})"),
            "it takes no clients, and every one sent there fails",
            "take it out of the pools, or start it with --is_coordinator=true",
        );
    } else if page["is_quiescing"] == true {
        section.warning(
            format!("{node}: is shutting down ({version})"),
            "it refuses new sessions; what runs may finish",
            "drain it here as well until it is back: `oxpecker drain POOL/MEMBER`",
        );
    } else {
        section.fine(format!("{node}: is a coordinator, {version}"));
    }
}

/// Coordinators of the cluster that carry nothing, because no pool knows them.
fn left_out(section: &mut Section, nodes: &[(&Node, SocketAddr)], page: &Value) {
    for backend in page["backends"].as_array().into_iter().flatten() {
        let text = |name: &str| backend[name].as_str();
        let Some(address) = text("address").or_else(|| text("krpc_address")) else { continue };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        if backend["is_coordinator"] == false {
            continue;
        }
        let found = names::lookup(host).unwrap_or_default();
        if !nodes.iter().any(|(_, node)| found.contains(&node.ip())) {
            section.note(format!(
                "{host} is a coordinator of this cluster too, and is in no pool: it carries no clients"
            ));
        }
        if backend["is_blacklisted"] == true {
            section.warning(
                format!("{host}: the other impalads do not give it work (blacklisted)"),
                "they could not reach it lately; its own clients may see failing queries",
                format!("look at impalad's log on {host}"),
            );
        }
    }
}
