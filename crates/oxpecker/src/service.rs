//! The service manager's side: readiness, watchdog, passed sockets. Without one all of this
//! does nothing.

use std::time::Duration;

use listenfd::ListenFd;
use oxpecker_proxy::Gateway;
use sd_notify::NotifyState;
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

pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub(crate) fn reloading() {
    // systemd 253 and later want the time with it (Type=notify-reload).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

pub(crate) fn stopping(status: &str) {
    notify(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "failed to notify the service manager");
    }
}

/// Feeds the service manager's watchdog for as long as every worker answers.
pub(crate) struct Watchdog {
    interval: Option<Duration>,
    next: Instant,
}

impl Watchdog {
    pub(crate) fn from_environment() -> Self {
        // Twice in each period, as sd_watchdog_enabled(3) advises.
        let interval = sd_notify::watchdog_enabled().map(|period| period / 2);
        Self { interval, next: Instant::now() + interval.unwrap_or(FOR_EVER) }
    }

    pub(crate) async fn due(&self) {
        sleep_until(self.next).await;
    }

    pub(crate) async fn feed(&mut self, gateway: &Gateway) {
        if gateway.workers_answer(WORKER_PATIENCE).await {
            notify(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(
                "a worker thread is stuck; leaving the watchdog to the service manager"
            );
        }
        self.next = Instant::now() + self.interval.unwrap_or(FOR_EVER);
    }
}
