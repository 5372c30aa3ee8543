//! A network namespace of our own, so that all peers meet the same congestion control and nobody
//! else's ports. The machine's settings stay as they are.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use anyhow::Context;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{getsockopt, sockopt};

/// A pacing congestion control such as BBR costs CPU of its own.
const CONGESTION_CONTROL: &str = "cubic";

/// The loopback's routes carry the congestion control: the namespace's sysctl takes only what the
/// whole machine allows to unprivileged users.
const LOOPBACK_ROUTES: [&str; 2] = ["127.0.0.0/8", "127.0.0.1"];

const SETTINGS: [(&str, &str); 2] = [
    // Below all ports we listen on: an overlap makes a listener fail now and then.
    ("ip_local_port_range", "2000 40999"),
    // Short connections would otherwise run out of ports.
    ("tcp_tw_reuse", "1"),
];

/// Must be called before any thread or child is started. Needs root.
pub(crate) fn enter() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("create a network namespace")?;
    ip("link set lo up")?;
    for route in LOOPBACK_ROUTES {
        let path = "dev lo proto kernel scope host src 127.0.0.1 table local";
        ip(&format!("route replace local {route} {path} congctl {CONGESTION_CONTROL}"))?;
    }
    for (name, value) in SETTINGS {
        let path = format!("/proc/sys/net/ipv4/{name}");
        fs::write(&path, value).with_context(|| format!("write `{value}` to {path}"))?;
    }
    Ok(())
}

/// What connections over the loopback really use.
pub(crate) fn congestion_control() -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let name = getsockopt(&stream, sockopt::TcpCongestion)?;
    Ok(name.to_string_lossy().trim_end_matches('\0').to_owned())
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let status = Command::new("ip").args(arguments.split(' ')).status().context("run ip")?;
    anyhow::ensure!(status.success(), "`ip {arguments}` failed");
    Ok(())
}
