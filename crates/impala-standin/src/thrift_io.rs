//! Thrift calls in, replies out, through Apache's Thrift library. Arguments are read into a small
//! tree of [`Value`]s instead of generated types; replies are written field by field. Nothing here
//! trusts a length: memory grows only as bytes really arrive.

mod reply;
#[cfg(test)]
mod tests;
mod transport;
mod value;

pub(crate) use reply::{Reply, ReplyResult};
pub(crate) use transport::{Sink, Source};
pub(crate) use value::Value;

use thrift::TConfiguration;
use thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TMessageType};

/// No method of Beeswax or HiveServer2 has a name near this length. It also makes the first bytes
/// of a SASL handshake or a TLS hello, read as an old-style name length, fail at once instead of
/// waiting for 16 MiB.
const METHOD_NAME_BYTES_MAX: usize = 256;

/// One call, with its arguments read completely.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) sequence: i32,
    pub(crate) arguments: Value,
}

/// Reads calls from one connection, or from one HTTP body.
pub(crate) struct CallReader {
    protocol: TBinaryInputProtocol<Source>,
}

impl CallReader {
    pub(crate) fn new(source: Source) -> thrift::Result<Self> {
        let limits = TConfiguration::builder()
            .max_string_size(Some(METHOD_NAME_BYTES_MAX))
            .max_recursion_depth(None) // `value` has its own bound, which also covers lists and maps.
            .build()?;
        // Impala's server does not insist on the strict header, so neither do we.
        Ok(Self { protocol: TBinaryInputProtocol::with_config(source, false, limits) })
    }

    /// Waits for the next call. An error means that the connection is over.
    pub(crate) fn read(&mut self) -> thrift::Result<Call> {
        self.protocol.transport.start_message();
        let message = self.protocol.read_message_begin()?;
        if !matches!(message.message_type, TMessageType::Call | TMessageType::OneWay) {
            return Err(malformed("not a call"));
        }
        let arguments = value::read_struct(&mut self.protocol)?;
        self.protocol.read_message_end()?;
        Ok(Call { method: message.name, sequence: message.sequence_number, arguments })
    }
}

/// The error for a message that no Thrift client would send. The connection is closed on it.
pub(crate) fn malformed(what: &str) -> thrift::Error {
    thrift::new_protocol_error(thrift::ProtocolErrorKind::InvalidData, what)
}
