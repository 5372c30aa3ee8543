//! How fast fetch replies are passed over, in bytes a second: what reading the protocol costs.
//!
//! `cargo bench -p oxpecker-wire`

#![expect(clippy::print_stdout, reason = "it is what a benchmark is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use oxpecker_wire::scan::frames::Frames;
use oxpecker_wire::scan::{CallScanner, Dialect, Progress, ReplyScanner};

/// As much as one read of the relay brings.
const PIECE: usize = 256 * 1024;
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 5;

fn field(kind: u8, id: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 0, id], value].concat()
}

fn string(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u32).to_be_bytes(), value].concat()
}

fn list(kind: u8, values: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&(values.len() as u32).to_be_bytes());
    out.extend(values.iter().flatten());
    out
}

/// A columnar reply: so many rows of these columns.
fn fetch_reply(columns: &[(u8, u8, Vec<Vec<u8>>)]) -> Vec<u8> {
    let columns: Vec<Vec<u8>> = columns
        .iter()
        .map(|(union_id, kind, values)| {
            let inner = [field(15, 1, &list(*kind, values)), field(11, 2, &string(b"\0")), vec![0]];
            [field(12, *union_id, &inner.concat()), vec![0]].concat()
        })
        .collect();
    let rows =
        [field(10, 1, &[0; 8]), field(15, 2, &list(12, &[])), field(15, 3, &list(12, &columns))];
    let rows = [rows.concat(), vec![0]].concat();
    let status = [field(8, 1, &[0; 4]), vec![0]].concat();
    let result = [field(12, 1, &status), field(2, 2, &[1]), field(12, 3, &rows), vec![0]].concat();
    let header = b"\x80\x01\0\x02\0\0\0\x0cFetchResults\0\0\0\0";
    [header.to_vec(), field(12, 0, &result), vec![0]].concat()
}

fn measure(what: &str, bytes: usize, mut work: impl FnMut()) {
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (began, mut times) = (Instant::now(), 0u32);
            while began.elapsed() < ROUND {
                work();
                times += 1;
            }
            bytes as f64 * f64::from(times) / began.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let mega = |rate: f64| rate / 1e6;
    println!(
        "{what:<44} {:>9.0} MB/s [{:.0}..{:.0}]",
        mega(rates[ROUNDS / 2]),
        mega(rates[0]),
        mega(rates[ROUNDS - 1])
    );
}

fn scan(scanner: &mut ReplyScanner, bytes: &[u8]) {
    scanner.reset();
    for piece in bytes.chunks(PIECE) {
        let mut rest = piece;
        loop {
            let (used, progress) = scanner.feed(black_box(rest)).expect("it is a fetch reply");
            rest = &rest[used..];
            if progress != Progress::Head {
                break;
            }
        }
    }
    black_box(scanner.reply().rows);
}

fn main() {
    let rows = 8192 * 12;
    let integers = || (0..rows).map(|n: i64| n.to_be_bytes().to_vec()).collect::<Vec<_>>();
    let texts = |length: usize| (0..rows).map(|_| string(&vec![b'x'; length])).collect::<Vec<_>>();
    let shapes = [
        ("fetch reply, BIGINT columns", fetch_reply(&[(5, 10, integers()), (5, 10, integers())])),
        ("fetch reply, strings of 8 bytes", fetch_reply(&[(7, 11, texts(8)), (7, 11, texts(8))])),
        (
            "fetch reply, strings of 40 bytes",
            fetch_reply(&[(7, 11, texts(40)), (7, 11, texts(40))]),
        ),
        ("fetch reply, mixed", fetch_reply(&[(5, 10, integers()), (7, 11, texts(12))])),
    ];
    let mut scanner = ReplyScanner::new(Dialect::Hs2);
    for (what, bytes) in &shapes {
        measure(what, bytes.len(), || scan(&mut scanner, bytes));
    }
    let framed: Vec<u8> = shapes[3].1.chunks(128 * 1024).flat_map(string).collect();
    measure("the same in SASL frames of 128 KiB", framed.len(), || {
        scanner.reset();
        let mut frames = Frames::default();
        for piece in framed.chunks(PIECE) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (passed, count) = frames.next(rest).expect("frames");
                frames.took(count);
                let mut payload = &rest[passed..passed + count];
                rest = &rest[passed + count..];
                while !payload.is_empty() {
                    let (used, _) = scanner.feed(black_box(payload)).expect("a fetch reply");
                    payload = &payload[used..];
                }
            }
        }
    });
    let status =
        b"\x80\x01\0\x01\0\0\0\x12GetOperationStatus\0\0\0\0\x0c\0\x01\x0c\0\x01\x0c\0\x01\
        \x0b\0\x01\0\0\0\x100123456789abcdef\x0b\0\x02\0\0\0\x100123456789abcdef\0\
        \x08\0\x02\0\0\0\0\x02\0\x03\x01\0\0\0";
    let mut calls = CallScanner::new(Dialect::Hs2);
    measure("GetOperationStatus calls", status.len(), || {
        calls.reset();
        let mut rest = &status[..];
        while !rest.is_empty() {
            let (used, _) = calls.feed(black_box(rest)).expect("a call");
            rest = &rest[used..];
        }
    });
}
