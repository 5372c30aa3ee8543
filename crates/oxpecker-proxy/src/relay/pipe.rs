//! Kernel pipes for long streams: bytes go from socket to socket without entering the process.
//!
//! A thread keeps a few pipes and lends them out for one filling and emptying at a time, so
//! their number follows what is in flight, not the number of connections. When none is to be
//! had the relay copies.

use std::cell::RefCell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};

/// What an unprivileged process may have (fs.pipe-max-size). A quarter of it costs a tenth more
/// on endless streams and on 1 MB answers, the kernel's default of 64 KiB a third.
const PIPE_BYTES: usize = 1024 * 1024;

/// The kernel allows an unprivileged user 64 MiB of pipes in all (fs.pipe-user-pages-soft) and
/// cripples those beyond; it counts what they could hold, not what they do.
const PIPES_MAX: usize = 48;

/// Each thread's share of them.
static SHARE: AtomicUsize = AtomicUsize::new(PIPES_MAX);

/// To be told before the first stream.
pub(crate) fn share_among(threads: usize) {
    SHARE.store((PIPES_MAX / threads.max(1)).max(1), Ordering::Relaxed);
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { free: Vec::new(), made: 0 }) };
}

struct Pool {
    free: Vec<Pipe>,
    made: usize,
}

#[derive(Debug)]
pub(super) struct Pipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
    filled: u32,
}

/// An empty pipe, or `None` when this thread has lent out all it may.
pub(super) fn take() -> Option<Pipe> {
    POOL.with_borrow_mut(|pool| {
        if let Some(pipe) = pool.free.pop() {
            return Some(pipe);
        }
        if pool.made >= SHARE.load(Ordering::Relaxed) {
            return None;
        }
        let pipe = Pipe::new().ok()?;
        pool.made += 1;
        Some(pipe)
    })
}

/// Keeps an empty pipe for the next stream.
pub(super) fn give_back(pipe: Pipe) {
    if pipe.is_empty() {
        POOL.with_borrow_mut(|pool| pool.free.push(pipe));
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Only a pipe that went down with its connection comes here: the pool may make another.
        // At thread end the pool itself is gone, and so is the need.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut() {
                pool.made = pool.made.saturating_sub(1);
            }
        });
    }
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read_end, write_end) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        // A smaller pipe works too, only slower.
        let _ = fcntl(&write_end, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES as i32));
        Ok(Self { read_end, write_end, filled: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(super) fn fill(&mut self, from: BorrowedFd<'_>) -> io::Result<usize> {
        let n = splice(from, None, &self.write_end, None, PIPE_BYTES, FLAGS)?;
        self.filled += n as u32;
        Ok(n)
    }

    pub(super) fn drain(&mut self, to: BorrowedFd<'_>) -> io::Result<usize> {
        let n = splice(&self.read_end, None, to, None, self.filled as usize, FLAGS)?;
        self.filled -= n as u32;
        Ok(n)
    }
}

const FLAGS: SpliceFFlags = SpliceFFlags::SPLICE_F_MOVE.union(SpliceFFlags::SPLICE_F_NONBLOCK);
