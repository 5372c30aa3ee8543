//! Virtual servers that read what passes: sessions, operations, and handles that find their way.
//!
//! Two ways, by how a client begins ([`login`]):
//!
//! - *route* ([`exchange`], [`reach`], [`pass`]): without a log-in, with PLAIN or over [`http`], every call goes to the coordinator
//!   that owns its handle, over a line ([`line`]) that is authenticated as the same client;
//! - *follow* ([`follow`]): with any other mechanism the connection stays with one member and is
//!   read as it passes. What is no Thrift at all is passed on as it is.
//!
//! Deciding is apart from doing: [`route`] says where a call goes, [`tags`] what a handle tells of
//! its coordinator, [`registry`] what is known of sessions and operations; none of them has a
//! socket.

pub(crate) mod abandoned;
mod access;
mod errand;
mod exchange;
mod follow;
mod http;
pub(crate) mod kill;
mod learn;
mod line;
mod link;
mod login;
mod pass;
pub(crate) mod place;
mod query_record;
mod reach;
pub(crate) mod registry;
mod route;
pub(crate) mod tags;

pub use errand::ErrandError;
pub use kill::{KillError, Killed};
pub use registry::{Canceller, OperationEnd, OperationView, SessionView, StatementView};

use oxpecker_config::model::Protocol;
use oxpecker_wire::scan::Dialect;

use crate::connection::{self, Session, establish};
use crate::endpoint::Endpoint;
use crate::record::Close;
use crate::relay::Relay;
use exchange::Exchange;
use follow::Follow;
use line::Line;
use link::Link;
use login::Login;

/// Serves one client to its end.
pub(crate) async fn serve(session: &mut Session, client: Endpoint) -> Close {
    let conn = std::sync::Arc::clone(&session.registered.conn);
    tokio::select! {
        // A relay knows better how to end both of its sides.
        biased;
        close = serve_uncut(session, client) => close,
        cut = conn.cut() => connection::cut_close(cut),
    }
}

async fn serve_uncut(session: &mut Session, client: Endpoint) -> Close {
    let client = match establish::admit(session, client).await {
        Ok(client) => Link::new(client),
        Err(close) => return close,
    };
    let dialect = match session.policy.config.protocol {
        Protocol::Beeswax => Dialect::Beeswax,
        Protocol::Hs2 => Dialect::Hs2,
        Protocol::Hs2Http => {
            let exchange = Exchange::new(session, client, Dialect::Hs2, None, None);
            return exchange.over_http().run().await;
        }
        Protocol::Tcp => return go_on(session, client, &[], None).await,
    };
    match login::meet(session, client).await {
        Ok(Login::None(client)) => Exchange::new(session, client, dialect, None, None).run().await,
        Ok(Login::Plain { client, credentials, line }) => {
            Exchange::new(session, client, dialect, Some(credentials), Some(*line)).run().await
        }
        Ok(Login::Other { client, first }) => {
            let reads = Some(dialect);
            go_on(session, client, &first, reads).await
        }
        Err(close) => close,
    }
}

/// Passes on what comes to a member of the balancer's choice, reading it if there is a dialect.
async fn go_on(
    session: &mut Session,
    client: Link,
    first: &[u8],
    dialect: Option<Dialect>,
) -> Close {
    match Line::to_any(session, &client).await {
        Ok(line) => pass_on(session, client, line, first, dialect).await,
        Err(close) => {
            client.endpoint().stream().reset_on_close();
            close
        }
    }
}

/// Passes everything on as it is, `first` before all else.
async fn pass_on(
    session: &mut Session,
    client: Link,
    mut line: Line,
    first: &[u8],
    dialect: Option<Dialect>,
) -> Close {
    line.link.queue_bare(first);
    if line.link.flush().await.is_err() {
        client.endpoint().stream().reset_on_close();
        return Close::MemberGone;
    }
    let before = (client.bytes_in, client.bytes_out);
    let (client, _) = client.into_parts();
    let place = line.place.clone();
    // Nobody can take it elsewhere: it ends when its member does.
    session.registered.conn.set_member(Some(line.member.id));
    let (member, _, _lease) = line.into_parts();
    let mut relay = Relay::new(client, member);
    let close = match dialect {
        Some(dialect) => {
            let mut follow = Follow::new(session, dialect, place);
            let end = relay.run(&mut follow).await;
            let close = connection::close_of(&end, relay.member_finished());
            follow.is_over(close);
            close
        }
        None => {
            let end = relay.run(session).await;
            connection::close_of(&end, relay.member_finished())
        }
    };
    let (up, down) = relay.totals();
    session.particulars().bytes = (before.0 + up, before.1 + down);
    close
}
