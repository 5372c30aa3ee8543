//! Writing replies: always the strict header, one field after the other, straight to the transport.

use super::{Call, Sink};
use thrift::protocol::{
    TBinaryOutputProtocol, TFieldIdentifier, TListIdentifier, TMapIdentifier, TMessageIdentifier,
    TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use thrift::{ApplicationError, ApplicationErrorKind, TConfiguration};

/// What everything that writes returns; an error means that the connection is gone.
pub(crate) type ReplyResult = thrift::Result<()>;

/// Writes replies to one connection, or into one HTTP body.
pub(crate) struct Reply {
    protocol: TBinaryOutputProtocol<Sink>,
}

impl Reply {
    pub(crate) fn new(sink: Sink) -> Self {
        let limits = TConfiguration::no_limits();
        Self { protocol: TBinaryOutputProtocol::with_config(sink, true, limits) }
    }

    pub(crate) fn into_sink(self) -> Sink {
        self.protocol.transport
    }

    /// A whole reply: header, result struct, flush.
    pub(crate) fn message(
        &mut self,
        call: &Call,
        body: impl FnOnce(&mut Self) -> ReplyResult,
    ) -> ReplyResult {
        self.begin(call, TMessageType::Reply)?;
        self.elements_struct(body)?;
        self.protocol.write_message_end()?;
        self.protocol.flush()
    }

    /// An exception that the Thrift definition does not declare (message type 3).
    pub(crate) fn exception(
        &mut self,
        call: &Call,
        kind: ApplicationErrorKind,
        message: String,
    ) -> ReplyResult {
        self.begin(call, TMessageType::Exception)?;
        let error = ApplicationError::new(kind, message);
        thrift::Error::write_application_error_to_out_protocol(&error, &mut self.protocol)?;
        self.protocol.write_message_end()?;
        self.protocol.flush()
    }

    /// The answer to a method this service does not have. impyla and the shell depend on this text.
    pub(crate) fn unknown_method(&mut self, call: &Call) -> ReplyResult {
        let message = format!("Invalid method name: '{}'", call.method);
        self.exception(call, ApplicationErrorKind::UnknownMethod, message)
    }

    fn begin(&mut self, call: &Call, kind: TMessageType) -> ReplyResult {
        let header = TMessageIdentifier::new(call.method.as_str(), kind, call.sequence);
        self.protocol.write_message_begin(&header)
    }

    fn field(&mut self, id: i16, kind: TType) -> ReplyResult {
        self.protocol.write_field_begin(&TFieldIdentifier {
            name: None,
            field_type: kind,
            id: Some(id),
        })
    }

    pub(crate) fn bool(&mut self, id: i16, value: bool) -> ReplyResult {
        self.field(id, TType::Bool)?;
        self.protocol.write_bool(value)
    }

    pub(crate) fn i8(&mut self, id: i16, value: i8) -> ReplyResult {
        self.field(id, TType::I08)?;
        self.protocol.write_i8(value)
    }

    pub(crate) fn i16(&mut self, id: i16, value: i16) -> ReplyResult {
        self.field(id, TType::I16)?;
        self.protocol.write_i16(value)
    }

    pub(crate) fn i32(&mut self, id: i16, value: i32) -> ReplyResult {
        self.field(id, TType::I32)?;
        self.protocol.write_i32(value)
    }

    pub(crate) fn i64(&mut self, id: i16, value: i64) -> ReplyResult {
        self.field(id, TType::I64)?;
        self.protocol.write_i64(value)
    }

    pub(crate) fn double(&mut self, id: i16, value: f64) -> ReplyResult {
        self.field(id, TType::Double)?;
        self.protocol.write_double(value)
    }

    pub(crate) fn text(&mut self, id: i16, value: &str) -> ReplyResult {
        self.bytes(id, value.as_bytes())
    }

    pub(crate) fn bytes(&mut self, id: i16, value: &[u8]) -> ReplyResult {
        self.field(id, TType::String)?;
        self.protocol.write_bytes(value)
    }

    /// A field that is a struct.
    pub(crate) fn structure(
        &mut self,
        id: i16,
        body: impl FnOnce(&mut Self) -> ReplyResult,
    ) -> ReplyResult {
        self.field(id, TType::Struct)?;
        self.elements_struct(body)
    }

    /// A field that is a list of `size` elements; `elements` writes them bare, through
    /// [`Reply::elements`] or [`Reply::elements_struct`].
    pub(crate) fn list(
        &mut self,
        id: i16,
        kind: TType,
        size: usize,
        elements: impl FnOnce(&mut Self) -> ReplyResult,
    ) -> ReplyResult {
        self.field(id, TType::List)?;
        self.protocol.write_list_begin(&TListIdentifier::new(kind, length(size)?))?;
        elements(self)?;
        self.protocol.write_list_end()
    }

    /// A field of type `list<string>`.
    pub(crate) fn text_list(&mut self, id: i16, items: &[String]) -> ReplyResult {
        self.list(id, TType::String, items.len(), |out| {
            items.iter().try_for_each(|item| out.protocol.write_string(item))
        })
    }

    /// A field of type `map<string, string>`.
    pub(crate) fn text_map(&mut self, id: i16, pairs: &[(String, String)]) -> ReplyResult {
        self.map_begin(id, TType::String, pairs.len())?;
        for (name, value) in pairs {
            self.protocol.write_string(name)?;
            self.protocol.write_string(value)?;
        }
        self.protocol.write_map_end()
    }

    /// A field of type `map<string, i64>`.
    pub(crate) fn count_map(&mut self, id: i16, pairs: &[(&str, i64)]) -> ReplyResult {
        self.map_begin(id, TType::I64, pairs.len())?;
        for (name, value) in pairs {
            self.protocol.write_string(name)?;
            self.protocol.write_i64(*value)?;
        }
        self.protocol.write_map_end()
    }

    /// A field of type `map<string, union>` where each union holds its field 1, an i32.
    pub(crate) fn i32_union_map(&mut self, id: i16, pairs: &[(&str, i32)]) -> ReplyResult {
        self.map_begin(id, TType::Struct, pairs.len())?;
        for (name, value) in pairs {
            self.protocol.write_string(name)?;
            self.elements_struct(|out| out.i32(1, *value))?;
        }
        self.protocol.write_map_end()
    }

    fn map_begin(&mut self, id: i16, value: TType, size: usize) -> ReplyResult {
        self.field(id, TType::Map)?;
        self.protocol.write_map_begin(&TMapIdentifier::new(TType::String, value, length(size)?))
    }

    /// A struct that is not a field: an element of a list, or the result itself.
    pub(crate) fn elements_struct(
        &mut self,
        body: impl FnOnce(&mut Self) -> ReplyResult,
    ) -> ReplyResult {
        self.protocol.write_struct_begin(&TStructIdentifier { name: String::new() })?;
        body(self)?;
        self.protocol.write_field_stop()?;
        self.protocol.write_struct_end()
    }

    /// The protocol itself, for the elements of a list.
    pub(crate) fn elements(&mut self) -> &mut TBinaryOutputProtocol<Sink> {
        &mut self.protocol
    }
}

fn length(size: usize) -> thrift::Result<i32> {
    i32::try_from(size).map_err(|_| super::malformed("a container too long for Thrift"))
}
