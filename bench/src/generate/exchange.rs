//! Small exchanges in a closed loop: every connection asks again as soon as it is answered.

use std::io::{Read, Write};
use std::time::Instant;

use super::meter::{Meter, WAIT_MAX};
use super::{Options, Report, Tally, connect_all};
use crate::link::Link;
use crate::poll::{Events, Poll, READ};
use crate::thrift::{Asked, STATE_BYTES};
use crate::wire::{REQUEST_BYTES, Request};

/// "100 B/100 B".
pub(super) const ANSWER_BYTES: usize = STATE_BYTES;

/// More than one answer, so that too many bytes are seen; and what [`Link::receive`] wants.
pub(super) const ANSWER_ROOM_BYTES: usize = 64 * 1024;

/// Asks and waits for the answer.
pub(super) fn exchange_once(stream: &mut Link) -> std::io::Result<()> {
    stream.write_all(&Request::Answer { bytes: ANSWER_BYTES as u64 }.encode())?;
    stream.read_exact(&mut [0; ANSWER_BYTES])
}

/// The same with a call whose reply is known.
pub(super) fn call_once(stream: &mut Link) -> std::io::Result<()> {
    stream.write_all(&Asked::State.call())?;
    let mut reply = [0; STATE_BYTES];
    stream.read_exact(&mut reply)?;
    if reply[..] != Asked::State.reply() {
        return Err(std::io::Error::other("the reply was changed"));
    }
    Ok(())
}

pub(super) fn exchange(options: &Options) -> anyhow::Result<Report> {
    let request = match options.load.speaks() {
        false => Request::Answer { bytes: ANSWER_BYTES as u64 }.encode(),
        true => Asked::State.call(),
    };
    let mut connections = connect_all(options)?;
    let poll = Poll::new()?;
    let mut under_way = Vec::new();
    for (token, connection) in connections.iter_mut().enumerate() {
        poll.add(&*connection, token, READ)?;
        under_way.push((0, Instant::now()));
        anyhow::ensure!(connection.transmit(&request)? == Some(REQUEST_BYTES), "request refused");
    }
    let mut tally = Tally::new(connections.len());
    let mut meter = Meter::start(options);
    let mut events = Events::new();
    let mut answer = vec![0; ANSWER_ROOM_BYTES];
    loop {
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let connection = &mut connections[token];
            let Some(count) = connection.receive(&mut answer)? else { continue };
            anyhow::ensure!(count > 0, "connection {token} was closed");
            let (got, since) = &mut under_way[token];
            *got += count;
            anyhow::ensure!(*got <= ANSWER_BYTES, "connection {token} got more than it asked for");
            tally.carry(token, count);
            if *got == ANSWER_BYTES {
                let now = Instant::now();
                tally.done += 1;
                tally.latencies.record(now - *since);
                (*got, *since) = (0, now);
                let sent = connection.transmit(&request)?;
                anyhow::ensure!(sent == Some(REQUEST_BYTES), "request refused");
            }
        }
        if let Some(report) = meter.tick(Instant::now(), &mut tally)? {
            return Ok(report);
        }
    }
}
