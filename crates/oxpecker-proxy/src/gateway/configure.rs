//! From a checked configuration to the snapshot that connections use, around the running counts of
//! the snapshot of before.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use oxpecker_balance::balancer::Balancer;
use oxpecker_config::model::{Config, Pool, SniRoute, Virtual};
use tokio::sync::Notify;

use super::{ApplyError, Gateway};
use crate::aware::place::Place;
use crate::aware::tags::{self, Tags};
use crate::convert;
use crate::counters::Traffic;
use crate::limit::{Limit, Queue};
use crate::quota::OncePer;
use crate::state::{MemberState, NodeState, PoolState, Topology, VirtualState};
use crate::tls::acme::Slots;
use crate::tls::client::ClientTls;
use crate::tls::{self, TlsSides};

/// Descriptors for everything but client connections: logs, probes, pipes, runtimes.
const DESCRIPTORS_RESERVED: u64 = 160;

/// With an admin side: its connections, streams and sockets, so that a crowd there takes nothing
/// from clients; less when there are few in all.
const DESCRIPTORS_OF_ADMIN: u64 = 400;
const PART_OF_ADMIN: u64 = 8;

/// TLS of virtual servers, of pools' monitors and of looks at their load, in the configuration's order.
pub(super) struct TlsSetup {
    virtuals: Vec<Arc<TlsSides>>,
    monitors: Vec<Option<Arc<ClientTls>>>,
    loads: Vec<Option<Arc<ClientTls>>>,
    tags: Vec<Option<Arc<Tags>>>,
}

impl Gateway {
    /// Reads certificates and keys of all virtual servers and monitors, in their order.
    pub(super) fn set_up_tls(
        &self,
        config: &Config,
        slots: &Slots,
    ) -> Result<TlsSetup, ApplyError> {
        let old = self.shared.topology();
        let set_up = |virtual_server: &Virtual| {
            let known = old.virtuals.iter().find(|known| known.config.name == virtual_server.name);
            let known = known.map(|known| &*known.tls);
            let set_up = TlsSides::new(virtual_server, &config.acmes, slots, known);
            set_up.map(Arc::new).map_err(|source| ApplyError::Tls {
                virtual_server: virtual_server.name.clone(),
                source: Box::new(source),
            })
        };
        let monitor = |pool: &Pool| {
            let profile = pool.monitor.as_ref().and_then(|monitor| monitor.tls.as_ref());
            let set_up = profile.map(|profile| tls::client(profile).map(Arc::new)).transpose();
            set_up.map_err(|source| ApplyError::MonitorTls {
                pool: pool.name.clone(),
                source: Box::new(source),
            })
        };
        let load = |pool: &Pool| {
            let profile = pool.load.as_ref().and_then(|load| load.tls.as_ref());
            let set_up = profile.map(|profile| tls::client(profile).map(Arc::new)).transpose();
            set_up.map_err(|source| ApplyError::LoadTls {
                pool: pool.name.clone(),
                source: Box::new(source),
            })
        };
        Ok(TlsSetup {
            virtuals: config.virtuals.iter().map(set_up).collect::<Result<_, _>>()?,
            monitors: config.pools.iter().map(monitor).collect::<Result<_, _>>()?,
            loads: config.pools.iter().map(load).collect::<Result<_, _>>()?,
            tags: config.virtuals.iter().map(handle_tags).collect::<Result<_, _>>()?,
        })
    }

    /// The same when nothing of TLS can have changed: no file is read.
    pub(super) fn keep_tls(&self, config: &Config) -> Option<TlsSetup> {
        let now = self.shared.topology();
        let of_virtual = |virtual_server: &Virtual| {
            now.virtuals.iter().find(|known| known.config.name == virtual_server.name)
        };
        let virtuals: Option<Vec<_>> = config.virtuals.iter().map(of_virtual).collect();
        let virtuals = virtuals?;
        let of_pool = |pool: &Pool| now.pools.iter().find(|known| known.config.name == pool.name);
        let pools: Option<Vec<_>> = config.pools.iter().map(of_pool).collect();
        let pools = pools?;
        Some(TlsSetup {
            monitors: pools.iter().map(|known| known.monitor_tls.clone()).collect(),
            loads: pools.iter().map(|known| known.load_tls.clone()).collect(),
            tags: virtuals.iter().map(|known| known.tags.clone()).collect(),
            virtuals: virtuals.into_iter().map(|known| Arc::clone(&known.tls)).collect(),
        })
    }

    /// Tells the balancer, and builds the new snapshot around the running counts of the old.
    ///
    /// Both under the balancer's lock: whoever is given a new member finds it in the snapshot.
    pub(super) fn configure(
        &self,
        config: &Config,
        addresses: Vec<Option<IpAddr>>,
        tls: TlsSetup,
    ) -> Arc<Topology> {
        let pools = config.pools.iter().map(|pool| convert::pool(pool, &config.nodes)).collect();
        let tables = config.virtuals.iter().filter_map(convert::table).collect();
        let mut balancer = self.shared.balancer();
        balancer.configure(pools, tables, self.shared.now());

        let old = self.shared.topology();
        let nodes = config.nodes.iter().zip(addresses).map(|(node, address)| {
            let known = old.nodes.iter().find(|known| {
                (&known.name, &known.host, &known.description)
                    == (&node.name, &node.address, &node.description)
            });
            match known {
                Some(known) => {
                    if let Some(address) = address {
                        known.set_address(address);
                    }
                    Arc::clone(known)
                }
                None => Arc::new(NodeState::new(node, address)),
            }
        });
        let nodes: Vec<_> = nodes.collect();
        let pools: Vec<_> = config
            .pools
            .iter()
            .zip(tls.monitors.into_iter().zip(tls.loads))
            .filter_map(|(pool, (monitor_tls, load_tls))| {
                let state = self.pool_state(pool, config, &nodes, &old, &balancer)?;
                Some(Arc::new(PoolState { monitor_tls, load_tls, ..state }))
            })
            .collect();
        let virtuals = config
            .virtuals
            .iter()
            .zip(tls.virtuals.into_iter().zip(tls.tags))
            .filter_map(|(virtual_server, (tls, tags))| {
                let name = &config.pools[virtual_server.pool].name;
                let pool = pools.iter().find(|pool| pool.config.name == *name)?;
                let route = |route: &SniRoute| {
                    let name = &config.pools[route.pool].name;
                    let pool = pools.iter().find(|pool| pool.config.name == *name)?;
                    Some((route.name.clone(), Arc::clone(pool)))
                };
                let sni_routes = virtual_server.sni_routes.iter().filter_map(route).collect();
                let state = self.virtual_state(virtual_server, pool, tls, &old, &balancer);
                Some(Arc::new(VirtualState { sni_routes, tags, ..state }))
            })
            .collect();
        let topology = Arc::new(Topology { virtuals, pools, nodes });
        self.shared.set_topology(Arc::clone(&topology));
        topology
    }

    fn pool_state(
        &self,
        pool: &Pool,
        config: &Config,
        nodes: &[Arc<NodeState>],
        old: &Topology,
        balancer: &Balancer,
    ) -> Option<PoolState> {
        let known = old.pools.iter().find(|known| known.config.name == pool.name);
        let id = balancer.pool_id(&pool.name)?;
        let members = pool.members.iter().filter_map(|member| {
            let name = convert::member_name(&config.nodes[member.node], member.port);
            let known = known.and_then(|pool| pool.members.iter().find(|m| m.name == name));
            Some(Arc::new(MemberState {
                id: balancer.member_id(id, &name)?,
                name,
                node: Arc::clone(&nodes[member.node]),
                port: member.port,
                traffic: known.map_or_else(|| self.new_traffic(), |m| Arc::clone(&m.traffic)),
                counters: known.map_or_else(Arc::default, |m| Arc::clone(&m.counters)),
                probe_now: known.map_or_else(
                    || Arc::new(Notify::new()),
                    |member| Arc::clone(&member.probe_now),
                ),
                tls_failed: OncePer::default(),
                operations: self
                    .shared
                    .sessions
                    .operations_at(&Place::host_of(&nodes[member.node].host)),
            }))
        });
        let members = members.collect();
        let queue = known.map_or_else(|| Arc::new(Queue::default()), |p| Arc::clone(&p.queue));
        Some(PoolState {
            id,
            config: pool.clone(),
            members,
            queue,
            counters: known.map_or_else(Arc::default, |known| Arc::clone(&known.counters)),
            source_turn: AtomicUsize::new(0),
            monitor_tls: None,
            load_tls: None,
        })
    }

    fn virtual_state(
        &self,
        virtual_server: &Virtual,
        pool: &Arc<PoolState>,
        tls: Arc<TlsSides>,
        old: &Topology,
        balancer: &Balancer,
    ) -> VirtualState {
        let known = old.virtuals.iter().find(|known| known.config.name == virtual_server.name);
        let max = virtual_server.connections_max.unwrap_or(u32::MAX);
        let connections = match known {
            Some(known) => Arc::clone(&known.connections),
            None => Arc::new(Limit::new(max)),
        };
        connections.set_max(max);
        VirtualState {
            config: virtual_server.clone(),
            pool: Arc::clone(pool),
            table: balancer.table_id(&virtual_server.name),
            connections,
            traffic: known.map_or_else(|| self.new_traffic(), |known| Arc::clone(&known.traffic)),
            counters: known.map_or_else(Arc::default, |known| Arc::clone(&known.counters)),
            tls,
            tags: None,
            sni_routes: Vec::new(),
        }
    }

    fn new_traffic(&self) -> Arc<Traffic> {
        Arc::new(Traffic::new(self.workers.len()))
    }
}

/// Reads the keys of a virtual server's self-routing handles.
fn handle_tags(virtual_server: &Virtual) -> Result<Option<Arc<Tags>>, ApplyError> {
    let read = |file: &PathBuf| {
        let key = std::fs::read(file).and_then(|key| {
            let long_enough = key.len() >= tags::KEY_BYTES_MIN;
            let short = || format!("{} bytes are too few for a key", key.len());
            if long_enough { Ok(key) } else { Err(io::Error::other(short())) }
        });
        key.map_err(|source| ApplyError::HandleKey {
            virtual_server: virtual_server.name.clone(),
            file: file.display().to_string(),
            source,
        })
    };
    let keys: Vec<_> = virtual_server.handle_keys.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Tags::new(&keys).map(Arc::new))
}

/// The configured bound, or what the descriptor limit allows; the soft limit is raised first.
pub(super) fn connections_max(config: &Config, workers: usize) -> Result<u32, ApplyError> {
    let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(_) => soft,
        },
        Ok((soft, _)) => soft,
        Err(_) => u64::MAX,
    };
    let listeners: usize =
        config.virtuals.iter().map(|virtual_server| virtual_server.listen.len()).sum();
    let members: usize = config.pools.iter().map(|pool| pool.members.len()).sum();
    // A listener has a socket a worker, and a copy of each.
    let of_admin = match config.admin {
        Some(_) => DESCRIPTORS_OF_ADMIN.min(limit / PART_OF_ADMIN),
        None => 0,
    };
    let own = DESCRIPTORS_RESERVED + of_admin + (2 * listeners * workers + members) as u64;
    match config.process.connections_max {
        Some(connections) => {
            let needed = own + 2 * u64::from(connections);
            if needed > limit {
                return Err(ApplyError::Descriptors { connections, needed, limit });
            }
            Ok(connections)
        }
        None => {
            let connections = limit.saturating_sub(own) / 2;
            if connections == 0 {
                return Err(ApplyError::Descriptors { connections: 1, needed: own + 2, limit });
            }
            Ok(u32::try_from(connections).unwrap_or(u32::MAX))
        }
    }
}
