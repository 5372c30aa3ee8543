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

/// The smallest hello there can be, with these extensions.
fn hello_with(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let mut list = Vec::new();
    for (kind, content) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend((content.len() as u16).to_be_bytes());
        list.extend(*content);
    }
    body.extend((list.len() as u16).to_be_bytes());
    body.extend(list);
    let mut record = vec![22, 3, 1];
    record.extend((body.len() as u16 + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

fn is_challenge(protocols: &[u8]) -> bool {
    let mut list = (protocols.len() as u16).to_be_bytes().to_vec();
    list.extend(protocols);
    let name = b"\x00\x08\x00\x00\x05a.com";
    // Whichever comes first.
    let both = [(0, &name[..]), (16, &list[..])];
    let other = [(16, &list[..]), (0, &name[..])];
    let [first, second] = [both, other].map(|extensions| match parse(&hello_with(&extensions)) {
        Ok(Parsed::Complete(hello)) => {
            assert_eq!(hello.server_name.as_deref(), Some("a.com"));
            hello.is_acme_challenge
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(first, second);
    first
}

#[test]
fn an_authority_is_known_by_the_one_protocol_it_asks_for() {
    assert!(is_challenge(b"\x0aacme-tls/1"));
    assert!(!is_challenge(b"\x08http/1.1"));
    // RFC 8737, section 3: nothing beside it.
    assert!(!is_challenge(b"\x0aacme-tls/1\x02h2"));
    assert!(!is_challenge(b"\x02h2\x0aacme-tls/1"));
    for hello in REAL {
        let Ok(Parsed::Complete(hello)) = parse(hello) else { panic!("a real hello") };
        assert!(!hello.is_acme_challenge);
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
