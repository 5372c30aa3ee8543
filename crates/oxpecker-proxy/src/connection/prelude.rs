//! PROXY headers: received from a balancer in front of us, sent to a member behind us.

use std::io;
use std::net::SocketAddr;

use oxpecker_config::model::ProxyVersion;
use oxpecker_wire::proxy_header::{self, Parsed};
use tokio::time::timeout;

use super::Session;
use crate::convert::wire_version;
use crate::record::{ClientAddr, Close};
use crate::socket::Stream;

/// Takes exactly the header off the stream and believes what it says of the client.
pub(super) async fn receive(session: &mut Session, client: &Stream) -> Result<(), Close> {
    let networks = session.policy.config.accept_proxy.as_deref().unwrap_or_default();
    if let ClientAddr::Ip(_) = session.client()
        && !networks.iter().any(|net| net.contains(&session.client_ip()))
    {
        return Err(Close::Denied);
    }
    let patience = session.policy.config.protocol_profile.handshake_timeout;
    match timeout(patience, read_header(client)).await {
        Ok(Ok(Parsed::Complete { source, destination, .. })) => {
            if let Some(source) = source {
                session.registered.conn.set_client(ClientAddr::Ip(source));
            }
            if destination.is_some() {
                session.particulars().destination = destination;
            }
            Ok(())
        }
        Ok(Ok(Parsed::Incomplete { .. })) | Err(_) => Err(Close::BadPrelude),
        Ok(Err(error)) => {
            tracing::debug!(client = %session.client(), %error, "bad PROXY header");
            Err(Close::BadPrelude)
        }
    }
}

/// Looks before it takes: a byte behind the header belongs to the member.
async fn read_header(client: &Stream) -> io::Result<Parsed> {
    let mut buffer = vec![0; proxy_header::LENGTH_MAX_V2];
    let mut seen = 0;
    loop {
        seen = client.peek_beyond(seen, &mut buffer).await?;
        match proxy_header::parse(&buffer[..seen]).map_err(io::Error::other)? {
            Parsed::Incomplete { .. } => {}
            complete @ Parsed::Complete { length, .. } => {
                let mut taken = 0;
                while taken < length {
                    taken += client.read(&mut buffer[taken..length]).await?;
                }
                return Ok(complete);
            }
        }
    }
}

pub(super) async fn send(
    session: &Session,
    client: &Stream,
    member: &Stream,
    version: ProxyVersion,
) -> io::Result<()> {
    let version = wire_version(version);
    let mut header = Vec::new();
    match session.client() {
        ClientAddr::Ip(source) => {
            let local = || client.socket().local_addr().ok()?.as_socket();
            let named =
                session.particulars.as_ref().and_then(|particulars| particulars.destination);
            let destination = named.or_else(local);
            let destination = destination.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
            proxy_header::write(version, source, destination, &mut header);
        }
        // There is no address to tell.
        ClientAddr::Unix => proxy_header::write_local(version, &mut header),
    }
    member.write_all(&header).await
}
