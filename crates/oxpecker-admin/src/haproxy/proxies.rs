//! Which of HAProxy's proxies our objects are. A virtual server is a frontend, a pool a backend. A pool with
//! the name of the virtual server that uses it is one proxy with it, as `listen` makes; that is also what
//! the importer makes of `listen`.

use std::collections::HashMap;

use oxpecker_proxy::control::{MemberView, PoolView, VirtualView};

use crate::snapshot::Snapshot;

/// HAProxy numbers proxies from here when it has a runtime socket, which is number 1.
const FIRST_IID: u32 = 2;

/// A proxy: `frontend`, `backend`, or with both `listen`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proxy<'a> {
    pub(crate) iid: u32,
    pub(crate) frontend: Option<&'a VirtualView>,
    pub(crate) backend: Option<&'a PoolView>,
}

impl<'a> Proxy<'a> {
    pub(crate) fn name(&self) -> &'a str {
        match (self.frontend, self.backend) {
            (Some(frontend), _) => &frontend.name,
            (None, Some(backend)) => &backend.name,
            (None, None) => "",
        }
    }
}

/// Virtual servers in the configuration's order, then the pools that are not one with theirs.
pub(crate) fn proxies(snapshot: &Snapshot) -> Vec<Proxy<'_>> {
    let pool_of = |frontend: &VirtualView| {
        let wanted = &frontend.pool;
        snapshot.pools.iter().find(|pool| pool.name == *wanted && pool.name == frontend.name)
    };
    let listens = snapshot.virtuals.iter().map(|frontend| (Some(frontend), pool_of(frontend)));
    let is_joined = |pool: &PoolView| {
        snapshot
            .virtuals
            .iter()
            .any(|frontend| frontend.name == pool.name && frontend.pool == pool.name)
    };
    let backends =
        snapshot.pools.iter().filter(|pool| !is_joined(pool)).map(|pool| (None, Some(pool)));
    let numbered = listens.chain(backends).zip(FIRST_IID..);
    numbered.map(|((frontend, backend), iid)| Proxy { iid, frontend, backend }).collect()
}

/// The members with the names of HAProxy's servers: the node's name, with the port where a node is
/// in the pool twice.
pub(crate) fn servers(pool: &PoolView) -> impl Iterator<Item = (u32, &str, &MemberView)> {
    let mut times: HashMap<&str, u32> = HashMap::new();
    for member in &pool.members {
        *times.entry(&member.node).or_default() += 1;
    }
    (1..).zip(&pool.members).map(move |(sid, member)| {
        let once = times.get(member.node.as_str()) == Some(&1);
        (sid, if once { member.node.as_str() } else { member.name.as_str() }, member)
    })
}

/// Names as scripts write them: `backend/server`, where both may be numbers like `#2`.
pub(crate) fn find_backend<'a>(snapshot: &'a Snapshot, name: &str) -> Option<Proxy<'a>> {
    let number = name.strip_prefix('#').and_then(|number| number.parse::<u32>().ok());
    let is_it = |proxy: &Proxy<'_>| {
        let named = proxy.backend.is_some_and(|pool| pool.name == name);
        proxy.backend.is_some() && (named || number == Some(proxy.iid))
    };
    proxies(snapshot).into_iter().find(is_it)
}

/// The same for one server of a backend. `node:port` is understood as well.
pub(crate) fn find_server<'a>(pool: &'a PoolView, name: &str) -> Option<&'a MemberView> {
    let number = name.strip_prefix('#').and_then(|number| number.parse::<u32>().ok());
    let is_it = |(sid, known, member): &(u32, &str, &MemberView)| {
        *known == name || member.name == name || number == Some(*sid)
    };
    servers(pool).find(is_it).map(|(_, _, member)| member)
}
