//! The admin side's own loop: accepts on what is to be listened on, at most so many at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use oxpecker_proxy::FrontTls;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::access::Caller;
use crate::api::stream;
use crate::app::App;
use crate::connection::{self, Connections};
use crate::haproxy;
use crate::history;
use crate::listen::{Sockets, Tcp, Unix};

/// Connections over TCP at once; more are told so and closed.
const TCP_CONNECTIONS_MAX: usize = 256;

/// Over each Unix socket, so that a crowd on TCP does not keep the command line out.
const UNIX_CONNECTIONS_MAX: usize = 64;

/// Mostly out of descriptors: trying again at once would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How soon certificates of a new configuration are looked after.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// At the end: answers that are being written.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Returns when nobody holds the sender of `wanted` any more.
pub(crate) async fn serve(app: Arc<App>, mut wanted: watch::Receiver<Sockets>) {
    let connections = Connections::new();
    let mut samplers = JoinSet::new();
    samplers.spawn(history::sample(Arc::clone(&app)));
    samplers.spawn(haproxy::watch(app.control.clone(), app.watched.clone()));
    samplers.spawn(stream::sample(Arc::clone(&app)));
    samplers.spawn(watch_certificates(Arc::clone(&app)));
    let mut open = Open::default();
    loop {
        let sockets = wanted.borrow_and_update().clone();
        open.follow(&sockets, &app, &connections);
        drop(sockets);
        if wanted.changed().await.is_err() {
            break;
        }
    }
    drop(open);
    app.hub.end_all();
    connections.finish(LAST_ANSWERS).await;
    app.retire();
}

/// Of the profile that is in use; another one is found soon after a reload.
async fn watch_certificates(app: Arc<App>) {
    loop {
        match app.settings().tls.clone() {
            Some(tls) => {
                tokio::select! {
                    () = tls.watch(&app.control) => {}
                    () = replaced(&app, &tls) => {}
                }
            }
            None => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

async fn replaced(app: &App, tls: &Arc<FrontTls>) {
    while app.settings().tls.as_ref().is_some_and(|now| Arc::ptr_eq(now, tls)) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Tasks that accept, each with the socket it accepts from.
#[derive(Default)]
struct Open {
    tcp: Option<Accepting<Tcp>>,
    unix: Option<Accepting<Unix>>,
    haproxy: Option<Accepting<Unix>>,
}

struct Accepting<S> {
    socket: Arc<S>,
    task: tokio::task::AbortHandle,
}

impl<S> Drop for Accepting<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Open {
    fn follow(&mut self, wanted: &Sockets, app: &Arc<App>, connections: &Connections) {
        follow(&mut self.tcp, &wanted.tcp, |tcp| {
            let listener = TcpListener::from_std(tcp.listener.try_clone()?)?;
            let (app, connections) = (Arc::clone(app), connections.clone());
            tracing::info!(listen = %listener.local_addr()?, "admin side is listening");
            Ok(tokio::spawn(accept_tcp(listener, app, connections)).abort_handle())
        });
        follow(&mut self.unix, &wanted.unix, |unix| {
            let listener = UnixListener::from_std(unix.listener.try_clone()?)?;
            tracing::info!(listen = %unix, "admin side is listening");
            let (app, connections) = (Arc::clone(app), connections.clone());
            let serve = {
                let connections = connections.clone();
                move |stream| connections.clone().serve_unix(stream, Arc::clone(&app))
            };
            Ok(tokio::spawn(accept_unix(listener, connections, serve)).abort_handle())
        });
        follow(&mut self.haproxy, &wanted.haproxy, |unix| {
            let listener = UnixListener::from_std(unix.listener.try_clone()?)?;
            tracing::info!(listen = %unix, "HAProxy's runtime API is listening");
            let (app, connections) = (Arc::clone(app), connections.clone());
            let converse = {
                let connections = connections.clone();
                move |stream| converse(stream, Arc::clone(&app), connections.clone())
            };
            Ok(tokio::spawn(accept_unix(listener, connections, converse)).abort_handle())
        });
    }
}

/// Ends what is no longer wanted, begins what is not there yet.
fn follow<S>(
    open: &mut Option<Accepting<S>>,
    wanted: &Option<Arc<S>>,
    begin: impl FnOnce(&S) -> io::Result<tokio::task::AbortHandle>,
) {
    let is_same = |open: &Accepting<S>| {
        wanted.as_ref().is_some_and(|wanted| Arc::ptr_eq(wanted, &open.socket))
    };
    if open.as_ref().is_some_and(is_same) {
        return;
    }
    *open = None;
    let Some(socket) = wanted else { return };
    match begin(socket) {
        Ok(task) => *open = Some(Accepting { socket: Arc::clone(socket), task }),
        Err(error) => tracing::error!(%error, "failed to accept for the admin side"),
    }
}

async fn accept_tcp(listener: TcpListener, app: Arc<App>, connections: Connections) {
    let free = Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed on the admin side");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            // Who speaks TLS would not understand it.
            if app.settings().tls.is_none() {
                connection::refuse(stream);
            }
            continue;
        };
        let served = connections.clone().serve_tcp(stream, peer, Arc::clone(&app));
        connections.spawn(async move {
            served.await;
            drop(permit);
        });
    }
}

async fn accept_unix<F>(
    listener: UnixListener,
    connections: Connections,
    serve: impl Fn(UnixStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let free = Arc::new(Semaphore::new(UNIX_CONNECTIONS_MAX));
    loop {
        // Waits rather than refuses: who connects here is on this host and known.
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let served = serve(stream);
                connections.spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed on the admin side");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// One who speaks HAProxy's runtime API.
async fn converse(stream: UnixStream, app: Arc<App>, connections: Connections) {
    let user = connection::user_of(&stream).await;
    let level = app.settings().admin.haproxy_socket_level;
    let caller = Caller::of_socket(&user, level);
    connections.until_the_end(haproxy::converse(app, stream, caller)).await;
}
