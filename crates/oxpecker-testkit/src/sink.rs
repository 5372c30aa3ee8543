//! Receivers of log lines and of a service manager's notifications.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;

use crate::lines::Lines;

/// Every datagram is a line.
#[track_caller]
pub fn udp(addr: SocketAddr) -> Lines {
    let socket = UdpSocket::bind(addr).unwrap();
    datagrams(move |buffer| socket.recv(buffer).ok())
}

/// Every datagram is a line, as `/dev/log` and `NOTIFY_SOCKET` take them.
#[track_caller]
pub fn unix(path: &Path) -> Lines {
    let socket = UnixDatagram::bind(path).unwrap();
    datagrams(move |buffer| socket.recv(buffer).ok())
}

/// Lines of all connections.
#[track_caller]
pub fn tcp(addr: SocketAddr) -> Lines {
    let listener = TcpListener::bind(addr).unwrap();
    let lines = Lines::default();
    let kept = lines.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            kept.follow(stream);
        }
    });
    lines
}

/// The thread ends with the test process; a blocked receive costs nothing.
fn datagrams(receive: impl Fn(&mut [u8]) -> Option<usize> + Send + 'static) -> Lines {
    let lines = Lines::default();
    let kept = lines.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Some(n) = receive(&mut buffer) {
            kept.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    });
    lines
}
