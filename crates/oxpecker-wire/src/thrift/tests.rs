//! Skipping, limits, and no bytes that panic.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { depth_max: 16, message_bytes_max: 64 * 1024 };

fn skip(kind: Type, bytes: &[u8]) -> Result<usize, ReadError> {
    let mut reader = Reader::new(bytes, LIMITS);
    reader.skip(kind)?;
    Ok(reader.position())
}

/// Passes over exactly these bytes, and asks for more at every cut.
#[track_caller]
fn check_skip(kind: Type, bytes: &[u8]) {
    assert_eq!(skip(kind, &[bytes, &[0xff; 9]].concat()), Ok(bytes.len()));
    for cut in 0..bytes.len() {
        assert_eq!(skip(kind, &bytes[..cut]), Err(ReadError::Incomplete), "cut at {cut}");
    }
}

#[test]
fn skips_every_type() {
    check_skip(Type::Bool, &[1]);
    check_skip(Type::Byte, &[1]);
    check_skip(Type::I16, &[0; 2]);
    check_skip(Type::I32, &[0; 4]);
    check_skip(Type::I64, &[0; 8]);
    check_skip(Type::Double, &[0; 8]);
    check_skip(Type::String, b"\0\0\0\x03abc");
    check_skip(Type::Struct, b"\x08\0\x01\0\0\0\x05\x0c\0\x02\0\x02\0\x03\x01\0");
    check_skip(Type::Map, b"\x0b\x08\0\0\0\x02\0\0\0\x01a\0\0\0\x01\0\0\0\0\0\0\0\x02");
    check_skip(Type::Map, b"\0\0\0\0\0\0");
    check_skip(Type::List, b"\x0a\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02");
    check_skip(Type::List, b"\0\0\0\0\0");
    check_skip(Type::Set, b"\x0b\0\0\0\x01\0\0\0\x02xy");
    check_skip(Type::List, b"\x0c\0\0\0\x02\x02\0\x01\x01\0\0");
}

#[test]
fn refuses_what_no_further_byte_can_mend() {
    let fault = |kind, bytes: &[u8]| match skip(kind, bytes) {
        Err(ReadError::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(Type::String, b"\xff\xff\xff\xff"), Fault::NegativeLength(-1));
    let too_long = Fault::MessageTooLong { max: LIMITS.message_bytes_max };
    assert_eq!(fault(Type::String, b"\x7f\xff\xff\xff"), too_long);
    // A count that says more than fits is refused before the elements come.
    assert_eq!(fault(Type::List, b"\x0a\x7f\xff\xff\xff"), too_long);
    assert_eq!(fault(Type::Struct, b"\x05"), Fault::Type(5));
    assert_eq!(fault(Type::List, b"\x01\0\0\0\x01"), Fault::Type(1));
    let nested = b"\x0c\0\x01".repeat(1000);
    assert_eq!(fault(Type::Struct, &nested), Fault::TooDeep { max: 16 });
    let nested_lists = b"\x0f\0\0\0\x01".repeat(1000);
    assert_eq!(fault(Type::List, &nested_lists), Fault::TooDeep { max: 16 });
}

#[test]
fn header_of_another_protocol_is_refused_at_its_first_byte() {
    let header = |bytes: &[u8]| Reader::new(bytes, LIMITS).header().map(|h| h.kind);
    assert_eq!(header(b""), Err(ReadError::Incomplete));
    assert_eq!(header(b"\x80"), Err(ReadError::Incomplete));
    assert_eq!(header(b"H"), Err(Fault::NotStrict.into()));
    assert_eq!(header(b"\x80\x02\0\x01"), Err(Fault::NotStrict.into()));
    assert_eq!(header(b"\x80\x01\0\x05"), Err(Fault::MessageKind(5).into()));
    assert_eq!(header(b"\x80\x01\0\x04\0\0\0\x01x\0\0\0\0"), Ok(MessageKind::Oneway));
}

/// docs/impala.md, "Unknown method".
#[test]
fn unknown_method_is_the_worked_one() {
    let bytes =
        b"\x80\x01\0\x03\0\0\0\x03Foo\0\0\0\0\x0b\0\x01\0\0\0\x1aInvalid method name: 'Foo'\
        \x08\0\x02\0\0\0\x01\0";
    let (reply, length) =
        read_reply(bytes, LIMITS, "Foo", |reader| reader.skip(Type::Struct)).unwrap();
    assert_eq!(length, bytes.len());
    let Reply::Exception(exception) = reply else { panic!("{reply:?}") };
    assert!(exception.is_unknown_method());
    assert_eq!(exception.message, b"Invalid method name: 'Foo'");
}

#[test]
fn a_reply_to_another_method_is_refused() {
    let bytes = b"\x80\x01\0\x02\0\0\0\x03Foo\0\0\0\0\x0c\0\0\0\0";
    let read = |method| read_reply(bytes, LIMITS, method, |r| r.skip(Type::Struct)).map(|(_, n)| n);
    assert_eq!(read("Foo"), Ok(bytes.len()));
    assert_eq!(read("Bar"), Err(Fault::MethodName.into()));
    let empty = b"\x80\x01\0\x02\0\0\0\x03Foo\0\0\0\0\0";
    let result = read_reply(empty, LIMITS, "Foo", |r| r.skip(Type::Struct)).map(|(_, n)| n);
    assert_eq!(result, Err(Fault::FieldMissing("success").into()));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..11) {
        let kinds = [
            Type::Bool, Type::Byte, Type::Double, Type::I16, Type::I32, Type::I64, Type::String,
            Type::Struct, Type::Map, Type::Set, Type::List,
        ];
        if let Ok(length) = skip(kinds[kind], &bytes) {
            prop_assert!(length <= bytes.len());
        }
    }

    /// Small numbers are more often valid types and lengths than random bytes are.
    #[test]
    fn no_plausible_bytes_panic(bytes in proptest::collection::vec(0u8..16, 0..400)) {
        let _ = skip(Type::Struct, &bytes);
        let message = [b"\x80\x01\0\x02\0\0\0\x01x\0\0\0\0\x0c\0\0".as_slice(), &bytes].concat();
        let _ = read_reply(&message, LIMITS, "x", |reader| reader.skip(Type::Struct));
    }
}
