//! A client's own connections to members: each is authenticated as that client and never lent to
//! another.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use oxpecker_balance::spec::{MemberId, TableId};
use oxpecker_wire::sasl::{self, Status};
use tokio::time::timeout;

use super::link::Link;
use super::place::Place;
use crate::connection::{Session, establish};
use crate::endpoint::Endpoint;
use crate::record::Close;
use crate::state::{MemberState, PoolState, Shared};

/// A coordinator's words about a log-in are short.
const REFUSAL_BYTES_MAX: u32 = 16 * 1024;
/// Challenges before a PLAIN log-in is over; none is usual.
const CHALLENGES_MAX: usize = 4;

/// What a client logged in with, for the coordinators that its handles lead to.
pub(crate) struct Credentials {
    user: Box<str>,
    /// As PLAIN sends them, without an authorization identity.
    response: Box<[u8]>,
}

impl Credentials {
    pub(super) fn plain(user: &str, password: &str) -> Result<Self, sasl::NulInCredentials> {
        let response = sasl::plain_response(user, password)?.into();
        Ok(Self { user: user.into(), response })
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }
}

/// Why a member does not let a client in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    /// In the coordinator's words, or none: Impala just closes.
    #[error("the coordinator refused the log-in: {0}")]
    Refused(String),
    #[error("no answer to the log-in within {0:?}")]
    TimedOut(Duration),
    #[error("the coordinator's answer to the log-in is no SASL")]
    NotSasl,
    #[error("the connection broke during the log-in: {0}")]
    Io(#[from] io::Error),
}

/// Counts at its member until it drops.
struct Lease {
    shared: Arc<Shared>,
    pool: Arc<PoolState>,
    member: MemberId,
    persisted: Option<(TableId, IpAddr)>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.balancer().release(self.member, now, self.persisted);
        self.pool.queue.first_may_try();
    }
}

/// A connection to a member.
pub(super) struct Line {
    pub(super) link: Link,
    pub(super) member: Arc<MemberState>,
    pub(super) place: Place,
    /// HTTP: whom it was opened for, and the coordinator's cookie for them.
    pub(super) identity: Box<[u8]>,
    pub(super) cookie: Vec<u8>,
    /// The coordinator answers nothing more on it.
    pub(super) is_spent: bool,
    pub(super) debt: Debt,
    lease: Lease,
}

/// What a coordinator still has to send on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Debt {
    Nothing,
    /// A whole reply, to a call that it has in whole.
    Reply,
    /// Some part of a message is on its way.
    Part,
}

impl Line {
    /// To a member that the balancer chooses, but none of `session.tried` while there is another.
    pub(super) async fn to_any(session: &mut Session, client: &Link) -> Result<Self, Close> {
        let stream = client.endpoint().stream();
        let endpoint = match establish::connect_some_member(session, stream).await {
            Ok(endpoint) => endpoint,
            Err(close) => {
                session.release();
                return Err(close);
            }
        };
        let member = session.last_member.clone().ok_or(Close::NoUsableMember)?;
        let persisted = session.policy.table.map(|table| (table, session.client_ip()));
        // From here on it counts as long as this line lives, not as long as the client.
        session.lease = None;
        Ok(Self::new(session, endpoint, member, persisted))
    }

    /// To this member, because nobody else knows what it does.
    pub(super) async fn to(
        session: &mut Session,
        member: Arc<MemberState>,
        client: &Link,
    ) -> Result<Self, Close> {
        let shared = &session.worker.shared;
        if shared.balancer().attach(member.id).is_none() {
            return Err(Close::NoUsableMember);
        }
        let lease = Lease {
            shared: Arc::clone(shared),
            pool: Arc::clone(&session.pool),
            member: member.id,
            persisted: None,
        };
        let stream = client.endpoint().stream();
        let endpoint = establish::connect_member(session, stream, &member).await?;
        Ok(Self::counted(endpoint, member, lease))
    }

    fn new(
        session: &Session,
        endpoint: Endpoint,
        member: Arc<MemberState>,
        persisted: Option<(TableId, IpAddr)>,
    ) -> Self {
        let lease = Lease {
            shared: Arc::clone(&session.worker.shared),
            pool: Arc::clone(&session.pool),
            member: member.id,
            persisted,
        };
        // A member that goes down takes its line with it, not the client.
        session.registered.conn.set_guest_of(member.id);
        Self::counted(endpoint, member, lease)
    }

    fn counted(endpoint: Endpoint, member: Arc<MemberState>, lease: Lease) -> Self {
        let place = Place::of(&member);
        let link = Link::new(endpoint);
        Self {
            link,
            member,
            place,
            identity: Box::new([]),
            cookie: Vec::new(),
            is_spent: false,
            debt: Debt::Nothing,
            lease,
        }
    }

    /// Without its client, and without counting at its member any more.
    pub(super) fn keep<K>(self, kept: impl FnOnce(Link) -> K) -> K {
        kept(self.link)
    }

    /// For a relay that goes on without looking; the last part keeps it counted.
    pub(super) fn into_parts(self) -> (Endpoint, Vec<u8>, impl Sized) {
        let (endpoint, rest) = self.link.into_parts();
        (endpoint, rest, self.lease)
    }

    /// Logs in as the client did. Afterwards messages travel in SASL frames.
    pub(super) async fn log_in(
        &mut self,
        credentials: &Credentials,
        patience: Duration,
    ) -> Result<(), LoginError> {
        log_in(&mut self.link, credentials, patience).await
    }
}

/// Logs a new connection in. Afterwards messages travel in SASL frames.
pub(super) async fn log_in(
    link: &mut Link,
    credentials: &Credentials,
    patience: Duration,
) -> Result<(), LoginError> {
    let mut greeting = Vec::new();
    sasl::write_negotiation(Status::Start, sasl::MECHANISM_PLAIN.as_bytes(), &mut greeting);
    sasl::write_negotiation(Status::Ok, &credentials.response, &mut greeting);
    link.queue_bare(&greeting);
    match timeout(patience, negotiate(link)).await {
        Ok(result) => result,
        Err(_) => Err(LoginError::TimedOut(patience)),
    }
}

async fn negotiate(link: &mut Link) -> Result<(), LoginError> {
    link.flush().await?;
    for _ in 0..CHALLENGES_MAX {
        let (status, length) = loop {
            if let Some(header) = sasl::read_negotiation_header(link.received()) {
                break header;
            }
            if link.fill().await? == 0 {
                return Err(LoginError::Refused("it closed the connection".into()));
            }
        };
        if length > REFUSAL_BYTES_MAX {
            return Err(LoginError::NotSasl);
        }
        let whole = sasl::NEGOTIATION_HEADER_SIZE + length as usize;
        while link.received().len() < whole {
            if link.fill().await? == 0 {
                return Err(LoginError::Refused("it closed the connection".into()));
            }
        }
        let payload = &link.received()[sasl::NEGOTIATION_HEADER_SIZE..whole];
        let text = String::from_utf8_lossy(payload).into_owned();
        link.skip(whole);
        match Status::from_byte(status) {
            Some(Status::Complete) => {
                link.use_sasl_frames();
                return Ok(());
            }
            Some(Status::Ok) => {}
            Some(Status::Bad | Status::Error) => return Err(LoginError::Refused(text)),
            Some(Status::Start) | None => return Err(LoginError::NotSasl),
        }
    }
    Err(LoginError::NotSasl)
}
