//! What coordinators say they have to do, for `least-operations`: one task a node, on the control
//! thread.
//!
//! A coordinator tells how many statements it has; those that came through this gateway are known
//! here, and newer. What is left is work of others: of clients that connect directly or through
//! another gateway. It counts beside our own until the next answer.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use oxpecker_config::model::Pool;
use oxpecker_wire::probe::{LoadError, LoadPage};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::aware::place::Place;
use crate::endpoint::Endpoint;
use crate::probe::Jitter;
use crate::socket::{self, Dial};
use crate::state::{NodeState, PoolState, Shared, Topology};
use crate::tls::client::ClientTls;

/// How often a pool's coordinators are asked that has no monitor.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long an answer may take. Nobody waits for it, so it may take longer than an interval.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An answer counts for this many intervals, and as long as the next may take; then it says more
/// about the past.
const KEPT_INTERVALS: u32 = 6;

const RECEIVE_BYTES: usize = 32 * 1024;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the node's name was never resolved")]
    Unresolved,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("{0}")]
    Answer(#[from] LoadError),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// The nodes that are asked now, by name and port.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    running: HashMap<(String, u16), Running>,
}

#[derive(Debug)]
struct Running {
    target: Arc<Target>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Target {
    node: Arc<NodeState>,
    port: u16,
    interval: Duration,
    source: Vec<IpAddr>,
    tls: Option<Arc<ClientTls>>,
    /// Operations of this gateway's clients there.
    own: Arc<AtomicU32>,
}

impl Target {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
            && self.interval == other.interval
            && self.source == other.source
            // A reload reads certificate files anew.
            && self.tls.is_none()
            && other.tls.is_none()
    }
}

impl Loads {
    /// Starts, restarts and stops asking, so that it fits the topology.
    pub(crate) fn apply(&mut self, shared: &Shared, topology: &Topology) {
        let mut before = std::mem::take(&mut self.running);
        for pool in &topology.pools {
            let Some(port) = port_of(&pool.config) else { continue };
            for member in &pool.members {
                let key = (member.node.name.clone(), port);
                if self.running.contains_key(&key) {
                    continue;
                }
                let target = target(shared, pool, &member.node, port);
                let kept = before.remove(&key).filter(|running| running.target.is_same(&target));
                let running = kept.unwrap_or_else(|| {
                    let target = Arc::new(target);
                    let task = tokio::spawn(watch(Arc::clone(&target)));
                    Running { target, task: task.abort_handle() }
                });
                self.running.insert(key, running);
            }
        }
        for (_, gone) in before {
            gone.target.node.foreign_operations.store(0, Ordering::Relaxed);
            gone.target.node.told_operations.set(None);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn port_of(pool: &Pool) -> Option<u16> {
    let asks = pool.method == oxpecker_config::model::Method::LeastOperations;
    pool.load.as_ref().filter(|_| asks).map(|load| load.port)
}

fn target(shared: &Shared, pool: &PoolState, node: &Arc<NodeState>, port: u16) -> Target {
    Target {
        node: Arc::clone(node),
        port,
        interval: pool.config.monitor.as_ref().map_or(INTERVAL, |monitor| monitor.interval),
        source: pool.config.source.clone(),
        tls: pool.load_tls.clone(),
        own: shared.sessions.operations_at(&Place::host_of(&node.host)),
    }
}

async fn watch(target: Arc<Target>) {
    let Target { node, interval, own, .. } = &*target;
    let mut jitter = Jitter::new(&node.name);
    let mut told_at = None;
    let mut fails = false;
    loop {
        let began = Instant::now();
        let asked = timeout(TIMEOUT, ask(&target)).await;
        match asked.unwrap_or(Err(Failure::TimedOut(TIMEOUT))) {
            Ok(told) => {
                let foreign = told.saturating_sub(own.load(Ordering::Relaxed));
                node.foreign_operations.store(foreign, Ordering::Relaxed);
                node.told_operations.set(Some(told));
                told_at = Some(Instant::now());
                if std::mem::take(&mut fails) {
                    tracing::info!(node = %node.name, "the coordinator tells its load again");
                }
            }
            Err(failure) => {
                let kept = *interval * KEPT_INTERVALS + TIMEOUT;
                if told_at.is_none_or(|at| at.elapsed() > kept) {
                    node.foreign_operations.store(0, Ordering::Relaxed);
                    node.told_operations.set(None);
                }
                if !std::mem::replace(&mut fails, true) {
                    tracing::warn!(
                        node = %node.name, port = target.port, %failure,
                        "the coordinator does not tell its load; only operations through this \
                         gateway count"
                    );
                }
            }
        }
        tokio::time::sleep_until(began + jitter.apply(*interval)).await;
    }
}

async fn ask(target: &Target) -> Result<u32, Failure> {
    let ip = target.node.address().ok_or(Failure::Unresolved)?;
    let to = SocketAddr::new(ip, target.port);
    let from = target.source.iter().copied().find(|source| source.is_ipv4() == to.is_ipv4());
    let dial = Dial { to, from, transparent: None, keepalive: None, user_timeout: None };
    let stream = socket::connect(&dial).await?;
    let mut endpoint = match &target.tls {
        None => Endpoint::Plain(stream),
        Some(tls) => {
            let tls = tls.connect(stream, &target.node.host).await.map_err(Failure::Tls)?;
            Endpoint::Tls(Box::new(tls))
        }
    };
    let (mut page, request) = LoadPage::ask(&to.to_string());
    endpoint.write_all(&request).await?;
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        match endpoint.read(&mut buffer).await? {
            0 => return Ok(page.closed()?),
            count => {
                if let Some(told) = page.receive(&buffer[..count])? {
                    return Ok(told);
                }
            }
        }
    }
}
