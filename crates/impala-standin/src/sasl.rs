//! The server's side of the SASL handshake that Thrift's TSaslTransport speaks. Only PLAIN.
//! Frames are `status, length, payload`; a refused password gets no frame at all, as in impalad.

use crate::auth::Authenticator;
use std::io::{self, Read, Write};

const START: u8 = 1;
const OK: u8 = 2;
const BAD: u8 = 3;
const ERROR: u8 = 4;
const COMPLETE: u8 = 5;

/// A mechanism name or a PLAIN response is far shorter. The bound keeps a bare Thrift client (0x80
/// 0x01 …), read as status and length, from making us wait for 16 MiB.
const PAYLOAD_BYTES_MAX: u32 = 64 * 1024;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaslError {
    #[error("the connection broke during the handshake")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Refused(String),
    #[error("wrong user or password")]
    WrongPassword,
}

/// Runs the handshake; returns the user.
pub(crate) fn handshake(
    stream: &mut (impl Read + Write),
    auth: &Authenticator,
) -> Result<String, SaslError> {
    let (status, mechanism) = receive(stream)?;
    if status != START {
        return refuse(stream, ERROR, format!("Expecting START status, received {status}"));
    }
    if mechanism != b"PLAIN" {
        let name = String::from_utf8_lossy(&mechanism).into_owned();
        return refuse(stream, BAD, format!("Unsupported mechanism type {name}"));
    }
    let (status, response) = receive(stream)?;
    // Python sends OK with its only response, Java COMPLETE.
    if status != OK && status != COMPLETE {
        return refuse(stream, ERROR, format!("Invalid status {status}"));
    }
    let user = auth.plain(&response).ok_or(SaslError::WrongPassword)?;
    send(stream, COMPLETE, b"")?;
    Ok(user)
}

fn receive(stream: &mut (impl Read + Write)) -> Result<(u8, Vec<u8>), SaslError> {
    let mut status = [0];
    stream.read_exact(&mut status)?;
    let status = status[0];
    // Bare Thrift starts with 0x80, HTTP with a letter: answer before waiting for more.
    if !(START..=COMPLETE).contains(&status) {
        return refuse(stream, ERROR, format!("Invalid status {}", status.cast_signed()));
    }
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > PAYLOAD_BYTES_MAX {
        return refuse(stream, ERROR, format!("Invalid length {length}"));
    }
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload)?;
    Ok((status, payload))
}

fn refuse<T>(stream: &mut impl Write, status: u8, text: String) -> Result<T, SaslError> {
    send(stream, status, text.as_bytes())?;
    Err(SaslError::Refused(text))
}

fn send(stream: &mut impl Write, status: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut frame = vec![status];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    /// Input and output of one side.
    struct Pipe<'a>(&'a [u8], Vec<u8>);

    impl Read for Pipe<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0.read(out)
        }
    }

    impl Write for Pipe<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[track_caller]
    fn check(input: &[u8], user: Option<&str>, reply: &[u8]) {
        let users = vec![("alice".into(), "secret".into())];
        let auth = Authenticator::new(&Options { users, ..Options::default() });
        let mut pipe = Pipe(input, Vec::new());
        let found = handshake(&mut pipe, &auth).ok();
        assert_eq!(found.as_deref(), user);
        assert_eq!(pipe.1, reply);
    }

    #[test]
    fn accepts_python_and_java() {
        let start = b"\x01\0\0\0\x05PLAIN";
        let done = b"\x05\0\0\0\0";
        check(&[start, &b"\x02\0\0\0\x0d\0alice\0secret"[..]].concat(), Some("alice"), done);
        check(&[start, &b"\x05\0\0\0\x0d\0alice\0secret"[..]].concat(), Some("alice"), done);
        check(&[start, &b"\x02\0\0\0\x12alice\0alice\0secret"[..]].concat(), Some("alice"), done);
    }

    #[test]
    fn refuses_the_rest() {
        check(b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x0c\0alice\0wrong", None, b"");
        check(b"\x01\0\0\0\x06GSSAPI", None, b"\x03\0\0\0\x21Unsupported mechanism type GSSAPI");
        check(b"\x02\0\0\0\x00", None, b"\x04\0\0\0\x22Expecting START status, received 2");
        check(b"\x80\x01\0\x01\0\0", None, b"\x04\0\0\0\x13Invalid status -128");
        check(b"POST / HTTP/1.1", None, b"\x04\0\0\0\x11Invalid status 80");
        check(b"\x01\x7f\xff\xff\xff", None, b"\x04\0\0\0\x19Invalid length 2147483647");
        check(b"", None, b"");
    }
}
