//! From an accepted client to a connected member: who may come, where to, and again elsewhere
//! when that fails. Not one client byte is read here but a PROXY header, so nothing is lost
//! however often a member has to be given up.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oxpecker_balance::balancer::{Choice, Refusal};
use oxpecker_balance::spec::Request;
use oxpecker_config::model::Method;
use tokio::time::{Instant, timeout};

use super::Session;
use super::client_tls;
use super::cut_close;
use super::prelude;
use crate::counters::add;
use crate::endpoint::Endpoint;
use crate::record::{ClientAddr, Close};
use crate::relay::Relay;
use crate::socket::{self, Dial, Stream};
use crate::state::MemberState;
use crate::wording;

/// Pause before the same member is tried again: long enough for a restart to make a difference.
const SAME_MEMBER_PAUSE: Duration = Duration::from_secs(1);

/// Why one attempt to reach one member failed.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("the node's name was never resolved")]
    Unresolved,
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("every local port toward the member is in use")]
    PortsExhausted(#[source] io::Error),
    #[error("no interface of this machine has the source address {0}")]
    ForeignSource(IpAddr),
    #[error("this machine does not permit it: {0}")]
    NotPermitted(io::Error),
    #[error("out of descriptors or memory")]
    Resources(#[source] io::Error),
    #[error("{0}")]
    Io(io::Error),
    #[error("TLS with the member failed: {0}")]
    Tls(String),
}

impl ConnectError {
    /// What an administrator can do about a fault of this machine.
    fn help(&self) -> &'static str {
        match self {
            Self::PortsExhausted(_) => {
                "add addresses to the pool's `source`, or widen net.ipv4.ip_local_port_range"
            }
            Self::ForeignSource(_) => "give it to an interface, or correct the pool's `source`",
            Self::NotPermitted(_) => {
                "`transparent` needs CAP_NET_ADMIN, which a change of user takes away; otherwise \
                 look for a firewall rule"
            }
            Self::Resources(_) => "raise the descriptor limit, or lower `connections_max`",
            Self::Unresolved | Self::TimedOut(_) | Self::Io(_) | Self::Tls(_) => "-",
        }
    }
}

/// Returns a relay that is ready to run, or why there is nothing to relay.
pub(super) async fn establish(session: &mut Session, client: Endpoint) -> Result<Relay, Close> {
    let conn = Arc::clone(&session.registered.conn);
    let mut client = Some(client);
    let result = tokio::select! {
        result = admit_and_connect(session, &mut client) => result,
        cut = conn.cut() => Err(cut_close(cut)),
    };
    match (result, client) {
        (Ok(member), Some(client)) => Ok(Relay::new(client, member)),
        (result, client) => {
            if let Some(client) = client {
                // A clean end would look like an empty answer.
                client.stream().reset_on_close();
            }
            Err(result.err().unwrap_or(Close::TlsFailed))
        }
    }
}

/// Lets a client in without connecting it to anybody.
pub(crate) async fn admit(session: &mut Session, client: Endpoint) -> Result<Endpoint, Close> {
    let mut client = Some(client);
    let result = admit_only(session, &mut client).await;
    match (result, client) {
        (Ok(()), Some(client)) => Ok(client),
        (result, client) => {
            if let Some(client) = client {
                client.stream().reset_on_close();
            }
            Err(result.err().unwrap_or(Close::TlsFailed))
        }
    }
}

/// `client` is empty afterwards if its TLS handshake failed.
async fn admit_only(session: &mut Session, client: &mut Option<Endpoint>) -> Result<(), Close> {
    let Some(stream) = client.as_ref().and_then(Endpoint::plain) else {
        return Err(Close::TlsFailed);
    };
    if session.policy.config.accept_proxy.is_some() {
        prelude::receive(session, stream).await?;
    }
    if !is_allowed(session) {
        return Err(Close::Denied);
    }
    client_tls::meet(session, client).await
}

/// `client` is empty afterwards if its TLS handshake failed.
async fn admit_and_connect(
    session: &mut Session,
    client: &mut Option<Endpoint>,
) -> Result<Endpoint, Close> {
    // Not again when a connection is to go on with another member.
    if session.connected.is_none() {
        admit_only(session, client).await?;
    }
    let Some(client) = client else { return Err(Close::TlsFailed) };
    connect_some_member(session, client.stream()).await
}

fn is_allowed(session: &Session) -> bool {
    let ClientAddr::Ip(_) = session.client() else { return true };
    let ip = session.client_ip();
    let config = &session.policy.config;
    let denied = config.deny.iter().any(|net| net.contains(&ip));
    !denied && (config.allow.is_empty() || config.allow.iter().any(|net| net.contains(&ip)))
}

/// Chooses a member and connects to it, or to another one when that fails. The choice is counted
/// in the session's lease.
pub(crate) async fn connect_some_member(
    session: &mut Session,
    client: &Stream,
) -> Result<Endpoint, Close> {
    let policy = Arc::clone(&session.policy);
    let pool = Arc::clone(&session.pool);
    let mut attempts_left = pool.config.retries;
    loop {
        let lease_is_kept = session.lease.is_some();
        if !lease_is_kept {
            choose(session, client).await?;
        }
        let Some(member) = session.last_member.clone() else { return Err(Close::NoUsableMember) };
        let began = Instant::now();
        let result = reach(session, client, &member).await;
        let shared = Arc::clone(&session.worker.shared);
        let error = match result {
            Ok(endpoint) => {
                let change = shared.balancer().connected(member.id, shared.now());
                if let Some(change) = change {
                    shared.health_changed(&change, "a client connected");
                }
                let took = began.elapsed();
                member.counters.connected(took);
                pool.counters.times.connected(took);
                *session.connected.get_or_insert_default() += began.elapsed();
                tracing::trace!(
                    client = %session.client(), virtual_server = %policy.config.name,
                    member = %member.name, "connected"
                );
                return Ok(endpoint);
            }
            Err(error) => error,
        };
        *session.connected.get_or_insert_default() += began.elapsed();
        tracing::trace!(
            pool = %pool.config.name, member = %member.name, error = %error,
            attempts_left, "failed to connect"
        );
        let close = match &error {
            ConnectError::TimedOut(_) => Close::ConnectTimeout,
            ConnectError::Unresolved | ConnectError::Io(_) | ConnectError::Tls(_) => {
                Close::ConnectFailed
            }
            ConnectError::PortsExhausted(_)
            | ConnectError::ForeignSource(_)
            | ConnectError::NotPermitted(_)
            | ConnectError::Resources(_) => {
                if let Some(held_back) = shared.warnings.own_fault.minute() {
                    tracing::error!(
                        pool = %pool.config.name, member = %member.name, error = %error, held_back,
                        help = error.help(),
                        "no connection to the member could be opened"
                    );
                }
                Close::NoResources
            }
        };
        // Only what says something about the member counts against it.
        if close != Close::NoResources {
            add(&member.counters.connect_failures);
            let change = shared.balancer().connect_failed(member.id, shared.now());
            member.probe_now.notify_one();
            if let Some(change) = change {
                let reason = wording::in_words(&format_args!("clients could not connect: {error}"));
                shared.health_changed(&change, &reason);
            }
        }
        if attempts_left == 0 {
            session.connected = None;
            return Err(close);
        }
        if client.has_left() {
            return Err(Close::ClientGoneEarly);
        }
        attempts_left -= 1;
        session.counts.retries += 1;
        add(&member.counters.retries);
        let seen_before = session.tried().contains(&member.id);
        if pool.config.redispatch {
            session.leave_member();
        }
        if seen_before || !pool.config.redispatch {
            tokio::time::sleep(SAME_MEMBER_PAUSE.min(pool.config.connect_timeout)).await;
        }
    }
}

/// Connects to this member and to no other.
pub(crate) async fn connect_member(
    session: &Session,
    client: &Stream,
    member: &MemberState,
) -> Result<Endpoint, Close> {
    let shared = &session.worker.shared;
    let began = Instant::now();
    let change = match reach(session, client, member).await {
        Ok(endpoint) => {
            let took = began.elapsed();
            member.counters.connected(took);
            session.pool.counters.times.connected(took);
            let change = shared.balancer().connected(member.id, shared.now());
            if let Some(change) = change {
                shared.health_changed(&change, "a client connected");
            }
            return Ok(endpoint);
        }
        Err(
            ConnectError::PortsExhausted(_)
            | ConnectError::ForeignSource(_)
            | ConnectError::NotPermitted(_)
            | ConnectError::Resources(_),
        ) => return Err(Close::NoResources),
        Err(error) => {
            add(&member.counters.connect_failures);
            member.probe_now.notify_one();
            let change = shared.balancer().connect_failed(member.id, shared.now());
            change.map(|change| {
                (change, wording::in_words(&format_args!("clients could not connect: {error}")))
            })
        }
    };
    if let Some((change, reason)) = change {
        shared.health_changed(&change, &reason);
    }
    Err(Close::ConnectFailed)
}

/// Connects to a member, introduces the client, begins TLS: whatever stands before the payload.
async fn reach(
    session: &Session,
    client: &Stream,
    member: &MemberState,
) -> Result<Endpoint, ConnectError> {
    let stream = connect(session, member).await?;
    let policy = &session.policy;
    if let Some(version) = session.pool.config.send_proxy {
        prelude::send(session, client, &stream, version).await.map_err(ConnectError::Io)?;
    }
    let Some(tls) = &policy.tls.client else { return Ok(Endpoint::Plain(stream)) };
    let patience = policy.config.protocol_profile.handshake_timeout;
    let result = match timeout(patience, tls.connect(stream, &member.node.host)).await {
        Ok(result) => result,
        Err(_) => Err(format!("not complete within {patience:?}")),
    };
    match result {
        Ok(tls) => Ok(Endpoint::Tls(Box::new(tls))),
        Err(reason) => {
            add(&member.counters.tls_failures);
            if let Some(held_back) = member.tls_failed.minute() {
                tracing::warn!(
                    pool = %session.pool.config.name, member = %member.name, reason, held_back,
                    "TLS handshake with a member failed"
                );
            }
            Err(ConnectError::Tls(reason))
        }
    }
}

/// Chooses a member, waiting in the pool's queue when all are full.
async fn choose(session: &mut Session, client: &Stream) -> Result<(), Close> {
    let pool = Arc::clone(&session.pool);
    let queue = &pool.queue;
    let began = Instant::now();
    // Newcomers line up behind those who wait already.
    if queue.is_empty() {
        match try_choose(session) {
            Ok(()) => {
                session.queued.get_or_insert_default();
                return Ok(());
            }
            Err(Refusal::AllFull) => {}
            Err(Refusal::NoUsableMember) => return Err(Close::NoUsableMember),
        }
    }
    let config = &pool.config;
    let Ok((_place, ahead)) = queue.enter(config.queue_max) else { return Err(Close::QueueFull) };
    session.counts.queue = ahead;
    let wait = async {
        let first = queue.first().await;
        loop {
            match try_choose(session) {
                Ok(()) => return Ok(()),
                Err(Refusal::AllFull) => first.may_try().await,
                Err(Refusal::NoUsableMember) => return Err(Close::NoUsableMember),
            }
        }
    };
    tokio::select! {
        biased;
        chosen = wait => chosen?,
        () = tokio::time::sleep_until(began + config.queue_timeout) => {
            return Err(Close::QueueTimeout);
        }
        () = client_left(client) => return Err(Close::ClientLeftQueue),
    }
    let waited = began.elapsed();
    queue.waited(waited);
    *session.queued.get_or_insert_default() += waited;
    Ok(())
}

/// Ends when the client closes without having said anything. Once it has sent something its
/// close can no longer be seen without reading, which is the relay's business.
async fn client_left(client: &Stream) {
    match client.peek_readable().await {
        Ok(false) | Err(_) => {}
        Ok(true) => std::future::pending().await,
    }
}

fn try_choose(session: &mut Session) -> Result<(), Refusal> {
    let policy = &session.policy;
    let shared = &session.worker.shared;
    let client = session.client_ip();
    let now = shared.now();
    let request =
        Request { pool: session.pool.id, client, table: policy.table, tried: session.tried(), now };
    let choice = {
        let mut balancer = shared.balancer();
        if session.pool.config.method == Method::LeastOperations {
            for member in &session.pool.members {
                let foreign = member.node.foreign_operations.load(Ordering::Relaxed);
                let own = member.operations.load(Ordering::Relaxed);
                balancer.set_operations(member.id, own.saturating_add(foreign));
            }
        }
        balancer.choose(&request)?
    };
    let Choice { member, load, .. } = choice;
    session.lease = Some(member);
    session.counts.pool = load.pool;
    session.counts.member = load.member;
    if let Some(before) = session.last_member.as_ref().filter(|before| before.id != member) {
        // Given up for another one, not just another one for another session.
        if session.tried().contains(&before.id) {
            add(&before.counters.redispatches);
        }
        session.counts.redispatched = true;
    }
    // A reload may have added the member while this connection kept the pool of before.
    session.last_member = session.pool.member(member).cloned().or_else(|| shared.member(member));
    session.registered.conn.set_member(Some(member));
    let Some(member) = &session.last_member else {
        session.release();
        return Err(Refusal::NoUsableMember);
    };
    member.counters.chosen(now);
    Ok(())
}

async fn connect(session: &Session, member: &MemberState) -> Result<Stream, ConnectError> {
    let to = member.address().ok_or(ConnectError::Unresolved)?;
    let config = &session.pool.config;
    let profile = &session.policy.config.protocol_profile;
    let transparent = match (session.client(), config.transparent) {
        (ClientAddr::Ip(client), true) => Some(SocketAddr::new(client.ip().to_canonical(), 0)),
        _ => None,
    };
    let dial = Dial {
        to,
        from: None,
        transparent,
        keepalive: profile.server_keepalive.as_ref(),
        user_timeout: profile.server_user_timeout,
    };
    match timeout(config.connect_timeout, connect_from(session, dial)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::TimedOut(config.connect_timeout)),
    }
}

/// Tries the source addresses in turn, beginning each time with another one.
async fn connect_from(session: &Session, dial: Dial<'_>) -> Result<Stream, ConnectError> {
    let pool = &session.pool;
    let sources: Vec<IpAddr> = pool
        .config
        .source
        .iter()
        .copied()
        .filter(|source| source.is_ipv4() == dial.to.is_ipv4())
        .collect();
    if sources.is_empty() {
        return socket::connect(&dial).await.map_err(classify);
    }
    let first = pool.source_turn.fetch_add(1, Ordering::Relaxed);
    let mut lacking = None;
    for turn in 0..sources.len() {
        let from = Some(sources[(first.wrapping_add(turn)) % sources.len()]);
        match socket::connect(&Dial { from, ..dial }).await.map_err(classify) {
            Err(ConnectError::PortsExhausted(error)) => {
                lacking = Some(match from {
                    Some(from) if !is_ours(from) => ConnectError::ForeignSource(from),
                    _ => ConnectError::PortsExhausted(error),
                });
            }
            result => return result,
        }
    }
    let unknown = || ConnectError::PortsExhausted(io::ErrorKind::AddrNotAvailable.into());
    Err(lacking.unwrap_or_else(unknown))
}

/// The kernel says the same of a strange address as of an address without a free port.
fn is_ours(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

fn classify(error: io::Error) -> ConnectError {
    use nix::libc::{EACCES, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EPERM};
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    match error.raw_os_error() {
        Some(EADDRNOTAVAIL | EADDRINUSE | EAGAIN) => ConnectError::PortsExhausted(error),
        Some(EPERM | EACCES) => ConnectError::NotPermitted(error),
        Some(EMFILE | ENFILE | ENOBUFS | ENOMEM) => ConnectError::Resources(error),
        _ => ConnectError::Io(error),
    }
}
