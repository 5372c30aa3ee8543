//! TLS of a client before a member is chosen: ended here, or looked at as it passes.

use std::future::poll_fn;
use std::sync::Arc;

use oxpecker_wire::client_hello::{self, ClientHello, Parsed};
use rustls::ServerConfig;
use tokio::time::timeout;

use super::Session;
use crate::endpoint::Endpoint;
use crate::record::{Close, TlsFacts};
use crate::socket::Stream;
use crate::tls::{self, TlsStream};

/// Whatever the virtual server wants done. `client` is empty afterwards if its handshake failed.
pub(super) async fn meet(
    session: &mut Session,
    client: &mut Option<Endpoint>,
) -> Result<(), Close> {
    if session.policy.config.sni_peek {
        match client.take() {
            Some(Endpoint::Plain(stream)) => {
                *client = Some(Endpoint::Plain(peek(session, stream).await?));
            }
            other => *client = other,
        }
    }
    accept(session, client).await
}

/// Finds out which server the client wants, without taking a byte. Whoever speaks no TLS, or
/// not in time, gets the virtual server's own pool.
async fn peek(session: &mut Session, client: Stream) -> Result<Stream, Close> {
    let patience = session.policy.config.protocol_profile.handshake_timeout;
    let name = match timeout(patience, read_hello(&client)).await {
        Ok(Some(ClientHello { server_name: Some(name), .. })) => name,
        Ok(Some(_) | None) => return Ok(client),
        // The member is to see what has come.
        Err(_) => return client.announced_anew().map_err(|_| Close::NoResources),
    };
    if let Some(pool) = session.policy.pool_for(&name) {
        session.pool = Arc::clone(pool);
    }
    session.particulars().tls = Some(TlsFacts::passed_through(name));
    Ok(client)
}

async fn read_hello(client: &Stream) -> Option<ClientHello> {
    let mut buffer = vec![0; client_hello::LENGTH_MAX];
    let mut seen = 0;
    while seen < buffer.len() {
        seen = client.peek_beyond(seen, &mut buffer).await.ok()?;
        match client_hello::parse(&buffer[..seen]) {
            Ok(Parsed::Complete(hello)) => return Some(hello),
            Ok(Parsed::Incomplete) => {}
            Err(_) => return None,
        }
    }
    None
}

/// How to answer a certificate authority that looks whether a name is ours, if this is one.
async fn challenge(session: &Session, client: &Stream) -> Option<Arc<ServerConfig>> {
    let challenges = &session.worker.shared.challenges;
    // Nearly always so, and then nobody has to look.
    if !challenges.await_handshakes() {
        return None;
    }
    let hello = read_hello(client).await.filter(|hello| hello.is_acme_challenge)?;
    challenges.handshake(&hello.server_name?)
}

/// Completes the handshake as the virtual server's profile says.
async fn accept(session: &mut Session, client: &mut Option<Endpoint>) -> Result<(), Close> {
    let policy = Arc::clone(&session.policy);
    let Some(server) = &policy.tls.server else { return Ok(()) };
    if policy.tls.rate.as_ref().is_some_and(|rate| !rate.allows(session.client_ip())) {
        return Err(Close::TooManyHandshakes);
    }
    let Some(Endpoint::Plain(stream)) = client.take() else { return Err(Close::TlsFailed) };
    let patience = policy.config.protocol_profile.handshake_timeout;
    let result = async {
        // Whoever comes and goes without a byte, as probes do, has failed nothing.
        if !stream.peek_readable().await.unwrap_or(false) {
            return Ok(None);
        }
        let challenge = challenge(session, &stream).await;
        let config = challenge.as_ref().unwrap_or(&server.config);
        let mut tls = TlsStream::server(stream, Arc::clone(config))?;
        tls.handshake().await?;
        if challenge.is_some() {
            // The certificate was all that it wanted; nothing is relayed with this one.
            poll_fn(|cx| tls.poll_shutdown(cx)).await?;
        }
        Ok(Some((tls, challenge.is_some())))
    };
    let failed = match timeout(patience, result).await {
        Ok(Ok(None)) => return Err(Close::ClientGoneEarly),
        Ok(Ok(Some((tls, is_challenge)))) => {
            session.particulars().tls = Some(TlsFacts::of(&tls));
            if is_challenge {
                return Err(Close::ChallengeAnswered);
            }
            *client = Some(Endpoint::Tls(Box::new(tls)));
            return Ok(());
        }
        Ok(Err(error)) => tls::explain(&error),
        Err(_) => format!("not complete within {patience:?}"),
    };
    tracing::debug!(
        client = %session.client(), virtual_server = %policy.config.name, reason = failed,
        "TLS handshake with a client failed"
    );
    Err(Close::TlsFailed)
}
