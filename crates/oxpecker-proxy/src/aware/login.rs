//! How a client begins: bare Thrift, SASL PLAIN, or something that is not for us to read.

use std::time::Duration;

use oxpecker_wire::sasl::{self, Status};
use tokio::time::timeout;

use super::line::{Credentials, Line, LoginError};
use super::link::Link;
use crate::connection::Session;
use crate::record::Close;

/// The longest name that SASL allows is 20 bytes.
const MECHANISM_BYTES_MAX: u32 = 64;
/// Passwords may be tokens; nobody's is longer.
const RESPONSE_BYTES_MAX: u32 = 64 * 1024;

/// How a client began.
pub(super) enum Login {
    None(Link),
    Plain {
        client: Link,
        credentials: Credentials,
        line: Box<Line>,
    },
    /// Another mechanism; `first` is all that was received.
    Other {
        client: Link,
        first: Vec<u8>,
    },
}

/// Finds out, and logs a client with PLAIN in to a member, so that a refusal comes when the client
/// expects one.
pub(super) async fn meet(session: &mut Session, mut client: Link) -> Result<Login, Close> {
    // Whoever comes and goes without a byte, as probes do, costs no member anything. A pooled
    // connection may also wait for its first call.
    let idle = session.policy.config.protocol_profile.idle_timeout;
    let first = match idle {
        Some(idle) => timeout(idle, client.fill()).await.map_err(|_| Close::IdleTimeout)?,
        None => client.fill().await,
    };
    match first {
        Ok(0) => return Err(Close::Finished),
        Ok(_) => {}
        Err(_) => return Err(Close::ClientGone { last_data: false }),
    }
    if client.received().first() != Some(&(Status::Start as u8)) {
        return Ok(Login::None(client));
    }
    let patience = session.policy.config.protocol_profile.handshake_timeout;
    let negotiated = match timeout(patience, negotiate(&mut client)).await {
        Ok(negotiated) => negotiated?,
        Err(_) => return Err(Close::ClientTimeout),
    };
    match negotiated {
        Negotiated::Other => {
            let first = client.received().to_vec();
            client.skip(first.len());
            Ok(Login::Other { client, first })
        }
        Negotiated::Plain(response) => log_in(session, client, &response, patience).await,
    }
}

enum Negotiated {
    /// Nothing was used up.
    Other,
    Plain(Vec<u8>),
}

async fn negotiate(client: &mut Link) -> Result<Negotiated, Close> {
    let mechanism_end = frame(client, 0, MECHANISM_BYTES_MAX).await?;
    let Some(mechanism_end) = mechanism_end else { return Ok(Negotiated::Other) };
    let mechanism = &client.received()[sasl::NEGOTIATION_HEADER_SIZE..mechanism_end];
    if mechanism != sasl::MECHANISM_PLAIN.as_bytes() {
        return Ok(Negotiated::Other);
    }
    let end = frame(client, mechanism_end, RESPONSE_BYTES_MAX).await?;
    let Some(end) = end else { return Err(Close::Unreadable) };
    let begin = mechanism_end + sasl::NEGOTIATION_HEADER_SIZE;
    let response = client.received()[begin..end].to_vec();
    client.skip(end);
    Ok(Negotiated::Plain(response))
}

/// Waits for the negotiation frame at `at`; where it ends. `None`: it is too long to be one.
async fn frame(client: &mut Link, at: usize, bytes_max: u32) -> Result<Option<usize>, Close> {
    loop {
        let received = client.received().get(at..).unwrap_or_default();
        if let Some((_, length)) = sasl::read_negotiation_header(received) {
            if length > bytes_max {
                return Ok(None);
            }
            let whole = sasl::NEGOTIATION_HEADER_SIZE + length as usize;
            if received.len() >= whole {
                return Ok(Some(at + whole));
            }
        }
        match client.fill().await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(Close::ClientGone { last_data: false }),
        }
    }
}

async fn log_in(
    session: &mut Session,
    mut client: Link,
    response: &[u8],
    patience: Duration,
) -> Result<Login, Close> {
    let (user, password) = match sasl::read_plain_response(response) {
        Ok(parts) => parts,
        Err(fault) => return refuse(client, &fault.to_string()).await,
    };
    let Ok(credentials) = Credentials::plain(user, password) else {
        return refuse(client, "the PLAIN response is malformed").await;
    };
    session.particulars().tried.clear();
    let mut attempts_left = session.pool.config.retries;
    loop {
        let mut line = match Line::to_any(session, &client).await {
            Ok(line) => line,
            Err(close @ (Close::ClientGoneEarly | Close::ClientLeftQueue)) => return Err(close),
            Err(_) => return refuse(client, "no coordinator is available").await,
        };
        match line.log_in(&credentials, patience).await {
            Ok(()) => {
                let mut complete = Vec::new();
                sasl::write_negotiation(Status::Complete, b"", &mut complete);
                client.queue_bare(&complete);
                client.use_sasl_frames();
                if client.flush().await.is_err() {
                    return Err(Close::ClientGone { last_data: false });
                }
                return Ok(Login::Plain { client, credentials, line: Box::new(line) });
            }
            Err(error @ (LoginError::Refused(_) | LoginError::NotSasl)) => {
                tracing::debug!(
                    client = %session.client(), member = %line.member.name, %error,
                    "a client's log-in failed"
                );
                return refuse(client, &error.to_string()).await;
            }
            // It may be on its way out; nothing was accepted, so another may be tried.
            Err(LoginError::TimedOut(_) | LoginError::Io(_)) => {
                if attempts_left == 0 {
                    return refuse(client, "no coordinator is available").await;
                }
                attempts_left -= 1;
                session.particulars().tried.push(line.member.id);
            }
        }
    }
}

/// Says why, in the frame that clients show to their users, and ends the connection.
async fn refuse<T>(mut client: Link, text: &str) -> Result<T, Close> {
    let mut bad = Vec::new();
    sasl::write_negotiation(Status::Bad, text.as_bytes(), &mut bad);
    client.queue_bare(&bad);
    // The client learns of the end either way.
    let _ = client.flush().await;
    Err(Close::LoginFailed)
}
