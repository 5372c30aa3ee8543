//! Drives the health probes: one task a monitored member, on the control thread.
//!
//! What to say and what the answer means is `oxpecker_wire::probe`; when a member counts as up
//! or down is `oxpecker_balance`. Here is only the socket and the clock.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oxpecker_balance::spec::{Health, MemberId, ProbeOutcome};
use oxpecker_config::model::{Login, Monitor, Pool, Probe, ProxyVersion};
use oxpecker_wire::probe::{
    BeeswaxProbe, Conversation, HealthzProbe, Hs2HttpProbe, Hs2Probe, HttpProbe, ProbeError,
    Progress, State, Verdict,
};
use oxpecker_wire::{probe as wire, proxy_header};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::control::ProbeFailure;
use crate::convert::wire_version;
use crate::counters::ProbeResult;
use crate::endpoint::Endpoint;
use crate::socket::{self, Dial};
use crate::state::{MemberState, Shared, Topology};
use crate::tls::client::ClientTls;
use crate::wording;

/// A probe that comes back this much too late says more about us (stopped, starved) than about
/// the member, and is not counted.
const LATE: Duration = Duration::from_secs(1);

/// Least time between two probes of a member, however often clients fail to connect.
const HURRY_PAUSE: Duration = Duration::from_millis(100);

/// Holds a whole TLS record; answers of healthy members are smaller.
const RECEIVE_BYTES: usize = 32 * 1024;

/// Why a probe failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the node's name was never resolved")]
    Unresolved,
    #[error("connect: {0}")]
    Connect(io::Error),
    #[error("{stage}: {error}")]
    Io { stage: String, error: io::Error },
    #[error("TLS: {0}")]
    Tls(String),
    #[error("{0}")]
    Answer(ProbeError),
    #[error("not connected within {0:?}")]
    ConnectTimedOut(Duration),
    #[error("{answer} ({limit:?})")]
    TimedOut { answer: ProbeError, limit: Duration },
}

impl Failure {
    fn kind(&self) -> ProbeFailure {
        match self {
            Self::Unresolved => ProbeFailure::Unresolved,
            Self::Connect(_) => ProbeFailure::Connect,
            Self::ConnectTimedOut(_) => ProbeFailure::ConnectTimeout,
            Self::Tls(_) => ProbeFailure::Tls,
            Self::TimedOut { .. } => ProbeFailure::AnswerTimeout,
            Self::Answer(
                ProbeError::HttpStatus { status, .. } | ProbeError::HttpCredentials { status, .. },
            ) => ProbeFailure::Status(*status),
            Self::Answer(_) | Self::Io { .. } => ProbeFailure::Answer,
        }
    }
}

/// The probes that run now.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    running: HashMap<MemberId, Running>,
}

#[derive(Debug)]
struct Running {
    target: Arc<Target>,
    task: AbortHandle,
}

/// Whom to probe, and how.
#[derive(Debug)]
struct Target {
    member: Arc<MemberState>,
    monitor: Monitor,
    /// Firewalls in front of members may know no other address.
    source: Vec<IpAddr>,
    /// The member expects a PROXY header on its own port.
    send_proxy: Option<ProxyVersion>,
    tls: Option<Arc<ClientTls>>,
}

impl Target {
    fn new(
        member: &Arc<MemberState>,
        monitor: &Monitor,
        pool: &Pool,
        tls: Option<Arc<ClientTls>>,
    ) -> Self {
        Self {
            member: Arc::clone(member),
            monitor: monitor.clone(),
            source: pool.source.clone(),
            send_proxy: pool.send_proxy.filter(|_| monitor.port.is_none()),
            tls,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.member.node, &other.member.node)
            && self.monitor == other.monitor
            && self.source == other.source
            && self.send_proxy == other.send_proxy
            // A reload reads certificate files anew.
            && match (&self.tls, &other.tls) {
                (None, None) => true,
                (Some(tls), Some(other)) => Arc::ptr_eq(tls, other),
                _ => false,
            }
            && Arc::ptr_eq(&self.member.counters, &other.member.counters)
    }
}

impl Probes {
    /// Starts, restarts and stops probes so that they fit the topology. A member whose monitor
    /// and address stay goes on at its own rhythm.
    pub(crate) fn apply(&mut self, shared: &Arc<Shared>, topology: &Topology) {
        let mut before = std::mem::take(&mut self.running);
        for pool in &topology.pools {
            let Some(monitor) = &pool.config.monitor else { continue };
            for member in &pool.members {
                let target = Target::new(member, monitor, &pool.config, pool.monitor_tls.clone());
                let kept =
                    before.remove(&member.id).filter(|running| running.target.is_same(&target));
                let running = kept.unwrap_or_else(|| {
                    let target = Arc::new(target);
                    let task = tokio::spawn(watch(Arc::clone(shared), Arc::clone(&target)));
                    Running { target, task: task.abort_handle() }
                });
                self.running.insert(member.id, running);
            }
        }
        for (_, gone) in before {
            gone.task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Probes one member for ever: at once, then at its interval, or sooner when a client could not
/// connect.
async fn watch(shared: Arc<Shared>, target: Arc<Target>) {
    let Target { member, monitor, .. } = &*target;
    let mut jitter = Jitter::new(&member.name);
    loop {
        let began = Instant::now();
        let result = attempt(&target).await;
        if began.elapsed() < monitor.timeout + LATE {
            report(&shared, member, result, began.elapsed());
        }
        let view = shared.balancer().member(member.id);
        let up = view.is_some_and(|view| view.health == Health::Up);
        let interval = match monitor.interval_down {
            Some(interval) if !up => interval,
            _ => monitor.interval,
        };
        tokio::time::sleep(HURRY_PAUSE.min(interval)).await;
        tokio::select! {
            () = tokio::time::sleep_until(began + jitter.apply(interval)) => {}
            () = member.probe_now.notified() => {}
        }
    }
}

fn report(
    shared: &Shared,
    member: &MemberState,
    result: Result<Verdict, Failure>,
    duration: Duration,
) {
    let failure = result.as_ref().err().map(Failure::kind);
    let (version, webserver_address) = match &result {
        Ok(verdict) => (verdict.version.clone(), verdict.webserver_address.clone()),
        Err(_) => (None, None),
    };
    let (outcome, reason) = match result {
        Ok(Verdict { state: State::Alive, .. }) => {
            (ProbeOutcome::Passed, "probe passed".to_owned())
        }
        Ok(Verdict { state: State::Quiescing, .. }) => {
            (ProbeOutcome::Quiescing, "the coordinator says it is shutting down".to_owned())
        }
        Err(failure) => {
            let reason = wording::in_words(&format_args!("probe failed: {failure}"));
            (ProbeOutcome::Failed, reason)
        }
    };
    if outcome == ProbeOutcome::Failed {
        tracing::trace!(member = %member.name, reason, "probe failed");
    }
    member.counters.probed(ProbeResult {
        at: Timestamp::now(),
        duration,
        passed: outcome != ProbeOutcome::Failed,
        failure,
        result: reason.clone(),
        version,
        webserver_address,
    });
    let change = shared.balancer().probed(member.id, outcome, shared.now());
    if let Some(change) = change {
        shared.health_changed(&change, &reason);
    }
}

async fn attempt(target: &Target) -> Result<Verdict, Failure> {
    let Target { member, monitor, .. } = target;
    let mut to = member.address().ok_or(Failure::Unresolved)?;
    if let Some(port) = monitor.port {
        to.set_port(port);
    }
    let from = target.source.iter().copied().find(|source| source.is_ipv4() == to.is_ipv4());
    let dial = Dial { to, from, transparent: None, keepalive: None, user_timeout: None };
    let limit = monitor.timeout;
    let Some(mut conversation) = conversation(monitor, &to.to_string()) else {
        let alive = Verdict { state: State::Alive, version: None, webserver_address: None };
        return match timeout(limit, open(target, &dial)).await {
            Ok(result) => result.map(|_| alive),
            Err(_) => Err(Failure::ConnectTimedOut(limit)),
        };
    };
    match timeout(limit, converse(target, &dial, conversation.as_mut())).await {
        Ok(result) => result,
        Err(_) => {
            let answer = ProbeError::Silent { during: conversation.stage() };
            Err(Failure::TimedOut { answer, limit })
        }
    }
}

/// A connection that is ready for the probe's own bytes.
async fn open(target: &Target, dial: &Dial<'_>) -> Result<Endpoint, Failure> {
    let stream = socket::connect(dial).await.map_err(Failure::Connect)?;
    if let Some(version) = target.send_proxy {
        // A header that says the connection is the gateway's own.
        let mut header = Vec::new();
        proxy_header::write_local(wire_version(version), &mut header);
        stream.write_all(&header).await.map_err(Failure::Connect)?;
    }
    match &target.tls {
        None => Ok(Endpoint::Plain(stream)),
        Some(tls) => {
            let tls = tls.connect(stream, &target.member.node.host).await.map_err(Failure::Tls)?;
            Ok(Endpoint::Tls(Box::new(tls)))
        }
    }
}

/// `None`: it is enough that the port opens.
fn conversation(monitor: &Monitor, host: &str) -> Option<Box<dyn Conversation + Send + Sync>> {
    Some(match &monitor.probe {
        Probe::Tcp => return None,
        Probe::Http { path, host: named, status } => {
            let status = status.iter().map(|range| range.first..=range.last).collect();
            Box::new(HttpProbe::new(named.as_deref().unwrap_or(host), path, status))
        }
        Probe::Healthz => Box::new(HealthzProbe::new(host)),
        Probe::Hs2(login) => Box::new(Hs2Probe::new(wire_login(login))),
        Probe::Beeswax(login) => Box::new(BeeswaxProbe::new(wire_login(login))),
        Probe::Hs2Http { login, path } => {
            Box::new(Hs2HttpProbe::new(wire_login(login), host, path))
        }
    })
}

fn wire_login(login: &Login) -> wire::Login {
    match login {
        Login::None { user } => wire::Login::None { user: user.clone() },
        Login::Plain { user, password } => {
            wire::Login::Plain { user: user.clone(), password: password.reveal().to_owned() }
        }
    }
}

async fn converse(
    target: &Target,
    dial: &Dial<'_>,
    conversation: &mut (dyn Conversation + Send + Sync),
) -> Result<Verdict, Failure> {
    let mut endpoint = open(target, dial).await?;
    let mut send = conversation.start();
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        let stage = |error| Failure::Io { stage: conversation.stage().to_string(), error };
        endpoint.write_all(&send).await.map_err(stage)?;
        send.clear();
        match receive(&mut endpoint, conversation, &mut buffer).await? {
            Progress::NeedMore => {}
            Progress::Send(bytes) => send = bytes,
            Progress::Reconnect { send: bytes } => {
                endpoint = open(target, dial).await?;
                send = bytes;
            }
            Progress::Done(verdict) => return Ok(verdict),
        }
    }
}

async fn receive(
    endpoint: &mut Endpoint,
    conversation: &mut (dyn Conversation + Send + Sync),
    buffer: &mut [u8],
) -> Result<Progress, Failure> {
    match endpoint.read(buffer).await {
        Ok(0) => conversation.closed().map_err(Failure::Answer),
        Ok(n) => conversation.receive(&buffer[..n]).map_err(Failure::Answer),
        Err(error) => match conversation.closed() {
            Ok(progress) => Ok(progress),
            Err(_) => Err(Failure::Io { stage: conversation.stage().to_string(), error }),
        },
    }
}

/// Spreads intervals by up to a tenth either way, so that many members and many gateways do not
/// probe in step. Not random in any stronger sense.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// Another rhythm for each name.
    pub(crate) fn new(name: &str) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        name.hash(&mut hasher);
        Self(u64::from(std::process::id()) << 32 ^ hasher.finish() | 1)
    }

    pub(crate) fn apply(&mut self, interval: Duration) -> Duration {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let tenth = f64::from((self.0 >> 32) as u32) / f64::from(u32::MAX) * 0.2 - 0.1;
        interval.mul_f64(1.0 + tenth)
    }
}
