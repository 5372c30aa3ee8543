//! Level-triggered epoll and the few socket calls both faces share. Knows no work and no protocol.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::{Domain, Socket, Type};

pub(crate) const READ: EpollFlags = EpollFlags::EPOLLIN;
pub(crate) const WRITE: EpollFlags = EpollFlags::EPOLLOUT;

/// Events fetched by one wait.
const EVENTS: usize = 1024;

pub(crate) struct Poll {
    epoll: Epoll,
}

pub(crate) struct Events(Vec<EpollEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(vec![EpollEvent::empty(); EVENTS])
    }
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
    }

    pub(crate) fn add(&self, fd: impl AsFd, token: usize, interest: EpollFlags) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(interest, token as u64))?)
    }

    pub(crate) fn change(
        &self,
        fd: impl AsFd,
        token: usize,
        interest: EpollFlags,
    ) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(interest, token as u64))?)
    }

    /// Waits at most `timeout`. A signal counts as an empty answer.
    pub(crate) fn wait<'e>(
        &self,
        events: &'e mut Events,
        timeout: Duration,
    ) -> io::Result<impl Iterator<Item = (usize, EpollFlags)> + 'e> {
        let millis = u16::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
        let count = match self.epoll.wait(&mut events.0, EpollTimeout::from(millis)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(events.0[..count].iter().map(|event| (event.data() as usize, event.events())))
    }
}

/// Reads what is there; `None` if that is nothing yet.
pub(crate) fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    not_yet(recv(stream.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT))
}

/// Throws away up to `room.len()` bytes inside the kernel, which leaves `room` untouched: the
/// client would otherwise be what is measured.
pub(crate) fn discard(stream: &TcpStream, room: &mut [u8]) -> io::Result<Option<usize>> {
    not_yet(recv(stream.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC))
}

/// Writes what fits; `None` if that is nothing yet.
pub(crate) fn transmit(stream: &TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    not_yet(send(stream.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL))
}

/// Starts connecting and returns at once.
pub(crate) fn start_connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

fn not_yet(result: nix::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        // ENOTCONN: `send` on a connection that is still being made.
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOTCONN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
