//! A thin client on the Thrift library, for what the real clients never do.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier,
    TMapIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier, TType,
};

/// A Thrift value, to send or received.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum V {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Struct(Vec<(i16, V)>),
    List(Vec<V>),
    Map(Vec<(V, V)>),
}

pub(crate) fn text(text: &str) -> V {
    V::Bytes(text.as_bytes().to_vec())
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> V {
    V::Map(pairs.iter().map(|(k, v)| (text(k), text(v))).collect())
}

impl V {
    /// The value at a path of field ids.
    pub(crate) fn at(&self, path: &[i16]) -> Option<&V> {
        path.iter().try_fold(self, |value, id| match value {
            V::Struct(fields) => fields.iter().find(|(i, _)| i == id).map(|(_, v)| v),
            _ => None,
        })
    }

    pub(crate) fn text(&self, path: &[i16]) -> String {
        match self.at(path) {
            Some(V::Bytes(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
            other => panic!("no text at {path:?}: {other:?}"),
        }
    }

    pub(crate) fn i32(&self, path: &[i16]) -> i32 {
        match self.at(path) {
            Some(V::I32(number)) => *number,
            other => panic!("no i32 at {path:?}: {other:?}"),
        }
    }

    pub(crate) fn bytes(&self, path: &[i16]) -> Vec<u8> {
        match self.at(path) {
            Some(V::Bytes(bytes)) => bytes.clone(),
            other => panic!("no bytes at {path:?}: {other:?}"),
        }
    }

    pub(crate) fn list(&self, path: &[i16]) -> Vec<V> {
        match self.at(path) {
            Some(V::List(items)) => items.clone(),
            other => panic!("no list at {path:?}: {other:?}"),
        }
    }

    pub(crate) fn bool(&self, path: &[i16]) -> bool {
        matches!(self.at(path), Some(V::Bool(true)))
    }

    fn kind(&self) -> TType {
        match self {
            V::Bool(_) => TType::Bool,
            V::I8(_) => TType::I08,
            V::I16(_) => TType::I16,
            V::I32(_) => TType::I32,
            V::I64(_) => TType::I64,
            V::Double(_) => TType::Double,
            V::Bytes(_) => TType::String,
            V::Struct(_) => TType::Struct,
            V::List(_) => TType::List,
            V::Map(_) => TType::Map,
        }
    }

    pub(crate) fn write(&self, out: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        match self {
            V::Bool(v) => out.write_bool(*v),
            V::I8(v) => out.write_i8(*v),
            V::I16(v) => out.write_i16(*v),
            V::I32(v) => out.write_i32(*v),
            V::I64(v) => out.write_i64(*v),
            V::Double(v) => out.write_double(*v),
            V::Bytes(v) => out.write_bytes(v),
            V::Struct(fields) => {
                out.write_struct_begin(&TStructIdentifier { name: String::new() })?;
                for (id, value) in fields {
                    out.write_field_begin(&TFieldIdentifier::new("", value.kind(), *id))?;
                    value.write(out)?;
                }
                out.write_field_stop()?;
                out.write_struct_end()
            }
            V::List(items) => {
                let kind = items.first().map_or(TType::String, V::kind);
                out.write_list_begin(&TListIdentifier::new(kind, items.len() as i32))?;
                items.iter().try_for_each(|item| item.write(out))
            }
            V::Map(pairs) => {
                let head = TMapIdentifier::new(TType::String, TType::String, pairs.len() as i32);
                out.write_map_begin(&head)?;
                pairs.iter().try_for_each(|(k, v)| k.write(out).and_then(|()| v.write(out)))
            }
        }
    }

    pub(crate) fn read(input: &mut dyn TInputProtocol, kind: TType) -> thrift::Result<V> {
        Ok(match kind {
            TType::Bool => V::Bool(input.read_bool()?),
            TType::I08 => V::I8(input.read_i8()?),
            TType::I16 => V::I16(input.read_i16()?),
            TType::I32 => V::I32(input.read_i32()?),
            TType::I64 => V::I64(input.read_i64()?),
            TType::Double => V::Double(input.read_double()?),
            TType::String => V::Bytes(input.read_bytes()?),
            TType::Struct => {
                input.read_struct_begin()?;
                let mut fields = Vec::new();
                loop {
                    let field = input.read_field_begin()?;
                    if field.field_type == TType::Stop {
                        break;
                    }
                    fields.push((field.id.unwrap(), V::read(input, field.field_type)?));
                }
                input.read_struct_end()?;
                V::Struct(fields)
            }
            TType::List => {
                let list = input.read_list_begin()?;
                let items = (0..list.size).map(|_| V::read(input, list.element_type));
                V::List(items.collect::<Result<_, _>>()?)
            }
            TType::Map => {
                let map = input.read_map_begin()?;
                let mut pairs = Vec::new();
                for _ in 0..map.size {
                    let key = V::read(input, map.key_type.unwrap())?;
                    pairs.push((key, V::read(input, map.value_type.unwrap())?));
                }
                V::Map(pairs)
            }
            other => panic!("type {other:?}"),
        })
    }
}

/// A message as bytes.
pub(crate) fn encode(method: &str, arguments: &V, strict: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = TBinaryOutputProtocol::new(&mut bytes, strict);
    out.write_message_begin(&TMessageIdentifier::new(method, TMessageType::Call, 7)).unwrap();
    arguments.write(&mut out).unwrap();
    bytes
}

/// The result struct of a reply, or an undeclared exception as `Err`.
pub(crate) fn decode(input: impl Read) -> thrift::Result<Result<V, V>> {
    let mut input = TBinaryInputProtocol::new(input, true);
    let head = input.read_message_begin()?;
    assert_eq!(head.sequence_number, 7);
    let value = V::read(&mut input, TType::Struct)?;
    Ok(if head.message_type == TMessageType::Exception { Err(value) } else { Ok(value) })
}

/// A connection to a binary port.
pub(crate) struct Client {
    stream: TcpStream,
    sasl: bool,
    frame: Vec<u8>,
}

impl Client {
    pub(crate) fn raw(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, sasl: false, frame: Vec::new() }
    }

    /// With a SASL PLAIN handshake; the error is what the server sent instead of COMPLETE.
    pub(crate) fn plain(port: u16, response: &[u8]) -> io::Result<Self> {
        let mut client = Self::raw(port);
        client.sasl = true;
        client.send_sasl(1, b"PLAIN");
        client.send_sasl(2, response);
        let (status, payload) = client.receive_sasl()?;
        if status != 5 {
            return Err(io::Error::other(String::from_utf8(payload).unwrap()));
        }
        Ok(client)
    }

    pub(crate) fn send_sasl(&mut self, status: u8, payload: &[u8]) {
        let mut frame = vec![status];
        frame.extend((payload.len() as u32).to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).unwrap();
    }

    pub(crate) fn receive_sasl(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let mut payload =
            vec![0; u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize];
        self.stream.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }

    pub(crate) fn set_timeout(&self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).unwrap();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Everything until the server closes.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }

    pub(crate) fn try_call(&mut self, method: &str, arguments: &V) -> thrift::Result<Result<V, V>> {
        self.send_message(&encode(method, arguments, true));
        decode(self)
    }

    pub(crate) fn send_message(&mut self, message: &[u8]) {
        if self.sasl {
            self.stream.write_all(&(message.len() as u32).to_be_bytes()).unwrap();
        }
        self.stream.write_all(message).unwrap();
    }

    /// A call with one request struct as argument 1, for HiveServer2; the reply's field 0.
    #[track_caller]
    pub(crate) fn hs2(&mut self, method: &str, request: Vec<(i16, V)>) -> V {
        let arguments = V::Struct(vec![(1, V::Struct(request))]);
        let reply = self.try_call(method, &arguments).unwrap();
        reply.unwrap_or_else(|e| panic!("{method}: {e:?}")).at(&[0]).unwrap().clone()
    }

    /// A call for Beeswax: the result struct.
    #[track_caller]
    pub(crate) fn beeswax(&mut self, method: &str, arguments: Vec<(i16, V)>) -> V {
        let reply = self.try_call(method, &V::Struct(arguments)).unwrap();
        reply.unwrap_or_else(|e| panic!("{method}: {e:?}"))
    }
}

impl Read for Client {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.sasl {
            return self.stream.read(out);
        }
        if self.frame.is_empty() {
            let mut head = [0; 4];
            self.stream.read_exact(&mut head)?;
            self.frame.resize(u32::from_be_bytes(head) as usize, 0);
            self.stream.read_exact(&mut self.frame)?;
        }
        let n = out.len().min(self.frame.len());
        out[..n].copy_from_slice(&self.frame[..n]);
        self.frame.drain(..n);
        Ok(n)
    }
}

/// Impala's text form of an id.
pub(crate) fn printed(guid: &[u8]) -> String {
    let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    format!("{:016x}:{:016x}", half(&guid[..8]), half(&guid[8..]))
}

/// OpenSession with any user; the handle.
#[track_caller]
pub(crate) fn open_session(client: &mut Client, user: &str) -> V {
    let reply = client.hs2("OpenSession", vec![(1, V::I32(5)), (2, text(user))]);
    assert_eq!(reply.i32(&[1, 1]), 0, "{reply:?}");
    assert_eq!(reply.i32(&[2]), 5);
    reply.at(&[3]).unwrap().clone()
}

/// ExecuteStatement; the reply.
#[track_caller]
pub(crate) fn execute(client: &mut Client, session: &V, sql: &str) -> V {
    client.hs2("ExecuteStatement", vec![(1, session.clone()), (2, text(sql))])
}

/// ExecuteStatement that has to succeed; the operation's handle.
#[track_caller]
pub(crate) fn start(client: &mut Client, session: &V, sql: &str) -> V {
    let reply = execute(client, session, sql);
    assert_eq!(reply.i32(&[1, 1]), 0, "{sql}: {reply:?}");
    reply.at(&[2]).unwrap().clone()
}

/// FetchResults; the reply.
#[track_caller]
pub(crate) fn fetch(client: &mut Client, operation: &V, rows: i64) -> V {
    client.hs2("FetchResults", vec![(1, operation.clone()), (2, V::I32(0)), (3, V::I64(rows))])
}

/// Status code and message of a HiveServer2 reply.
pub(crate) fn failure(reply: &V) -> (i32, String) {
    (reply.i32(&[1, 1]), reply.at(&[1, 5]).map_or(String::new(), |_| reply.text(&[1, 5])))
}
