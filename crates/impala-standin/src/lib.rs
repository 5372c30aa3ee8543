//! A stand-in for an Impala coordinator, for tests and the demo: Beeswax, HiveServer2, the same
//! over HTTP, SASL PLAIN, the web pages that balancers read, and real SQL on SQLite. Honest: it
//! keeps sessions, secrets, limits and error texts as impalad does, and says what it is. It never
//! uses Oxpecker's own protocol code, so that it can judge it.

mod auth;
mod beeswax;
mod clock;
mod hs2;
mod http;
mod ids;
mod net;
mod options;
mod profile;
mod query_options;
mod sasl;
mod sql;
mod state;
mod stream;
mod sync;
mod texts;
mod thrift_io;
mod web;

pub use options::{Auth, Options, Peer, Ports, Service};
pub use stream::{CertificateError, CertificateFiles};

use sql::Engine;
use state::Server;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use stream::Certificates;

/// Why a stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("failed to listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("failed to open the database")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("failed to set up TLS")]
    Certificate(#[from] CertificateError),
    #[error("failed to start a thread")]
    Thread(#[source] io::Error),
}

/// A running stand-in. Dropping it ends it at once, as a killed process would: sessions and queries
/// are gone.
pub struct Standin {
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Standin {
    /// Opens the ports and serves them.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let engine = Engine::open(options.database.as_deref(), options.sample);
        let engine = engine.map_err(|error| StartError::Database(Box::new(error)))?;
        let certificates = Certificates::load(&options)?;
        let address = options.address;
        let (beeswax, beeswax_port) = listen(address, options.beeswax_port)?;
        let (hs2, hs2_port) = listen(address, options.hs2_port)?;
        let (http, http_port) = listen(address, options.http_port)?;
        let (web, web_port) = listen(address, options.web_port)?;
        let ports =
            Ports { address, beeswax: beeswax_port, hs2: hs2_port, http: http_port, web: web_port };
        let server = Arc::new(Server::new(options, ports, engine, certificates));
        let mut standin = Self { server: Arc::clone(&server), threads: Vec::new() };
        for (service, listener) in
            [(Service::Beeswax, beeswax), (Service::Hs2, hs2), (Service::Http, http)]
        {
            standin
                .threads
                .extend(net::serve(&server, service, listener).map_err(StartError::Thread)?);
        }
        standin.threads.push(net::serve_web(&server, web).map_err(StartError::Thread)?);
        let sweeper =
            std::thread::Builder::new().name("sweep".into()).spawn(move || server.sweep());
        standin.threads.push(sweeper.map_err(StartError::Thread)?);
        Ok(standin)
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.server.ports
    }

    /// What `select pid()` answers here.
    pub fn pid_shown(&self) -> i32 {
        self.server.pid
    }

    /// Begins a graceful shutdown, as `:shutdown()` does.
    pub fn begin_drain(&self) {
        self.server.begin_drain(None);
    }

    /// Waits until it ends by itself, which it does after a graceful shutdown; false when the time
    /// is over first.
    pub fn wait(&self, time: Duration) -> bool {
        self.server.wait_ended(time)
    }

    /// Something that can end or drain it from another thread, as a signal handler wants to.
    pub fn control(&self) -> Control {
        Control { server: Arc::clone(&self.server) }
    }

    /// Ends it at once.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.server.end();
        let ports = self.server.ports;
        for service in [Service::Beeswax, Service::Hs2, Service::Http] {
            net::wake(ports.socket(service));
        }
        net::wake(ports.web_socket());
        for thread in self.threads.drain(..) {
            // It can only have panicked, and then it has said so.
            let _ = thread.join();
        }
        // A connection accepted while we were stopping.
        self.server.end();
        // Service threads may hold the server for a moment longer than the process lives.
        self.server.engine.remove_private();
    }
}

/// See [`Standin::control`].
#[derive(Clone)]
pub struct Control {
    server: Arc<Server>,
}

impl Control {
    /// Begins a graceful shutdown.
    pub fn begin_drain(&self) {
        self.server.begin_drain(None);
    }

    /// Ends it at once; [`Standin::wait`] returns.
    pub fn end(&self) {
        self.server.end();
    }
}

fn listen(address: IpAddr, port: u16) -> Result<(TcpListener, u16), StartError> {
    let address = SocketAddr::new(address, port);
    let listened = TcpListener::bind(address).and_then(|listener| {
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    });
    listened.map_err(|source| StartError::Listen { address, source })
}
