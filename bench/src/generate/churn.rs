//! Short connections: connect, one small exchange, close; so many at a time.

use std::time::Instant;

use nix::sys::epoll::EpollFlags;

use super::exchange::{ANSWER_BYTES, ANSWER_ROOM_BYTES};
use super::meter::{Meter, WAIT_MAX};
use super::{Options, Report, Tally};
use crate::link::Link;
use crate::poll::{Events, Poll, READ, WRITE, start_connect};
use crate::wire::{REQUEST_BYTES, Request};

/// One of the places that are always occupied.
struct Slot {
    stream: Link,
    since: Instant,
    asked: bool,
    interest: EpollFlags,
    got: usize,
}

pub(super) fn churn(options: &Options) -> anyhow::Result<Report> {
    let request = Request::Answer { bytes: ANSWER_BYTES as u64 }.encode();
    let poll = Poll::new()?;
    let mut slots = (0..options.connections)
        .map(|token| open(&poll, options, token, &request))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut tally = Tally::new(slots.len());
    let mut meter = Meter::start(options);
    let mut events = Events::new();
    let mut answer = vec![0; ANSWER_ROOM_BYTES];
    loop {
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let slot = &mut slots[token];
            if !slot.asked {
                slot.asked = ask(&mut slot.stream, &request)?;
                slot.follow(&poll, token)?;
                continue;
            }
            let received = slot.stream.receive(&mut answer)?;
            slot.follow(&poll, token)?;
            let Some(count) = received else { continue };
            anyhow::ensure!(count > 0, "closed before the answer was complete");
            slot.got += count;
            anyhow::ensure!(slot.got <= ANSWER_BYTES, "got more than was asked for");
            tally.carry(token, count);
            if slot.got == ANSWER_BYTES {
                tally.done += 1;
                tally.latencies.record(slot.since.elapsed());
                *slot = open(&poll, options, token, &request)?;
            }
        }
        if let Some(report) = meter.tick(Instant::now(), &mut tally)? {
            return Ok(report);
        }
    }
}

/// On loopback the connection stands at once as a rule, and the request leaves with no wait.
fn open(poll: &Poll, options: &Options, token: usize, request: &[u8]) -> anyhow::Result<Slot> {
    let since = Instant::now();
    let mut stream = Link::new(start_connect(options.to)?, options.tls)?;
    let asked = ask(&mut stream, request)?;
    let mut slot = Slot { stream, since, asked, interest: EpollFlags::empty(), got: 0 };
    slot.interest = slot.wanted();
    poll.add(&slot.stream, token, slot.interest)?;
    Ok(slot)
}

impl Slot {
    fn wanted(&self) -> EpollFlags {
        match self.asked {
            true if self.stream.wants_write() => READ | WRITE,
            true => READ,
            false => WRITE,
        }
    }

    fn follow(&mut self, poll: &Poll, token: usize) -> anyhow::Result<()> {
        let wanted = self.wanted();
        if wanted != self.interest {
            poll.change(&self.stream, token, wanted)?;
            self.interest = wanted;
        }
        Ok(())
    }
}

fn ask(stream: &mut Link, request: &[u8]) -> anyhow::Result<bool> {
    match stream.transmit(request)? {
        Some(REQUEST_BYTES) => Ok(true),
        Some(count) => anyhow::bail!("only {count} bytes of a request were taken"),
        None => Ok(false),
    }
}
