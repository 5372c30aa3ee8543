//! What all threads share: the balancer behind its lock, and the configured objects with their
//! running counts.
//!
//! The objects are immutable snapshots: a reload builds new ones around the counts of the old,
//! and connections that began under an old snapshot keep it until they end.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};
use oxpecker_balance::balancer::{Balancer, Cause, Change};
use oxpecker_balance::spec::{Health, MemberId, Now, PoolId, TableId};
use oxpecker_config::model::{self, Host, ServiceDown};
use tokio::sync::Notify;

use crate::aware;
use crate::aware::tags::Tags;
use crate::connection::registry::{Cut, Registry};
use crate::control::Who;
use crate::control::changes::Changes;
use crate::control::endings::Endings;
use crate::control::events::{EventKind, Events};
use crate::counters::{Base, MemberCounters, PoolCounters, Traffic, VirtualCounters};
use crate::limit::{Limit, Queue};
use crate::log::Log;
use crate::pulse::Pulse;
use crate::quota::OncePer;
use crate::tls::TlsSides;
use crate::tls::acme::Challenges;
use crate::tls::certificates::name_fits;
use crate::tls::client::ClientTls;

#[derive(Debug)]
pub(crate) struct Shared {
    balancer: Mutex<Balancer>,
    started: Instant,
    pub(crate) log: Log,
    /// All client connections of the process.
    pub(crate) connections: Arc<Limit>,
    pub(crate) registries: Vec<Arc<Registry>>,
    pub(crate) pulse: Pulse,
    topology: RwLock<Arc<Topology>>,
    /// Sessions and operations of virtual servers that read the protocol.
    pub(crate) sessions: aware::registry::Registry,
    pub(crate) warnings: Warnings,
    /// What certificate authorities are to be answered.
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) endings: Endings,
    /// What an operator may want to know.
    pub(crate) events: Arc<Events>,
    /// What operators changed at run time.
    pub(crate) changes: Changes,
    pub(crate) reloads: Reloads,
    draining: AtomicBool,
    pub(crate) begun: Timestamp,
    descriptors: Option<OwnedFd>,
}

/// How the last reload went.
#[derive(Debug, Default)]
pub(crate) struct Reloads(Mutex<Option<(Timestamp, bool)>>);

impl Reloads {
    pub(crate) fn note(&self, succeeded: bool) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Timestamp::now(), succeeded));
    }

    /// When, and whether it succeeded.
    pub(crate) fn last(&self) -> Option<(Timestamp, bool)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Warnings that one bad minute could repeat a thousand times.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    pub(crate) accept_failed: OncePer,
    pub(crate) limit_reached: OncePer,
    /// A connect failed for what this machine lacks or forbids.
    pub(crate) own_fault: OncePer,
}

#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) virtuals: Vec<Arc<VirtualState>>,
    pub(crate) pools: Vec<Arc<PoolState>>,
    pub(crate) nodes: Vec<Arc<NodeState>>,
}

#[derive(Debug)]
pub(crate) struct VirtualState {
    pub(crate) config: model::Virtual,
    pub(crate) pool: Arc<PoolState>,
    pub(crate) table: Option<TableId>,
    pub(crate) connections: Arc<Limit>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) counters: Arc<VirtualCounters>,
    pub(crate) tls: Arc<TlsSides>,
    /// Keys of self-routing handles; `None` = only the registry knows where handles belong.
    pub(crate) tags: Option<Arc<Tags>>,
    /// Names, with `*.` for one label, and the pools that clients asking for them get.
    pub(crate) sni_routes: Vec<(String, Arc<PoolState>)>,
}

impl VirtualState {
    /// False while an operator has closed its listeners.
    pub(crate) fn is_listening(&self) -> bool {
        self.counters.is_listening()
    }

    pub(crate) fn set_listening(&self, on: bool) {
        self.counters.set_listening(on);
    }

    /// Where a client goes whose TLS asks for `name`, if not to the virtual server's own pool.
    pub(crate) fn pool_for(&self, name: &str) -> Option<&Arc<PoolState>> {
        self.sni_routes.iter().find(|(pattern, _)| name_fits(pattern, name)).map(|(_, pool)| pool)
    }
}

#[derive(Debug)]
pub(crate) struct PoolState {
    pub(crate) id: PoolId,
    pub(crate) config: model::Pool,
    pub(crate) members: Vec<Arc<MemberState>>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<PoolCounters>,
    /// Which of the source addresses is next.
    pub(crate) source_turn: AtomicUsize,
    /// Probes go through TLS.
    pub(crate) monitor_tls: Option<Arc<ClientTls>>,
    /// Coordinators are asked for their load through TLS.
    pub(crate) load_tls: Option<Arc<ClientTls>>,
}

#[derive(Debug)]
pub(crate) struct MemberState {
    pub(crate) id: MemberId,
    /// `node:port`
    pub(crate) name: String,
    pub(crate) node: Arc<NodeState>,
    pub(crate) port: u16,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) counters: Arc<MemberCounters>,
    /// A client could not connect: look at once, not at the next interval.
    pub(crate) probe_now: Arc<Notify>,
    pub(crate) tls_failed: OncePer,
    /// Running operations of its node, over all pools and ports.
    pub(crate) operations: Arc<AtomicU32>,
}

#[derive(Debug)]
pub(crate) struct NodeState {
    pub(crate) name: String,
    pub(crate) host: Host,
    pub(crate) description: String,
    address: RwLock<Option<IpAddr>>,
    /// Operations there that did not come through this gateway, as it tells itself.
    pub(crate) foreign_operations: AtomicU32,
    /// All of them as it tells itself.
    pub(crate) told_operations: Told,
    /// What its members had moved at the last reset.
    pub(crate) base: Base,
}

/// A number that somebody told, or nobody.
#[derive(Debug)]
pub(crate) struct Told(AtomicU64);

impl Default for Told {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Told {
    pub(crate) fn set(&self, told: Option<u32>) {
        self.0.store(told.map_or(u64::MAX, u64::from), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<u32> {
        u32::try_from(self.0.load(Ordering::Relaxed)).ok()
    }
}

impl NodeState {
    pub(crate) fn new(node: &model::Node, address: Option<IpAddr>) -> Self {
        Self {
            name: node.name.clone(),
            host: node.address.clone(),
            description: node.description.clone(),
            address: RwLock::new(address),
            foreign_operations: AtomicU32::new(0),
            told_operations: Told::default(),
            base: Base::default(),
        }
    }

    /// `None` while a name was never resolved.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_address(&self, address: IpAddr) {
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }
}

impl MemberState {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.node.address().map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl PoolState {
    pub(crate) fn member(&self, id: MemberId) -> Option<&Arc<MemberState>> {
        self.members.iter().find(|member| member.id == id)
    }
}

impl Shared {
    pub(crate) fn new(
        balancer: Balancer,
        log: Log,
        connections: Arc<Limit>,
        workers: usize,
    ) -> Self {
        Self {
            balancer: Mutex::new(balancer),
            started: Instant::now(),
            sessions: aware::registry::Registry::new(log.clone()),
            log,
            connections,
            registries: (0..workers).map(|n| Arc::new(Registry::new(n, workers))).collect(),
            pulse: Pulse::new(workers),
            topology: RwLock::default(),
            warnings: Warnings::default(),
            challenges: Arc::default(),
            endings: Endings::default(),
            events: Arc::default(),
            changes: Changes::default(),
            reloads: Reloads::default(),
            draining: AtomicBool::new(false),
            begun: Timestamp::now(),
            descriptors: File::open("/proc/self/fd").map(OwnedFd::from).ok(),
        }
    }

    /// The one lock of the balancing state. Never held across an await or a system call.
    pub(crate) fn balancer(&self) -> MutexGuard<'_, Balancer> {
        self.balancer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Now {
        Now(self.started.elapsed())
    }

    pub(crate) fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.topology.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A member of the configuration in force.
    pub(crate) fn member(&self, id: MemberId) -> Option<Arc<MemberState>> {
        self.topology().pools.iter().find_map(|pool| pool.member(id).cloned())
    }

    pub(crate) fn set_topology(&self, topology: Arc<Topology>) {
        *self.topology.write().unwrap_or_else(PoisonError::into_inner) = topology;
    }

    /// Asks connections to `member`, or all, to end.
    pub(crate) fn cut(&self, member: Option<MemberId>, cut: Cut) -> usize {
        self.registries.iter().map(|registry| registry.cut(member, cut)).sum()
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.registries.iter().map(|registry| registry.len()).sum()
    }

    /// Notes what somebody did, with what they said about it.
    pub(crate) fn note(&self, who: &Who, kind: EventKind, subject: &str, text: &str) {
        match who.why() {
            None => self.events.note(who.as_str(), kind, subject, text),
            Some(why) => self.events.note(who.as_str(), kind, subject, &format!("{text} ({why})")),
        }
    }

    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Descriptors that are open now.
    pub(crate) fn descriptors(&self) -> Option<u64> {
        let directory = self.descriptors.as_ref()?;
        // Newer kernels (6.2) tell the number as the directory's size.
        let size = fstat(directory).ok()?.st_size;
        match u64::try_from(size) {
            Ok(size) if size > 0 => Some(size),
            _ => {
                let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                let mut all = Dir::openat(directory, ".", flags, Mode::empty()).ok()?;
                // But for `.`, `..` and the one that is used to look.
                Some((all.iter().count() as u64).saturating_sub(3))
            }
        }
    }

    /// Logs a change of health and does what the pool wants done.
    pub(crate) fn health_changed(&self, change: &Change, reason: &str) {
        let topology = self.topology();
        let found =
            topology.pools.iter().find_map(|pool| Some((pool, pool.member(change.member)?)));
        // A probe may end just after a reload removed its member.
        let Some((pool, member)) = found else { return };
        member.counters.health_changed(change.to, reason, self.now());
        let (from, to) = (word(change.from), word(change.to));
        let (pool_name, member_name) = (&pool.config.name, &member.name);
        let subject = format!("{pool_name}/{member_name}");
        let text = format!("{from} → {to}: {reason}");
        self.events.note(judge(change.cause), EventKind::Health, &subject, &text);
        if change.to == Health::Down {
            tracing::warn!(pool = %pool_name, member = %member_name, from, to, reason, "member is down");
            let cut = match pool.config.service_down {
                ServiceDown::None => None,
                ServiceDown::Reset => Some(Cut::MemberDown),
                ServiceDown::Drop => Some(Cut::Drop),
                ServiceDown::Reselect => Some(Cut::Reselect),
            };
            if let Some(cut) = cut {
                let connections = self.cut(Some(member.id), cut);
                if connections > 0 {
                    tracing::warn!(
                        pool = %pool_name, member = %member_name, connections,
                        action = ?pool.config.service_down,
                        "ended the connections of a member that is down"
                    );
                    let text = format!(
                        "{connections} connections ended: the member is down (service_down)"
                    );
                    self.events.note("gateway", EventKind::ConnectionsEnded, &subject, &text);
                }
            }
        } else {
            tracing::info!(pool = %pool_name, member = %member_name, from, to, reason, "member changed health");
            pool.queue.first_may_try();
        }
    }
}

/// Who brought a change of health about, in the words of events.
fn judge(cause: Cause) -> &'static str {
    match cause {
        Cause::Probe => "monitor",
        Cause::ConnectFailures | Cause::Connected => "clients",
        Cause::RetryAfterFailures | Cause::AdminState { .. } => "gateway",
    }
}

pub(crate) fn word(health: Health) -> &'static str {
    match health {
        Health::Unknown => "unknown",
        Health::Up => "up",
        Health::Down => "down",
        Health::Quiescing => "quiescing",
    }
}
