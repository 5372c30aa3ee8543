//! One client connection's life: prelude, choice of a member, connect, relay, record.

mod establish;
mod prelude;
pub(crate) mod registry;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use oxpecker_balance::spec::{MemberId, TableId};
use tokio::time::Instant;

use crate::counters::{Moved, Traffic, WorkerIndex};
use crate::limit::Permit;
use crate::record::{ClientAddr, Close, Counts, Record};
use crate::relay::{End, Meter, Patience, Relay};
use crate::socket::Stream;
use crate::state::{MemberState, VirtualState};
use crate::worker::Worker;
use registry::{Cut, Registered};

/// A connection that was accepted and has its place within the limits.
pub(crate) struct Newcomer {
    pub(crate) stream: Stream,
    pub(crate) client: ClientAddr,
    pub(crate) policy: Arc<VirtualState>,
    pub(crate) process: Permit,
    pub(crate) own: Permit,
}

/// Serves one connection to its end and writes its record.
pub(crate) async fn serve(worker: Arc<Worker>, newcomer: Newcomer) {
    let registered = worker.registry.insert();
    std::future::poll_fn(|cx| {
        registered.conn.attach(cx);
        Poll::Ready(())
    })
    .await;
    let Newcomer { stream, client, policy, process, own } = newcomer;
    let mut session = Box::new(Session {
        worker,
        policy,
        client,
        destination: None,
        accepted: Timestamp::now(),
        started: Instant::now(),
        queued: None,
        connected: None,
        tried: Vec::new(),
        last_member: None,
        lease: None,
        counts: Counts::default(),
        bytes: (0, 0),
        registered,
        process,
        own,
    });
    let mut stream = Some(stream);
    while let Some(client) = stream.take() {
        // Boxed: everything up to the relay is rare and large, the relay is long and small.
        let close = match Box::pin(establish::establish(&mut session, client)).await {
            Err(close) => close,
            Ok((client, member)) => {
                let mut relay = session.relay(client, member);
                let end = relay.run(&session.registered.conn).await;
                session.bytes = relay.totals();
                if matches!(end, End::Cut(Cut::Reselect)) && session.bytes == (0, 0) {
                    stream = Some(relay.into_client());
                    session.leave_member();
                    continue;
                }
                close_of(&end, relay.member_finished())
            }
        };
        session.finish(close);
    }
}

fn close_of(end: &End, member_finished: bool) -> Close {
    match end {
        End::Finished => Close::Finished,
        End::ClientGone => Close::ClientGone { last_data: member_finished },
        End::MemberGone => Close::MemberGone,
        End::ClientTimeout => Close::ClientTimeout,
        End::MemberTimeout => Close::MemberTimeout,
        End::IdleTimeout => Close::IdleTimeout,
        End::Cut(Cut::Drain) => Close::OperatorDrain,
        End::Cut(Cut::MemberDown | Cut::Drop | Cut::Reselect) => Close::MemberDown,
    }
}

/// What is known of a connection; boxed, so that an idle one costs its size once.
pub(crate) struct Session {
    worker: Arc<Worker>,
    policy: Arc<VirtualState>,
    client: ClientAddr,
    /// Where the client wanted to go, when a PROXY header said so.
    destination: Option<SocketAddr>,
    accepted: Timestamp,
    started: Instant,
    queued: Option<Duration>,
    connected: Option<Duration>,
    tried: Vec<MemberId>,
    last_member: Option<Arc<MemberState>>,
    lease: Option<Lease>,
    counts: Counts,
    bytes: (u64, u64),
    registered: Registered,
    process: Permit,
    own: Permit,
}

impl Session {
    fn client_ip(&self) -> IpAddr {
        match &self.client {
            ClientAddr::Ip(address) => address.ip().to_canonical(),
            // All Unix-socket clients are on this machine.
            ClientAddr::Unix => IpAddr::from([127, 0, 0, 1]),
        }
    }

    fn relay(&self, client: Stream, member: Stream) -> Relay<TrafficMeter> {
        let profile = &self.policy.config.protocol_profile;
        let patience = Patience {
            client: profile.client_timeout,
            member: profile.server_timeout,
            idle: profile.idle_timeout,
        };
        let meter = TrafficMeter {
            worker: self.worker.index,
            virtual_server: Arc::clone(&self.policy.traffic),
            member: self.last_member.as_ref().map(|member| Arc::clone(&member.traffic)),
        };
        Relay::new(client, member, patience, meter)
    }

    /// Gives the member back and will not choose it again while there is another.
    fn leave_member(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.tried.push(lease.member);
            self.registered.conn.set_member(None);
        }
    }

    fn finish(&mut self, close: Close) {
        self.counts.process = self.process.limit().open();
        self.counts.virtual_server = self.own.limit().open();
        if let Some(lease) = self.lease.take() {
            let load = lease.release();
            self.counts.pool = load.pool;
            self.counts.member = load.member;
        }
        let log = &self.worker.shared.log;
        let settings = log.access_settings();
        if settings.dontlognull && self.bytes == (0, 0) && close == Close::Finished {
            return;
        }
        let record = Record {
            client: &self.client,
            accepted: self.accepted,
            virtual_server: &self.policy.config.name,
            pool: &self.policy.pool.config.name,
            member: self.last_member.as_ref().map(|member| member.name.as_str()),
            queued: self.queued,
            connected: self.connected,
            total: self.started.elapsed(),
            bytes_up: self.bytes.0,
            bytes_down: self.bytes.1,
            close,
            counts: self.counts,
        };
        if let Some(line) = record.line(settings.format) {
            log.access(line);
        }
    }
}

/// A member that counts this connection; given back when dropped, whatever happens.
struct Lease {
    worker: Arc<Worker>,
    policy: Arc<VirtualState>,
    member: MemberId,
    persisted: Option<(TableId, IpAddr)>,
    released: bool,
}

impl Lease {
    fn release(mut self) -> oxpecker_balance::balancer::Load {
        self.give_back()
    }

    fn give_back(&mut self) -> oxpecker_balance::balancer::Load {
        self.released = true;
        let shared = &self.worker.shared;
        let load = shared.balancer().release(self.member, shared.now(), self.persisted);
        self.policy.pool.queue.one_left();
        load
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.released {
            self.give_back();
        }
    }
}

/// Counts passing bytes for the virtual server and the member.
struct TrafficMeter {
    worker: WorkerIndex,
    virtual_server: Arc<Traffic>,
    member: Option<Arc<Traffic>>,
}

impl Meter for TrafficMeter {
    fn moved(&self, up: Moved, down: Moved) {
        self.virtual_server.add(self.worker, up, down);
        if let Some(member) = &self.member {
            member.add(self.worker, up, down);
        }
    }
}
