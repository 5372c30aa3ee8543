//! Sockets as the data plane uses them: one type for TCP and Unix streams, polled directly.
//!
//! A [`Stream`] is a non-blocking descriptor registered with the current thread's runtime.
//! It never buffers; the caller brings the memory.

mod registered;

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use oxpecker_config::model::Keepalive;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(crate) use registered::register;

/// A connected stream socket.
#[derive(Debug)]
pub(crate) struct Stream {
    io: AsyncFd<Socket>,
}

impl Stream {
    /// Registers a connected, non-blocking socket with the current runtime.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        Ok(Self { io: register(socket, interest)? })
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.io.get_ref()
    }

    /// Reads into `buffer`; `Ok(0)` is the end of the stream.
    ///
    /// A short read clears the readiness at once: with edge-triggered events anything that
    /// arrives later raises a new one, and the read that would only say `WouldBlock` is saved.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.io.poll_read_ready(cx))?;
            match guard.get_inner().read(buffer) {
                Ok(n) => {
                    if n > 0 && n < buffer.len() {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes what the kernel takes of `bytes`, which may be less than all.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.io.poll_write_ready(cx))?;
            match guard.get_inner().write(bytes) {
                Ok(n) => {
                    if n < bytes.len() {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Runs a read-side system call (`splice` into a pipe) when the socket is readable.
    pub(crate) fn poll_read_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.io.poll_read_ready(cx))?;
            match call(guard.get_inner().as_fd()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Runs a write-side system call (`splice` out of a pipe) when the socket is writable.
    pub(crate) fn poll_write_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.io.poll_write_ready(cx))?;
            match call(guard.get_inner().as_fd()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Waits until the peer sent something or is gone, without taking a byte.
    /// `Ok(true)`: there is data; `Ok(false)`: the peer closed.
    ///
    /// Cancel safe: nothing is consumed.
    pub(crate) async fn peek_readable(&self) -> io::Result<bool> {
        loop {
            let mut guard = self.io.readable().await?;
            let mut byte = [MaybeUninit::uninit()];
            match guard.get_inner().peek(&mut byte) {
                // Readiness stays set: the relay wants to see this data.
                Ok(n) => return Ok(n > 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) => return Err(error),
            }
        }
    }

    /// The peer has closed and sent nothing that is still unread.
    pub(crate) fn has_left(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        matches!(self.socket().peek(&mut byte), Ok(0))
    }

    /// The same without a system call as long as the peer has been silent.
    pub(crate) fn is_known_to_have_left(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        matches!(self.io.try_io(Interest::READABLE, |socket| socket.peek(&mut byte)), Ok(0))
    }

    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Looks at what is there without taking it, as soon as there is more than `known` bytes
    /// or the peer has closed (an error: the caller still wanted more).
    ///
    /// Each arrival is waited for, so what was looked at in vain is no longer announced: whoever
    /// gives up waiting and wants to read must do so from [`Self::announced_anew`].
    pub(crate) async fn peek_beyond(&self, known: usize, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut guard = self.io.readable().await?;
            match recv(guard.get_inner().as_raw_fd(), buffer, MsgFlags::MSG_PEEK) {
                Ok(n) if n > known => return Ok(n),
                Ok(_) if guard.ready().is_read_closed() => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(_) | Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The same stream, which tells again of what has already arrived.
    pub(crate) fn announced_anew(self) -> io::Result<Self> {
        Self::new(self.io.into_inner())
    }

    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = std::future::poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Sends FIN; the other direction stays open.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self.socket().shutdown(Shutdown::Write) {
            // The peer was faster; there is nobody left to tell.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }

    /// Makes the close that follows a reset, so the peer cannot take a cut stream for a whole one.
    pub(crate) fn reset_on_close(&self) {
        // An error means the socket is dead already, which is what was wanted.
        let _ = self.socket().set_linger(Some(Duration::ZERO));
    }

    /// Makes the close that follows send nothing at all. Needs CAP_NET_ADMIN.
    pub(crate) fn silence_on_close(&self) -> io::Result<()> {
        Ok(setsockopt(self.socket(), sockopt::TcpRepair, &1)?)
    }
}

/// How to reach a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dial<'a> {
    pub(crate) to: SocketAddr,
    /// Connect from this address.
    pub(crate) from: Option<IpAddr>,
    /// The `from` address is not ours (transparent mode).
    pub(crate) transparent: Option<SocketAddr>,
    pub(crate) keepalive: Option<&'a Keepalive>,
    pub(crate) user_timeout: Option<Duration>,
}

/// Opens a TCP connection; bounded by the caller's timeout.
pub(crate) async fn connect(dial: &Dial<'_>) -> io::Result<Stream> {
    let domain = Domain::for_address(dial.to);
    let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    set_keepalive(&socket, dial.keepalive)?;
    if dial.user_timeout.is_some() {
        socket.set_tcp_user_timeout(dial.user_timeout)?;
    }
    if let Some(client) = dial.transparent {
        set_transparent(&socket, domain)?;
        socket.bind(&SockAddr::from(client))?;
    } else if let Some(from) = dial.from {
        // Take the port when the destination is known: 28,000 ports a source and destination
        // instead of 28,000 a source.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
    }
    match socket.connect(&SockAddr::from(dial.to)) {
        Ok(()) => return Stream::new(socket),
        Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let stream = Stream::new(socket)?;
    let mut guard = stream.io.writable().await?;
    guard.retain_ready();
    // A failed connect is hung up as well as writable; asking for the error costs a system call.
    let ready = guard.ready();
    drop(guard);
    if ready.is_error() || ready.is_write_closed() {
        return Err(stream
            .socket()
            .take_error()?
            .unwrap_or_else(|| io::ErrorKind::NotConnected.into()));
    }
    Ok(stream)
}

fn set_transparent(socket: &Socket, domain: Domain) -> io::Result<()> {
    if domain == Domain::IPV6 {
        socket.set_ip_transparent_v6(true)
    } else {
        socket.set_ip_transparent_v4(true)
    }
}

/// Sets keepalive on a socket; on a listener, accepted connections inherit it.
pub(crate) fn set_keepalive(socket: &Socket, keepalive: Option<&Keepalive>) -> io::Result<()> {
    let Some(keepalive) = keepalive else { return Ok(()) };
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.count),
    )
}
