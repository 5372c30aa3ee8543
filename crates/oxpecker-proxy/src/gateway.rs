//! The running gateway as the binary sees it: start, apply a configuration, drain, stop.

mod change;
mod configure;
mod listeners;
mod news;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use oxpecker_balance::balancer::Balancer;
use oxpecker_config::model::Config;
use socket2::Socket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::aware::{KillError, Killed, OperationView, SessionView, StatementView, abandoned, kill};
use crate::connection::registry::Cut;
use crate::control::events::EventKind;
use crate::control::{self, Who};
use crate::limit::Limit;
use crate::listener::{self, ListenError, ListenerKey, Opened};
use crate::load::Loads;
use crate::log::{Log, LogError};
use crate::probe::Probes;
use crate::relay::pipe;
use crate::resolve::{self, Resolver};
use crate::state::Shared;
use crate::tls::acme::Authorities;
use crate::tls::{self, AcmeError, CertificateStatus, TlsError};
use crate::worker::{Command, WorkerHandle};
use configure::{TlsSetup, connections_max};
use listeners::OpenListener;

/// Old persistence entries are removed this often.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// After cutting, tasks get this long to write their records.
const CUT_PATIENCE: Duration = Duration::from_secs(2);

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

/// What a drain ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open at the deadline and were cut.
    pub cut: usize,
}

/// What a configuration needs before it can be put in force.
struct Prepared {
    tls: TlsSetup,
    connections_max: u32,
    addresses: Vec<Option<IpAddr>>,
    opened: HashMap<ListenerKey, Opened>,
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
    /// Virtual servers whose listeners an operator closed.
    closed: HashSet<String>,
    /// The first configuration is in force: what comes next are changes.
    is_running: bool,
    /// Tasks that run for as long as the gateway.
    chores: [tokio::task::AbortHandle; 3],
}

impl Gateway {
    /// Opens everything `config` asks for. `inherited` are listening sockets passed by the
    /// service manager; those that fit an address of the configuration are used.
    pub async fn start(
        config: &Config,
        log: Log,
        inherited: Vec<Socket>,
    ) -> Result<Self, ApplyError> {
        Self::start_with(config, log, inherited, None).await
    }

    /// The same with the changes that `state` keeps. A file that cannot be read keeps nobody from
    /// starting: it is spoken of, and moved aside by the next save.
    pub async fn start_with(
        files: &Config,
        log: Log,
        inherited: Vec<Socket>,
        state: Option<&Path>,
    ) -> Result<Self, ApplyError> {
        let config = files;
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
            tokio::spawn(abandoned::sweep(Arc::clone(&shared))).abort_handle(),
        ];
        let authorities =
            Authorities::new(Arc::clone(&shared.challenges), Arc::clone(&shared.events));
        let mut gateway = Self {
            shared,
            workers,
            listeners: HashMap::new(),
            probes: Probes::default(),
            loads: Loads::default(),
            resolver: Resolver::default(),
            authorities,
            next_listener: 0,
            closed: HashSet::new(),
            is_running: false,
            chores,
        };
        gateway.take_up(state);
        let (config, dropped) = gateway.shared.changes.over(files);
        gateway.apply_with(&config, inherited, &Who::new("file")).await?;
        gateway.took_over(files, &dropped);
        gateway.is_running = true;
        let (virtuals, pools) = (config.virtuals.len(), config.pools.len());
        let text = format!("started with {virtuals} virtual servers and {pools} pools");
        gateway.shared.events.note("gateway", EventKind::Started, "", &text);
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

    /// The `count` kinds of statements that cost most time since the start or the last reset.
    pub fn top_statements(&self, count: usize) -> Vec<StatementView> {
        self.shared.sessions.top_statements(count)
    }

    /// Cancels the operation with this id, as Impala prints it, at the coordinator that runs it.
    pub async fn kill_operation(&self, id: &str) -> Result<Killed, KillError> {
        kill::operation(&self.shared, id).await
    }

    /// Closes the session with this id, and all that it has open.
    pub async fn kill_session(&self, id: &str) -> Result<Killed, KillError> {
        kill::session(&self.shared, id).await
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

    /// Replaces the configuration of the files: all or nothing. Listeners and connections that stay
    /// are not touched; counts, health, persistence and admin states are kept by name, and changes
    /// made at run time stay in force unless they do not fit any more.
    pub async fn apply(&mut self, files: &Config, who: &Who) -> Result<(), ApplyError> {
        let log = self.shared.log.prepare(&files.log)?;
        let (config, dropped) = self.shared.changes.over(files);
        self.apply_with(&config, Vec::new(), who).await?;
        self.shared.log.install(log);
        self.took_over(files, &dropped);
        Ok(())
    }

    async fn apply_with(
        &mut self,
        config: &Config,
        mut inherited: Vec<Socket>,
        who: &Who,
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
        self.put_in_force(config, Prepared { tls, connections_max, addresses, opened }, who).await;
        self.authorities.apply(authorities);
        Ok(())
    }

    /// Cannot fail.
    async fn put_in_force(&mut self, config: &Config, prepared: Prepared, who: &Who) {
        let Prepared { tls, connections_max, addresses, opened } = prepared;
        let old = self.shared.topology();
        let topology = self.configure(config, addresses, tls);
        self.shared.connections.set_max(connections_max);
        self.use_listeners(&topology, opened).await;
        self.probes.apply(&self.shared, &topology);
        self.loads.apply(&self.shared, &topology);
        self.resolver.apply(&topology);
        for pool in &topology.pools {
            // There may be more room for those who wait.
            pool.queue.first_may_try();
        }
        if self.is_running {
            news::compare(&self.shared.events, who, &old, &topology);
        }
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
        self.shared.sessions.stop();
        Drained { cut }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.chores.iter().for_each(tokio::task::AbortHandle::abort);
    }
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
