//! What one connection remembers, and what it tells the registry when a call is done.

mod own;
pub(super) mod results;
mod underway;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use oxpecker_config::model::Statements;
use oxpecker_wire::answer;
use oxpecker_wire::redact::{conceal, digest, redact};
use oxpecker_wire::scan::Handle;
use oxpecker_wire::scan::call::Call;
use oxpecker_wire::scan::handle::Id;
use oxpecker_wire::scan::method::{Dialect, Method, Names};
use oxpecker_wire::scan::reply::Reply;

use super::access::Access;
use super::http::Request;
use super::place::Place;
use super::registry::{
    Asked, Canceller, NO_ID, Operation, OperationEnd, Secret, Session, Use, Whose, is_held,
};
use super::route::Known;
use crate::connection;
use crate::connection::registry::Conn;
use crate::state::{PoolState, Shared, VirtualState};
use underway::Underway;

/// Sessions that one connection counts as a user of; a connection pool's may carry many.
const USES_MAX: usize = 64;

/// An abandoned session is remembered so much longer than its policy waits.
const ABANDONED_PATIENCE: Duration = Duration::from_secs(600);

/// `TOperationState` and Beeswax's state have the same number for it.
const ERROR_STATE: i32 = 5;

pub(super) struct Memory {
    shared: Arc<Shared>,
    policy: Arc<VirtualState>,
    pool: Arc<PoolState>,
    client: String,
    access: Access,
    /// Whom the client acts for, by what is around its calls.
    do_as: Option<Box<str>>,
    /// When the call came that is served now.
    called: Instant,
    /// The statement of a call that is not answered yet.
    underway: Option<Box<Underway>>,
    /// Tells why this connection was ended.
    conn: Arc<Conn>,
    /// Most recently used last.
    uses: Vec<Use>,
    /// The operation of the last call, so that a poll or fetch asks no table.
    last: Option<Arc<Operation>>,
    /// Of a Beeswax connection, which is its session.
    own: Option<Arc<Session>>,
    /// It has run `USE` or `SET`.
    own_has_settings: bool,
}

impl Known for Memory {
    fn session(&self, id: Id) -> Option<Place> {
        self.find_session(id).map(|session| session.place.clone())
    }

    fn operation(&self, id: Id) -> Option<Place> {
        self.find_operation(id).map(|operation| operation.session.place.clone())
    }
}

impl Memory {
    pub(super) fn new(session: &connection::Session, access: Access) -> Self {
        Self {
            shared: Arc::clone(&session.worker.shared),
            policy: Arc::clone(&session.policy),
            pool: Arc::clone(&session.pool),
            client: session.client().to_string(),
            access,
            do_as: None,
            called: Instant::now(),
            underway: None,
            conn: Arc::clone(&session.registered.conn),
            uses: Vec::new(),
            last: None,
            own: None,
            own_has_settings: false,
        }
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The next call comes with this around it.
    pub(super) fn requested(&mut self, request: &Request) {
        if self.do_as.as_deref() != request.do_as() {
            self.do_as = request.do_as().map(Into::into);
        }
        if let Some(access) = Access::of_request(request, &self.access) {
            self.access = access;
            self.uses.iter_mut().for_each(|known| known.is_noted = false);
        }
    }

    /// Sessions at this coordinator that nobody uses once this connection is gone.
    pub(super) fn left_behind(&self, place: &Place) -> Vec<Arc<Session>> {
        let theirs = |known: &&Use| {
            let session = known.session();
            session.id.is_some() && session.place == *place && known.is_last()
        };
        self.uses.iter().filter(theirs).map(|known| Arc::clone(known.session())).collect()
    }

    /// A call came.
    pub(super) fn called(&mut self) {
        self.called = Instant::now();
    }

    fn find_session(&self, id: Id) -> Option<Arc<Session>> {
        let known = self.uses.iter().rev().find(|known| known.session().id == Some(id));
        match known {
            Some(known) => Some(Arc::clone(known.session())),
            None => self.shared.sessions.session(id),
        }
    }

    fn find_operation(&self, id: Id) -> Option<Arc<Operation>> {
        match &self.last {
            Some(last) if last.id == id => Some(Arc::clone(last)),
            _ => self.shared.sessions.operation(id),
        }
    }

    /// Some session that this connection uses has an operation open.
    pub(super) fn has_open_operations(&self) -> bool {
        let own = self.own.as_ref().is_some_and(|session| session.operations_open() > 0);
        own || self.uses.iter().any(|known| known.session().operations_open() > 0)
    }

    /// A search found whose handle it is.
    pub(super) fn found(&mut self, id: Id, secret: Secret, is_operation: bool, place: &Place) {
        if is_operation {
            self.found_operation(id, Some(secret), place);
        } else {
            let session = self.new_session(Some(id), place, "", "");
            session.note_secret(Some(secret));
            self.shared.sessions.opened(&session);
        }
    }

    /// An operation whose begin, and whose session, this gateway did not see.
    fn found_operation(&mut self, id: Id, secret: Option<Secret>, place: &Place) -> Arc<Operation> {
        let session = self.new_session(None, place, "", "");
        let operation = Arc::new(Operation::new(id, session, secret, self.asked_before()));
        self.shared.sessions.began(&operation);
        operation
    }

    fn new_session(&self, id: Option<Id>, place: &Place, user: &str, do_as: &str) -> Arc<Session> {
        // Whoever logged in is who it is, whatever the call claims.
        let login = self.access.login();
        let user = login.as_deref().unwrap_or(user);
        // With both, Impala up to 4.5 takes the call's, and later ones neither.
        let do_as = match &self.do_as {
            Some(around) if do_as.is_empty() => around,
            _ => do_as,
        };
        let whose = Whose {
            virtual_server: &self.policy.config.name,
            pool: &self.pool.config.name,
            user,
            do_as,
            client: &self.client,
            patience: self.patience(),
        };
        let load = self.shared.sessions.operations_at(&place.host);
        Arc::new(Session::new(id, place.clone(), whose, self.access.remembered(), load))
    }

    /// How long a session must be remembered so that something can be done about it.
    fn patience(&self) -> Duration {
        let policy = &self.policy.config.abandonment;
        let longest = policy.close_after.max(policy.cancel_after).unwrap_or_default();
        longest.saturating_add(ABANDONED_PATIENCE)
    }

    /// What made an operation that this gateway did not see begin.
    fn asked_before(&self) -> Asked {
        Asked {
            method: "",
            statement: "".into(),
            full: None,
            statement_bytes: 0,
            fingerprint: 0,
            digest: 0,
            at: self.called,
        }
    }

    fn asked(&self, call: &Call) -> Asked {
        let settings = self.shared.log.record_settings();
        let text = call.statement.kept();
        let redacted = redact(text);
        let method = call.method().name().unwrap_or("");
        // Metadata calls have no statement: each is a kind of its own.
        let digest = digest(if redacted.is_empty() { method } else { &redacted });
        let shows = settings.statements != Statements::Off;
        let full = settings.shows_full_statements().then(|| conceal(text).into());
        Asked {
            method,
            statement: if shows { redacted.into() } else { "".into() },
            full,
            statement_bytes: call.statement.total(),
            fingerprint: call.statement.fingerprint(),
            digest,
            at: self.called,
        }
    }

    /// The call was answered by `place`; its reply had so many bytes.
    ///
    /// Nothing is believed of a session or operation but what its coordinator has confirmed for
    /// this connection.
    pub(super) fn learn(&mut self, call: &Call, reply: &Reply, bytes: u64, place: &Place) {
        if !reply.answers(call) {
            self.gave_up(OperationEnd::AnswerLost, "");
            return;
        }
        let asked = self.underway.take().map(|underway| underway.asked);
        match call.names() {
            Names::Nothing => self.learn_new(call, asked, reply, place),
            Names::Session | Names::Unknown => self.learn_session(call, asked, reply, place),
            Names::Operation | Names::OperationAndSession => {
                let Some(handle) = call.handle() else { return };
                let Some(id) = handle.id() else { return };
                self.learn_operation(id, Secret::of(handle), call.method(), reply, bytes, place);
            }
            Names::Query | Names::QueryId => {
                let Some(id) = Id::parse(call.query_id.kept()) else { return };
                self.learn_operation(id, None, call.method(), reply, bytes, place);
            }
        }
    }

    fn learn_session(&mut self, call: &Call, asked: Option<Asked>, reply: &Reply, place: &Place) {
        let Some(handle) = call.handle() else { return };
        let Some(id) = handle.id() else { return };
        let (method, secret) = (call.method(), Secret::of(handle));
        let was_accepted = !reply.is_error();
        let session = match self.find_session(id) {
            Some(session) if is_held(session.secret(), secret, was_accepted) => session,
            // Of a method that is not known nobody can say what it names.
            _ if call.names() == Names::Unknown || method == Method::CloseSession => return,
            known => {
                // Not the session that is known by this name: what is told of it is told of whoever
                // called.
                let session = self.new_session(Some(id), place, "", "");
                if !was_accepted {
                    if method.makes_operation() {
                        let asked = asked.unwrap_or_else(|| self.asked(call));
                        self.refused(asked, reply, session);
                    }
                    return;
                }
                session.note_secret(secret);
                if known.is_none() {
                    self.shared.sessions.opened(&session);
                }
                session
            }
        };
        self.use_session(&session);
        if was_accepted && call.names() == Names::Session {
            self.note(&session, secret);
        }
        if method == Method::CloseSession && was_accepted {
            self.uses.retain(|known| known.session().id != Some(id));
            self.shared.sessions.closed(&session, OperationEnd::SessionClosed);
        } else if method.makes_operation() {
            let asked = asked.unwrap_or_else(|| self.asked(call));
            self.begin(asked, reply, session);
        }
    }

    fn learn_new(&mut self, call: &Call, asked: Option<Asked>, reply: &Reply, place: &Place) {
        let user = String::from_utf8_lossy(call.user.kept());
        match call.method() {
            Method::OpenSession => {
                let Some(id) = reply.handle().and_then(Handle::id) else { return };
                let do_as = String::from_utf8_lossy(call.do_as.kept());
                let session = self.new_session(Some(id), place, &user, &do_as);
                session.note_secret(reply.handle().and_then(Secret::of));
                self.shared.sessions.opened(&session);
                self.add_use(&session);
            }
            Method::query | Method::executeAndWait => {
                let id = Id::parse(reply.query_id.kept());
                let own = self.own.take().filter(|own| own.place == *place);
                let own = own.unwrap_or_else(|| self.new_session(None, place, &user, ""));
                self.own = Some(Arc::clone(&own));
                let asked = asked.unwrap_or_else(|| self.asked(call));
                match id {
                    Some(id) => self.began(asked, id, own, None),
                    None => self.refused(asked, reply, own),
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, asked: Asked, reply: &Reply, session: Arc<Session>) {
        let handle = reply.handle();
        match handle.and_then(Handle::id) {
            Some(id) if !reply.is_error() => {
                self.began(asked, id, session, handle.and_then(Secret::of));
            }
            _ => self.refused(asked, reply, session),
        }
    }

    fn began(&mut self, asked: Asked, id: Id, session: Arc<Session>, secret: Option<Secret>) {
        let operation = Arc::new(Operation::new(id, session, secret, asked));
        self.shared.sessions.began(&operation);
        self.last = Some(operation);
    }

    fn refused(&mut self, asked: Asked, reply: &Reply, session: Arc<Session>) {
        if reply.is_error() {
            let operation = Operation::new(NO_ID, session, None, asked);
            operation.fail(reply.sql_state.kept());
            self.shared.sessions.refused(&operation, OperationEnd::Failed);
        }
    }

    fn learn_operation(
        &mut self,
        id: Id,
        secret: Option<Secret>,
        method: Method,
        reply: &Reply,
        bytes: u64,
        place: &Place,
    ) {
        let was_accepted = !reply.is_error();
        let operation = match self.find_operation(id) {
            Some(operation) => operation,
            // It began elsewhere, and is under way.
            None if was_accepted && method.asks_for_progress() => {
                self.found_operation(id, secret, place)
            }
            None => return,
        };
        let is_own = self.own.as_ref().is_some_and(|own| Arc::ptr_eq(own, &operation.session));
        if !is_held(operation.secret, secret, was_accepted || is_own) {
            return;
        }
        if operation.secret.is_some() {
            self.use_session(&operation.session);
        }
        if reply.is_error() && answer::is_unknown_handle(reply.error.kept()) {
            // Over without our doing: cancelled for idleness, or its coordinator began anew.
            operation.fail(reply.sql_state.kept());
            self.shared.sessions.ended(&operation, OperationEnd::Failed);
            return;
        }
        if was_accepted {
            self.note(&operation.session, None);
        }
        match method {
            Method::FetchResults | Method::fetch => {
                operation.fetched(reply.rows, bytes);
                if reply.is_error() {
                    operation.fail(reply.sql_state.kept());
                }
            }
            Method::GetOperationStatus | Method::get_state
                if reply.operation_state == Some(ERROR_STATE) && !reply.is_error() =>
            {
                operation.fail(reply.sql_state.kept());
            }
            Method::CancelOperation | Method::Cancel if !reply.is_error() => {
                operation.cancel(Canceller::Client);
            }
            _ if method.closes_operation() && !reply.is_error() => {
                let rows = reply.rows_written.and_then(|rows| u64::try_from(rows).ok());
                operation.rows_written.store(rows.unwrap_or(0), Ordering::Relaxed);
                self.shared.sessions.ended(&operation, OperationEnd::Closed);
            }
            _ => {}
        }
        self.last = Some(operation);
    }

    /// The coordinator of what a call names is gone, and all it had with it.
    pub(super) fn coordinator_lost(&mut self, call: &Call) {
        let (id, secret) = match call.names() {
            Names::Query | Names::QueryId => (Id::parse(call.query_id.kept()), None),
            _ => {
                let handle = call.handle();
                (handle.and_then(Handle::id), handle.and_then(Secret::of))
            }
        };
        let Some(id) = id else { return };
        let sessions = &self.shared.sessions;
        if let Some(operation) = self.find_operation(id)
            && is_held(operation.secret, secret, true)
        {
            sessions.ended(&operation, OperationEnd::CoordinatorLost);
        }
        if let Some(session) = self.find_session(id)
            && is_held(session.secret(), secret, true)
        {
            self.uses.retain(|known| known.session().id != Some(id));
            sessions.closed(&session, OperationEnd::CoordinatorLost);
        }
    }

    /// With a Beeswax connection its session ends.
    pub(super) fn connection_ended(&mut self, dialect: Dialect) {
        if let (Dialect::Beeswax, Some(own)) = (dialect, self.own.take()) {
            self.shared.sessions.end_operations(&own, OperationEnd::SessionClosed);
        }
    }

    /// A coordinator has believed that this connection may use the session.
    fn note(&mut self, session: &Arc<Session>, secret: Option<Secret>) {
        let known = self.uses.iter_mut().find(|known| Arc::ptr_eq(known.session(), session));
        if let Some(known) = known
            && !known.is_noted
        {
            known.is_noted = true;
            session.note_access(&self.access);
            session.note_secret(secret);
        }
    }

    fn use_session(&mut self, session: &Arc<Session>) {
        match self.uses.iter().find(|known| Arc::ptr_eq(known.session(), session)) {
            Some(known) => known.touch(),
            None => self.add_use(session),
        }
    }

    fn add_use(&mut self, session: &Arc<Session>) {
        if self.uses.len() >= USES_MAX {
            self.uses.remove(0);
        }
        self.uses.push(Use::of(session));
    }
}
