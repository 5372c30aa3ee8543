//! Client connections, and the limited number of threads that serve them.

use crate::ids::Id;
use crate::options::Service;
use crate::sync::{lock, wait_for};
use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// One TCP connection of a client.
pub(crate) struct Connection {
    pub(crate) id: Id,
    pub(crate) service: Service,
    pub(crate) peer: SocketAddr,
    stream: TcpStream,
    who: Mutex<Who>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    /// Who logged in; `None` where nobody has to.
    pub(crate) user: Option<String>,
    /// `?doAs=`: as in impalad it is never cleared between the requests on one connection.
    pub(crate) delegated_user: Option<String>,
}

impl Connection {
    pub(crate) fn who(&self) -> Who {
        lock(&self.who).clone()
    }

    pub(crate) fn user(&self) -> Option<String> {
        lock(&self.who).user.clone()
    }

    pub(crate) fn set_user(&self, user: Option<String>) {
        lock(&self.who).user = user;
    }

    pub(crate) fn set_delegated_user(&self, user: String) {
        lock(&self.who).delegated_user = Some(user);
    }

    /// Cuts it; its thread notices.
    pub(crate) fn close(&self) {
        // It may be closed already; then there is nothing to do.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// All connections, waiting or served.
#[derive(Default)]
pub(crate) struct Connections {
    all: Mutex<HashMap<Id, Arc<Connection>>>,
}

impl Connections {
    pub(crate) fn add(
        &self,
        service: Service,
        stream: &TcpStream,
        peer: SocketAddr,
    ) -> std::io::Result<Arc<Connection>> {
        let connection = Arc::new(Connection {
            id: Id::random(),
            service,
            peer,
            stream: stream.try_clone()?,
            who: Mutex::default(),
        });
        lock(&self.all).insert(connection.id, Arc::clone(&connection));
        Ok(connection)
    }

    pub(crate) fn remove(&self, id: Id) {
        lock(&self.all).remove(&id);
    }

    pub(crate) fn list(&self) -> Vec<Arc<Connection>> {
        lock(&self.all).values().cloned().collect()
    }
}

/// The service threads of one port: who finds none free waits.
#[derive(Default)]
pub(crate) struct Gate {
    busy: Mutex<usize>,
    freed: Condvar,
    /// Accepted, not yet served.
    pub(crate) waiting: AtomicU64,
    pub(crate) connections_total: AtomicU64,
    pub(crate) timed_out_total: AtomicU64,
}

impl Gate {
    /// Takes a thread; false when none came free in time, or `stop` came true.
    pub(crate) fn enter(&self, threads: usize, timeout: Duration, stop: impl Fn() -> bool) -> bool {
        let until = Instant::now() + timeout;
        let mut busy = lock(&self.busy);
        while *busy >= threads {
            let left = until.saturating_duration_since(Instant::now());
            if stop() {
                return false;
            }
            if left.is_zero() {
                self.timed_out_total.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            busy = wait_for(&self.freed, busy, left.min(Duration::from_millis(100)));
        }
        *busy += 1;
        true
    }

    pub(crate) fn leave(&self) {
        let mut busy = lock(&self.busy);
        *busy = busy.saturating_sub(1);
        self.freed.notify_one();
    }

    pub(crate) fn in_use(&self) -> usize {
        *lock(&self.busy)
    }
}
