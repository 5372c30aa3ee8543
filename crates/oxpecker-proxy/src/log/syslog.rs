//! Syslog over UDP, TCP or a Unix socket, in the old (RFC 3164) and new (RFC 5424) form.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};
use oxpecker_config::model::{Facility, Level, SyslogProtocol, SyslogTransport};

const APP_NAME: &str = "oxpecker";

/// A datagram beyond this is cut by common receivers; statements and names stay far below.
const LINE_BYTES_MAX: usize = 8 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// After a failure lines are dropped for this long rather than waiting for a dead server again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Syslog {
    transport: Transport,
    protocol: SyslogProtocol,
    facility: Facility,
    hostname: String,
    line: Vec<u8>,
}

#[derive(Debug)]
enum Transport {
    Udp(UdpSocket),
    Unix { path: PathBuf, socket: UnixDatagram },
    Tcp { to: SocketAddr, stream: Option<TcpStream>, not_before: Option<Instant> },
}

impl Syslog {
    /// A TCP or Unix receiver that is not there yet is no error: it is tried again with lines.
    pub(super) fn open(
        transport: &SyslogTransport,
        protocol: SyslogProtocol,
        facility: Facility,
    ) -> io::Result<Self> {
        let transport = match transport {
            SyslogTransport::Udp(to) => {
                let any: SocketAddr =
                    if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
                let socket = UdpSocket::bind(any)?;
                socket.connect(to)?;
                socket.set_nonblocking(true)?;
                Transport::Udp(socket)
            }
            SyslogTransport::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                // A connection outlives a chroot, which the name does not.
                let _ = socket.connect(path);
                Transport::Unix { path: path.clone(), socket }
            }
            SyslogTransport::Tcp(to) => Transport::Tcp { to: *to, stream: None, not_before: None },
        };
        let hostname = nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "-".into());
        Ok(Self { transport, protocol, facility, hostname, line: Vec::new() })
    }

    /// Sends one line; a receiver that does not take it loses it.
    pub(super) fn send(&mut self, level: Level, message: &str) {
        self.line.clear();
        // Writing to a Vec cannot fail.
        let _ = self.format(level, message);
        let _ = match &mut self.transport {
            Transport::Udp(socket) => socket.send(&self.line).map(drop),
            Transport::Unix { path, socket } => send_unix(socket, path, &self.line),
            Transport::Tcp { to, stream, not_before } => {
                send_tcp(*to, stream, not_before, &mut self.line)
            }
        };
    }

    fn format(&mut self, level: Level, message: &str) -> io::Result<()> {
        let priority = u32::from(self.facility.0) * 8 + level as u32;
        let pid = std::process::id();
        let line = &mut self.line;
        match self.protocol {
            // "Mmm dd hh:mm:ss" in local time, the day padded with a space.
            SyslogProtocol::Rfc3164 => {
                let time = Zoned::now().strftime("%b %e %H:%M:%S").to_string();
                match self.transport {
                    // A local receiver adds the host itself.
                    Transport::Unix { .. } => {
                        write!(line, "<{priority}>{time} {APP_NAME}[{pid}]: ")?
                    }
                    _ => write!(line, "<{priority}>{time} {} {APP_NAME}[{pid}]: ", self.hostname)?,
                }
            }
            SyslogProtocol::Rfc5424 => {
                let time = Timestamp::now();
                write!(line, "<{priority}>1 {time:.6} {} {APP_NAME} {pid} - - ", self.hostname)?;
            }
        }
        // A line stays a line, whatever a client put into a name.
        for byte in message.bytes() {
            line.push(if byte < 0x20 { b' ' } else { byte });
        }
        line.truncate(LINE_BYTES_MAX);
        Ok(())
    }
}

/// By name, for a receiver that was started again has a new socket under the old one; over the
/// connection when a chroot has taken the name away.
fn send_unix(socket: &UnixDatagram, path: &Path, line: &[u8]) -> io::Result<()> {
    match socket.send_to(line, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => socket.send(line).map(drop),
        result => result.map(drop),
    }
}

/// Lines end with a newline (RFC 6587, non-transparent framing: what rsyslog's imtcp expects).
fn send_tcp(
    to: SocketAddr,
    stream: &mut Option<TcpStream>,
    not_before: &mut Option<Instant>,
    line: &mut Vec<u8>,
) -> io::Result<()> {
    if not_before.is_some_and(|at| Instant::now() < at) {
        return Ok(());
    }
    line.push(b'\n');
    let result = connected(to, stream).and_then(|stream| stream.write_all(line));
    *not_before = match result {
        Ok(()) => None,
        Err(_) => {
            *stream = None;
            Some(Instant::now() + RETRY_AFTER)
        }
    };
    result
}

fn connected(to: SocketAddr, stream: &mut Option<TcpStream>) -> io::Result<&mut TcpStream> {
    if stream.is_none() {
        let new = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT)?;
        new.set_write_timeout(Some(WRITE_TIMEOUT))?;
        *stream = Some(new);
    }
    stream.as_mut().ok_or_else(|| io::Error::other("no connection"))
}
