//! Small exchanges in a closed loop: every connection asks again as soon as it is answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::meter::{Meter, WAIT_MAX};
use super::{Options, Report, Tally, connect_all};
use crate::poll::{Events, Poll, READ, receive, transmit};
use crate::wire::{REQUEST_BYTES, Request};

/// "100 B/100 B".
pub(super) const ANSWER_BYTES: usize = REQUEST_BYTES;

/// Asks and waits for the answer.
pub(super) fn exchange_once(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&Request::Answer { bytes: ANSWER_BYTES as u64 }.encode())?;
    stream.read_exact(&mut [0; ANSWER_BYTES])
}

pub(super) fn exchange(options: &Options) -> anyhow::Result<Report> {
    let request = Request::Answer { bytes: ANSWER_BYTES as u64 }.encode();
    let connections = connect_all(options)?;
    let poll = Poll::new()?;
    let mut under_way = Vec::new();
    for (token, connection) in connections.iter().enumerate() {
        poll.add(connection, token, READ)?;
        under_way.push((0, Instant::now()));
        anyhow::ensure!(transmit(connection, &request)? == Some(REQUEST_BYTES), "request refused");
    }
    let mut tally = Tally::new(connections.len());
    let mut meter = Meter::start(options);
    let mut events = Events::new();
    let mut answer = [0; 2 * ANSWER_BYTES];
    loop {
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let connection = &connections[token];
            let Some(count) = receive(connection, &mut answer)? else { continue };
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
                let sent = transmit(connection, &request)?;
                anyhow::ensure!(sent == Some(REQUEST_BYTES), "request refused");
            }
        }
        if let Some(report) = meter.tick(Instant::now(), &mut tally)? {
            return Ok(report);
        }
    }
}
