//! The one Beeswax call that probes need: PingImpalaService.
//! Source: docs/impala.md, "Beeswax". It takes no argument and opens no session.

use crate::thrift::{Limits, ReadError, Reply, Type, Writer, read_reply};

pub const PING: &str = "PingImpalaService";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping<'a> {
    pub version: Option<&'a [u8]>,
    pub webserver_address: Option<&'a [u8]>,
}

pub fn ping_call() -> Vec<u8> {
    let mut call = Writer::call(PING);
    call.stop();
    call.finish()
}

pub fn read_ping(bytes: &[u8], limits: Limits) -> Result<(Reply<'_, Ping<'_>>, usize), ReadError> {
    read_reply(bytes, limits, PING, |reader| {
        let mut ping = Ping { version: None, webserver_address: None };
        while let Some((kind, id)) = reader.field()? {
            match (kind, id) {
                (Type::String, 1) => ping.version = Some(reader.binary()?),
                (Type::String, 2) => ping.webserver_address = Some(reader.binary()?),
                _ => reader.skip(kind)?,
            }
        }
        Ok(ping)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/impala.md, "Beeswax"; also the bytes of an HAProxy `tcp-check` for a bare Beeswax port.
    #[test]
    fn ping_call_is_the_worked_one() {
        let worked = b"\x80\x01\0\x01\0\0\0\x11PingImpalaService\0\0\0\0\0";
        assert_eq!(ping_call(), worked);
    }
}
