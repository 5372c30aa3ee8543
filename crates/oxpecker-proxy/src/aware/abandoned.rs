//! Sessions whose clients are all gone: operations cancelled and sessions closed, by policy.
//!
//! Where a client logged in with a password, that is gone with its connection. What stays, for as
//! long as the policy waits, is the connection to the coordinator that was logged in with it.

use std::sync::Arc;
use std::time::Duration;

use oxpecker_config::model::Abandonment;
use oxpecker_wire::scan::ReplyScanner;
use oxpecker_wire::scan::method::Dialect;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::access::Access;
use super::errand::{self, NoReply};
use super::exchange::Exchange;
use super::kill;
use super::line::Debt;
use super::link::Link;
use super::registry::{Canceller, OperationEnd, Session};
use crate::state::Shared;

/// How often it is looked who is gone.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sessions that are dealt with at the same time; a coordinator that hangs holds up so many.
const ERRANDS_MAX: usize = 8;
/// Connections to coordinators that are kept for clients that are gone. Each takes one of a
/// coordinator's service threads, of which there are 64 by default.
pub(crate) const KEPT_LINES_MAX: usize = 64;

/// What is done once for each absence of clients.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Cancel = 1,
    Close = 2,
}

/// A client's log-in that outlives it. Not counted at its member: it brings no work.
pub(crate) struct KeptLine {
    link: Link,
    dialect: Dialect,
    /// The client left while the coordinator worked on a call.
    owes_reply: bool,
    /// An answer was given up in the middle; what comes next is its rest.
    is_spent: bool,
    _place: OwnedSemaphorePermit,
}

impl KeptLine {
    pub(super) async fn ask(
        &mut self,
        call: &[u8],
        replies: &mut ReplyScanner,
    ) -> Result<(), NoReply> {
        // Stays so if the caller's patience ends in here.
        if std::mem::replace(&mut self.is_spent, true) {
            return Err(NoReply::Other);
        }
        if self.owes_reply {
            errand::hear(&mut self.link, &mut ReplyScanner::new(self.dialect)).await?;
            self.owes_reply = false;
        }
        errand::ask(&mut self.link, None, b"", call, replies).await?;
        self.is_spent = false;
        Ok(())
    }
}

impl Exchange<'_> {
    /// The client is gone: keeps what closing its sessions will need.
    pub(super) fn keep_lines(&mut self) {
        let is_plain = matches!(self.memory.access(), Access::Plain(_));
        if !is_plain || self.session.policy.config.abandonment.is_off() {
            return;
        }
        let kept_lines = &self.session.worker.shared.sessions.kept_lines;
        for line in self.lines.drain(..) {
            let sessions = self.memory.left_behind(&line.place);
            let usable = !line.is_spent && line.debt != Debt::Part && !line.link.is_dead();
            if sessions.is_empty() || !usable {
                continue;
            }
            let Ok(place) = Arc::clone(kept_lines).try_acquire_owned() else { return };
            let owes_reply = line.debt == Debt::Reply;
            let kept = line.keep(|link| KeptLine {
                link,
                dialect: self.dialect,
                owes_reply,
                is_spent: false,
                _place: place,
            });
            let kept = Arc::new(tokio::sync::Mutex::new(kept));
            for session in sessions {
                session.keep_line(&kept);
            }
        }
    }
}

/// Looks for ever for sessions that need something done.
pub(crate) async fn sweep(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut errands = JoinSet::new();
    loop {
        tick.tick().await;
        while errands.try_join_next().is_some() {}
        let topology = shared.topology();
        if topology.virtuals.iter().all(|policy| policy.config.abandonment.is_off()) {
            continue;
        }
        for session in shared.sessions.unused() {
            if errands.len() >= ERRANDS_MAX {
                break;
            }
            let mut virtuals = topology.virtuals.iter();
            let Some(policy) = virtuals.find(|v| *v.config.name == *session.virtual_server) else {
                continue;
            };
            let Some(step) = due(&session, &policy.config.abandonment) else { continue };
            if session.begin(step) {
                errands.spawn(take(Arc::clone(&shared), session, step));
            }
        }
    }
}

fn due(session: &Session, policy: &Abandonment) -> Option<Step> {
    let is_over = |after: Option<Duration>| after.is_some_and(|after| session.idle() >= after);
    match session.operations_open() {
        0 => is_over(policy.close_after).then_some(Step::Close),
        _ => is_over(policy.cancel_after).then_some(Step::Cancel),
    }
}

async fn take(shared: Arc<Shared>, session: Arc<Session>, step: Step) {
    match step {
        Step::Cancel => cancel_orphans(&shared, &session).await,
        Step::Close => close(&shared, &session).await,
    }
}

async fn cancel_orphans(shared: &Shared, session: &Arc<Session>) {
    for operation in shared.sessions.operations_of(session) {
        if session.is_used() {
            return;
        }
        let (coordinator, user) = (&session.place, &session.user);
        match kill::cancel(shared, &operation, Canceller::OrphanPolicy).await {
            Ok(_) => {
                // Nobody is left to close it; whoever comes back still finds its coordinator.
                shared.sessions.ended(&operation, OperationEnd::Cancelled);
                tracing::info!(
                    operation = %operation.id, %coordinator, %user,
                    "cancelled an operation whose client is gone"
                );
            }
            Err(error) => tracing::info!(
                operation = %operation.id, %coordinator, %user, %error,
                "failed to cancel an operation whose client is gone"
            ),
        }
    }
}

async fn close(shared: &Shared, session: &Arc<Session>) {
    let id = session.id.map(|id| id.to_string()).unwrap_or_default();
    let (coordinator, user) = (&session.place, &session.user);
    match kill::close(shared, session, OperationEnd::Abandoned).await {
        Ok(_) => tracing::info!(
            session = id, %coordinator, %user, "closed a session that its clients abandoned"
        ),
        Err(error) => tracing::info!(
            session = id, %coordinator, %user, %error,
            "failed to close a session that its clients abandoned; the coordinator's own timeout will"
        ),
    }
}
