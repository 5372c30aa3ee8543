//! First messages of real clients, and what is left of them when somebody tampers.

use super::*;
use proptest::prelude::*;

/// Python's ssl (OpenSSL 3.0) in impala-shell 4.6 and impyla 0.24, and Java 17 in beeline, each
/// asked to connect to sni.example.test.
const REAL: [&[u8]; 3] = [
    include_bytes!("../../tests/data/clienthello-impala-shell.bin"),
    include_bytes!("../../tests/data/clienthello-impyla.bin"),
    include_bytes!("../../tests/data/clienthello-beeline-java17.bin"),
];

fn name(bytes: &[u8]) -> Option<String> {
    match parse(bytes) {
        Ok(Parsed::Complete(hello)) => hello.server_name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn real_clients_name_the_server() {
    for hello in REAL {
        assert_eq!(name(hello).as_deref(), Some("sni.example.test"));
    }
}

#[test]
fn every_shorter_piece_is_incomplete() {
    for hello in REAL {
        for cut in 0..hello.len() {
            assert_eq!(parse(&hello[..cut]), Ok(Parsed::Incomplete), "cut at {cut}");
        }
    }
}

/// The same message in records of `size` bytes each.
fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for part in hello[5..].chunks(size) {
        out.extend([22, 3, 1]);
        out.extend((part.len() as u16).to_be_bytes());
        out.extend(part);
    }
    out
}

#[test]
fn a_message_may_be_spread_over_records() {
    for hello in REAL {
        for size in [1, 2, 3, 4, 5, 50, 200] {
            let spread = in_records(hello, size);
            assert_eq!(name(&spread).as_deref(), Some("sni.example.test"));
            assert_eq!(parse(&spread[..spread.len() - 1]), Ok(Parsed::Incomplete));
        }
    }
}

#[test]
fn other_first_bytes_are_told_apart() {
    use ClientHelloError::*;
    assert_eq!(parse(b"POST / HTTP/1.1"), Err(NotTls));
    assert_eq!(parse(&[0x80, 1, 0, 1]), Err(NotTls));
    assert_eq!(parse(&[22, 3, 1, 0, 4, 2, 0, 0, 0]), Err(NotClientHello));
    assert_eq!(parse(&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]), Err(TooLong));
    assert_eq!(parse(&[22, 3, 1, 0, 0]), Err(Malformed));
    assert_eq!(parse(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]), Err(Malformed));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_name(at in 0..200usize, byte in any::<u8>()) {
        for hello in REAL {
            let mut changed = hello.to_vec();
            changed[at] = byte;
            let _ = parse(&changed);
        }
    }
}
