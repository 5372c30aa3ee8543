//! Housekeeping, some times a second: sessions nobody uses, operations nobody fetches, connections
//! without purpose.

use super::Server;
use super::session::SessionKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Impala looks once a second; tests are impatient.
const PERIOD: Duration = Duration::from_millis(100);

impl Server {
    /// Runs until the stand-in ends.
    pub(crate) fn sweep(self: &Arc<Self>) {
        let mut last_poll = Instant::now();
        while !self.is_ending() {
            self.sweep_sessions();
            self.sweep_operations();
            if last_poll.elapsed() >= self.options.idle_client_poll_period {
                last_poll = Instant::now();
                self.close_expired_connections();
            }
            self.wait_ended(PERIOD);
        }
    }

    fn sweep_sessions(&self) {
        for session in self.session_list() {
            let timeout = self.options.disconnected_session_timeout;
            if session.kind == SessionKind::HiveServer2 && session.is_abandoned(timeout) {
                self.log(|| format!("session {} closed: no active connections", session.id));
                self.close_session(&session, "Session closed because it has no active connections");
            } else if session.expire_if_idle() {
                self.counters.sessions_expired.fetch_add(1, Ordering::Relaxed);
                self.log(|| format!("session {} expired", session.id));
                for operation in self.operations_of(&session) {
                    operation.stop("Session expired");
                    self.close_operation(&operation);
                }
            }
        }
    }

    fn sweep_operations(&self) {
        for operation in self.operation_list() {
            let limits = operation.limits;
            let running = operation.started.elapsed().unwrap_or_default();
            if !limits.execution.is_zero()
                && operation.is_executing()
                && running >= limits.execution
            {
                let limit = limits.execution.as_secs();
                operation.stop(&format!(
                    "Query {} expired due to execution time limit of {limit}s000ms",
                    operation.id
                ));
            } else if !limits.idle.is_zero() && operation.idle() >= limits.idle {
                self.counters.queries_expired.fetch_add(1, Ordering::Relaxed);
                operation.stop(&format!("Query {} expired due to client inactivity", operation.id));
                self.close_operation(&operation);
            }
        }
    }

    fn close_expired_connections(&self) {
        let sessions = self.session_list();
        for connection in self.connections.list() {
            let mut of_connection = sessions
                .iter()
                .filter(|s| s.with(|i| i.connections.contains(&connection.id)))
                .peekable();
            if of_connection.peek().is_some() && of_connection.all(|s| s.with(|i| i.expired)) {
                connection.close();
            }
        }
    }
}
