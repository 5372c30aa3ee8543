//! Large amounts one way: endless streams and 1 MB fetches. Bytes are thrown away in the kernel.

use std::time::Instant;

use super::meter::{Meter, WAIT_MAX};
use super::{Options, Report, Tally, connect_all};
use crate::poll::{Events, Poll, READ};
use crate::thrift::{Asked, ROWS_BYTES};
use crate::wire::{REQUEST_BYTES, Request};

const FETCH_BYTES: u64 = ROWS_BYTES as u64;
/// Address space to discard into; never touched.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;
/// How much longer than asked for the backend may stream, for slow starts.
const STREAM_SLACK_MILLIS: u64 = 30_000;

pub(super) fn stream(options: &Options) -> anyhow::Result<Report> {
    let time = options.warm_up + options.seconds;
    let millis = u64::try_from(time.as_millis())?.saturating_add(STREAM_SLACK_MILLIS);
    let request = Request::Stream { millis }.encode();
    let mut connections = connect_all(options)?;
    let poll = Poll::new()?;
    for (token, connection) in connections.iter_mut().enumerate() {
        poll.add(&*connection, token, READ)?;
        anyhow::ensure!(connection.transmit(&request)? == Some(REQUEST_BYTES), "request refused");
    }
    let mut tally = Tally::new(connections.len());
    let mut meter = Meter::start(options);
    let mut events = Events::new();
    let mut room = vec![0; DISCARD_BYTES];
    loop {
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let Some(count) = connections[token].discard(&mut room)? else { continue };
            anyhow::ensure!(count > 0, "connection {token} was closed");
            tally.carry(token, count);
        }
        if let Some(report) = meter.tick(Instant::now(), &mut tally)? {
            return Ok(report);
        }
    }
}

pub(super) fn fetch(options: &Options) -> anyhow::Result<Report> {
    let request = match options.load.speaks() {
        false => Request::Answer { bytes: FETCH_BYTES }.encode(),
        true => Asked::Rows.call(),
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
    let mut room = vec![0; DISCARD_BYTES];
    loop {
        for (token, _) in poll.wait(&mut events, WAIT_MAX)? {
            let connection = &mut connections[token];
            let Some(count) = connection.discard(&mut room)? else { continue };
            anyhow::ensure!(count > 0, "connection {token} was closed");
            tally.carry(token, count);
            let (got, since) = &mut under_way[token];
            *got += count as u64;
            anyhow::ensure!(*got <= FETCH_BYTES, "connection {token} got more than it asked for");
            if *got == FETCH_BYTES {
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
