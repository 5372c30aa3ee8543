//! What a coordinator knows: sessions, operations, connections, and whether it is shutting down.
//! All of it lives in this process and dies with it.

pub(crate) mod connections;
mod drain;
mod execute;
pub(crate) mod operation;
pub(crate) mod session;
mod sweep;

use crate::auth::Authenticator;
use crate::ids::Id;
use crate::options::{Options, Ports, Service};
use crate::sql::{Context, Engine};
use crate::stream::Certificates;
use crate::sync::{lock, wait_for};
use crate::texts::Fault;
use crate::thrift_io::Value;
use connections::{Connection, Connections, Gate};
use drain::Drain;
use operation::{Operation, Summary};
use session::{Session, SessionKind};
use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// impalad's `--query_log_size`.
const QUERY_LOG_MAX: usize = 200;

/// The coordinator.
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) ports: Ports,
    pub(crate) pid: i32,
    pub(crate) version: String,
    pub(crate) host: String,
    pub(crate) started: SystemTime,
    pub(crate) started_tick: Instant,
    pub(crate) engine: Engine,
    pub(crate) auth: Authenticator,
    pub(crate) certificates: Certificates,
    pub(crate) connections: Connections,
    pub(crate) counters: Counters,
    gates: [Gate; 3],
    sessions: Mutex<HashMap<Id, Arc<Session>>>,
    operations: Mutex<HashMap<Id, Arc<Operation>>>,
    query_log: Mutex<VecDeque<Summary>>,
    drain: Mutex<Option<Drain>>,
    ended: Mutex<bool>,
    ended_changed: Condvar,
}

/// Counters for the metrics page.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) queries: AtomicU64,
    pub(crate) queries_expired: AtomicU64,
    pub(crate) sessions_expired: AtomicU64,
    pub(crate) basic_success: AtomicU64,
    pub(crate) basic_failure: AtomicU64,
    pub(crate) cookie_success: AtomicU64,
    pub(crate) cookie_failure: AtomicU64,
}

impl Server {
    pub(crate) fn new(
        options: Options,
        ports: Ports,
        engine: Engine,
        certificates: Certificates,
    ) -> Self {
        let auth = Authenticator::new(&options);
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        Self {
            ports,
            pid: options.pid_shown.unwrap_or(own),
            version: format!(
                "impalad version 4.5.0-STANDIN RELEASE (build impala-standin {}, not Apache Impala)",
                env!("CARGO_PKG_VERSION")
            ),
            host: options.hostname.clone().unwrap_or_else(|| ports.address.to_string()),
            started: SystemTime::now(),
            started_tick: Instant::now(),
            engine,
            auth,
            certificates,
            options,
            connections: Connections::default(),
            counters: Counters::default(),
            gates: Default::default(),
            sessions: Mutex::default(),
            operations: Mutex::default(),
            query_log: Mutex::default(),
            drain: Mutex::default(),
            ended: Mutex::new(false),
            ended_changed: Condvar::new(),
        }
    }

    /// Writes a line when asked to be verbose.
    pub(crate) fn log(&self, line: impl FnOnce() -> String) {
        if self.options.verbose {
            let line = format!(
                "{} [{}] {}\n",
                crate::clock::timestamp(SystemTime::now()),
                self.pid,
                line()
            );
            // A closed standard error is no reason to stop serving.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    /// `host:port` of the web pages, as clients are told.
    pub(crate) fn web_address(&self) -> String {
        format!("{}:{}", self.host, self.ports.web)
    }

    /// The same with `http` or `https`.
    pub(crate) fn web_url(&self) -> String {
        self.web_url_of(&self.host, self.ports.web)
    }

    /// That of another coordinator, which has TLS when we have.
    pub(crate) fn web_url_of(&self, host: &str, port: u16) -> String {
        let scheme = if self.certificates.web.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{port}")
    }

    pub(crate) fn gate(&self, service: Service) -> &Gate {
        match service {
            Service::Beeswax => &self.gates[0],
            Service::Hs2 => &self.gates[1],
            Service::Http => &self.gates[2],
        }
    }

    /// Everything stops: connections are cut, waiting threads wake up.
    pub(crate) fn end(&self) {
        *lock(&self.ended) = true;
        self.ended_changed.notify_all();
        for operation in self.operation_list() {
            operation.stop("Server is shutting down");
        }
        for connection in self.connections.list() {
            connection.close();
        }
    }

    pub(crate) fn is_ending(&self) -> bool {
        *lock(&self.ended)
    }

    /// Waits for the end, at most that long; says whether it came.
    pub(crate) fn wait_ended(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut ended = lock(&self.ended);
        while !*ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ended = wait_for(&self.ended_changed, ended, left);
        }
        *ended
    }

    // Sessions.

    pub(crate) fn add_session(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        lock(&self.sessions).insert(session.id, Arc::clone(&session));
        session
    }

    pub(crate) fn session_list(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).values().cloned().collect()
    }

    pub(crate) fn session(&self, id: Id) -> Option<Arc<Session>> {
        lock(&self.sessions).get(&id).cloned()
    }

    /// The session of a TSessionHandle, if the connection may use it.
    pub(crate) fn session_of_handle(
        &self,
        connection: &Connection,
        handle: &Value,
    ) -> thrift::Result<Result<Arc<Session>, Fault>> {
        let (guid, secret) = match handle_ids(handle.required(1)?)? {
            Ok(ids) => ids,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(self.use_session(connection, guid, secret))
    }

    fn use_session(
        &self,
        connection: &Connection,
        id: Id,
        secret: Id,
    ) -> Result<Arc<Session>, Fault> {
        let session = self.session(id).filter(|s| s.secret.equals_secret(&secret));
        // The session behind a Beeswax connection has a secret that nobody is told.
        let session = session.ok_or_else(|| Fault::invalid_session(id))?;
        session.touch(connection.id, connection.user().as_deref())?;
        Ok(session)
    }

    /// Ends a session with all its operations.
    pub(crate) fn close_session(&self, session: &Session, why: &str) {
        lock(&self.sessions).remove(&session.id);
        for operation in self.operations_of(session) {
            operation.stop(why);
            self.close_operation(&operation);
        }
    }

    /// A connection is gone: sessions lose it, a Beeswax session ends with it.
    pub(crate) fn disconnect(&self, connection: &Connection) {
        for session in self.session_list() {
            if session.kind == SessionKind::Beeswax && session.id == connection.id {
                self.close_session(&session, "Session closed");
            } else {
                session.disconnect(connection.id);
            }
        }
        self.connections.remove(connection.id);
    }

    // Operations.

    pub(crate) fn add_operation(&self, operation: Operation) -> Arc<Operation> {
        let operation = Arc::new(operation);
        operation.session.count_operation(true);
        self.counters.queries.fetch_add(1, Ordering::Relaxed);
        lock(&self.operations).insert(operation.id, Arc::clone(&operation));
        operation
    }

    pub(crate) fn operation_list(&self) -> Vec<Arc<Operation>> {
        lock(&self.operations).values().cloned().collect()
    }

    pub(crate) fn operation(&self, id: Id) -> Option<Arc<Operation>> {
        lock(&self.operations).get(&id).cloned()
    }

    pub(crate) fn operations_of(&self, session: &Session) -> Vec<Arc<Operation>> {
        let mut all = self.operation_list();
        all.retain(|operation| operation.session.id == session.id);
        all
    }

    /// The operation of a TOperationHandle, if the connection may use it.
    pub(crate) fn operation_of_handle(
        &self,
        connection: &Connection,
        handle: &Value,
    ) -> thrift::Result<Result<Arc<Operation>, Fault>> {
        let (guid, secret) = match handle_ids(handle.required(1)?)? {
            Ok(ids) => ids,
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(operation) = self.operation(guid) else {
            return Ok(Err(Fault::unknown_query(guid)));
        };
        if !operation.session.secret.equals_secret(&secret)
            || self.session(operation.session.id).is_none()
        {
            return Ok(Err(Fault::query_not_found(guid)));
        }
        let used = operation.session.touch(connection.id, connection.user().as_deref());
        Ok(used.map(|()| operation))
    }

    /// Unregisters an operation; what is left of it goes to the query log. False when it was gone
    /// already.
    pub(crate) fn close_operation(&self, operation: &Operation) -> bool {
        if lock(&self.operations).remove(&operation.id).is_none() {
            return false;
        }
        let mut summary = operation.summary();
        summary.ended.get_or_insert_with(SystemTime::now);
        operation.stop("Cancelled");
        operation.session.count_operation(false);
        let mut log = lock(&self.query_log);
        log.push_front(summary);
        log.truncate(QUERY_LOG_MAX);
        true
    }

    pub(crate) fn query_log(&self) -> Vec<Summary> {
        lock(&self.query_log).iter().cloned().collect()
    }

    /// A running operation's summary, or that of one which has ended lately.
    pub(crate) fn summary(&self, id: Id) -> Option<Summary> {
        let running = self.operation(id).map(|operation| operation.summary());
        running.or_else(|| lock(&self.query_log).iter().find(|s| s.id == id).cloned())
    }

    /// What the statements of a session may ask.
    pub(crate) fn context(&self, session: &Session) -> Context {
        let inner = session.snapshot();
        Context {
            database: inner.database,
            effective_user: inner.delegated_user.unwrap_or_else(|| inner.user.clone()),
            user: inner.user,
            session_id: session.id.to_string(),
            coordinator: self.host.clone(),
            version: self.version.clone(),
            pid: self.pid,
        }
    }
}

/// Reads a THandleIdentifier.
pub(crate) fn handle_ids(identifier: &Value) -> thrift::Result<Result<(Id, Id), Fault>> {
    let missing = || crate::thrift_io::malformed("a handle without guid or secret");
    let guid = identifier.bytes(1).ok_or_else(missing)?;
    let secret = identifier.bytes(2).ok_or_else(missing)?;
    Ok(match (Id::from_bytes(guid), Id::from_bytes(secret)) {
        (Some(guid), Some(secret)) => Ok((guid, secret)),
        _ => Err(Fault::malformed_handle(guid.len(), secret.len())),
    })
}
