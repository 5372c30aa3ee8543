//! Whether anybody still waits for an operation: it may stay open long after its last row was read,
//! because its client closes it with the next one.

use std::sync::atomic::{AtomicBool, Ordering};

use oxpecker_wire::scan::Handle;
use oxpecker_wire::scan::call::Call;
use oxpecker_wire::scan::handle::Id;
use oxpecker_wire::scan::method::Method;
use oxpecker_wire::scan::reply::Reply;

use super::Memory;

/// `TOperationState`.
const FINISHED: i32 = 2;
const CANCELLED: i32 = 3;
const CLOSED: i32 = 4;
/// The same number in Beeswax.
const ERROR: i32 = 5;

/// What replies told of an operation's results.
#[derive(Debug, Default)]
pub(crate) struct Results {
    none_to_come: AtomicBool,
    more_was_told: AtomicBool,
    are_over: AtomicBool,
}

impl Results {
    /// Nothing is left of the operation but its close.
    pub(crate) fn are_over(&self) -> bool {
        self.are_over.load(Ordering::Relaxed)
    }

    fn heard(&self, call: &Call, reply: &Reply) {
        let is_over = match call.method() {
            method if method.makes_operation() => {
                let none = reply.has_result_set == Some(false);
                self.none_to_come.store(none, Ordering::Relaxed);
                false
            }
            Method::FetchResults if call.fetches_log => false,
            Method::FetchResults | Method::fetch if reply.is_error() => true,
            Method::fetch => reply.has_more_rows == Some(false),
            Method::FetchResults if reply.has_more_rows == Some(true) => {
                self.more_was_told.store(true, Ordering::Relaxed);
                false
            }
            // Hive says "no more" with every batch but means it of the empty one; Impala means it,
            // and has then said "more" of the batches before.
            Method::FetchResults => {
                let told = self.more_was_told.load(Ordering::Relaxed);
                reply.has_more_rows == Some(false) && (told || reply.rows == 0)
            }
            Method::GetOperationStatus if !reply.is_error() => match reply.operation_state {
                Some(FINISHED) => self.none_to_come.load(Ordering::Relaxed),
                Some(CANCELLED | CLOSED | ERROR) => true,
                _ => false,
            },
            Method::get_state => reply.operation_state == Some(ERROR),
            Method::CancelOperation | Method::Cancel => !reply.is_error(),
            _ => false,
        };
        if is_over {
            self.are_over.store(true, Ordering::Relaxed);
        }
    }
}

impl Memory {
    /// To be called behind [`Memory::learn`], which knows the call's operation.
    pub(in crate::aware) fn note_results(&mut self, call: &Call, reply: &Reply) {
        if matches!(call.method(), Method::query | Method::executeAndWait) {
            self.note_settings(call);
        }
        let Some(last) = &self.last else { return };
        let named = call.handle().and_then(Handle::id);
        let made = reply.handle().and_then(Handle::id);
        let of_beeswax = || Id::parse(call.query_id.kept());
        if [named, made].contains(&Some(last.id)) || of_beeswax() == Some(last.id) {
            last.results.heard(call, reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxpecker_wire::scan::{CallScanner, Dialect, Progress, ReplyScanner};

    fn message(kind: u8, name: &str, body: &[u8]) -> Vec<u8> {
        let head = [&[0x80, 1, 0, kind, 0, 0, 0, name.len() as u8], name.as_bytes(), &[0; 4]];
        [&head.concat(), body].concat()
    }

    /// A fetch, or a question for the state, and what was answered.
    #[track_caller]
    fn tell(results: &Results, name: &str, ask: &[u8], answer: &[u8]) -> bool {
        let mut calls = CallScanner::new(Dialect::Hs2);
        let mut replies = ReplyScanner::new(Dialect::Hs2);
        let (call, reply) = (message(1, name, ask), message(2, name, answer));
        let mut at = 0;
        loop {
            let (used, progress) = calls.feed(&call[at..]).unwrap();
            at += used;
            if progress == Progress::End {
                break;
            }
            assert!(progress == Progress::Head, "{progress:?}");
        }
        at = 0;
        loop {
            let (used, progress) = replies.feed(&reply[at..]).unwrap();
            at += used;
            if progress == Progress::End {
                break;
            }
            assert!(progress == Progress::Head, "{progress:?}");
        }
        results.heard(calls.call(), replies.reply());
        results.are_over()
    }

    const STATUS: &[u8] = b"\x0c\0\x01\x08\0\x01\0\0\0\0\0";

    /// `rows` booleans in a column.
    fn batch(more: bool, rows: u8) -> Vec<u8> {
        let column = [b"\x0c\0\x01\x0f\0\x01\x02\0\0\0", &[rows][..], &vec![1; rows.into()]];
        let column = [&column.concat()[..], b"\x0b\0\x02\0\0\0\0\0\0"].concat();
        let rows =
            [b"\x0c\0\x03\x0a\0\x01\0\0\0\0\0\0\0\0\x0f\0\x02\x0c\0\0\0\0\x0f\0\x03\x0c\0\0\0\x01"];
        let more = [b"\x02\0\x02", &[u8::from(more)][..]].concat();
        [b"\x0c\0\0", STATUS, &more, rows[0], &column, b"\0\0\0"].concat()
    }

    fn fetch(results: &Results, more: bool, rows: u8) -> bool {
        tell(results, "FetchResults", b"\x0c\0\x01\0\0", &batch(more, rows))
    }

    fn state(results: &Results, state: u8) -> bool {
        let answer = [b"\x0c\0\0", STATUS, b"\x08\0\x02\0\0\0", &[state], b"\0\0"].concat();
        tell(results, "GetOperationStatus", b"\x0c\0\x01\0\0", &answer)
    }

    #[test]
    fn the_last_batch_ends_what_told_of_more_before() {
        let results = Results::default();
        assert!(!fetch(&results, true, 3));
        assert!(fetch(&results, false, 3));
    }

    #[test]
    fn a_server_that_never_tells_of_more_ends_with_an_empty_batch() {
        let results = Results::default();
        assert!(!fetch(&results, false, 3) && !fetch(&results, false, 3));
        assert!(fetch(&results, false, 0));
    }

    #[test]
    fn a_batch_of_the_log_says_nothing() {
        let results = Results::default();
        let log = b"\x0c\0\x01\x06\0\x04\0\x01\0\0";
        assert!(!tell(&results, "FetchResults", log, &batch(false, 0)));
    }

    #[test]
    fn finished_is_over_only_without_results() {
        let results = Results::default();
        assert!(!state(&results, 1) && !state(&results, 2));
        let made = [b"\x0c\0\0", STATUS, b"\x0c\0\x02\x02\0\x03\0\0\0\0"].concat();
        let insert = Results::default();
        assert!(!tell(&insert, "ExecuteStatement", b"\x0c\0\x01\0\0", &made));
        assert!(!state(&insert, 1) && state(&insert, 2));
        assert!([3, 4, 5].iter().all(|&end| state(&Results::default(), end)));
    }
}
