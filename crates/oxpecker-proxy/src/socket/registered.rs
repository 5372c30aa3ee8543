//! The one place of this crate with unsafe code: watching a socket through tokio's `AsyncFd`.

use std::io;

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a non-blocking socket with the current runtime, which then owns it.
#[expect(unsafe_code, reason = "AsyncFd trusts its value to keep the same open descriptor")]
pub(crate) fn register(socket: Socket, interest: Interest) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns its descriptor from creation to drop, always answers
    // `as_raw_fd` with that one, and the `AsyncFd` gives it out by shared reference only.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}
