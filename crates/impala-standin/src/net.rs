//! Listening: accept, hand over to one of two set-up threads, which shakes hands and waits for a
//! service thread. This is impalad's structure, so a silent SASL client, or the 65th connection,
//! holds up those behind it.

use crate::hs2::{self};
use crate::options::{Auth, Service};
use crate::sasl;
use crate::state::Server;
use crate::state::connections::Connection;
use crate::state::session::{Session, SessionKind};
use crate::stream::Stream;
use crate::sync::lock;
use crate::thrift_io::{Call, CallReader, Reply, ReplyResult, Sink, Source};
use crate::{beeswax, http, web};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// impalad's `--accepted_cnxn_setup_thread_pool_size`.
const SETUP_THREADS: usize = 2;
/// impalad's `--accepted_cnxn_queue_depth`.
const QUEUE_MAX: usize = 10_000;
/// After a failed accept, which mostly means that descriptors ran out.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Web pages are small; a client that does not read them is cut.
const WEB_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection on its way to a service thread.
struct Arrival {
    stream: Stream,
    connection: Arc<Connection>,
}

/// Starts serving a port; the threads end with the server.
pub(crate) fn serve(
    server: &Arc<Server>,
    service: Service,
    listener: TcpListener,
) -> io::Result<Vec<JoinHandle<()>>> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut threads = Vec::new();
    for _ in 0..SETUP_THREADS {
        let (server, receiver) = (Arc::clone(server), Arc::clone(&receiver));
        let body = move || set_up(&server, &receiver);
        threads.push(Builder::new().name("set-up".into()).spawn(body)?);
    }
    let acceptor = Arc::clone(server);
    let body = move || {
        accept(&acceptor, &listener, |stream, peer| {
            arrive(&acceptor, service, &sender, stream, peer)
        });
    };
    threads.push(Builder::new().name("accept".into()).spawn(body)?);
    Ok(threads)
}

/// The same for the web pages, where every connection has its thread at once.
pub(crate) fn serve_web(server: &Arc<Server>, listener: TcpListener) -> io::Result<JoinHandle<()>> {
    let server = Arc::clone(server);
    let body = move || {
        accept(&server, &listener, |stream, _| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(WEB_TIMEOUT))?;
            stream.set_write_timeout(Some(WEB_TIMEOUT))?;
            let stream = Stream::new(stream, server.certificates.web.as_ref())?;
            let server = Arc::clone(&server);
            let body = move || {
                // The browser went away: nobody to tell.
                let _ = web::serve(&server, &stream);
            };
            Builder::new().name("web".into()).spawn(body).map(drop)
        });
    };
    Builder::new().name("accept-web".into()).spawn(body)
}

/// Wakes the threads that wait in `accept`, once the server has ended.
pub(crate) fn wake(address: SocketAddr) {
    // It refuses when the listener is closed already.
    let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
}

fn accept(
    server: &Server,
    listener: &TcpListener,
    take: impl Fn(TcpStream, SocketAddr) -> io::Result<()>,
) {
    while !server.is_ending() {
        let taken = match listener.accept() {
            Ok(_) if server.is_ending() => return,
            Ok((stream, peer)) => take(stream, peer),
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            server.log(|| format!("accept failed: {error}"));
            std::thread::sleep(ACCEPT_RETRY);
        }
    }
}

fn arrive(
    server: &Server,
    service: Service,
    queue: &SyncSender<Arrival>,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = server.connections.add(service, &stream, peer)?;
    let stream = Stream::new(stream, server.certificates.clients.as_ref())?;
    let gate = server.gate(service);
    gate.connections_total.fetch_add(1, Ordering::Relaxed);
    gate.waiting.fetch_add(1, Ordering::Relaxed);
    let id = connection.id;
    if queue.try_send(Arrival { stream, connection }).is_err() {
        gate.waiting.fetch_sub(1, Ordering::Relaxed);
        server.connections.remove(id);
    }
    Ok(())
}

fn set_up(server: &Arc<Server>, queue: &Mutex<Receiver<Arrival>>) {
    loop {
        let arrival = lock(queue).recv();
        let Ok(Arrival { stream, connection }) = arrival else { return };
        let gate = server.gate(connection.service);
        let ready = shake_hands(server, &stream, &connection)
            && gate.enter(
                server.options.fe_service_threads,
                server.options.accepted_client_timeout,
                || server.is_ending(),
            );
        gate.waiting.fetch_sub(1, Ordering::Relaxed);
        if !ready {
            server.connections.remove(connection.id);
            continue;
        }
        let (server, id, service) = (Arc::clone(server), connection.id, connection.service);
        let serving = Arc::clone(&server);
        let body = move || {
            serving.log(|| format!("connection {} from {} opened", connection.id, connection.peer));
            let ended = match serve_connection(&serving, &connection, &stream) {
                Ok(()) => String::new(),
                Err(error) => format!(": {error}"),
            };
            drop(stream);
            serving.disconnect(&connection);
            serving.gate(connection.service).leave();
            serving.log(|| format!("connection {} closed{ended}", connection.id));
        };
        if let Err(error) = Builder::new().name("service".into()).spawn(body) {
            server.log(|| format!("no thread for a connection: {error}"));
            server.connections.remove(id);
            server.gate(service).leave();
        }
    }
}

/// The login, where the port wants one before the first call. False when the connection is over.
fn shake_hands(server: &Server, stream: &Stream, connection: &Connection) -> bool {
    if server.auth.mode == Auth::None || connection.service == Service::Http {
        return true;
    }
    let timeout = Some(server.options.sasl_connect_timeout).filter(|t| !t.is_zero());
    let mut both = stream.clone();
    let shaken = (|| {
        stream.set_read_timeout(timeout)?;
        let user = sasl::handshake(&mut both, &server.auth)?;
        stream.set_read_timeout(None)?;
        Ok::<_, sasl::SaslError>(user)
    })();
    match shaken {
        Ok(user) => {
            connection.set_user(Some(user));
            true
        }
        Err(error) => {
            server.log(|| format!("login from {} failed: {error}", connection.peer));
            false
        }
    }
}

fn serve_connection(
    server: &Arc<Server>,
    connection: &Connection,
    stream: &Stream,
) -> thrift::Result<()> {
    if connection.service == Service::Http {
        return Ok(http::serve(server, connection, stream)?);
    }
    let (source, sink) = match server.auth.mode {
        Auth::None => (Source::raw(stream.clone()), Sink::raw(stream.clone())),
        Auth::Plain => (Source::sasl(stream.clone()), Sink::sasl(stream.clone())),
    };
    let mut calls = CallReader::new(source)?;
    let mut reply = Reply::new(sink);
    let session = (connection.service == Service::Beeswax).then(|| {
        server.add_session(Session::new(
            SessionKind::Beeswax,
            connection.user().unwrap_or_default(),
            0,
            connection.peer.to_string(),
            connection.id,
            server.options.idle_session_timeout,
        ))
    });
    loop {
        let call = match calls.read() {
            Ok(call) => call,
            Err(error) if is_end(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        match &session {
            Some(session) => beeswax::call(server, connection, session, &call, &mut reply)?,
            None => dispatch_hs2(server, connection, &call, &mut reply)?,
        }
    }
}

/// One call of HiveServer2, whichever way it came.
pub(crate) fn dispatch_hs2(
    server: &Arc<Server>,
    connection: &Connection,
    call: &Call,
    reply: &mut Reply,
) -> ReplyResult {
    hs2::call(server, connection, call, reply)
}

/// Whether the client just hung up.
fn is_end(error: &thrift::Error) -> bool {
    matches!(error, thrift::Error::Transport(e) if e.kind == thrift::TransportErrorKind::EndOfFile)
}
