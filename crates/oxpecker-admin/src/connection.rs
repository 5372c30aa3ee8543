//! One connection of the admin side: HTTP 1.1, with a bound on everything that the other side may
//! send, keep waiting, or not read.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::unistd::{Uid, User};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Peer;
use crate::app::App;

/// Until a request's head is there, also on a connection that was used before.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);

/// Of a TLS handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Of a request's head: hyper answers 431 beyond it, and may have read as much again by then.
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 100;

/// The other side takes nothing for so long.
const WRITE_TIME_MAX: Duration = Duration::from_secs(20);

/// For those who are one too many.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    retry-after: 5\r\nconnection: close\r\ncontent-length: 94\r\n\r\n\
    {\"error\":\"too many connections to the admin side\",\"help\":\"close some, or use the Unix socket\"}";

/// All connections of the admin side.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self { tasks: TaskTracker::new(), ending: CancellationToken::new() }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Cut where it stands when the admin side ends.
    pub(crate) async fn until_the_end(&self, task: impl Future<Output = ()>) {
        let _ = self.ending.run_until_cancelled(task).await;
    }

    pub(crate) async fn serve_tcp(self, stream: TcpStream, address: SocketAddr, app: Arc<App>) {
        // Answers are written whole; waiting for more only makes pages slow.
        let _ = stream.set_nodelay(true);
        let peer = Peer::Tcp(address);
        let Some(tls) = app.settings().tls.clone() else {
            return self.serve(stream, peer, app).await;
        };
        let shaken = TlsAcceptor::from(tls.config()).accept(stream);
        match tokio::time::timeout(HANDSHAKE_TIME_MAX, shaken).await {
            Ok(Ok(stream)) => self.serve(stream, peer, app).await,
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "no TLS with a caller of the admin side");
            }
            Err(_) => tracing::debug!(%address, "no TLS in time with a caller of the admin side"),
        }
    }

    pub(crate) async fn serve_unix(self, stream: UnixStream, app: Arc<App>) {
        let user = user_of(&stream).await;
        self.serve(stream, Peer::Socket { user }, app).await;
    }

    async fn serve<I>(&self, io: I, peer: Peer, app: Arc<App>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut io = TimeoutStream::new(io);
        io.set_write_timeout(Some(WRITE_TIME_MAX));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            // The newest routes, also on a connection that is older.
            TowerToHyperService::new(app.router()).call(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(Box::pin(io)), service);
        tokio::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = self.ending.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection of the admin side ended");
        }
    }

    /// Lets answers be written that are on their way, at most so long.
    pub(crate) async fn finish(&self, patience: Duration) {
        self.ending.cancel();
        self.tasks.close();
        // What is left then is dropped with the runtime.
        let _ = tokio::time::timeout(patience, self.tasks.wait()).await;
    }
}

/// Tells the newcomer why, without waiting for it in any way.
pub(crate) fn refuse(stream: TcpStream) {
    let Ok(mut stream) = stream.into_std() else { return };
    let _ = stream.write(BUSY);
    let _ = stream.shutdown(Shutdown::Write);
    // What was not read when it is closed would take the answer back.
    let _ = stream.read(&mut [0; 4096]);
}

/// The name of whoever opened the other end, or its number.
pub(crate) async fn user_of(stream: &UnixStream) -> String {
    let Ok(credentials) = stream.peer_cred() else { return "unknown".to_owned() };
    let uid = credentials.uid();
    // The user may be in a directory that is far away.
    let name = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)));
    match name.await {
        Ok(Ok(Some(user))) => user.name,
        _ => uid.to_string(),
    }
}
