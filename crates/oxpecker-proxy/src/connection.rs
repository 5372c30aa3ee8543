//! One client connection's life: prelude, choice of a member, connect, relay, record.

mod client_tls;
pub(crate) mod establish;
mod prelude;
pub(crate) mod registry;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use oxpecker_balance::balancer::Load;
use oxpecker_balance::spec::MemberId;
use oxpecker_config::model::Protocol;
use tokio::time::Instant;

use crate::aware;
use crate::control::EndingView;
use crate::counters::Moved;
use crate::endpoint::Endpoint;
use crate::limit::Permit;
use crate::record::{ClientAddr, Close, Counts, Record, TlsFacts};
use crate::relay::{End, Patience, Relay, Watch};
use crate::socket::Stream;
use crate::state::{MemberState, PoolState, VirtualState};
use crate::worker::Worker;
use registry::{Cut, Registered};

/// A connection that was accepted and has its place within the limits.
pub(crate) struct Newcomer {
    pub(crate) stream: Stream,
    pub(crate) policy: Arc<VirtualState>,
    pub(crate) registered: Registered,
    pub(crate) process: Permit,
    pub(crate) own: Permit,
}

/// Serves one connection to its end and writes its record.
///
/// An `async` block rather than an `async fn`: arguments would be kept in the future twice.
pub(crate) fn serve(worker: Arc<Worker>, newcomer: Newcomer) -> impl Future<Output = ()> + Send {
    let Newcomer { stream, policy, registered, process, own } = newcomer;
    let mut session = Box::new(Session {
        registered,
        worker,
        pool: Arc::clone(&policy.pool),
        policy,
        queued: None,
        connected: None,
        last_member: None,
        lease: None,
        counts: Counts::default(),
        particulars: None,
        process,
        own,
    });
    async move {
        session.registered.conn.attach(&session.policy).await;
        let mut client = Endpoint::Plain(stream);
        if session.policy.config.protocol != Protocol::Tcp {
            // Boxed: an opaque connection shall not pay for it.
            let close = Box::pin(aware::serve(&mut session, client)).await;
            let bytes = session.particulars().bytes;
            return session.finish(close, bytes);
        }
        loop {
            // Boxed: everything up to the relay is short and large, the relay is long and small.
            let mut relay = match Box::pin(establish::establish(&mut session, client)).await {
                Ok(relay) => relay,
                Err(close) => return session.finish(close, (0, 0)),
            };
            let end = relay.run(&mut *session).await;
            let bytes = relay.totals();
            if !matches!(end, End::Cut(Cut::Reselect)) || bytes != (0, 0) {
                session.note_truncation(&relay);
                return session.finish(close_of(&end, relay.member_finished()), bytes);
            }
            session.leave_member();
            client = relay.into_client();
            // The relay made both sides ready for a reset, but this one goes on.
            let _ = client.stream().socket().set_linger(None);
        }
    }
}

pub(crate) fn close_of(end: &End, member_finished: bool) -> Close {
    match end {
        End::Finished => Close::Finished,
        End::ClientGone => Close::ClientGone { last_data: member_finished },
        End::MemberGone => Close::MemberGone,
        End::ClientTimeout => Close::ClientTimeout,
        End::MemberTimeout => Close::MemberTimeout,
        End::IdleTimeout => Close::IdleTimeout,
        End::Cut(cut) => cut_close(*cut),
    }
}

/// What a cut becomes that is not answered with another member.
pub(crate) fn cut_close(cut: Cut) -> Close {
    match cut {
        Cut::Drain => Close::OperatorDrain,
        Cut::Operator => Close::OperatorKilled,
        Cut::MemberDown | Cut::Drop | Cut::Reselect => Close::MemberDown,
    }
}

/// What is known of a connection; boxed, so that an idle one costs its size once.
pub(crate) struct Session {
    pub(crate) worker: Arc<Worker>,
    pub(crate) policy: Arc<VirtualState>,
    /// The policy's pool, or another one by the name that the client's TLS asked for.
    pub(crate) pool: Arc<PoolState>,
    queued: Option<Duration>,
    connected: Option<Duration>,
    pub(crate) last_member: Option<Arc<MemberState>>,
    /// The member that counts this connection; given back whatever happens, see `Drop`.
    pub(crate) lease: Option<MemberId>,
    pub(crate) counts: Counts,
    particulars: Option<Box<Particulars>>,
    pub(crate) registered: Registered,
    process: Permit,
    own: Permit,
}

/// What most connections do not have.
#[derive(Default)]
pub(crate) struct Particulars {
    /// Where the client wanted to go, when a PROXY header said so.
    destination: Option<SocketAddr>,
    /// What TLS with the client agreed on.
    tls: Option<TlsFacts>,
    /// Members that were given up for another.
    pub(crate) tried: Vec<MemberId>,
    /// From the client and to it, where the protocol is read: many relays, one connection.
    pub(crate) bytes: (u64, u64),
}

impl Session {
    pub(crate) fn client(&self) -> ClientAddr {
        self.registered.conn.client()
    }

    pub(crate) fn client_ip(&self) -> IpAddr {
        match self.client() {
            ClientAddr::Ip(address) => address.ip().to_canonical(),
            // All Unix-socket clients are on this machine.
            ClientAddr::Unix => IpAddr::from([127, 0, 0, 1]),
        }
    }

    pub(crate) fn particulars(&mut self) -> &mut Particulars {
        self.particulars.get_or_insert_default()
    }

    pub(crate) fn tried(&self) -> &[MemberId] {
        self.particulars.as_ref().map_or(&[], |particulars| &particulars.tried)
    }

    /// Gives the member back and will not choose it again while there is another.
    fn leave_member(&mut self) {
        if let Some(member) = self.lease {
            self.particulars().tried.push(member);
        }
        self.release();
    }

    /// Gives the member back; the load still counts this connection.
    pub(crate) fn release(&mut self) -> Option<Load> {
        let member = self.lease.take()?;
        let shared = &self.worker.shared;
        let persisted = self.policy.table.map(|table| (table, self.client_ip()));
        let load = shared.balancer().release(member, shared.now(), persisted);
        self.pool.queue.first_may_try();
        self.registered.conn.set_member(None);
        Some(load)
    }

    /// Adds bytes that passed to the counts of the virtual server and of a member.
    pub(crate) fn count(&self, up: Moved, down: Moved, member: Option<&MemberState>) {
        self.registered.conn.moved(up.bytes, down.bytes, Instant::now());
        self.policy.traffic.add(self.worker.index, up, down);
        if let Some(member) = member {
            member.traffic.add(self.worker.index, up, down);
        }
    }

    /// For the counts, and for those who ask why it ended.
    fn note_end(&self, close: Close, client: &ClientAddr, bytes: (u64, u64)) {
        self.policy.counters.ended(close);
        if let Some(member) = &self.last_member {
            member.counters.ended(close);
            let total = self.registered.conn.started.elapsed();
            member.counters.times.ended(self.queued, total);
            self.pool.counters.times.ended(self.queued, total);
        }
        if close == Close::NoUsableMember {
            self.pool.counters.refuse();
        }
        // A port scan has not failed.
        if close == Close::Finished || bytes == (0, 0) && close.is_the_clients_choice() {
            return;
        }
        self.worker.shared.endings.note(EndingView {
            id: self.registered.conn.id,
            at: Timestamp::now(),
            client: client.to_string(),
            virtual_server: self.policy.config.name.clone(),
            pool: self.pool.config.name.clone(),
            member: self.last_member.as_ref().map(|member| member.name.clone()),
            duration: self.registered.conn.started.elapsed(),
            bytes_in: bytes.0,
            bytes_out: bytes.1,
            end_state: close.letters(),
            reason: close.reason(),
        });
    }

    fn note_truncation(&mut self, relay: &Relay) {
        if let Some(particulars) = &mut self.particulars
            && let Some(tls) = &mut particulars.tls
        {
            tls.truncated = relay.client_truncated();
        }
        if relay.member_truncated() {
            let member = self.last_member.as_ref().map_or("-", |member| &member.name);
            tracing::warn!(
                client = %self.client(), member,
                "a member's TLS stream ended without close_notify: the last answer may be incomplete"
            );
        }
    }

    /// `bytes`: from the client, and to it.
    fn finish(&mut self, close: Close, bytes: (u64, u64)) {
        self.counts.process = self.process.limit().open();
        self.counts.virtual_server = self.own.limit().open();
        if let Some(load) = self.release() {
            self.counts.pool = load.pool;
            self.counts.member = load.member;
        }
        let conn = Arc::clone(&self.registered.conn);
        let client = conn.client();
        self.note_end(close, &client, bytes);
        let log = &self.worker.shared.log;
        let settings = log.record_settings();
        if settings.dontlognull && bytes == (0, 0) && close.is_the_clients_choice() {
            return;
        }
        let record = Record {
            client: &client,
            accepted: conn.accepted,
            virtual_server: &self.policy.config.name,
            pool: &self.pool.config.name,
            member: self.last_member.as_ref().map(|member| member.name.as_str()),
            queued: self.queued,
            connected: self.connected,
            total: conn.started.elapsed(),
            bytes_up: bytes.0,
            bytes_down: bytes.1,
            close,
            tls: self.particulars.as_ref().and_then(|particulars| particulars.tls.as_ref()),
            counts: self.counts,
        };
        if let Some(line) = record.line(settings.access) {
            log.access(line);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.release();
    }
}

impl Watch for Session {
    fn patience(&self) -> Patience {
        let profile = &self.policy.config.protocol_profile;
        Patience {
            client: profile.client_timeout,
            member: profile.server_timeout,
            idle: profile.idle_timeout,
        }
    }

    fn moved(&self, up: Moved, down: Moved, at: Instant) {
        self.registered.conn.moved(up.bytes, down.bytes, at);
        self.policy.traffic.add(self.worker.index, up, down);
        if let Some(member) = &self.last_member {
            member.traffic.add(self.worker.index, up, down);
        }
    }

    fn poll_cut(&self) -> Poll<Cut> {
        self.registered.conn.poll_cut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<F: Future>(_: fn(Arc<Worker>, Newcomer) -> F) -> usize {
        size_of::<F>()
    }

    /// These two and the runtime's own registrations are what an idle connection costs. Both
    /// bounds are where the allocator's next size begins, the first with the runtime's task around it.
    #[test]
    fn an_idle_connection_stays_small() {
        assert!(future_bytes(serve) <= 416, "{}", future_bytes(serve));
        assert!(size_of::<Session>() <= 224, "{}", size_of::<Session>());
    }
}
