//! One direction of a relay.

use std::io;
use std::task::{Context, Poll};

use super::pipe::{self, Pipe};
use super::{Tap, Watch};
use crate::counters::Moved;
use crate::endpoint::Endpoint;
use crate::socket::Stream;

/// Reads in one go before the thread's other connections get their turn.
const ROUNDS_MAX: u32 = 8;

/// A read of this size or more says that the sender is ahead of us.
const LARGE_READ_BYTES: usize = 64 * 1024;

/// Large reads adding up to this much make a long stream. Small answers never get here, and
/// copying them is cheapest; from about half a megabyte on the socket refuses so much of what
/// was read that a pipe costs less (docs/benchmarks.md, "Tuning").
const SPLICE_AFTER_BYTES: u32 = 512 * 1024;

/// This many small pieces in a row end the use of a pipe.
const SMALL_PIECES_MAX: u8 = 8;

/// Which end of the direction failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    From,
    To,
    /// As `To`, and our write took the error that tells of a reset: whoever reads from it now
    /// is told of an end of the stream.
    ToReset,
}

impl Peer {
    fn of_write(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionReset { Self::ToReset } else { Self::To }
    }
}

#[derive(Debug)]
pub(super) enum FlowPoll {
    Pending,
    /// The end of the stream was passed on.
    Done,
    Failed(Peer),
}

#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) bytes: u64,
    reads: u64,
    /// What the receiver refused.
    rest: Rest,
    state: State,
    /// Large reads since the answer began, in bytes.
    streak: u32,
    splicing: bool,
    small_pieces: u8,
    wrote: bool,
}

#[derive(Debug, Default)]
enum Rest {
    #[default]
    Nothing,
    Bytes {
        bytes: Box<[u8]>,
        sent: u32,
    },
    Pipe(Pipe),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The sender has reset, but what it said before may still lie unread.
    CutOff,
    /// The sender is done; the rest is still to be delivered.
    Ending,
    Done,
    /// The receiver was lost.
    Broken,
}

impl Flow {
    /// `last`: the other direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Endpoint,
        to: &mut Endpoint,
        scratch: &mut [u8],
        last: bool,
        mut tap: Tap<'_, impl Watch>,
    ) -> FlowPoll {
        if matches!(self.state, State::Done | State::Broken) {
            return FlowPoll::Done;
        }
        for _ in 0..ROUNDS_MAX {
            match self.poll_rest(cx, to) {
                Poll::Pending => return FlowPoll::Pending,
                Poll::Ready(Err(error)) => return FlowPoll::Failed(Peer::of_write(&error)),
                Poll::Ready(Ok(())) => {}
            }
            if self.state == State::Ending {
                // With the other direction over, the close that follows says the same; TLS has
                // its own goodbye.
                if last && to.plain().is_some() {
                    self.state = State::Done;
                    return FlowPoll::Done;
                }
                return match to.poll_shutdown(cx, !from.was_truncated()) {
                    Poll::Pending => FlowPoll::Pending,
                    Poll::Ready(Ok(())) => {
                        self.state = State::Done;
                        FlowPoll::Done
                    }
                    Poll::Ready(Err(_)) => FlowPoll::Failed(Peer::To),
                };
            }
            let step = if self.splicing
                && !tap.reads()
                && to.plain().is_some()
                && let Some(from) = from.plain()
                && let Some(pipe) = pipe::take()
            {
                self.poll_fill(cx, from, pipe)
            } else {
                self.poll_copy(cx, from, to, scratch, &mut tap)
            };
            match step {
                Poll::Pending => return FlowPoll::Pending,
                Poll::Ready(Err(peer)) => return FlowPoll::Failed(peer),
                Poll::Ready(Ok(())) => {}
            }
        }
        cx.waker().wake_by_ref();
        FlowPoll::Pending
    }

    /// One read into the scratch buffer and one write out of it.
    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Endpoint,
        to: &mut Endpoint,
        scratch: &mut [u8],
        tap: &mut Tap<'_, impl Watch>,
    ) -> Poll<Result<(), Peer>> {
        let n = match from.poll_read(cx, scratch) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Peer::From)),
            Poll::Ready(Ok(n)) => n,
        };
        if n == 0 {
            tap.ended();
            return Poll::Ready(self.end());
        }
        self.count(n);
        tap.saw(&scratch[..n]);
        if n >= LARGE_READ_BYTES {
            self.streak = self.streak.saturating_add(n as u32);
            if self.streak >= SPLICE_AFTER_BYTES {
                self.splicing = true;
                self.small_pieces = 0;
            }
        } else {
            self.streak = 0;
        }
        let taken = match to.poll_write(cx, &scratch[..n]) {
            Poll::Pending => 0,
            Poll::Ready(Ok(taken)) => taken,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Peer::of_write(&error))),
        };
        if taken < n {
            self.rest = Rest::Bytes { bytes: scratch[taken..n].into(), sent: 0 };
        }
        Poll::Ready(Ok(()))
    }

    /// Fills an empty pipe; `poll_rest` empties it. The pipe is never filled while it holds
    /// something: "would block" could then mean either the socket or the pipe.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &Stream,
        mut pipe: Pipe,
    ) -> Poll<Result<(), Peer>> {
        let n = match from.poll_read_with(cx, |socket| pipe.fill(socket)) {
            Poll::Pending => {
                pipe::give_back(pipe);
                return Poll::Pending;
            }
            Poll::Ready(Err(_)) => {
                pipe::give_back(pipe);
                return Poll::Ready(Err(Peer::From));
            }
            Poll::Ready(Ok(n)) => n,
        };
        if n == 0 {
            pipe::give_back(pipe);
            return Poll::Ready(self.end());
        }
        self.count(n);
        if n >= LARGE_READ_BYTES {
            self.small_pieces = 0;
        } else {
            self.small_pieces += 1;
            if self.small_pieces == SMALL_PIECES_MAX {
                self.begin_answer();
            }
        }
        self.rest = Rest::Pipe(pipe);
        Poll::Ready(Ok(()))
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>, to: &mut Endpoint) -> Poll<io::Result<()>> {
        loop {
            match &mut self.rest {
                Rest::Nothing => return to.poll_flush(cx),
                Rest::Bytes { bytes, sent } => {
                    let n = std::task::ready!(to.poll_write(cx, &bytes[*sent as usize..]))?;
                    self.wrote = true;
                    *sent += n as u32;
                    if *sent as usize == bytes.len() {
                        self.rest = Rest::Nothing;
                    }
                }
                Rest::Pipe(pipe) => {
                    let drained = to.stream().poll_write_with(cx, |socket| pipe.drain(socket));
                    std::task::ready!(drained)?;
                    self.wrote = true;
                    if pipe.is_empty()
                        && let Rest::Pipe(pipe) = std::mem::take(&mut self.rest)
                    {
                        pipe::give_back(pipe);
                    }
                }
            }
        }
    }

    /// Nothing more comes from the sender.
    fn end(&mut self) -> Result<(), Peer> {
        if self.state == State::CutOff {
            return Err(Peer::From);
        }
        self.state = State::Ending;
        Ok(())
    }

    fn count(&mut self, n: usize) {
        self.bytes += n as u64;
        self.reads += 1;
    }

    pub(super) fn moved(&self) -> Moved {
        Moved { bytes: self.bytes, reads: self.reads }
    }

    /// Something left the rest since the last call.
    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Starts over with copying: what comes next need not be a long stream.
    pub(super) fn begin_answer(&mut self) {
        self.streak = 0;
        self.splicing = false;
    }

    /// The receiver is lost; nothing more is read for it.
    pub(super) fn give_up(&mut self) {
        self.state = State::Broken;
        self.rest = Rest::Nothing;
    }

    /// The sender has reset: an end of the stream that has not come by now is none.
    pub(super) fn cut_off(&mut self) {
        if self.state == State::Open {
            self.state = State::CutOff;
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// The end of the stream was passed on.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The sender is done.
    pub(super) fn ended(&self) -> bool {
        self.state != State::Open
    }
}
