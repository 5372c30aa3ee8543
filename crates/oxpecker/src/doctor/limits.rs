//! What the kernel allows this machine to carry.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};

use super::Patient;
use crate::finding::{Report, Section};

/// Two descriptors a connection, and some for everything else.
const OWN_DESCRIPTORS: u64 = 160;

/// What a busy site of some thousand sessions needs.
const CONNECTIONS_WANTED: u64 = 4000;

pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let section = report.section("Limits of this machine");
    descriptors(patient, section);
    backlog(patient, section);
    ports(patient, section);
    connection_tracking(section);
}

fn descriptors(patient: &Patient<'_>, section: &mut Section) {
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = patient.config.process.connections_max.map_or(CONNECTIONS_WANTED, u64::from);
    let needed = 2 * wanted + OWN_DESCRIPTORS;
    if hard >= needed {
        section.fine(format!("{hard} file descriptors carry {wanted} connections"));
    } else {
        let what = format!(
            "{hard} file descriptors (of this shell) carry {} connections",
            hard.saturating_sub(OWN_DESCRIPTORS) / 2
        );
        let why = "beyond that, clients wait in the kernel until others leave";
        let fix = format!("LimitNOFILE={needed} in the service's unit, or `ulimit -Hn {needed}`");
        // What nobody asked for is only our guess.
        match patient.config.process.connections_max {
            Some(asked) => {
                section.fault(format!("{what}, `connections_max` wants {asked}"), why, fix);
            }
            None => section.warning(what, why, fix),
        }
    }
}

fn backlog(patient: &Patient<'_>, section: &mut Section) {
    let Some(most) = number("/proc/sys/net/core/somaxconn") else { return };
    let wanted = patient.config.virtuals.iter().map(|v| u64::from(v.backlog)).max().unwrap_or(0);
    if most >= wanted {
        section.fine(format!("the kernel queues {most} new connections, {wanted} are asked for"));
    } else {
        section.warning(
            format!("`backlog = {wanted}` is asked for, the kernel queues {most}"),
            "when many clients come at once, some have to try again",
            format!("sysctl -w net.core.somaxconn={wanted}"),
        );
    }
}

/// Connections to one member's port, from one local address, each need a local port.
fn ports(patient: &Patient<'_>, section: &mut Section) {
    let Ok(range) = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range") else { return };
    let mut bounds = range.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (Some(first), Some(last)) = (bounds.next(), bounds.next()) else { return };
    let ports = (last + 1).saturating_sub(first);
    for virtual_server in &patient.config.virtuals {
        for listen in &virtual_server.listen {
            if let oxpecker_config::model::Listen::Tcp(address) = listen
                && (first..=last).contains(&u64::from(address.port()))
            {
                section.warning(
                    format!(
                        "`{}` listens on {}, one of the ports for outgoing connections",
                        virtual_server.name,
                        address.port()
                    ),
                    "after a restart another program may have the port",
                    format!("sysctl -w net.ipv4.ip_local_reserved_ports={}", address.port()),
                );
            }
        }
    }
    section.fine(format!("{ports} local ports: as many connections to each member's port"));
}

fn connection_tracking(section: &mut Section) {
    let tracked = number("/proc/sys/net/netfilter/nf_conntrack_count");
    let most = number("/proc/sys/net/netfilter/nf_conntrack_max");
    // Absent where connections are not tracked.
    let (Some(tracked), Some(most)) = (tracked, most) else { return };
    if tracked * 10 >= most * 8 {
        section.warning(
            format!("the firewall tracks {tracked} of {most} connections"),
            "beyond that the kernel drops packets of new ones without a word",
            format!("sysctl -w net.netfilter.nf_conntrack_max={}", most * 2),
        );
    } else {
        section.fine(format!("the firewall tracks {tracked} of {most} connections"));
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
