//! The scanners keep what they found in memory that they already have: no message costs any more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use oxpecker_wire::scan::{CallScanner, Dialect, Fault, Progress, ReplyScanner};
use thrift::protocol::TMessageType;

use crate::differential::{Value, message};

/// Counts what each thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can be watched no other way")]
// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Reads a message in pieces of 1,000 bytes.
fn read(bytes: &[u8], mut feed: impl FnMut(&[u8]) -> Result<(usize, Progress), Fault>) {
    let mut over = false;
    for mut piece in bytes.chunks(1000) {
        loop {
            let (used, progress) = feed(piece).unwrap();
            piece = &piece[used..];
            over |= progress == Progress::End;
            if progress != Progress::Head {
                break;
            }
        }
    }
    assert!(over, "read to its end");
}

/// How often memory was asked for.
fn count(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

fn handle() -> Value {
    let identifier = vec![(1, Value::Bytes(vec![1; 16])), (2, Value::Bytes(vec![2; 16]))];
    Value::Struct(vec![(1, Value::Struct(identifier))])
}

#[test]
fn a_second_message_costs_no_memory() {
    let request = vec![(1, handle()), (2, Value::Bytes(vec![b'x'; 100_000]))];
    let fields = [(1, Value::Struct(request))];
    let call = message("ExecuteStatement", TMessageType::Call, 1, true, &fields);
    let rows = |value: fn(usize) -> Value| (0..20_000).map(value).collect();
    let column = |id, values: Vec<Value>| {
        Value::Struct(vec![(id, Value::Struct(vec![(1, Value::List(values))]))])
    };
    let columns = vec![
        column(4, rows(|n| Value::I32(n as i32))),
        column(7, rows(|n| Value::Bytes(vec![b'x'; n % 40]))),
    ];
    let set = Value::Struct(vec![(1, Value::I64(0)), (3, Value::List(columns))]);
    let status = Value::Struct(vec![(1, Value::I32(0))]);
    let fields = [(0, Value::Struct(vec![(1, status), (2, Value::Bool(true)), (3, set)]))];
    let reply = message("FetchResults", TMessageType::Reply, 1, true, &fields);
    assert_ne!(count(|| drop(call.clone())), 0, "it is counted");

    let mut calls = CallScanner::new(Dialect::Hs2);
    let mut replies = ReplyScanner::new(Dialect::Hs2);
    let mut both = || {
        read(&call, |piece| calls.feed(piece));
        read(&reply, |piece| replies.feed(piece));
        assert_eq!(replies.reply().rows, 20_000);
        calls.reset();
        replies.reset();
    };
    both();
    assert_eq!(count(both), 0);
}
