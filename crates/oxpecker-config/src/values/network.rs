//! Addresses: listeners, networks, hosts.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::{bad, filled, text};
use crate::context::{Ctx, shorten};
use crate::model::{Host, Listen};
use crate::reader::Val;

fn must_be<T>(ctx: &mut Ctx<'_>, val: &Val<'_>, found: &str, help: &str) -> Option<T> {
    let message =
        format!("`{}` must be {}, not `{}`", val.doc.key, val.doc.kind.describe(), shorten(found));
    bad(ctx, val, message, help)
}

/// `0.0.0.0:21050`, `[::]:21050`, `*:21050`, `:21050`, `unix:/run/x.sock`.
pub(crate) fn listen(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Listen> {
    let found = filled(ctx, val)?;
    if let Some(path) = found.strip_prefix("unix:") {
        if !path.starts_with('/') {
            return must_be(ctx, val, &found, "the path must start with `/`");
        }
        return Some(Listen::Unix(PathBuf::from(path)));
    }
    socket_address(ctx, val, &found).map(Listen::Tcp)
}

/// An address to listen on over TCP.
pub(crate) fn tcp_listen(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<SocketAddr> {
    let found = filled(ctx, val)?;
    socket_address(ctx, val, &found)
}

fn socket_address(ctx: &mut Ctx<'_>, val: &Val<'_>, found: &str) -> Option<SocketAddr> {
    if let Ok(address) = found.parse() {
        return Some(address);
    }
    let Some((host, port)) = found.rsplit_once(':') else {
        let help = if found.parse::<IpAddr>().is_ok() {
            format!("add the port: \"{found}:21050\"")
        } else if found.parse::<u16>().is_ok() {
            format!("for every address write \"*:{found}\"")
        } else {
            String::new()
        };
        return must_be(ctx, val, found, &help);
    };
    if let (true, Ok(port)) = (matches!(host, "" | "*" | "[*]"), port.parse()) {
        return Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    }
    let help = if port.parse::<u16>().is_err() && port.bytes().all(|b| b.is_ascii_digit()) {
        "ports go from 0 to 65535".to_owned()
    } else if found.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
        "an IPv6 address stands in brackets: \"[::1]:21050\"".to_owned()
    } else if host.chars().any(|c| c.is_ascii_alphabetic()) {
        "a listener needs an IP address, names are not looked up".to_owned()
    } else {
        String::new()
    };
    must_be(ctx, val, found, &help)
}

/// A network, or an address as a network of one.
pub(crate) fn network(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<IpNet> {
    let found = text(ctx, val)?;
    if let Ok(network) = found.parse::<IpNet>() {
        let whole = network.trunc();
        if whole != network {
            let message = format!("`{found}` has bits set behind its prefix; it means `{whole}`");
            ctx.warn(val.place, message);
        }
        return Some(whole);
    }
    if let Ok(address) = found.parse::<IpAddr>() {
        return Some(IpNet::from(address));
    }
    let help = if found == "*" || found == "any" || found == "all" {
        "leave the key out for everybody, or write \"0.0.0.0/0\" and \"::/0\""
    } else {
        ""
    };
    let message = format!("`{}` is not a network such as \"10.0.0.0/8\"", shorten(&found));
    bad(ctx, val, message, help)
}

pub(crate) fn address(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<IpAddr> {
    let found = text(ctx, val)?;
    if let Ok(address) = found.parse() {
        return Some(address);
    }
    let message = format!("`{}` is not an IP address", shorten(&found));
    bad(ctx, val, message, "")
}

/// The address of a node.
pub(crate) fn host(ctx: &mut Ctx<'_>, val: &Val<'_>) -> Option<Host> {
    let found = filled(ctx, val)?;
    match parse_host(&found) {
        Ok(host) => return Some(host),
        Err(BadHost::Unreachable) => {
            let message =
                format!("`{}` cannot be `{found}`: nobody can connect to it", val.doc.key);
            return bad(ctx, val, message, "");
        }
        Err(BadHost::NoHost) => {}
    }
    let help = match found.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => {
            "the port belongs in [pool.NAME] or in the member"
        }
        _ => "",
    };
    must_be(ctx, val, &found, help)
}

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHost {
    /// An address that is never anybody's.
    Unreachable,
    NoHost,
}

/// An address or a name, as it stands in a file or in a request.
pub(crate) fn parse_host(found: &str) -> Result<Host, BadHost> {
    let bare = found.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(found);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let unreachable = address.is_unspecified() || address.is_multicast();
        return if unreachable { Err(BadHost::Unreachable) } else { Ok(Host::Ip(address)) };
    }
    let good_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = found.strip_suffix('.').unwrap_or(found);
    // A name made of digits alone is an address gone wrong.
    let looks_numeric = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let good = name.len() <= 253 && !looks_numeric && name.split('.').all(good_label);
    if good { Ok(Host::Name(found.to_owned())) } else { Err(BadHost::NoHost) }
}
