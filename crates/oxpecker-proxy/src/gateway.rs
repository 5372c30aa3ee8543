//! The running gateway as the binary sees it: start, apply a configuration, drain, stop.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use oxpecker_balance::balancer::Balancer;
use oxpecker_config::model::{Config, Pool, SniRoute, Virtual};
use socket2::Socket;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::accept::Listening;
use crate::aware::place::Place;
use crate::aware::tags::{self, Tags};
use crate::aware::{OperationView, SessionView};
use crate::connection::registry::Cut;
use crate::control;
use crate::convert;
use crate::counters::Traffic;
use crate::limit::{Limit, Queue};
use crate::listener::{self, ListenError, ListenerKey, Opened};
use crate::load::Loads;
use crate::log::{Log, LogError};
use crate::probe::Probes;
use crate::quota::OncePer;
use crate::relay::pipe;
use crate::resolve::{self, Resolver};
use crate::state::{MemberState, NodeState, PoolState, Shared, Topology, VirtualState};
use crate::tls::acme::{Authorities, Slots};
use crate::tls::client::ClientTls;
use crate::tls::{self, AcmeError, CertificateStatus, TlsError, TlsSides};
use crate::worker::{Command, ListenerId, WorkerHandle};

/// Descriptors for everything but client connections: logs, probes, pipes, runtimes.
const DESCRIPTORS_RESERVED: u64 = 160;

/// Old persistence entries are removed this often.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// After cutting, tasks get this long to write their records.
const CUT_PATIENCE: Duration = Duration::from_secs(2);

/// A listener has taken its backlog and is closed long before.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// How often draining looks whether everybody has left.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// Why a configuration could not be put to work. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "`connections_max = {connections}` needs {needed} file descriptors, the limit is {limit}: \
         raise `LimitNOFILE` (systemd) or `ulimit -n`, or lower `connections_max`"
    )]
    Descriptors { connections: u32, needed: u64, limit: u64 },
    #[error("failed to set up TLS for virtual server `{virtual_server}`")]
    Tls {
        virtual_server: String,
        #[source]
        source: Box<TlsError>,
    },
    #[error(
        "failed to read the handle key `{file}` of virtual server `{virtual_server}`; make one \
         with `openssl rand -out {file} 32`"
    )]
    HandleKey {
        virtual_server: String,
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("failed to set up TLS for the monitor of pool `{pool}`")]
    MonitorTls {
        pool: String,
        #[source]
        source: Box<TlsError>,
    },
    #[error("failed to set up TLS for `load_port` of pool `{pool}`")]
    LoadTls {
        pool: String,
        #[source]
        source: Box<TlsError>,
    },
    #[error("failed to set up [acme.{authority}]")]
    Acme {
        authority: String,
        #[source]
        source: Box<AcmeError>,
    },
    #[error("failed to start worker thread {index}")]
    Worker {
        index: usize,
        #[source]
        source: io::Error,
    },
}

/// TLS of virtual servers and of pools' monitors, in the configuration's order.
struct TlsSetup {
    virtuals: Vec<Arc<TlsSides>>,
    monitors: Vec<Option<Arc<ClientTls>>>,
    loads: Vec<Option<Arc<ClientTls>>>,
    tags: Vec<Option<Arc<Tags>>>,
}

/// What a drain ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open at the deadline and were cut.
    pub cut: usize,
}

/// All listeners, workers and probes of one process. Must live on a tokio runtime; probes and
/// timers run there, client connections on the workers' own threads.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    listeners: HashMap<ListenerKey, OpenListener>,
    probes: Probes,
    loads: Loads,
    resolver: Resolver,
    authorities: Authorities,
    next_listener: u64,
    /// Tasks that run for as long as the gateway.
    chores: [tokio::task::AbortHandle; 2],
}

#[derive(Debug)]
struct OpenListener {
    id: ListenerId,
    listening: Arc<Listening>,
    /// The same sockets that the workers accept from, kept to change their options.
    sockets: Vec<Socket>,
    is_inherited: bool,
}

impl Gateway {
    /// Opens everything `config` asks for. `inherited` are listening sockets passed by the
    /// service manager; those that fit an address of the configuration are used.
    pub async fn start(
        config: &Config,
        log: Log,
        inherited: Vec<Socket>,
    ) -> Result<Self, ApplyError> {
        for virtual_server in &config.virtuals {
            for key in ListenerKey::of(virtual_server) {
                if !key.is_inherited(&inherited) {
                    key.refuse_if_taken(virtual_server)?;
                }
            }
        }
        let threads = config.process.threads.or_else(|| thread::available_parallelism().ok());
        let threads = threads.map_or(1, usize::from);
        pipe::share_among(threads);
        let seed = u64::from(std::process::id()) ^ jiff::Timestamp::now().as_nanosecond() as u64;
        let connections = Arc::new(Limit::new(0));
        let shared = Arc::new(Shared::new(Balancer::new(seed), log, connections, threads));
        let workers = (0..threads)
            .map(|index| {
                WorkerHandle::start(&shared, index)
                    .map_err(|source| ApplyError::Worker { index, source })
            })
            .collect::<Result<_, _>>()?;
        let chores = [
            tokio::spawn(expire(Arc::clone(&shared))).abort_handle(),
            tokio::spawn(tls::watch::watch(Arc::clone(&shared))).abort_handle(),
        ];
        let authorities = Authorities::new(Arc::clone(&shared.challenges));
        let mut gateway = Self {
            shared,
            workers,
            listeners: HashMap::new(),
            probes: Probes::default(),
            loads: Loads::default(),
            resolver: Resolver::default(),
            authorities,
            next_listener: 0,
            chores,
        };
        gateway.apply_with(config, inherited).await?;
        Ok(gateway)
    }

    /// The sessions that are known, of virtual servers that read the protocol.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.shared.sessions.session_views()
    }

    /// Operations that are open, and the latest that are over.
    pub fn operations(&self) -> Vec<OperationView> {
        self.shared.sessions.operation_views()
    }

    /// `hook` is told of every operation when it is over, on the thread of its connection: it must
    /// not wait. Only the first hook is kept.
    pub fn on_operation_end(&self, hook: impl Fn(&OperationView) + Send + Sync + 'static) {
        self.shared.sessions.on_operation_end(Box::new(hook));
    }

    /// The door for the admin side, and the requests that the owner of this gateway has to answer.
    pub fn control(&self) -> (control::Handle, mpsc::Receiver<control::Request>) {
        control::Handle::new(Arc::clone(&self.shared))
    }

    /// Replaces the configuration: all or nothing. Listeners and connections that stay are not
    /// touched; counts, health, persistence and admin states are kept by name.
    pub async fn apply(&mut self, config: &Config) -> Result<(), ApplyError> {
        let log = self.shared.log.prepare(&config.log)?;
        self.apply_with(config, Vec::new()).await?;
        self.shared.log.install(log);
        Ok(())
    }

    async fn apply_with(
        &mut self,
        config: &Config,
        mut inherited: Vec<Socket>,
    ) -> Result<(), ApplyError> {
        let authorities = self.authorities.prepare(config).await;
        let authorities = authorities.map_err(|(authority, source)| ApplyError::Acme {
            authority,
            source: Box::new(source),
        })?;
        let tls = self.set_up_tls(config, &authorities.slots)?;
        let connections_max = connections_max(config, self.workers.len())?;
        let addresses = resolve::lookup_all(config).await;
        let opened = self.open_listeners(config, &mut inherited)?;

        // From here on nothing can fail.
        for socket in inherited {
            let address = listener::address_of(&socket);
            tracing::warn!(address, "no virtual server listens on an inherited socket, closing it");
        }
        let topology = self.configure(config, addresses, tls);
        self.shared.connections.set_max(connections_max);
        self.use_listeners(&topology, opened).await;
        self.probes.apply(&self.shared, &topology);
        self.loads.apply(&self.shared, &topology);
        self.resolver.apply(&topology);
        self.authorities.apply(authorities);
        for pool in &topology.pools {
            // There may be more room for those who wait.
            pool.queue.first_may_try();
        }
        Ok(())
    }

    /// Reads certificates and keys of all virtual servers and monitors, in their order.
    fn set_up_tls(&self, config: &Config, slots: &Slots) -> Result<TlsSetup, ApplyError> {
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

    fn open_listeners(
        &self,
        config: &Config,
        inherited: &mut Vec<Socket>,
    ) -> Result<HashMap<ListenerKey, Opened>, ListenError> {
        let mut opened = HashMap::<_, Opened>::new();
        for virtual_server in &config.virtuals {
            for key in ListenerKey::of(virtual_server) {
                if !self.listeners.contains_key(&key) {
                    match key.open(virtual_server, self.workers.len(), inherited) {
                        Ok(sockets) => opened.insert(key, sockets),
                        Err(error) => {
                            for (key, opened) in opened {
                                key.remove_file(opened.is_inherited);
                            }
                            return Err(error);
                        }
                    };
                }
            }
        }
        Ok(opened)
    }

    /// Tells the balancer, and builds the new snapshot around the running counts of the old.
    ///
    /// Both under the balancer's lock: whoever is given a new member finds it in the snapshot.
    fn configure(
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
            let known = old.nodes.iter().find(|o| o.name == node.name && o.host == node.address);
            match known {
                Some(known) => {
                    if let Some(address) = address {
                        known.set_address(address);
                    }
                    Arc::clone(known)
                }
                None => Arc::new(NodeState::new(&node.name, &node.address, address)),
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
            tls,
            tags: None,
            sni_routes: Vec::new(),
        }
    }

    fn new_traffic(&self) -> Arc<Traffic> {
        Arc::new(Traffic::new(self.workers.len()))
    }

    /// Hands new listeners to the workers, gives those that stay their new policy, closes the rest.
    async fn use_listeners(
        &mut self,
        topology: &Topology,
        mut opened: HashMap<ListenerKey, Opened>,
    ) {
        let mut gone = std::mem::take(&mut self.listeners);
        for policy in &topology.virtuals {
            for key in ListenerKey::of(&policy.config) {
                let listener = match (gone.remove(&key), opened.remove(&key)) {
                    (Some(listener), _) => {
                        listener.listening.set_policy(Arc::clone(policy));
                        for socket in &listener.sockets {
                            if let Err(error) = listener::reconfigure(socket, &policy.config) {
                                tracing::warn!(listen = %key, %error, "failed to change a listener's options");
                            }
                        }
                        listener
                    }
                    (None, Some(opened)) => self.begin_listening(policy, &key, opened).await,
                    (None, None) => continue,
                };
                self.listeners.insert(key, listener);
            }
        }
        for (key, listener) in gone {
            tracing::info!(listen = %key, "no longer listening");
            self.close(&key, listener).await;
        }
    }

    async fn begin_listening(
        &mut self,
        policy: &Arc<VirtualState>,
        key: &ListenerKey,
        Opened { sockets, is_inherited }: Opened,
    ) -> OpenListener {
        let id = ListenerId(self.next_listener);
        self.next_listener += 1;
        let listening = Arc::new(Listening::new(Arc::clone(policy)));
        let mut kept = Vec::new();
        for (worker, socket) in self.workers.iter().zip(sockets) {
            // Without a copy only later changes of options pass this socket by.
            kept.extend(socket.try_clone());
            let listening = Arc::clone(&listening);
            worker.send(Command::Listen { id, socket, listening }).await;
        }
        tracing::info!(
            virtual_server = %policy.config.name, listen = %key, pool = %policy.pool.config.name,
            "listening"
        );
        OpenListener { id, listening, sockets: kept, is_inherited }
    }

    async fn close(&self, key: &ListenerKey, listener: OpenListener) {
        drop(listener.sockets);
        let mut closing = Vec::new();
        for worker in &self.workers {
            let (closed, is_closed) = oneshot::channel();
            worker.send(Command::Close { id: listener.id, closed }).await;
            closing.push(is_closed);
        }
        for is_closed in closing {
            // Only a stuck worker does not answer.
            let _ = tokio::time::timeout(CLOSE_PATIENCE, is_closed).await;
        }
        key.remove_file(listener.is_inherited);
    }

    /// From now on certificates are obtained from authorities, and kept in files. To be called
    /// when the process has the user and the root directory that it is to keep.
    pub fn begin_obtaining_certificates(&mut self) {
        self.authorities.begin();
    }

    /// All certificates that clients and members are shown, each once, and those that are still to
    /// come.
    pub fn certificates(&self) -> Vec<CertificateStatus> {
        tls::status::snapshot(&self.shared.topology())
    }

    /// Client connections open now.
    pub fn open_connections(&self) -> usize {
        self.shared.open_connections()
    }

    /// Whether every worker thread answers within `patience`.
    pub async fn workers_answer(&self, patience: Duration) -> bool {
        let ask_all = async {
            for worker in &self.workers {
                let (answer, answered) = oneshot::channel();
                worker.send(Command::Ping(answer)).await;
                if answered.await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(patience, ask_all).await.unwrap_or(false)
    }

    /// Stops listening; connections go on.
    pub async fn stop_listening(&mut self) {
        self.authorities.stop();
        for (key, listener) in std::mem::take(&mut self.listeners) {
            self.close(&key, listener).await;
        }
    }

    /// Waits until every connection has ended, at most until `deadline`; then cuts the rest.
    /// Cancel safe: dropping it leaves the connections alone.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        let until = Instant::now().checked_add(deadline);
        while self.open_connections() > 0 && until.is_none_or(|until| Instant::now() < until) {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        self.cut_all().await
    }

    /// Ends every connection now.
    pub async fn cut_all(&self) -> Drained {
        let cut = self.shared.cut(None, Cut::Drain);
        let until = Instant::now() + CUT_PATIENCE;
        while self.open_connections() > 0 && Instant::now() < until {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        Drained { cut }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.chores.iter().for_each(tokio::task::AbortHandle::abort);
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

async fn expire(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EXPIRE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        shared.sessions.expire();
        let changes = shared.balancer().expire(shared.now());
        for change in changes {
            shared.health_changed(&change, "time to try it again");
        }
    }
}

/// The configured bound, or what the descriptor limit allows; the soft limit is raised first.
fn connections_max(config: &Config, workers: usize) -> Result<u32, ApplyError> {
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
    let own = DESCRIPTORS_RESERVED + (2 * listeners * workers + members) as u64;
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
