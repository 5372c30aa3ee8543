//! Follow: a connection that nobody but its client can authenticate stays with its member, and what
//! passes is read without changing a byte.
//!
//! After a log-in with Kerberos messages travel in the open, in frames (docs/impala.md, "SASL"). So
//! sessions and operations are known here too, and nothing is cut while one is open. Where messages
//! are encrypted nothing can be read, and the connection is an opaque one.

use std::sync::atomic::Ordering;
use std::task::Poll;

use oxpecker_wire::sasl::{self, Status};
use oxpecker_wire::scan::frames::Frames;
use oxpecker_wire::scan::{CallScanner, Dialect, Fault, Progress, ReplyScanner};
use tokio::time::Instant;

use super::access::Access;
use super::learn::Memory;
use super::place::Place;
use super::registry::OperationEnd;
use crate::connection::Session;
use crate::connection::registry::Cut;
use crate::counters::Moved;
use crate::record::Close;
use crate::relay::{Patience, Watch, Way};

pub(super) struct Follow<'a> {
    session: &'a Session,
    memory: Memory,
    place: Place,
    dialect: Dialect,
    calls: CallScanner,
    replies: ReplyScanner,
    up: Frames,
    down: Frames,
    /// The server's part of the negotiation; `None` when it is over.
    negotiation: Option<Negotiation>,
    /// Calls whose replies have not ended.
    unanswered: u32,
    /// The last of them is what `calls` holds.
    waits: bool,
    /// Nothing can be read any more.
    blind: bool,
    first_to_end: Option<Way>,
}

/// Negotiation frames, of which only the status matters.
#[derive(Debug, Default)]
struct Negotiation {
    header: Vec<u8>,
    left: u32,
}

impl<'a> Follow<'a> {
    pub(super) fn new(session: &'a Session, dialect: Dialect, place: Place) -> Self {
        Self {
            session,
            memory: Memory::new(session, Access::ClientOnly),
            place,
            dialect,
            calls: CallScanner::new(dialect),
            replies: ReplyScanner::new(dialect),
            up: Frames::default(),
            down: Frames::default(),
            negotiation: Some(Negotiation::default()),
            unanswered: 0,
            waits: false,
            blind: false,
            first_to_end: None,
        }
    }

    pub(super) fn is_over(&mut self, close: Close) {
        let end = match (close, self.first_to_end) {
            // The client only followed its coordinator.
            (Close::Finished | Close::ClientGone { .. }, Some(Way::Down)) => {
                OperationEnd::CoordinatorLost
            }
            (close, _) => OperationEnd::of_close(close),
        };
        self.memory.gave_up(end, "");
        self.memory.connection_ended(self.dialect);
    }

    fn read_up(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        // Before the server is content the client negotiates too.
        if self.negotiation.is_some() {
            return Ok(());
        }
        while !bytes.is_empty() {
            let (passed, count) = self.up.next(bytes)?;
            let mut payload = &bytes[passed..passed + count];
            bytes = &bytes[passed + count..];
            self.up.took(count);
            while !payload.is_empty() {
                if self.waits {
                    // The last call was kept for its reply, which a client must have had by now. Of
                    // calls that are sent before it, only the last is kept.
                    self.waits = false;
                    self.memory.gave_up(OperationEnd::AnswerLost, "");
                    self.calls.reset();
                }
                let (used, progress) = self.calls.feed(payload)?;
                payload = &payload[used..];
                self.call_progressed(progress)?;
            }
        }
        Ok(())
    }

    /// A message may end where its head does.
    fn call_progressed(&mut self, mut progress: Progress) -> Result<(), Fault> {
        if progress == Progress::Head {
            progress = self.calls.feed(&[])?.1;
        }
        if progress == Progress::End {
            if self.calls.call().expects_reply() {
                self.waits = true;
                self.unanswered = self.unanswered.saturating_add(1);
                self.memory.called();
                self.memory.asks(self.calls.call());
            } else {
                self.calls.reset();
            }
        }
        Ok(())
    }

    fn read_down(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some(negotiation) = &mut self.negotiation {
            if negotiation.read(&mut bytes) {
                self.negotiation = None;
            } else if bytes.is_empty() {
                return Ok(());
            }
        }
        while !bytes.is_empty() {
            let (passed, count) = self.down.next(bytes)?;
            let mut payload = &bytes[passed..passed + count];
            bytes = &bytes[passed + count..];
            self.down.took(count);
            while !payload.is_empty() {
                let (used, mut progress) = self.replies.feed(payload)?;
                payload = &payload[used..];
                if progress == Progress::Head {
                    progress = self.replies.feed(&[])?.1;
                }
                if progress == Progress::End {
                    self.reply_ended();
                }
            }
        }
        Ok(())
    }

    fn reply_ended(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.waits && self.unanswered == 0 {
            let (call, reply) = (self.calls.call(), self.replies.reply());
            self.memory.learn(call, reply, self.replies.position(), &self.place);
            self.memory.note_results(call, reply);
            self.waits = false;
            self.calls.reset();
        }
        self.replies.reset();
    }
}

impl Negotiation {
    /// Reads on; true: the server said that it is content, and what is left is no negotiation.
    fn read(&mut self, bytes: &mut &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = bytes.len().min(self.left as usize);
                *bytes = &bytes[count..];
                self.left -= count as u32;
            } else {
                self.header.push(bytes[0]);
                *bytes = &bytes[1..];
                let Some((_, length)) = sasl::read_negotiation_header(&self.header) else {
                    continue;
                };
                self.left = length;
            }
            if self.left == 0 {
                let status = self.header.first().copied().and_then(Status::from_byte);
                self.header.clear();
                if status == Some(Status::Complete) {
                    return true;
                }
            }
        }
        false
    }
}

impl Watch for Follow<'_> {
    const READS: bool = true;

    fn patience(&self) -> Patience {
        self.session.patience()
    }

    fn moved(&self, up: Moved, down: Moved, at: Instant) {
        self.session.moved(up, down, at);
    }

    fn poll_cut(&self) -> Poll<Cut> {
        self.session.poll_cut()
    }

    fn is_busy(&self) -> bool {
        self.unanswered > 0 || self.memory.has_open_operations()
    }

    fn ended(&mut self, way: Way) {
        self.first_to_end.get_or_insert(way);
    }

    fn saw(&mut self, way: Way, bytes: &[u8]) {
        if self.blind {
            return;
        }
        let read = match way {
            Way::Up => self.read_up(bytes),
            Way::Down => self.read_down(bytes),
        };
        if let Err(fault) = read {
            self.blind = true;
            self.session.worker.shared.sessions.unreadable.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(
                client = %self.session.client(), %fault,
                "messages behind a log-in cannot be read; the connection is passed on unread"
            );
        }
    }
}
