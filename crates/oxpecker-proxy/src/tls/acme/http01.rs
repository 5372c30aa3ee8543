//! The small web server that authorities ask for HTTP-01.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::challenge::Challenges;

/// RFC 8555, section 8.3.
const PATH: &str = "/.well-known/acme-challenge/";

/// Authorities ask with a few connections; more are not served at a time.
const CONNECTIONS_MAX: usize = 16;

/// One question and its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// hyper's least.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Out of descriptors or memory: trying again at once would spin.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// An open listener; closed when dropped.
#[derive(Debug)]
pub(super) struct Listener(AbortHandle);

impl Listener {
    pub(super) fn start(listener: TcpListener, challenges: Arc<Challenges>) -> Self {
        Self(tokio::spawn(serve(listener, challenges)).abort_handle())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(listener: TcpListener, challenges: Arc<Challenges>) {
    let mut running = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                running
                    .spawn(timeout(PATIENCE, connection(stream, client, Arc::clone(&challenges))));
            }
            Err(error) => {
                tracing::debug!(%error, "failed to accept a connection for HTTP-01");
                sleep(RETRY_AFTER).await;
            }
        }
        while running.len() >= CONNECTIONS_MAX {
            running.join_next().await;
        }
        while running.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, client: SocketAddr, challenges: Arc<Challenges>) {
    let service = service_fn(|request| {
        let response = respond(&request, client, &challenges);
        async { Ok::<_, Infallible>(response) }
    });
    // Whatever goes wrong is between the client and its network.
    let _ = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn respond(
    request: &Request<Incoming>,
    client: SocketAddr,
    challenges: &Challenges,
) -> Response<Full<Bytes>> {
    let is_question = matches!(*request.method(), Method::GET | Method::HEAD);
    let token = request.uri().path().strip_prefix(PATH).filter(|_| is_question);
    let answer = token.and_then(|token| challenges.answer(token));
    if answer.is_some() {
        tracing::debug!(%client, token, "answered HTTP-01");
    }
    let (status, text) = match answer {
        Some(answer) => (StatusCode::OK, answer),
        None => (StatusCode::NOT_FOUND, "nothing here\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
