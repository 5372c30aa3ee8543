//! A Thrift struct as a tree, bounded in depth, in the number of values and in bytes.

use super::{Source, malformed};
use std::io::Read;
use thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TType};

/// No call of ours nests deeper than 5; Thrift libraries refuse beyond 64.
const DEPTH_MAX: usize = 32;
/// Far above any real call; keeps a list of a hundred million empty structs from filling memory.
const VALUES_MAX: usize = 100_000;
/// Bytes read at a time into a string whose length is only claimed.
const STRING_STEP_BYTES: usize = 64 * 1024;

/// A value read from a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    /// Strings are bytes on the wire; who needs text checks for it.
    Bytes(Vec<u8>),
    Struct(Vec<(i16, Value)>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The field of a struct.
    pub(crate) fn get(&self, id: i16) -> Option<&Value> {
        match self {
            Value::Struct(fields) => fields.iter().find(|(i, _)| *i == id).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A field that the Thrift definition calls required: Impala drops the connection without it.
    pub(crate) fn required(&self, id: i16) -> thrift::Result<&Value> {
        self.get(id).ok_or_else(|| malformed("a required field is missing"))
    }

    pub(crate) fn bytes(&self, id: i16) -> Option<&[u8]> {
        match self.get(id)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A string field; bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&self, id: i16) -> Option<String> {
        self.bytes(id).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn i32(&self, id: i16) -> Option<i32> {
        match self.get(id)? {
            Value::I32(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn i64(&self, id: i16) -> Option<i64> {
        match self.get(id)? {
            Value::I64(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, id: i16) -> Option<bool> {
        match self.get(id)? {
            Value::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A field of type `map<string, string>`; empty when absent.
    pub(crate) fn text_map(&self, id: i16) -> Vec<(String, String)> {
        match self.get(id) {
            Some(Value::Map(pairs)) => {
                pairs.iter().filter_map(|(k, v)| Some((k.as_text()?, v.as_text()?))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A field of type `list<string>`; empty when absent.
    pub(crate) fn text_list(&self, id: i16) -> Vec<String> {
        match self.get(id) {
            Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
            _ => Vec::new(),
        }
    }

    fn as_text(&self) -> Option<String> {
        match self {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

type Input = TBinaryInputProtocol<Source>;

/// Reads one struct: the arguments of a call.
pub(super) fn read_struct(input: &mut Input) -> thrift::Result<Value> {
    let mut left = VALUES_MAX;
    read_fields(input, DEPTH_MAX, &mut left)
}

fn read_fields(input: &mut Input, depth: usize, left: &mut usize) -> thrift::Result<Value> {
    input.read_struct_begin()?;
    let mut fields = Vec::new();
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            break;
        }
        let id = field.id.ok_or_else(|| malformed("a field without id"))?;
        fields.push((id, read_value(input, field.field_type, depth, left)?));
        input.read_field_end()?;
    }
    input.read_struct_end()?;
    Ok(Value::Struct(fields))
}

fn read_value(
    input: &mut Input,
    kind: TType,
    depth: usize,
    left: &mut usize,
) -> thrift::Result<Value> {
    let depth = depth.checked_sub(1).ok_or_else(|| malformed("nested too deeply"))?;
    *left = left.checked_sub(1).ok_or_else(|| malformed("too many values"))?;
    Ok(match kind {
        TType::Bool => Value::Bool(input.read_bool()?),
        TType::I08 => Value::I8(input.read_i8()?),
        TType::I16 => Value::I16(input.read_i16()?),
        TType::I32 => Value::I32(input.read_i32()?),
        TType::I64 => Value::I64(input.read_i64()?),
        TType::Double => Value::Double(input.read_double()?),
        TType::String => Value::Bytes(read_bytes(input)?),
        TType::Struct => read_fields(input, depth, left)?,
        TType::List => {
            let list = input.read_list_begin()?;
            let mut items = Vec::new();
            for _ in 0..list.size {
                items.push(read_value(input, list.element_type, depth, left)?);
            }
            input.read_list_end()?;
            Value::List(items)
        }
        TType::Set => {
            let set = input.read_set_begin()?;
            let mut items = Vec::new();
            for _ in 0..set.size {
                items.push(read_value(input, set.element_type, depth, left)?);
            }
            input.read_set_end()?;
            Value::List(items)
        }
        TType::Map => {
            let map = input.read_map_begin()?;
            let (Some(key), Some(value)) = (map.key_type, map.value_type) else {
                return Err(malformed("a map without types"));
            };
            let mut pairs = Vec::new();
            for _ in 0..map.size {
                let name = read_value(input, key, depth, left)?;
                pairs.push((name, read_value(input, value, depth, left)?));
            }
            input.read_map_end()?;
            Value::Map(pairs)
        }
        _ => return Err(malformed("a type that Impala's services do not use")),
    })
}

/// The library's own `read_bytes` would allocate the whole claimed length first.
fn read_bytes(input: &mut Input) -> thrift::Result<Vec<u8>> {
    let length = usize::try_from(input.read_i32()?).map_err(|_| malformed("a negative length"))?;
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let start = bytes.len();
        bytes.resize(start + (length - start).min(STRING_STEP_BYTES), 0);
        input.transport.read_exact(&mut bytes[start..])?;
    }
    Ok(bytes)
}
