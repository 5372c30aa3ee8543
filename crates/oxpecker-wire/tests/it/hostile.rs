//! Bytes that no honest peer sends: nothing may panic, loop, or depend on how they were cut.

use oxpecker_wire::scan::http::{self, Body, Framing, HttpFault};
use oxpecker_wire::scan::{CallScanner, Dialect, Fault, Progress, ReplyScanner};
use proptest::prelude::*;

use crate::captures::recorded;
use crate::stream::{Direction, Stream};

/// Messages found, and how it ended, whatever the pieces.
fn outcome(stream: &mut Stream, pieces: &[&[u8]]) -> (usize, Option<String>) {
    for piece in pieces {
        if let Err(fault) = stream.push(piece) {
            return (stream.messages.len(), Some(fault));
        }
    }
    (stream.messages.len(), None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_recordings_are_judged_alike_however_they_are_cut(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        piece in 1..40usize,
    ) {
        thread_local! {
            static RECORDED: Vec<crate::captures::Recorded> = recorded();
        }
        RECORDED.with(|streams| {
            let stream = &streams[which.index(streams.len())];
            let mut bytes = stream.bytes.clone();
            if bytes.is_empty() {
                return Ok(());
            }
            for (at, to) in changes {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            let new = || Stream::new(stream.direction, stream.dialect);
            let whole = outcome(&mut new(), &[&bytes]);
            let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
            prop_assert_eq!(outcome(&mut new(), &pieces), whole);
            Ok(())
        })?;
    }

    #[test]
    fn garbage_is_judged_alike_however_it_is_cut(
        bytes in prop::collection::vec(any::<u8>(), 1..300),
        piece in 1..40usize,
        to_server in any::<bool>(),
    ) {
        let direction = if to_server { Direction::ToServer } else { Direction::ToClient };
        let new = || Stream::new(direction, Dialect::Hs2);
        let whole = outcome(&mut new(), &[&bytes]);
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        prop_assert_eq!(outcome(&mut new(), &pieces), whole);
    }
}

#[track_caller]
fn fault_of(bytes: &[u8]) -> Fault {
    let mut scanner = CallScanner::new(Dialect::Hs2);
    let mut position = 0;
    loop {
        match scanner.feed(&bytes[position..]) {
            Ok((used, Progress::Head)) => position += used,
            Ok((used, progress)) => panic!("{progress:?} after {}", position + used),
            Err(fault) => return fault,
        }
    }
}

const OPEN: &[u8] = b"\x80\x01\0\x01\0\0\0\x0bOpenSession\0\0\0\0";

#[test]
fn lying_lengths_and_deep_nesting_are_faults_at_once() {
    assert_eq!(fault_of(b"GET / HTTP/1.1"), Fault::NotThrift);
    assert_eq!(fault_of(b"\x80\x02"), Fault::NotThrift);
    assert_eq!(fault_of(b"\x80\x01\0\x01\x7f\xff\xff\xff"), Fault::NameTooLong(0x7fff_ffff));
    assert_eq!(fault_of(b"\x80\x01\0\x09\0\0\0\x01x\0\0\0\0"), Fault::MessageKind(9));
    let negative = [OPEN, b"\x0b\0\x01\xff\xff\xff\xff"].concat();
    assert_eq!(fault_of(&negative), Fault::NegativeLength(-1));
    assert_eq!(fault_of(&[OPEN, b"\x05\0\x01"].concat()), Fault::Type(5));
    let deep: Vec<u8> = [OPEN, &b"\x0c\0\x01".repeat(100)].concat();
    assert_eq!(fault_of(&deep), Fault::TooDeep);
    let lists: Vec<u8> = [OPEN, b"\x0f\0\x01", &b"\x0f\0\0\0\x01".repeat(100)].concat();
    assert_eq!(fault_of(&lists), Fault::TooDeep);
}

/// A session's or operation's handle in field 1 of field 1, once for each id.
fn call_naming(method: &str, ids: &[[u8; 16]]) -> Vec<u8> {
    let length = (method.len() as u32).to_be_bytes();
    let mut call = [b"\x80\x01\0\x01", &length[..], method.as_bytes(), &[0; 4]].concat();
    call.extend_from_slice(b"\x0c\0\x01");
    for id in ids {
        let guid = [b"\x0b\0\x01\0\0\0\x10", &id[..]].concat();
        let secret = [b"\x0b\0\x02\0\0\0\x10", &[7; 16][..]].concat();
        let handle = [b"\x0c\0\x01\x0c\0\x01", &guid[..], &secret, b"\0\0"].concat();
        call.extend_from_slice(&handle);
    }
    call.extend_from_slice(b"\0\0");
    call
}

/// We would take the first of two to its coordinator, which would use the second.
#[test]
fn two_handles_in_one_place_are_a_fault() {
    let bytes = call_naming("CloseSession", &[[1; 16], [2; 16]]);
    assert_eq!(fault_of(&bytes), Fault::TwoHandles);
    for piece in 1..bytes.len() {
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        let (messages, fault) =
            outcome(&mut Stream::new(Direction::ToServer, Dialect::Hs2), &pieces);
        assert_eq!((messages, fault), (0, Some(Fault::TwoHandles.to_string())), "{piece}");
    }
    let mut once = Stream::new(Direction::ToServer, Dialect::Hs2);
    assert_eq!(outcome(&mut once, &[&call_naming("CloseSession", &[[1; 16]])]), (1, None));
}

#[test]
fn of_two_names_the_last_counts_as_it_does_for_servers() {
    let names = b"\x0b\0\x02\0\0\0\x03bob\x0b\0\x02\0\0\0\x05alice";
    let entry = |key: &str, value: &str| {
        let text = |text: &str| [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
        [text(key), text(value)].concat()
    };
    let configuration = [
        b"\x0d\0\x04\x0b\x0b\0\0\0\x03".to_vec(),
        entry("impala.doas.user", "carol"),
        entry("hive.server2.proxy.user", "eve"),
        entry("IMPALA.DOAS.USER", "dave"),
    ]
    .concat();
    let bytes = [OPEN, b"\x0c\0\x01", names, &configuration, b"\0\0"].concat();
    let mut scanner = CallScanner::new(Dialect::Hs2);
    let (used, progress) = scanner.feed(&bytes).unwrap();
    assert_eq!((used, progress), (bytes.len(), Progress::Head));
    assert_eq!(scanner.call().user.kept(), b"alice");
    assert_eq!(scanner.call().do_as.kept(), b"dave");
}

/// Servers look at the method, not at the kind of message.
#[test]
fn a_call_that_wants_no_answer_gets_one_all_the_same() {
    let expects = |kind: u8, method: &str, dialect| {
        let mut bytes = call_naming(method, &[[1; 16]]);
        bytes[3] = kind;
        let mut scanner = CallScanner::new(dialect);
        scanner.feed(&bytes).map(|_| scanner.call().expects_reply())
    };
    for kind in [1, 4] {
        assert_eq!(expects(kind, "OpenSession", Dialect::Hs2), Ok(true));
        assert_eq!(expects(kind, "clean", Dialect::Beeswax), Ok(false));
        assert_eq!(expects(kind, "clean", Dialect::Hs2), Ok(true), "unknown there");
    }
    for kind in [2, 3] {
        let result = expects(kind, "OpenSession", Dialect::Hs2);
        assert_eq!(result, Err(Fault::MessageKind(kind)), "no client says that");
    }
}

/// Two billion of anything is no more work than the bytes that come.
#[test]
fn giant_containers_cost_nothing_until_their_bytes_come() {
    for element in [2u8, 6, 11, 12] {
        let mut scanner = ReplyScanner::new(Dialect::Hs2);
        let head: &[u8] = b"\x80\x01\0\x02\0\0\0\x06GetLog\0\0\0\0\x0f\0\x01";
        let bytes = [head, &[element, 0x7f, 0xff, 0xff, 0xff]].concat();
        let (used, progress) = scanner.feed(&bytes).unwrap();
        assert_eq!(progress, Progress::Head);
        assert_eq!(scanner.feed(&bytes[used..]).unwrap().1, Progress::More);
        assert_eq!(scanner.feed(&[0; 5000]).unwrap(), (5000, Progress::More));
    }
}

#[track_caller]
fn refused(head: &str, fault: HttpFault) {
    assert_eq!(http::request(head.as_bytes()).map(|_| ()), Err(fault), "{head:?}");
}

#[test]
fn ways_to_smuggle_are_refused() {
    use HttpFault::{ContentLength, HeaderLine, StartLine, TransferEncoding, Version};
    let post = |lines: &str| format!("POST /cliservice HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    refused(&post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), TransferEncoding);
    refused(&post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), ContentLength);
    refused(&post("Content-Length: 5\r\nContent-Length: 5\r\n"), ContentLength);
    refused(&post("Content-Length: 5, 5\r\n"), ContentLength);
    refused(&post("Content-Length: +5\r\n"), ContentLength);
    refused(&post("Content-Length: 0x5\r\n"), ContentLength);
    refused(&post("Content-Length:\r\n"), ContentLength);
    refused(&post("Content-Length: 99999999999999999999\r\n"), ContentLength);
    refused(&post("Content-Length : 5\r\n"), HeaderLine);
    refused(&post(" Content-Length: 5\r\n"), HeaderLine);
    refused(&post("X: y\r\n Content-Length: 5\r\n"), HeaderLine);
    refused(&post("X: y\nContent-Length: 5\r\n"), HeaderLine);
    refused(&post("X: a\rb\r\n"), HeaderLine);
    refused(&post("X: a\0b\r\n"), HeaderLine);
    refused(&post("no colon\r\n"), HeaderLine);
    for coding in ["xchunked", "chunked, identity", "identity", "chunked;q=1", "\"chunked\"", ""] {
        refused(&post(&format!("Transfer-Encoding: {coding}\r\n")), TransferEncoding);
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    refused(&post(twice), TransferEncoding);
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncoding);
    refused("POST /a b HTTP/1.1\r\n\r\n", StartLine);
    refused("POST  / HTTP/1.1\r\n\r\n", StartLine);
    refused("PO ST / HTTP/1.1\r\n\r\n", StartLine);
    refused("POST / HTTP/2.0\r\n\r\n", Version);
    refused("POST / HTTP/1.1 \r\n\r\n", StartLine);
}

#[track_caller]
fn bad_chunks(bytes: &[u8]) {
    let mut body = Body::new(Framing::Chunked);
    let mut rest = bytes;
    while !rest.is_empty() {
        match body.next(rest) {
            Err(fault) => return assert_eq!(fault, HttpFault::Chunk),
            Ok((passed, count)) => {
                body.took(count);
                rest = &rest[passed + count..];
                assert!(!body.is_done(), "accepted: {bytes:?}");
            }
        }
    }
    panic!("accepted: {bytes:?}");
}

#[test]
fn malformed_chunks_are_refused() {
    for bytes in [
        &b"\r\n"[..],
        b" 5\r\n",
        b"-1\r\n",
        b"0x5\r\n",
        b"5 \r\n",
        b"5\nabcde",
        b"5\rabcde",
        b"5\r\nabcdeX",
        b"5\r\nabcde\n",
        b"11111111111111111\r\n",
        b"5;a\nb\r\n",
    ] {
        bad_chunks(bytes);
    }
}
