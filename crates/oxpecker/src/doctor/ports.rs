//! Every member, port by port; and whether somebody else has our own ports.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use oxpecker_config::model::Host;

use super::{Patient, names};
use crate::finding::{Report, Section};

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let section = report.section("Members");
    for pool in &patient.config.pools {
        for member in &pool.members {
            let node = &patient.config.nodes[member.node];
            let address = match &node.address {
                Host::Ip(ip) => Some(*ip),
                // Names that cannot be looked up are reported with the names.
                Host::Name(name) => {
                    names::lookup(name).ok().and_then(|found| found.first().copied())
                }
            };
            if let Some(ip) = address {
                let what = format!("{}/{}:{}", pool.name, node.name, member.port);
                connect(section, &what, SocketAddr::new(ip, member.port));
            }
        }
    }
    for virtual_server in &patient.config.virtuals {
        let pool = &patient.config.pools[virtual_server.pool];
        if pool.members.is_empty() {
            section.fault(
                format!(
                    "pool `{}` of virtual server `{}` is empty",
                    pool.name, virtual_server.name
                ),
                "every client is refused",
                format!("add members to [pool.{}]", pool.name),
            );
        }
    }
}

fn connect(section: &mut Section, what: &str, address: SocketAddr) {
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => section.fine(format!("{what} answers at {address}")),
        Err(error) => section.fault(
            format!("{what} cannot be reached at {address}: {error}"),
            "clients that are sent there are refused or sent elsewhere",
            remedy(&error, address),
        ),
    }
}

fn remedy(error: &io::Error, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "nothing listens on port {port} of {ip}: start impalad there, or look at its \
             --hs2_port, --beeswax_port and --hs2_http_port"
        ),
        io::ErrorKind::TimedOut => format!(
            "a firewall between here and {ip} drops port {port}, or the host is down: \
             allow TCP {port} from this machine"
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("there is no route: `ip route get {ip}` shows what this machine would do")
        }
        _ => format!("`nc -vz {ip} {port}` from this machine shows the same"),
    }
}
