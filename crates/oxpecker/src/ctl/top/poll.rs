//! The thread that talks to the gateway: looks in intervals, and does what was ordered.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use oxpecker_api::{AdminState, Listing, Member, MemberChange, Pool, Status, Virtual};

use crate::ctl::client::{Client, ClientError, Target, member_target};
use crate::ctl::{find, words};

/// What one look found.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) status: Status,
    pub(crate) virtuals: Vec<Virtual>,
    pub(crate) members: Vec<Member>,
}

/// What the user wants done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) pool: String,
    pub(super) member: String,
    pub(super) state: AdminState,
}

#[derive(Debug)]
pub(super) enum Report {
    Looked(Box<Snapshot>),
    /// The gateway did not answer.
    Away(String),
    /// How an order went.
    Said(String),
}

pub(super) fn look(client: &Client) -> Result<Snapshot, ClientError> {
    let status = client.get(&Target::new("status"))?;
    let virtuals: Listing<Virtual> = client.get(&Target::new("virtuals"))?;
    let pools: Listing<Pool> = client.get(&Target::new("pools"))?;
    let members = pools.items.into_iter().flat_map(|pool| pool.members).collect();
    Ok(Snapshot { at: Instant::now(), status, virtuals: virtuals.items, members })
}

/// Ends when the dashboard has.
pub(super) fn run(
    client: &Client,
    interval: Duration,
    orders: &Receiver<Order>,
    told: &SyncSender<Report>,
) {
    loop {
        let report = match orders.recv_timeout(interval) {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => None,
            Ok(order) => Some(Report::Said(obey(client, &order))),
        };
        let looked = match look(client) {
            Ok(snapshot) => Report::Looked(Box::new(snapshot)),
            Err(error) => Report::Away(error.to_string()),
        };
        for report in report.into_iter().chain([looked]) {
            if told.send(report).is_err() {
                return;
            }
        }
    }
}

fn obey(client: &Client, order: &Order) -> String {
    let change = MemberChange { admin_state: Some(order.state), weight: None, comment: None };
    match client.patch::<Member>(&member_target(&order.pool, &order.member), &change) {
        Ok(member) => {
            let state = words::admin_state(member.admin_state);
            format!("{} is {state} now", find::full_name(&member))
        }
        Err(error) => error.to_string(),
    }
}
