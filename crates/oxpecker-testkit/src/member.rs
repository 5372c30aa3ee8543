//! Members that do as they are told.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::socket;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::client::reset_on_close;
use crate::wait::{DEADLINE, wait_until};

/// A listener with a thread for each connection. Dropping it is like killing its process.
#[derive(Debug)]
pub struct Member {
    addr: SocketAddr,
    listener: Arc<TcpListener>,
    seen: Arc<Mutex<Seen>>,
    accepting: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    peers: Vec<SocketAddr>,
    live: Vec<(SocketAddr, TcpStream)>,
}

impl Member {
    /// Calls `handle` for each connection on a thread of its own; the stream ends with it.
    #[track_caller]
    pub fn serve(addr: SocketAddr, handle: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(addr)
            .unwrap_or_else(|error| panic!("a member cannot listen on {addr}: {error}"));
        let listener = Arc::new(listener);
        let seen = Arc::<Mutex<Seen>>::default();
        let (accepting, noted, handle) =
            (Arc::clone(&listener), Arc::clone(&seen), Arc::new(handle));
        let accepting = thread::spawn(move || {
            while let Ok((stream, peer)) = accepting.accept() {
                let (noted, handle) = (Arc::clone(&noted), Arc::clone(&handle));
                let Ok(copy) = stream.try_clone() else { continue };
                {
                    let mut seen = noted.lock().unwrap();
                    seen.peers.push(peer);
                    seen.live.push((peer, copy));
                }
                thread::spawn(move || {
                    let _ = stream.set_nodelay(true);
                    let _ = stream.set_read_timeout(Some(DEADLINE * 6));
                    handle(stream);
                    noted.lock().unwrap().live.retain(|(live, _)| *live != peer);
                });
            }
        });
        Self { addr, listener, seen, accepting: Some(accepting) }
    }

    /// Sends back what it gets, and FIN for FIN.
    #[track_caller]
    pub fn echo(addr: SocketAddr) -> Self {
        Self::serve(addr, echo)
    }

    /// Says its name and a newline, then echoes.
    #[track_caller]
    pub fn named(addr: SocketAddr, name: &str) -> Self {
        let greeting = format!("{name}\n");
        Self::serve(addr, move |mut stream| {
            if stream.write_all(greeting.as_bytes()).is_ok() {
                echo(stream);
            }
        })
    }

    /// Says who it thinks its client is, then echoes.
    #[track_caller]
    pub fn tells_peer(addr: SocketAddr) -> Self {
        Self::serve(addr, |mut stream| {
            let Ok(peer) = stream.peer_addr() else { return };
            if stream.write_all(format!("{peer}\n").as_bytes()).is_ok() {
                echo(stream);
            }
        })
    }

    /// Accepts, reads everything, never answers.
    #[track_caller]
    pub fn silent(addr: SocketAddr) -> Self {
        Self::serve(addr, |mut stream| {
            let mut buffer = vec![0; 64 * 1024];
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        })
    }

    /// Resets every connection as soon as it is accepted.
    #[track_caller]
    pub fn resetting(addr: SocketAddr) -> Self {
        Self::serve(addr, |stream| reset_on_close(&stream))
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections it ever accepted.
    pub fn accepted(&self) -> usize {
        self.seen.lock().unwrap().peers.len()
    }

    /// Where they came from, in order.
    pub fn peers(&self) -> Vec<IpAddr> {
        self.seen.lock().unwrap().peers.iter().map(SocketAddr::ip).collect()
    }

    pub fn open(&self) -> usize {
        self.seen.lock().unwrap().live.len()
    }

    #[track_caller]
    pub fn wait_open(&self, n: usize) {
        wait_until(&format!("{} has {n} connections open", self.addr), || self.open() == n);
    }

    /// Stops listening and ends all connections, as the kernel does for a killed process.
    pub fn kill(&mut self) {
        let _ = socket::shutdown(self.listener.as_raw_fd(), socket::Shutdown::Both);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for (_, stream) in &self.seen.lock().unwrap().live {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 {
            let _ = stream.shutdown(Shutdown::Write);
            return;
        }
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// A host that drops every SYN, as far as one can be had on loopback: its backlog is full and
/// nobody accepts.
#[derive(Debug)]
pub struct Unreachable {
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl Unreachable {
    #[track_caller]
    pub fn new(addr: SocketAddr) -> Self {
        let listener = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        listener.set_reuse_address(true).unwrap();
        listener.bind(&SockAddr::from(addr)).unwrap();
        listener.listen(0).unwrap();
        let waiting = (0..4).map(|_| {
            let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP));
            let socket = socket.unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&SockAddr::from(addr));
            socket
        });
        Self { _waiting: waiting.collect(), _listener: listener }
    }
}
