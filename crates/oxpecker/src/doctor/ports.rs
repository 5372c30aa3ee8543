//! Every member, port by port.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Patient, ip_of, side_by_side};
use crate::finding::Report;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let section = report.section("Members");
    let mut members = Vec::new();
    for pool in &patient.config.pools {
        for member in &pool.members {
            let node = &patient.config.nodes[member.node];
            if let Some(ip) = ip_of(node) {
                let what = format!("{}/{}:{}", pool.name, node.name, member.port);
                members.push((what, SocketAddr::new(ip, member.port)));
            }
        }
    }
    let connected = side_by_side(&members, |(_, address)| {
        TcpStream::connect_timeout(address, PATIENCE).map(drop)
    });
    for ((what, address), result) in members.iter().zip(connected) {
        match result {
            Ok(()) => section.fine(format!("{what} answers at {address}")),
            Err(error) => section.fault(
                format!("{what} cannot be reached at {address}: {error}"),
                "clients that are sent there are refused or sent elsewhere",
                remedy(&error, *address),
            ),
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
