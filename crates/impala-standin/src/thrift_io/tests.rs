//! Calls and replies against the worked bytes of the protocol reference, and against bytes nobody
//! should send.

use super::*;
use crate::stream::Stream;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

fn read(bytes: &[u8]) -> thrift::Result<Call> {
    CallReader::new(Source::memory(bytes.to_vec())).unwrap().read()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|b| !b.is_ascii_whitespace())
        .map(|b| (b as char).to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

const OPEN_SESSION: &str = "80 01 00 01 00 00 00 0b 4f 70 65 6e 53 65 73 73
    69 6f 6e 00 00 00 00 0c 00 01 08 00 01 00 00 00 05 0b 00 02 00 00 00 05 61 6c 69 63 65 00 00";

#[test]
fn reads_a_strict_call() {
    let call = read(&hex(OPEN_SESSION)).unwrap();
    assert_eq!(call.method, "OpenSession");
    let request = call.arguments.get(1).unwrap();
    assert_eq!((request.i32(1), request.text(2)), (Some(5), Some("alice".into())));
    assert_eq!(request.text(3), None);
}

#[test]
fn reads_an_old_style_call() {
    let call =
        read(&hex("00 00 00 04 65 63 68 6f 01 00 00 00 07 0b 00 01 00 00 00 01 78 00")).unwrap();
    assert_eq!((call.method.as_str(), call.sequence), ("echo", 7));
    assert_eq!(call.arguments.text(1), Some("x".into()));
}

#[test]
fn refuses_what_is_no_thrift_call_at_once() {
    for (what, bytes) in [
        ("sasl start", hex("01 00 00 00 05 50 4c 41 49 4e")),
        ("tls hello", hex("16 03 01 02 00 01 00 01 fc 03 03")),
        ("http", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a reply", hex("80 01 00 02 00 00 00 01 78 00 00 00 00 00")),
        ("version 2", hex("80 02 00 01 00 00 00 01 78 00 00 00 00 00")),
        ("negative length", hex("80 01 00 01 00 00 00 01 78 00 00 00 00 0b 00 01 ff ff ff ff 00")),
        ("unknown type", hex("80 01 00 01 00 00 00 01 78 00 00 00 00 63 00 01 00")),
    ] {
        assert!(read(&bytes).is_err(), "{what}");
    }
}

#[test]
fn a_lying_length_fails_when_the_bytes_end() {
    let call = |tail: &str| hex(&format!("80 01 00 01 00 00 00 01 78 00 00 00 00 {tail}"));
    assert!(read(&call("0b 00 01 7f ff ff ff 61 62")).is_err(), "string");
    assert!(read(&call("0f 00 01 0c 7f ff ff ff 00 00")).is_err(), "list of empty structs");
    assert!(read(&call("0d 00 01 0b 0b 7f ff ff ff")).is_err(), "map");
}

#[test]
fn deep_nesting_and_many_values_are_refused() {
    let mut deep = hex("80 01 00 01 00 00 00 01 78 00 00 00 00");
    deep.extend(hex("0c 00 01").repeat(5000));
    assert!(read(&deep).is_err(), "structs in structs");
    let mut lists = hex("80 01 00 01 00 00 00 01 78 00 00 00 00 0f 00 01");
    lists.extend(hex("0f 00 00 00 01").repeat(5000));
    assert!(read(&lists).is_err(), "lists in lists");
    let mut many = hex("80 01 00 01 00 00 00 01 78 00 00 00 00 0f 00 01 02 00 03 00 00");
    many.extend(vec![0; 0x30000 + 1]);
    assert!(read(&many).is_err(), "values");
}

#[test]
fn writes_the_unknown_method_reply_of_the_reference() {
    let call = Call { method: "Foo".into(), sequence: 0, arguments: Value::Struct(vec![]) };
    let mut reply = Reply::new(Sink::memory());
    reply.unknown_method(&call).unwrap();
    let mut expected = hex("80 01 00 03 00 00 00 03 46 6f 6f 00 00 00 00 0b 00 01 00 00 00 1a");
    expected.extend(b"Invalid method name: 'Foo'");
    expected.extend(hex("08 00 02 00 00 00 01 00"));
    assert_eq!(reply.into_sink().into_bytes(), expected);
}

fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_call_may_be_cut_into_sasl_frames_anywhere() {
    let (mut client, server) = socket_pair();
    let call = hex(OPEN_SESSION);
    for piece in call.chunks(5) {
        client.write_all(&(piece.len() as u32).to_be_bytes()).unwrap();
        client.write_all(piece).unwrap();
    }
    let call =
        CallReader::new(Source::sasl(Stream::new(server, None).unwrap())).unwrap().read().unwrap();
    assert_eq!(call.method, "OpenSession");
}

#[test]
fn a_large_reply_spans_several_sasl_frames() {
    use std::io::Read;
    let (mut client, server) = socket_pair();
    let text = "x".repeat(300_000);
    let expected = text.clone();
    let writer = std::thread::spawn(move || {
        let call = Call { method: "echo".into(), sequence: 0, arguments: Value::Struct(vec![]) };
        Reply::new(Sink::sasl(Stream::new(server, None).unwrap()))
            .message(&call, |out| out.text(0, &text))
            .unwrap();
    });
    let (mut stream, mut frames) = (Vec::new(), 0);
    let mut header = [0; 4];
    while client.read_exact(&mut header).is_ok() {
        let mut frame = vec![0; u32::from_be_bytes(header) as usize];
        client.read_exact(&mut frame).unwrap();
        stream.extend(frame);
        frames += 1;
    }
    writer.join().unwrap();
    assert!(frames >= 3, "{frames} frames");
    assert!(stream.windows(20).any(|w| w == "x".repeat(20).as_bytes()));
    assert_eq!(stream.iter().filter(|b| **b == b'x').count(), expected.len());
}
