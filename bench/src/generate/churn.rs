//! Short connections: connect, one small exchange, close; so many at a time.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::exchange::ANSWER_BYTES;
use super::meter::{Meter, WAIT_MAX};
use super::{Options, Report, Tally};
use crate::poll::{Events, Poll, READ, WRITE, receive, start_connect, transmit};
use crate::wire::{REQUEST_BYTES, Request};

/// One of the places that are always occupied.
struct Slot {
    stream: TcpStream,
    since: Instant,
    asked: bool,
    got: usize,
}

pub(super) fn churn(options: &Options) -> anyhow::Result<Report> {
    let request = Request::Answer { bytes: ANSWER_BYTES as u64 }.encode();
    let poll = Poll::new()?;
    let mut slots = (0..options.connections)
        .map(|token| open(&poll, options.to, token, &request))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut tally = Tally::new(slots.len());
    let mut meter = Meter::start(options);
    let mut events = Events::new();
    let mut answer = [0; 2 * ANSWER_BYTES];
    loop {
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let slot = &mut slots[token];
            if !slot.asked {
                if ask(&slot.stream, &request)? {
                    slot.asked = true;
                    poll.change(&slot.stream, token, READ)?;
                }
                continue;
            }
            let Some(count) = receive(&slot.stream, &mut answer)? else { continue };
            anyhow::ensure!(count > 0, "closed before the answer was complete");
            slot.got += count;
            anyhow::ensure!(slot.got <= ANSWER_BYTES, "got more than was asked for");
            tally.carry(token, count);
            if slot.got == ANSWER_BYTES {
                tally.done += 1;
                tally.latencies.record(slot.since.elapsed());
                *slot = open(&poll, options.to, token, &request)?;
            }
        }
        if let Some(report) = meter.tick(Instant::now(), &mut tally)? {
            return Ok(report);
        }
    }
}

/// On loopback the connection stands at once as a rule, and the request leaves with no wait.
fn open(poll: &Poll, to: SocketAddr, token: usize, request: &[u8]) -> anyhow::Result<Slot> {
    let since = Instant::now();
    let stream = start_connect(to)?;
    let asked = ask(&stream, request)?;
    poll.add(&stream, token, if asked { READ } else { WRITE })?;
    Ok(Slot { stream, since, asked, got: 0 })
}

fn ask(stream: &TcpStream, request: &[u8]) -> anyhow::Result<bool> {
    match transmit(stream, request)? {
        Some(REQUEST_BYTES) => Ok(true),
        Some(count) => anyhow::bail!("only {count} bytes of a request were taken"),
        None => Ok(false),
    }
}
