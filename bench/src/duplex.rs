//! One side of a byte check: sends its pseudo-random stream, verifies the other's, and closes
//! its direction as planned. Both faces use it; it never waits.

use std::io;

use nix::sys::epoll::EpollFlags;

use crate::link::Link;
use crate::poll::{READ, WRITE};
use crate::wire::{CheckPlan, ClosesFirst, fill, matches};

/// Bytes made or read at once. Not a multiple of a page, so that cuts fall everywhere.
pub(crate) const SCRATCH_BYTES: usize = 100_003;

#[derive(Debug)]
pub(crate) struct Duplex {
    send_seed: u64,
    send_bytes: u64,
    receive_seed: u64,
    receive_bytes: u64,
    /// Keep half back until the other side has ended its direction.
    holds_back: bool,
    sent: u64,
    received: u64,
    bad: bool,
    ended: bool,
    shut: bool,
}

impl Duplex {
    pub(crate) fn client(plan: &CheckPlan) -> Self {
        Self {
            send_seed: plan.up_seed(),
            send_bytes: plan.up_bytes,
            receive_seed: plan.down_seed(),
            receive_bytes: plan.down_bytes,
            holds_back: plan.closes_first == ClosesFirst::Backend,
            sent: 0,
            received: 0,
            bad: false,
            ended: false,
            shut: false,
        }
    }

    pub(crate) fn backend(plan: &CheckPlan) -> Self {
        Self {
            send_seed: plan.down_seed(),
            send_bytes: plan.down_bytes,
            receive_seed: plan.up_seed(),
            receive_bytes: plan.up_bytes,
            holds_back: plan.closes_first == ClosesFirst::Client,
            ..Self::client(plan)
        }
    }

    /// Moves what can be moved now.
    pub(crate) fn advance(&mut self, stream: &mut Link, scratch: &mut [u8]) -> io::Result<()> {
        if !self.ended
            && let Some(count) = stream.receive(scratch)?
        {
            self.take(&scratch[..count]);
        }
        let limit = self.send_limit();
        if self.sent < limit {
            let count = (limit - self.sent).min(scratch.len() as u64) as usize;
            fill(self.send_seed, self.sent, &mut scratch[..count]);
            self.sent += stream.transmit(&scratch[..count])?.unwrap_or(0) as u64;
        } else {
            stream.push()?;
        }
        if self.sent == self.send_bytes && !self.shut && (!self.holds_back || self.ended) {
            stream.shut()?;
            self.shut = true;
        }
        Ok(())
    }

    /// Takes bytes that were read along with the request; none means the end.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.ended = true;
            self.bad |= self.received != self.receive_bytes;
            return;
        }
        self.bad |= !matches(self.receive_seed, self.received, bytes);
        self.received += bytes.len() as u64;
        self.bad |= self.received > self.receive_bytes;
    }

    pub(crate) fn interest(&self, stream: &Link) -> EpollFlags {
        let mut interest = EpollFlags::empty();
        interest.set(READ, !self.ended);
        interest.set(WRITE, self.sent < self.send_limit() || stream.wants_write());
        interest
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.bad
    }

    /// The other side's bytes are all here and end where they should.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn is_done(&self, stream: &Link) -> bool {
        self.ended && self.shut && !stream.wants_write()
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "sent {} of {}, received {} of {}{}{}",
            self.sent,
            self.send_bytes,
            self.received,
            self.receive_bytes,
            if self.ended { ", other side ended" } else { "" },
            if self.bad { ", bytes lost, added or changed" } else { "" },
        )
    }

    fn send_limit(&self) -> u64 {
        if self.holds_back && !self.ended { self.send_bytes / 2 } else { self.send_bytes }
    }
}
