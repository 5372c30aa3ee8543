//! Keytabs as bytes; the comparison with MIT's own programs is in tests/it/keytab.rs.

use proptest::prelude::*;

use super::*;

fn entry(name: &str, host: &str, version: u32, key: &[u8]) -> Entry {
    Entry {
        principal: Principal {
            components: vec![name.into(), host.into()],
            realm: "EXAMPLE.TEST".into(),
        },
        name_type: 1,
        timestamp: 1_700_000_000,
        version,
        encryption: 18,
        key: key.into(),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let entries = vec![entry("impala", "lb", 3, &[7; 32]), entry("impala", "n1", 300, &[8; 32])];
    let keytab = Keytab { entries };
    assert_eq!(Keytab::parse(&keytab.to_bytes()), Ok(keytab));
}

#[test]
fn holes_and_trailing_zeros_are_passed_over() {
    let keytab = Keytab { entries: vec![entry("impala", "lb", 3, &[7; 32])] };
    let bytes = keytab.to_bytes();
    let mut with_hole = MAGIC.to_vec();
    with_hole.extend((-5i32).to_be_bytes());
    with_hole.extend([0xff; 5]);
    with_hole.extend(&bytes[2..]);
    with_hole.extend([0; 12]);
    assert_eq!(Keytab::parse(&with_hole), Ok(keytab));
}

#[test]
fn a_merge_keeps_the_first_of_two_keys_and_tells_the_other() {
    let mut keytab = Keytab { entries: vec![entry("impala", "lb", 3, b"first")] };
    let other = vec![
        entry("impala", "lb", 3, b"first"),
        entry("impala", "lb", 3, b"other"),
        entry("impala", "n1", 1, b"n1"),
    ];
    let left_out = keytab.merge(Keytab { entries: other });
    assert_eq!(left_out, [entry("impala", "lb", 3, b"other")]);
    let expected = [entry("impala", "lb", 3, b"first"), entry("impala", "n1", 1, b"n1")];
    assert_eq!(keytab.entries, expected);
}

#[test]
fn keys_are_never_shown() {
    let shown = format!("{:?}", entry("impala", "lb", 3, b"secret-key"));
    assert_eq!(shown, "impala/lb@EXAMPLE.TEST (version 3, aes256-cts-hmac-sha1-96)");
}

#[test]
fn a_cut_file_is_refused_with_its_place() {
    let bytes = Keytab { entries: vec![entry("impala", "lb", 3, &[7; 32])] }.to_bytes();
    for length in 3..bytes.len() {
        assert_eq!(Keytab::parse(&bytes[..length]), Err(KeytabError::Truncated { at: 2 }));
    }
    assert_eq!(Keytab::parse(b"-----BEGIN"), Err(KeytabError::Magic));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut file = MAGIC.to_vec();
        file.extend(bytes);
        let _ = Keytab::parse(&file);
    }
}
