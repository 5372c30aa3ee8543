//! Passing a message from one side to the other as it is read, framing off and on again.

use std::io;
use std::task::{Context, Poll, ready};

use oxpecker_wire::scan::Fault;

use super::{Broken, Link, Outward, Patience, next, took};
use crate::relay::with_scratch;

/// A SASL frame's header, written in front of its payload.
const FRAME_HEADER: usize = 4;

/// Which side failed while a message was passed on.
#[derive(Debug)]
pub(in crate::aware) enum PumpError {
    From(Broken),
    To(io::Error),
}

/// Reads a message's bytes as they pass: how many belong to it, and whether it is over.
pub(in crate::aware) type Feed<'a> = dyn FnMut(&[u8]) -> Result<(usize, bool), Fault> + Send + 'a;

/// Passes the rest of a message on, `to` nobody if it cannot be delivered. Holds one scratch
/// buffer's worth at most, and reads no more before that is sent.
pub(in crate::aware) async fn pump(
    from: &mut Link,
    mut to: Option<&mut Link>,
    patience: Patience,
    feed: &mut Feed<'_>,
) -> Result<(), PumpError> {
    let mut over = pump_received(from, to.as_deref_mut(), feed).map_err(PumpError::From)?;
    loop {
        if let Some(to) = to.as_deref_mut() {
            to.flush_within(patience).await.map_err(PumpError::To)?;
        }
        if over {
            return Ok(());
        }
        let step = std::future::poll_fn(|cx| poll_pump(cx, from, to.as_deref_mut(), feed));
        over = patience.within(step).await.unwrap_or(Err(PumpError::From(Broken::Stalled)))?;
    }
}

fn pump_received(
    from: &mut Link,
    mut to: Option<&mut Link>,
    feed: &mut Feed<'_>,
) -> Result<bool, Broken> {
    loop {
        let payload = from.payload()?;
        // Even without bytes: the message may have ended with those before.
        let (count, over) = feed(payload)?;
        if let Some(to) = to.as_deref_mut() {
            to.queue(&payload[..count]);
        }
        let is_empty = payload.is_empty();
        from.took(count);
        if over || is_empty {
            return Ok(over);
        }
    }
}

/// One read, and a write of all in it that belongs to the message.
fn poll_pump(
    cx: &mut Context<'_>,
    from: &mut Link,
    mut to: Option<&mut Link>,
    feed: &mut Feed<'_>,
) -> Poll<Result<bool, PumpError>> {
    if from.payload_is_over() {
        // A body ends before its message does.
        return Poll::Ready(Err(PumpError::From(Broken::Ended)));
    }
    with_scratch(|scratch| {
        // Room for a frame's header before payload that comes without.
        let n = match ready!(from.endpoint.poll_read(cx, &mut scratch[FRAME_HEADER..])) {
            Ok(0) => return Poll::Ready(Err(PumpError::From(Broken::Ended))),
            Ok(n) => n,
            Err(error) => return Poll::Ready(Err(PumpError::From(error.into()))),
        };
        from.bytes_in += n as u64;
        let end = FRAME_HEADER + n;
        let mut at = FRAME_HEADER;
        let mut run = Run::default();
        let mut over = false;
        while at < end && !over {
            let (passed, count) =
                next(&mut from.inward, &scratch[at..end]).map_err(PumpError::From)?;
            at += passed;
            if count == 0 {
                break;
            }
            let fed = feed(&scratch[at..at + count]);
            let (count, ended) = fed.map_err(|fault| PumpError::From(fault.into()))?;
            over = ended;
            took(&mut from.inward, count);
            if let Some(to) = to.as_deref_mut()
                && count > 0
            {
                run.add(cx, scratch, at, count, to).map_err(PumpError::To)?;
            }
            at += count;
        }
        if let Some(to) = to {
            run.send(cx, scratch, to).map_err(PumpError::To)?;
        }
        from.inbox.extend_from_slice(&scratch[at..end]);
        Poll::Ready(Ok(over))
    })
}

/// Payload that lies together with its framing and goes out in one write.
#[derive(Default)]
struct Run {
    begin: usize,
    end: usize,
}

impl Run {
    fn add(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        at: usize,
        count: usize,
        to: &mut Link,
    ) -> io::Result<()> {
        let begin = match to.outward {
            Outward::Raw => at,
            Outward::Sasl => {
                // Where the sender's own header was, or bytes that are sent or lie in the inbox.
                if self.end > at - FRAME_HEADER {
                    self.send(cx, scratch, to)?;
                }
                let header = (count as u32).to_be_bytes();
                scratch[at - FRAME_HEADER..at].copy_from_slice(&header);
                at - FRAME_HEADER
            }
            Outward::Chunked => {
                to.queue(&scratch[at..at + count]);
                return Ok(());
            }
        };
        if self.end != begin {
            self.send(cx, scratch, to)?;
            self.begin = begin;
        }
        self.end = at + count;
        Ok(())
    }

    fn send(&mut self, cx: &mut Context<'_>, scratch: &[u8], to: &mut Link) -> io::Result<()> {
        if self.begin < self.end {
            to.send(cx, &scratch[self.begin..self.end])?;
        }
        self.begin = self.end;
        Ok(())
    }
}
