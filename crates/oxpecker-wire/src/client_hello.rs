//! The first message of TLS, read for the name that a client asks for (RFC 8446, section 4.1.2;
//! RFC 6066, section 3), and for whether it is a certificate authority that asks (RFC 8737).
//!
//! Only looks: nothing is changed, and whoever ends TLS reads the same bytes again.

use std::fmt;

/// A ClientHello is some hundred bytes, with post-quantum key shares about two thousand.
pub const LENGTH_MAX: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The message has not arrived completely.
    Incomplete,
    Complete(ClientHello),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// In lower case; `None` when the client names none, as when it was given an address.
    pub server_name: Option<String>,
    /// The one protocol it wants to speak (ALPN) is `acme-tls/1`: an authority looks whether the
    /// name is ours.
    pub is_acme_challenge: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientHelloError {
    /// The first byte is not that of a TLS handshake.
    NotTls,
    /// A TLS handshake that does not begin with a ClientHello.
    NotClientHello,
    /// Beyond [`LENGTH_MAX`].
    TooLong,
    /// A length within the message points outside of it.
    Malformed,
}

impl fmt::Display for ClientHelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTls => "the client does not speak TLS",
            Self::NotClientHello => "TLS without a ClientHello at its beginning",
            Self::TooLong => "the ClientHello is too long",
            Self::Malformed => "the ClientHello is malformed",
        })
    }
}

impl std::error::Error for ClientHelloError {}

const RECORD_HANDSHAKE: u8 = 22;
const MESSAGE_CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_PROTOCOLS: u16 = 16;
const NAME_HOST: u8 = 0;

/// RFC 8737, section 6.2, as it stands in the list of RFC 7301: with its length in front.
const ONLY_ACME: &[u8] = b"\x0aacme-tls/1";

/// Reads the bytes that a client has sent so far. The message may be spread over records.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ClientHelloError> {
    let mut message = Vec::new();
    let mut records = Reader(bytes);
    loop {
        let wanted = match message.get(..4) {
            None => 4,
            Some(&[MESSAGE_CLIENT_HELLO, a, b, c]) => 4 + u32::from_be_bytes([0, a, b, c]) as usize,
            Some(_) => return Err(ClientHelloError::NotClientHello),
        };
        if wanted > LENGTH_MAX {
            return Err(ClientHelloError::TooLong);
        }
        if message.len() >= wanted && wanted > 4 {
            let hello = extensions(&message[4..wanted]).ok_or(ClientHelloError::Malformed)?;
            return Ok(Parsed::Complete(hello));
        }
        match records.0.first() {
            None => return Ok(Parsed::Incomplete),
            Some(&RECORD_HANDSHAKE) => {}
            Some(_) if message.is_empty() => return Err(ClientHelloError::NotTls),
            Some(_) => return Err(ClientHelloError::Malformed),
        }
        let Some(header) = records.take(5) else { return Ok(Parsed::Incomplete) };
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        // An empty record brings nothing, and could be sent for ever.
        if header[1] != 3 || length == 0 {
            return Err(ClientHelloError::Malformed);
        }
        let part = &records.0[..length.min(records.0.len())];
        message.extend_from_slice(part);
        records.0 = &records.0[part.len()..];
    }
}

/// `None`: malformed.
fn extensions(hello: &[u8]) -> Option<ClientHello> {
    let mut found = ClientHello { server_name: None, is_acme_challenge: false };
    let mut hello = Reader(hello);
    hello.take(2 + 32)?; // version, random
    hello.vector_u8()?; // session id
    hello.vector_u16()?; // cipher suites
    hello.vector_u8()?; // compression methods
    if hello.0.is_empty() {
        return Some(found); // extensions are optional before TLS 1.3
    }
    let mut extensions = Reader(hello.vector_u16()?);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut body = Reader(extensions.vector_u16()?);
        match kind {
            EXTENSION_SERVER_NAME if found.server_name.is_none() => {
                found.server_name = host(body.vector_u16()?)?;
            }
            EXTENSION_PROTOCOLS => found.is_acme_challenge = body.vector_u16()? == ONLY_ACME,
            _ => {}
        }
    }
    Some(found)
}

/// The first host of a list of names. The outer `None`: malformed.
fn host(names: &[u8]) -> Option<Option<String>> {
    let mut names = Reader(names);
    while !names.0.is_empty() {
        let kind = names.take(1)?[0];
        let name = names.vector_u16()?;
        if kind == NAME_HOST {
            let name = std::str::from_utf8(name).ok().filter(|name| is_host(name));
            return Some(name.map(str::to_ascii_lowercase));
        }
    }
    Some(None)
}

/// What may go into a log line and be compared with routes.
fn is_host(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=255).contains(&name.len()) && name.bytes().all(fits)
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn vector_u8(&mut self) -> Option<&'b [u8]> {
        let length = self.take(1)?[0];
        self.take(usize::from(length))
    }

    fn vector_u16(&mut self) -> Option<&'b [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests;
