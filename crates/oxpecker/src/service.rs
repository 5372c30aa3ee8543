//! The service manager's side: readiness, watchdog, passed sockets. Without one all of this
//! does nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use listenfd::ListenFd;
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use oxpecker_proxy::Gateway;
use socket2::Socket;
use tokio::time::{Instant, sleep_until};

/// A worker that does not answer for this long counts as stuck.
const WORKER_PATIENCE: Duration = Duration::from_secs(2);

/// With no watchdog wanted the timer just sleeps.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Listening sockets that the service manager opened for us.
pub(crate) fn inherited_sockets() -> Vec<Socket> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
            sockets.push(Socket::from(listener));
        } else if let Ok(Some(listener)) = passed.take_unix_listener(index) {
            sockets.push(Socket::from(listener));
        } else {
            tracing::warn!(index, "passed descriptor is no listening stream socket, ignoring it");
        }
    }
    sockets
}

/// Tells the service manager what the process does (sd_notify(3)). Connected at start: after a
/// chroot the socket's name leads nowhere.
pub(crate) struct Notifier(Option<UnixDatagram>);

impl Notifier {
    pub(crate) fn from_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Self(None) };
        match connect(name.as_bytes()) {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::warn!(?name, %error, "failed to reach the service manager");
                Self(None)
            }
        }
    }

    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    pub(crate) fn reloading(&self) {
        // systemd 253 and later want the time with it (Type=notify-reload).
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.num_microseconds());
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    pub(crate) fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={status}"));
    }

    fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    fn send(&self, state: &str) {
        if let Some(Err(error)) = self.0.as_ref().map(|socket| socket.send(state.as_bytes())) {
            tracing::debug!(%error, "failed to notify the service manager");
        }
    }
}

/// A name that begins with `@` is an abstract one.
fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Feeds the service manager's watchdog for as long as every worker answers.
pub(crate) struct Watchdog {
    interval: Option<Duration>,
    next: Instant,
}

impl Watchdog {
    pub(crate) fn from_environment() -> Self {
        // Twice in each period, as sd_watchdog_enabled(3) advises.
        let period = variable("WATCHDOG_USEC").map(Duration::from_micros);
        let ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let interval = period.filter(|_| ours).map(|period| period / 2);
        Self { interval, next: Instant::now() + interval.unwrap_or(FOR_EVER) }
    }

    pub(crate) async fn due(&self) {
        sleep_until(self.next).await;
    }

    pub(crate) async fn feed(&mut self, gateway: &Gateway, notifier: &Notifier) {
        if gateway.workers_answer(WORKER_PATIENCE).await {
            notifier.alive();
        } else {
            tracing::error!(
                "a worker thread is stuck; leaving the watchdog to the service manager"
            );
        }
        self.next = Instant::now() + self.interval.unwrap_or(FOR_EVER);
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
