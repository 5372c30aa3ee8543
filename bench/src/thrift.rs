//! Calls and replies of Beeswax, as clients and coordinators write them: what a proxy that reads
//! the protocol is measured with. To any other they are bytes. Holds no sockets.

use crate::wire::REQUEST_BYTES;

/// As large as the answers of the works without a protocol.
pub(crate) const STATE_BYTES: usize = REQUEST_BYTES;
pub(crate) const ROWS_BYTES: usize = 1_000_000;

/// A row of a few short columns.
const ROW: &[u8; 20] = b"1234567\t2026-01\tabcd";

const CALL: u8 = 1;
const REPLY: u8 = 2;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `get_state`: a small answer.
    State,
    /// `fetch`: some 40,000 rows.
    Rows,
}

impl Asked {
    fn method(self) -> &'static str {
        match self {
            Self::State => "get_state",
            Self::Rows => "fetch",
        }
    }

    pub(crate) fn reply_bytes(self) -> usize {
        match self {
            Self::State => STATE_BYTES,
            Self::Rows => ROWS_BYTES,
        }
    }

    pub(crate) fn call(self) -> [u8; REQUEST_BYTES] {
        let mut message = head(CALL, self.method());
        // A query's handle: its id, and a log context that fills the message up.
        message.extend_from_slice(b"\x0c\0\x01\x0b\0\x01");
        string(&mut message, b"0123456789abcdef:0123456789abcdef");
        message.extend_from_slice(b"\x0b\0\x02");
        let rest: &[u8] = match self {
            Self::State => b"\0\0",
            // From where it is, as many rows as the coordinator likes.
            Self::Rows => b"\0\x02\0\x02\0\x08\0\x03\0\0\0\0\0",
        };
        fill(&mut message, REQUEST_BYTES - rest.len());
        message.extend_from_slice(rest);
        let mut bytes = [0; REQUEST_BYTES];
        bytes.copy_from_slice(&message);
        bytes
    }

    /// Which call this is, if it is one.
    pub(crate) fn of(bytes: &[u8; REQUEST_BYTES]) -> Option<Self> {
        [Self::State, Self::Rows].into_iter().find(|asked| *bytes == asked.call())
    }

    pub(crate) fn reply(self) -> Vec<u8> {
        let mut message = head(REPLY, self.method());
        let rest: &[u8] = match self {
            Self::State => {
                // FINISHED, and a field that nobody knows.
                message.extend_from_slice(b"\x08\0\0\0\0\0\x04\x0b\0\x09");
                b"\0"
            }
            Self::Rows => {
                message.extend_from_slice(b"\x0c\0\0\x02\0\x01\x01\x0f\0\x03\x0b");
                // Behind the rows: there are more, and a field that fills the message up.
                let room = ROWS_BYTES - message.len() - 4 - 64;
                let rows = room / (4 + ROW.len());
                message.extend_from_slice(&(rows as u32).to_be_bytes());
                for _ in 0..rows {
                    string(&mut message, ROW);
                }
                message.extend_from_slice(b"\x02\0\x05\x01\x0b\0\x09");
                b"\0\0"
            }
        };
        fill(&mut message, self.reply_bytes() - rest.len());
        message.extend_from_slice(rest);
        message
    }
}

fn head(kind: u8, method: &str) -> Vec<u8> {
    let mut message = vec![0x80, 1, 0, kind];
    string(&mut message, method.as_bytes());
    // The sequence number.
    message.extend_from_slice(&[0; 4]);
    message
}

fn string(message: &mut Vec<u8>, text: &[u8]) {
    message.extend_from_slice(&(text.len() as u32).to_be_bytes());
    message.extend_from_slice(text);
}

/// A string that ends where the message has `until` bytes.
fn fill(message: &mut Vec<u8>, until: usize) {
    let length = until - message.len() - 4;
    string(message, &vec![b'x'; length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxpecker_wire::scan::{CallScanner, Dialect, Method, Progress, ReplyScanner};

    /// Feeds a scanner to the message's end; how many bytes it has.
    fn end<E: std::fmt::Debug>(
        message: &[u8],
        mut feed: impl FnMut(&[u8]) -> Result<(usize, Progress), E>,
    ) -> usize {
        let mut at = 0;
        loop {
            let (used, progress) = feed(&message[at..]).unwrap();
            at += used;
            match progress {
                Progress::End => return at,
                Progress::Head => {}
                Progress::More => panic!("{at} bytes are no message"),
            }
        }
    }

    #[test]
    fn messages_have_their_sizes_and_are_read_as_what_they_are() {
        for (asked, method) in [(Asked::State, Method::get_state), (Asked::Rows, Method::fetch)] {
            let call = asked.call();
            assert_eq!(Asked::of(&call), Some(asked));
            let mut calls = CallScanner::new(Dialect::Beeswax);
            assert_eq!(end(&call, |bytes| calls.feed(bytes)), REQUEST_BYTES);
            assert_eq!(calls.call().method(), method);
            assert_eq!(calls.call().query_id.kept(), b"0123456789abcdef:0123456789abcdef");
            let reply = asked.reply();
            let mut replies = ReplyScanner::new(Dialect::Beeswax);
            assert_eq!(end(&reply, |bytes| replies.feed(bytes)), asked.reply_bytes());
            assert_eq!(reply.len(), asked.reply_bytes());
            assert!(!replies.reply().is_error());
            let rows = if asked == Asked::Rows { 41_000 } else { 0 };
            assert!((rows..rows + 1_000).contains(&replies.reply().rows));
        }
    }
}
