//! A statement from when its call was read until it is answered. Whatever comes in between, it
//! leaves a record.

use std::sync::Arc;

use oxpecker_wire::scan::Handle;
use oxpecker_wire::scan::call::Call;
use oxpecker_wire::scan::method::Names;

use super::Memory;
use crate::aware::place::Place;
use crate::aware::registry::{Asked, NO_ID, Operation, OperationEnd, Secret, Session, is_held};
use crate::connection::cut_close;

pub(super) struct Underway {
    pub(super) asked: Asked,
    session: Arc<Session>,
    /// The coordinator that was sent the call last.
    sent_to: Option<Place>,
}

impl Memory {
    /// A call was read, or more of it, that may begin an operation.
    pub(in crate::aware) fn asks(&mut self, call: &Call) {
        if !call.method().makes_operation() || !call.expects_reply() {
            return;
        }
        let asked = self.asked(call);
        match &mut self.underway {
            Some(underway) => underway.asked = asked,
            None => {
                let session = self.session_of(call);
                self.underway = Some(Box::new(Underway { asked, session, sent_to: None }));
            }
        }
    }

    /// A coordinator is about to see the call.
    pub(in crate::aware) fn sends_to(&mut self, place: &Place) {
        if let Some(underway) = &mut self.underway {
            underway.sent_to = Some(place.clone());
        }
    }

    /// What the call asked for will not be known to begin.
    pub(in crate::aware) fn gave_up(&mut self, end: OperationEnd, sql_state: &str) {
        let Some(underway) = self.underway.take() else { return };
        let Underway { asked, mut session, sent_to } = *underway;
        if let Some(place) = sent_to.filter(|_| session.place == Place::nowhere()) {
            session = self.new_session(session.id, &place, &session.user, &session.do_as);
        }
        let operation = Operation::new(NO_ID, session, None, asked);
        operation.fail(sql_state.as_bytes());
        self.shared.sessions.refused(&operation, end);
    }

    /// The call is over, and nobody waited for an answer.
    pub(in crate::aware) fn is_done(&mut self) {
        self.underway = None;
    }

    /// The session that a call is for, as far as it is known here.
    fn session_of(&self, call: &Call) -> Arc<Session> {
        if call.names() == Names::Nothing {
            let user = String::from_utf8_lossy(call.user.kept());
            let own = self.own.clone();
            return own.unwrap_or_else(|| self.new_session(None, &Place::nowhere(), &user, ""));
        }
        let id = call.handle().and_then(Handle::id);
        // Not with another secret: it would be told of the session's owner.
        let secret = call.handle().and_then(Secret::of);
        let known = id.and_then(|id| self.find_session(id));
        let known = known.filter(|known| is_held(known.secret(), secret, false));
        known.unwrap_or_else(|| self.new_session(id, &Place::nowhere(), "", ""))
    }
}

impl Drop for Memory {
    /// The connection was ended in the middle of a call.
    fn drop(&mut self) {
        let end = match self.conn.last_cut() {
            Some(cut) => OperationEnd::of_close(cut_close(cut)),
            None => OperationEnd::GatewayStopped,
        };
        self.gave_up(end, "");
    }
}
