//! Apache's Thrift library writes, we read: structs of any shape, both header styles.

use oxpecker_wire::scan::{CallScanner, Dialect, Fault, Progress, ReplyScanner};
use proptest::prelude::*;
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier,
    TMapIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol, TSetIdentifier,
    TStructIdentifier, TType,
};
use thrift::transport::TBufferChannel;

/// A Thrift value of any shape.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    Byte(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Struct(Vec<(i16, Value)>),
    /// Elements have the type of the first; others are left out.
    List(Vec<Value>),
    Set(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    fn kind(&self) -> TType {
        match self {
            Self::Bool(_) => TType::Bool,
            Self::Byte(_) => TType::I08,
            Self::I16(_) => TType::I16,
            Self::I32(_) => TType::I32,
            Self::I64(_) => TType::I64,
            Self::Double(_) => TType::Double,
            Self::Bytes(_) => TType::String,
            Self::Struct(_) => TType::Struct,
            Self::List(_) => TType::List,
            Self::Set(_) => TType::Set,
            Self::Map(_) => TType::Map,
        }
    }

    fn write(&self, out: &mut impl TOutputProtocol) -> thrift::Result<()> {
        match self {
            Self::Bool(value) => out.write_bool(*value),
            Self::Byte(value) => out.write_i8(*value),
            Self::I16(value) => out.write_i16(*value),
            Self::I32(value) => out.write_i32(*value),
            Self::I64(value) => out.write_i64(*value),
            Self::Double(value) => out.write_double(*value),
            Self::Bytes(value) => out.write_bytes(value),
            Self::Struct(fields) => write_struct(fields, out),
            Self::List(values) => {
                let values = alike(values);
                let kind = values.first().map_or(TType::I32, |value| value.kind());
                out.write_list_begin(&TListIdentifier::new(kind, values.len() as i32))?;
                values.iter().try_for_each(|value| value.write(out))
            }
            Self::Set(values) => {
                let values = alike(values);
                let kind = values.first().map_or(TType::I32, |value| value.kind());
                out.write_set_begin(&TSetIdentifier::new(kind, values.len() as i32))?;
                values.iter().try_for_each(|value| value.write(out))
            }
            Self::Map(pairs) => {
                let kinds = pairs.first().map_or((TType::I32, TType::I32), kinds);
                let pairs: Vec<_> =
                    pairs.iter().filter(|pair| kinds == self::kinds(pair)).collect();
                let head = TMapIdentifier::new(kinds.0, kinds.1, pairs.len() as i32);
                out.write_map_begin(&head)?;
                pairs.iter().try_for_each(|(key, value)| {
                    key.write(out)?;
                    value.write(out)
                })
            }
        }
    }
}

fn kinds(pair: &(Value, Value)) -> (TType, TType) {
    (pair.0.kind(), pair.1.kind())
}

fn alike(values: &[Value]) -> Vec<&Value> {
    let kind = values.first().map(Value::kind);
    values.iter().filter(|value| Some(value.kind()) == kind).collect()
}

fn write_struct(fields: &[(i16, Value)], out: &mut impl TOutputProtocol) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new("any"))?;
    for (id, value) in fields {
        out.write_field_begin(&TFieldIdentifier::new("any", value.kind(), *id))?;
        value.write(out)?;
        out.write_field_end()?;
    }
    out.write_field_stop()?;
    out.write_struct_end()
}

/// A message as the library writes it.
pub(crate) fn message(
    name: &str,
    kind: TMessageType,
    sequence: i32,
    strict: bool,
    fields: &[(i16, Value)],
) -> Vec<u8> {
    let mut channel = TBufferChannel::with_capacity(0, 1 << 20);
    let mut out = TBinaryOutputProtocol::new(&mut channel, strict);
    out.write_message_begin(&TMessageIdentifier::new(name, kind, sequence)).unwrap();
    write_struct(fields, &mut out).unwrap();
    out.write_message_end().unwrap();
    channel.write_bytes()
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::I16),
        any::<i32>().prop_map(Value::I32),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::Double),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(10, 60, 5, |inner| {
        let fields = prop::collection::vec((0..300i16, inner.clone()), 0..5);
        let values = prop::collection::vec(inner.clone(), 0..5);
        prop_oneof![
            fields.prop_map(Value::Struct),
            values.clone().prop_map(Value::List),
            values.prop_map(Value::Set),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

const NAMES: &[&str] = &[
    "OpenSession",
    "ExecuteStatement",
    "FetchResults",
    "GetRuntimeProfile",
    "GetOperationStatus",
    "CloseImpalaOperation",
    "query",
    "fetch",
    "get_log",
    "Cancel",
    "SomethingNew",
];

/// Feeds `bytes` in pieces that end at `cuts`; the position of the end.
fn end_of(
    bytes: &[u8],
    cuts: &[usize],
    mut feed: impl FnMut(&[u8]) -> (usize, Progress),
) -> Option<u64> {
    let mut position = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    for cut in cuts {
        loop {
            let (used, progress) = feed(&bytes[position..cut]);
            position += used;
            match progress {
                Progress::More => break,
                Progress::Head => {}
                Progress::End => return Some(position as u64),
            }
        }
        assert_eq!(position, cut, "`More` means that all was used");
    }
    None
}

proptest! {
    #[test]
    fn ends_are_where_the_library_put_them(
        name in prop::sample::select(NAMES),
        beeswax in any::<bool>(),
        strict in any::<bool>(),
        sequence in any::<i32>(),
        fields in prop::collection::vec((0..6i16, any_value()), 0..5),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let dialect = if beeswax { Dialect::Beeswax } else { Dialect::Hs2 };
        let mut bytes = message(name, TMessageType::Call, sequence, strict, &fields);
        let length = bytes.len() as u64;
        bytes.extend_from_slice(b"\x80\x01\0\x01what follows");
        let mut calls = CallScanner::new(dialect);
        prop_assert_eq!(end_of(&bytes, &cuts, |piece| calls.feed(piece).unwrap()), Some(length));
        let header = *calls.call().header().unwrap();
        prop_assert_eq!(header.name(), name.as_bytes());
        prop_assert_eq!((header.sequence, header.strict), (sequence, strict));
        prop_assert_eq!(calls.position(), length);
        let mut replies = ReplyScanner::new(dialect);
        prop_assert_eq!(end_of(&bytes, &cuts, |piece| replies.feed(piece).unwrap()), Some(length));
        prop_assert_eq!(replies.position(), length);
    }

    #[test]
    fn handles_and_texts_are_those_the_library_wrote(
        guid in any::<[u8; 16]>(),
        secret in prop::collection::vec(any::<u8>(), 0..80),
        statement in prop::collection::vec(any::<u8>(), 0..9000),
        strict in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
        statement_first in any::<bool>(),
    ) {
        let identifier = Value::Struct(vec![
            (1, Value::Bytes(guid.to_vec())),
            (2, Value::Bytes(secret.clone())),
        ]);
        let mut request = vec![
            (1, Value::Struct(vec![(1, identifier)])),
            (2, Value::Bytes(statement.clone())),
        ];
        if statement_first {
            request.reverse();
        }
        let fields = [(1, Value::Struct(request))];
        let bytes = message("ExecuteStatement", TMessageType::Call, 7, strict, &fields);
        let mut scanner = CallScanner::new(Dialect::Hs2);
        end_of(&bytes, &cuts, |piece| scanner.feed(piece).unwrap()).unwrap();
        let call = scanner.call();
        let handle = call.handle().unwrap();
        prop_assert_eq!(handle.id().unwrap().0, guid);
        prop_assert_eq!(handle.lengths(), (16, secret.len() as u32));
        prop_assert_eq!(handle.secret(), (secret.len() <= 64).then_some(&secret[..]));
        let at = handle.secret_at as usize;
        prop_assert_eq!(&bytes[at..at + 4], (secret.len() as u32).to_be_bytes());
        prop_assert_eq!(&bytes[at + 4..at + 4 + secret.len()], &secret[..]);
        prop_assert_eq!(call.statement.total(), statement.len() as u64);
        let kept = statement.len().min(oxpecker_wire::scan::call::STATEMENT_BYTES_MAX);
        prop_assert_eq!(call.statement.kept(), &statement[..kept]);
    }

    #[test]
    fn rows_are_counted(
        integers in any::<bool>(),
        rows in 0..300usize,
        more in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let value = |n: usize| if integers { Value::I32(n as i32) } else { Value::Bytes(vec![b'x'; n]) };
        let id = if integers { 4 } else { 7 };
        let column = || Value::Struct(vec![(id, Value::Struct(vec![
            (1, Value::List((0..rows).map(value).collect())),
            (2, Value::Bytes(vec![0; rows / 8 + 1])),
        ]))]);
        let set = Value::Struct(vec![
            (1, Value::I64(0)),
            (2, Value::List(Vec::new())),
            (3, Value::List(vec![column(), column()])),
        ]);
        let status = Value::Struct(vec![(1, Value::I32(0))]);
        let fields = [(0, Value::Struct(vec![(1, status), (2, Value::Bool(more)), (3, set)]))];
        let bytes = message("FetchResults", TMessageType::Reply, 0, true, &fields);
        let mut scanner = ReplyScanner::new(Dialect::Hs2);
        end_of(&bytes, &cuts, |piece| scanner.feed(piece).unwrap()).unwrap();
        let reply = scanner.reply();
        prop_assert_eq!((reply.rows, reply.has_more_rows), (rows as u64, Some(more)));
        prop_assert_eq!(reply.status, Some(0));
    }

    /// Whatever the library can read to the end, we read to the same end.
    #[test]
    fn changed_messages_end_where_the_library_says(
        name in prop::sample::select(NAMES),
        fields in prop::collection::vec((0..6i16, any_value()), 0..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = message(name, TMessageType::Call, 0, true, &fields);
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let mut scanner = CallScanner::new(Dialect::Hs2);
        let mut position = 0;
        let ours = loop {
            match scanner.feed(&bytes[position..]) {
                Ok((used, Progress::Head)) => position += used,
                Ok((used, Progress::End)) => break Ok(position + used),
                Ok((_, Progress::More)) => break Err(None),
                Err(fault) => break Err(Some(fault)),
            }
        };
        let theirs = library_end(&bytes);
        if let (Ok(ours), Some(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours, theirs);
        }
        // We may be stricter only in what no client sends.
        let not_from_clients = matches!(ours, Err(Some(Fault::TwoHandles | Fault::MessageKind(2 | 3))));
        if let (Err(_), Some(_), false) = (ours, theirs, not_from_clients) {
            prop_assert!(scanner.call().header().is_none_or(|header| !header.strict), "{:?}", bytes);
        }
    }
}

/// Where the library says that a message ends.
fn library_end(bytes: &[u8]) -> Option<usize> {
    let mut channel = TBufferChannel::with_capacity(bytes.len(), 0);
    channel.set_readable_bytes(bytes);
    let mut input = TBinaryInputProtocol::new(&mut channel, true);
    input.read_message_begin().ok()?;
    input.skip_till_depth(TType::Struct, 60).ok()?;
    let mut rest = vec![0; bytes.len()];
    let left = std::io::Read::read(&mut channel, &mut rest).ok()?;
    Some(bytes.len() - left)
}
