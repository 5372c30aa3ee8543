//! Calls that the gateway makes on a client's behalf, beside the client's own connections: cancel
//! an operation, close a session.

use std::sync::Arc;
use std::time::Duration;

use oxpecker_wire::answer;
use oxpecker_wire::proxy_header;
use oxpecker_wire::scan::ReplyScanner;
use oxpecker_wire::scan::method::Dialect;
use tokio::time::timeout;

use super::access::Access;
use super::exchange::until_end;
use super::http::{self, Request};
use super::line;
use super::link::{Link, Patience, pump};
use super::registry::Session;
use crate::convert::wire_version;
use crate::endpoint::Endpoint;
use crate::socket::{self, Dial};
use crate::state::{MemberState, PoolState, Shared, VirtualState};

/// For all of an errand.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why nobody heard of an errand, or refused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrandError {
    #[error(
        "only the client itself can log in to its coordinator (Kerberos): cancel it on the \
         coordinator's web page"
    )]
    ClientOnly,
    #[error(
        "the client is not connected now, and its password is not kept: cancel it on the \
         coordinator's web page"
    )]
    ClientAway,
    #[error("the gateway has not seen its secret")]
    NoSecret,
    #[error("coordinator `{0}` is not configured any more")]
    NotConfigured(String),
    #[error("the coordinator cannot be reached: {0}")]
    Unreachable(String),
    #[error("the coordinator gave no answer")]
    NoAnswer,
    /// In the coordinator's words.
    #[error("the coordinator refused: {0}")]
    Refused(String),
}

/// What the coordinator made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// It does not know the handle.
    Unknown,
}

/// Makes a call at the session's coordinator, as the session's client.
pub(super) async fn run(
    shared: &Shared,
    session: &Session,
    dialect: Dialect,
    call: &[u8],
) -> Result<Answer, ErrandError> {
    let work = async {
        let mut replies = ReplyScanner::new(dialect);
        put(shared, session, call, &mut replies).await?;
        let reply = replies.reply();
        if !reply.is_error() {
            return Ok(Answer::Done);
        }
        if answer::is_unknown_handle(reply.error.kept()) {
            return Ok(Answer::Unknown);
        }
        let text = String::from_utf8_lossy(reply.error.kept());
        Err(ErrandError::Refused(text.trim().to_owned()))
    };
    timeout(PATIENCE, work).await.unwrap_or(Err(ErrandError::NoAnswer))
}

async fn put(
    shared: &Shared,
    session: &Session,
    call: &[u8],
    replies: &mut ReplyScanner,
) -> Result<(), ErrandError> {
    if let Some(kept) = session.kept_line() {
        let mut line = kept.lock().await;
        return line.ask(call, replies).await.map_err(|_| ErrandError::NoAnswer);
    }
    let access = session.access().ok_or(ErrandError::ClientAway)?;
    if matches!(access, Access::ClientOnly) {
        return Err(ErrandError::ClientOnly);
    }
    let unknown = || ErrandError::NotConfigured(session.place.to_string());
    let topology = shared.topology();
    let policy = topology.virtuals.iter().find(|v| *v.config.name == *session.virtual_server);
    let policy = policy.ok_or_else(unknown)?;
    let member = session.place.member(&policy.pool).ok_or_else(unknown)?;
    let mut link = open(policy, &policy.pool, &member).await.map_err(ErrandError::Unreachable)?;
    let request = match &access {
        Access::Plain(credentials) => {
            let patience = policy.config.protocol_profile.handshake_timeout;
            let result = line::log_in(&mut link, credentials, patience).await;
            result.map_err(|error| ErrandError::Unreachable(error.to_string()))?;
            None
        }
        Access::Http(request) => Some(Arc::clone(request)),
        Access::Bare | Access::ClientOnly => None,
    };
    let asked = ask(&mut link, request.as_deref(), b"", call, replies).await;
    asked.map_err(|_| ErrandError::NoAnswer)
}

/// A connection of the gateway's own, ready for a client's log-in.
async fn open(
    policy: &VirtualState,
    pool: &PoolState,
    member: &MemberState,
) -> Result<Link, String> {
    let to = member.address().ok_or("its node's name was never resolved")?;
    let from = pool.config.source.iter().copied().find(|from| from.is_ipv4() == to.is_ipv4());
    let dial = Dial { to, from, transparent: None, keepalive: None, user_timeout: None };
    let stream = match timeout(pool.config.connect_timeout, socket::connect(&dial)).await {
        Ok(result) => result.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("not connected within {:?}", pool.config.connect_timeout)),
    };
    if let Some(version) = pool.config.send_proxy {
        // A header that says the connection is the gateway's own.
        let mut header = Vec::new();
        proxy_header::write_local(wire_version(version), &mut header);
        stream.write_all(&header).await.map_err(|error| error.to_string())?;
    }
    let endpoint = match &policy.tls.client {
        None => Endpoint::Plain(stream),
        Some(tls) => Endpoint::Tls(Box::new(tls.connect(stream, &member.node.host).await?)),
    };
    Ok(Link::new(endpoint))
}

/// There was no answer that can be read, or the line ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoReply {
    /// Over HTTP: the coordinator does not believe who it is.
    NotLoggedIn,
    Other,
}

/// Puts a call of our own and reads its reply. Whoever calls has an eye on the time.
pub(super) async fn ask(
    link: &mut Link,
    request: Option<&Request>,
    cookie: &[u8],
    call: &[u8],
    replies: &mut ReplyScanner,
) -> Result<(), NoReply> {
    if let Some(request) = request {
        request.queue_alone(link, call.len(), cookie);
    }
    link.queue(call);
    link.flush().await.map_err(|_| NoReply::Other)?;
    if request.is_some() {
        let response = http::read_response(link).await.map_err(|_| NoReply::Other)?;
        if response.status == http::UNAUTHORIZED {
            return Err(NoReply::NotLoggedIn);
        }
        if response.status != http::OK || response.closes {
            return Err(NoReply::Other);
        }
    }
    hear(link, replies).await
}

/// Reads a reply to its end.
pub(super) async fn hear(link: &mut Link, replies: &mut ReplyScanner) -> Result<(), NoReply> {
    let mut feed = |bytes: &[u8]| until_end(bytes, |bytes| replies.feed(bytes));
    let read = pump(link, None, Patience::ENDLESS, &mut feed).await;
    read.map_err(|_| NoReply::Other)?;
    match http::drain(link).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(NoReply::Other),
    }
}
