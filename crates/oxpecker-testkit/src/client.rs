//! Clients that say and hear bytes, and tell a clean end from a reset.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::wait::DEADLINE;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Fin,
    Reset,
}

/// # Panics
/// When nobody accepts.
#[track_caller]
pub fn connect(to: SocketAddr) -> TcpStream {
    try_connect(None, to).unwrap_or_else(|error| panic!("failed to connect to {to}: {error}"))
}

/// Connects from an address of one's own: all of 127.0.0.0/8 is.
#[track_caller]
pub fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    try_connect(Some(from), to)
        .unwrap_or_else(|error| panic!("failed to connect from {from} to {to}: {error}"))
}

pub fn try_connect(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(from) = from {
        // A port that bind() takes is taken for every destination.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
    }
    // Bounds the connect as well. A poll after it would see a reset that comes at once, and call
    // the connect failed.
    socket.set_write_timeout(Some(DEADLINE))?;
    socket.connect(&SockAddr::from(to))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Makes the next close a reset.
pub fn reset_on_close(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// What a test wants of a stream; every call has a deadline and panics when it passes.
pub trait Talk {
    fn say(&mut self, bytes: &[u8]);

    /// Exactly `n` bytes.
    fn hear(&mut self, n: usize) -> Vec<u8>;

    /// Up to and without the next newline.
    fn hear_line(&mut self) -> String;

    /// Says something to an echo and hears it.
    fn check_echo(&mut self, bytes: &[u8]);

    /// Everything until the end, and what the end was.
    fn hear_rest(&mut self) -> (Vec<u8>, Ending);

    /// Sends FIN.
    fn finish(&mut self);
}

impl<S: Stream> Talk for S {
    #[track_caller]
    fn say(&mut self, bytes: &[u8]) {
        self.write_all(bytes).unwrap_or_else(|error| panic!("failed to send: {error}"));
    }

    #[track_caller]
    fn hear(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.read_exact(&mut bytes)
            .unwrap_or_else(|error| panic!("did not get {n} bytes: {error}"));
        bytes
    }

    #[track_caller]
    fn hear_line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            match self.hear(1)[0] {
                b'\n' => return String::from_utf8(line).unwrap(),
                byte => line.push(byte),
            }
        }
    }

    #[track_caller]
    fn check_echo(&mut self, bytes: &[u8]) {
        self.say(bytes);
        assert_eq!(self.hear(bytes.len()), bytes);
    }

    #[track_caller]
    fn hear_rest(&mut self) -> (Vec<u8>, Ending) {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => (bytes, Ending::Fin),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, Ending::Reset),
            Err(error) => panic!("no end after {} bytes: {error}", bytes.len()),
        }
    }

    fn finish(&mut self) {
        self.shut_down_write().unwrap_or_else(|error| panic!("failed to send FIN: {error}"));
    }
}

/// TCP and Unix streams.
pub trait Stream: Read + Write {
    fn shut_down_write(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn shut_down_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for std::os::unix::net::UnixStream {
    fn shut_down_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
