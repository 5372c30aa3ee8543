//! The admin side as the binary sees it: prepare, install, stop.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use oxpecker_config::model;
use oxpecker_proxy::control::Handle;
use oxpecker_proxy::{FrontTls, TlsError};
use tokio::sync::{oneshot, watch};

use crate::app::{App, Settings};
use crate::listen::{OpenError, Owner, Sockets};
use crate::server;

/// After a panic, so that one which comes at once does not fill the log.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Threads for hashes of passwords.
const BLOCKING_THREADS_MAX: usize = 2;

/// When the process ends: requests that run get this long.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Why the admin side does not start. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("failed to set up TLS for [admin]")]
    Tls(#[source] Box<TlsError>),
}

/// The admin side of one process, with a thread of its own while there is an `[admin]`.
#[derive(Debug)]
pub struct Admin {
    control: Handle,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    app: Arc<App>,
    sockets: watch::Sender<Sockets>,
    thread: JoinHandle<()>,
    /// Dropped when the thread is over.
    ended: oneshot::Receiver<()>,
}

/// What a configuration needs; nothing of it is in force yet.
#[derive(Debug)]
pub struct Prepared(Option<(Settings, Sockets)>);

impl Admin {
    /// Does nothing until something is installed.
    pub fn new(control: Handle) -> Self {
        Self { control, running: None }
    }

    /// Opens sockets that are not open yet. `explained` is the effective configuration, without
    /// secrets.
    pub fn prepare(
        &self,
        admin: Option<&model::Admin>,
        explained: String,
        owner: Owner,
    ) -> Result<Prepared, StartError> {
        let Some(admin) = admin else { return Ok(Prepared(None)) };
        let old = self.running.as_ref().map(|running| running.sockets.borrow().clone());
        let sockets = Sockets::open(admin, &old.unwrap_or_default(), owner)?;
        let known = self.running.as_ref().and_then(|running| running.app.settings().tls.clone());
        let tls = admin.tls_client.as_ref().map(|profile| FrontTls::new(profile, known.as_deref()));
        let tls = tls.transpose().map_err(StartError::Tls)?;
        let settings = Settings { admin: admin.clone(), tls: tls.map(Arc::new), explained };
        Ok(Prepared(Some((settings, sockets))))
    }

    /// Puts what was prepared in force: users and tokens with the next request.
    pub fn install(&mut self, Prepared(prepared): Prepared) {
        match (prepared, &self.running) {
            // Without its sender the thread ends.
            (None, _) => self.running = None,
            (Some((settings, sockets)), Some(running)) => {
                running.app.apply(settings);
                running.sockets.send_replace(sockets);
            }
            (Some((settings, sockets)), None) => self.start(settings, sockets),
        }
    }

    fn start(&mut self, settings: Settings, sockets: Sockets) {
        let app = App::new(self.control.clone(), settings);
        let (sockets, wanted) = watch::channel(sockets);
        let (over, ended) = oneshot::channel();
        let of_thread = Arc::clone(&app);
        let body = move || {
            let _over: oneshot::Sender<()> = over;
            run(&of_thread, &wanted);
        };
        match thread::Builder::new().name("admin".to_owned()).spawn(body) {
            Ok(thread) => self.running = Some(Running { app, sockets, thread, ended }),
            Err(error) => tracing::error!(%error, "failed to start the thread of the admin side"),
        }
    }

    /// Ends the admin side; requests that run get a little time.
    pub async fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        drop((running.sockets, running.app));
        if tokio::time::timeout(STOP_PATIENCE, running.ended).await.is_ok() {
            // It is over, or about to be.
            let _ = running.thread.join();
        }
    }
}

fn run(app: &Arc<App>, wanted: &watch::Receiver<Sockets>) {
    let serve = || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .build()?;
        runtime.block_on(server::serve(Arc::clone(app), wanted.clone()));
        // A hash that is still computed is not waited for.
        runtime.shutdown_background();
        Ok(())
    };
    keep_up(serve, || wanted.has_changed().is_ok(), RESTART_AFTER);
}

/// Serves until that ends in peace or is not wanted any more. A panic there must not end traffic,
/// nor leave the gateway without its admin side.
fn keep_up(
    mut serve: impl FnMut() -> io::Result<()>,
    is_wanted: impl Fn() -> bool,
    pause: Duration,
) {
    loop {
        match catch_unwind(AssertUnwindSafe(&mut serve)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(%error, "failed to run the admin side"),
            Err(_) => tracing::error!("the admin side panicked, starting it anew"),
        }
        if !is_wanted() {
            return;
        }
        thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests;
