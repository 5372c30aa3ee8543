//! Two listeners that cannot both have their address.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::Parts;
use crate::context::Ctx;
use crate::model::{Acme, AcmeChallenge, Listen};
use crate::text::Place;

struct Tcp<'p> {
    address: SocketAddr,
    dual_stack: bool,
    interface: Option<&'p str>,
    owner: String,
    place: Place,
}

pub(super) fn check(ctx: &mut Ctx<'_>, parts: &Parts) {
    let mut by_port: HashMap<u16, Vec<Tcp<'_>>> = HashMap::new();
    let mut by_path: HashMap<&Path, (String, Place)> = HashMap::new();
    let mut clashes = Vec::new();
    for read in &parts.virtuals {
        let Some(item) = &read.item else { continue };
        let owner = format!("virtual server `{}`", item.server.name);
        for (listen, place) in item.server.listen.iter().zip(&item.listen_places) {
            match listen {
                Listen::Tcp(address) => add(
                    &mut by_port,
                    Tcp {
                        address: *address,
                        dual_stack: item.server.dual_stack,
                        interface: item.server.interface.as_deref(),
                        owner: owner.clone(),
                        place: *place,
                    },
                    &mut clashes,
                ),
                Listen::Unix(path) => {
                    if let Some((other, first)) = by_path.get(path.as_path()) {
                        let what = format!("`{}`", path.display());
                        clashes.push((what, *place, other.clone(), *first));
                    } else {
                        by_path.insert(path, (owner.clone(), *place));
                    }
                }
            }
        }
    }
    let admin = parts.admin.as_ref().and_then(|read| Some((read.item.as_ref()?, &read.places)));
    if let Some((admin, places)) = admin {
        if let Some(address) = admin.admin.listen {
            let listener = Tcp {
                address,
                dual_stack: true,
                interface: None,
                owner: "[admin]".to_owned(),
                place: places.of("listen"),
            };
            add(&mut by_port, listener, &mut clashes);
        }
        let sockets =
            [("socket", &admin.admin.socket), ("haproxy_socket", &admin.admin.haproxy_socket)];
        for (key, path) in sockets {
            let Some(path) = path else { continue };
            let place = places.of(key);
            if let Some((other, first)) = by_path.get(path.as_path()) {
                clashes.push((format!("`{}`", path.display()), place, other.clone(), *first));
            } else {
                by_path.insert(path, (format!("`{key}` of [admin]"), place));
            }
        }
    }
    let mut answered = HashSet::new();
    for read in &parts.acmes {
        let Some(Acme { name, challenge: AcmeChallenge::Http01 { listen }, .. }) = &read.item
        else {
            continue;
        };
        // Authorities all ask on port 80: one server answers for those that share an address.
        if answered.insert(*listen) {
            let listener = Tcp {
                address: *listen,
                dual_stack: true,
                interface: None,
                owner: format!("[acme.{name}]"),
                place: read.places.of("http_listen"),
            };
            add(&mut by_port, listener, &mut clashes);
        }
    }
    for (what, place, other, first) in clashes {
        let message = format!("{what} is already taken by {other}");
        ctx.error(place, message).note(first, "taken");
    }
}

type Clash = (String, Place, String, Place);

fn add<'p>(by_port: &mut HashMap<u16, Vec<Tcp<'p>>>, new: Tcp<'p>, clashes: &mut Vec<Clash>) {
    // Port 0: the kernel chooses a free one.
    if new.address.port() == 0 {
        return;
    }
    let others = by_port.entry(new.address.port()).or_default();
    match others.iter().find(|other| overlap(other, &new)) {
        Some(other) => {
            clashes.push((
                format!("`{}`", new.address),
                new.place,
                other.owner.clone(),
                other.place,
            ));
        }
        None => others.push(new),
    }
}

fn overlap(a: &Tcp<'_>, b: &Tcp<'_>) -> bool {
    if let (Some(a), Some(b)) = (a.interface, b.interface)
        && a != b
    {
        return false;
    }
    let (one, other) = (a.address.ip().to_canonical(), b.address.ip().to_canonical());
    match (one, other) {
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
            one == other || one.is_unspecified() || other.is_unspecified()
        }
        // `[::]` takes every IPv4 address as well.
        (IpAddr::V6(six), IpAddr::V4(_)) => six.is_unspecified() && a.dual_stack,
        (IpAddr::V4(_), IpAddr::V6(six)) => six.is_unspecified() && b.dual_stack,
    }
}
