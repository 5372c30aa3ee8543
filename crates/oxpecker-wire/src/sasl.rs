//! SASL as Thrift's TSaslTransport frames it, and the PLAIN mechanism.
//! Source: docs/impala.md, "SASL", and the recorded handshakes of impyla, impala-shell and beeline.
//!
//! While negotiating: `u8 status`, `u32 length`, payload. After the server's [`Status::Complete`]:
//! `u32 length` and a chunk of the Thrift stream, which need not be a whole message.

use std::fmt;

/// Status byte and length before each payload of the negotiation.
pub const NEGOTIATION_HEADER_SIZE: usize = 5;
/// Length before each chunk after the negotiation.
pub const FRAME_HEADER_SIZE: usize = 4;
pub const MECHANISM_PLAIN: &str = "PLAIN";

/// First byte of a negotiation frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// The client names the mechanism.
    Start = 1,
    Ok = 2,
    /// Refused: credentials or mechanism.
    Bad = 3,
    /// Refused: not understood.
    Error = 4,
    /// The server is content; also the last message of Java clients.
    Complete = 5,
}

impl Status {
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Start),
            2 => Some(Self::Ok),
            3 => Some(Self::Bad),
            4 => Some(Self::Error),
            5 => Some(Self::Complete),
            _ => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "START",
            Self::Ok => "OK",
            Self::Bad => "BAD",
            Self::Error => "ERROR",
            Self::Complete => "COMPLETE",
        })
    }
}

/// A user name or password holds the NUL that separates the parts of a PLAIN response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NulInCredentials;

impl fmt::Display for NulInCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("user name or password contains a NUL byte, which SASL PLAIN cannot carry")
    }
}

impl std::error::Error for NulInCredentials {}

/// The PLAIN initial response: empty authzid, user, password.
///
/// The authzid stays empty because impalad takes a non-empty one as the user without comparing.
pub fn plain_response(user: &str, password: &str) -> Result<Vec<u8>, NulInCredentials> {
    if user.contains('\0') || password.contains('\0') {
        return Err(NulInCredentials);
    }
    Ok([b"\0", user.as_bytes(), b"\0", password.as_bytes()].concat())
}

/// Why a PLAIN response is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainFault {
    Malformed,
    /// It asks to act as somebody else than it proves to be. impalad would not compare the two.
    OtherAuthzid,
}

impl fmt::Display for PlainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the PLAIN response is malformed",
            Self::OtherAuthzid => "the authorization identity differs from the user name",
        })
    }
}

impl std::error::Error for PlainFault {}

/// User and password of a PLAIN response, `authzid NUL authcid NUL password`.
pub fn read_plain_response(bytes: &[u8]) -> Result<(&str, &str), PlainFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| PlainFault::Malformed)?;
    let mut parts = text.split('\0');
    let (Some(authzid), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(PlainFault::Malformed);
    };
    if user.is_empty() {
        return Err(PlainFault::Malformed);
    }
    if !authzid.is_empty() && authzid != user {
        return Err(PlainFault::OtherAuthzid);
    }
    Ok((user, password))
}

/// Appends a negotiation frame.
///
/// Payloads are mechanism names and credentials: kilobytes, so the length always fits.
pub fn write_negotiation(status: Status, payload: &[u8], out: &mut Vec<u8>) {
    out.push(status as u8);
    write_frame(payload, out);
}

/// Appends a frame of the stream after the negotiation.
pub fn write_frame(chunk: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(chunk.get(..length as usize).unwrap_or(chunk));
}

/// A negotiation frame's header at the front of `bytes`; `None` while it is incomplete.
pub fn read_negotiation_header(bytes: &[u8]) -> Option<(u8, u32)> {
    let header = bytes.first_chunk::<NEGOTIATION_HEADER_SIZE>()?;
    Some((header[0], u32::from_be_bytes([header[1], header[2], header[3], header[4]])))
}

/// A stream frame's length at the front of `bytes`; `None` while it is incomplete.
pub fn read_frame_header(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<FRAME_HEADER_SIZE>().map(|header| u32::from_be_bytes(*header))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/impala.md, "SASL PLAIN log-in".
    #[test]
    fn plain_handshake_is_the_worked_one() {
        let mut bytes = Vec::new();
        write_negotiation(Status::Start, MECHANISM_PLAIN.as_bytes(), &mut bytes);
        write_negotiation(Status::Ok, &plain_response("alice", "secret").unwrap(), &mut bytes);
        assert_eq!(bytes, b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x0d\0alice\0secret");
    }

    #[test]
    fn nobody_acts_as_somebody_else() {
        assert_eq!(read_plain_response(b"\0alice\0x"), Ok(("alice", "x")));
        assert_eq!(read_plain_response(b"alice\0alice\0x"), Ok(("alice", "x")));
        assert_eq!(read_plain_response(b"root\0alice\0x"), Err(PlainFault::OtherAuthzid));
        for bad in [&b""[..], b"alice", b"\0alice", b"\0alice\0x\0", b"\0\0x", b"\0\xff\0x"] {
            assert_eq!(read_plain_response(bad), Err(PlainFault::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn nul_cannot_shift_the_fields() {
        assert_eq!(plain_response("alice\0", "x"), Err(NulInCredentials));
        assert_eq!(plain_response("alice", "x\0y"), Err(NulInCredentials));
    }

    #[test]
    fn headers_wait_for_their_bytes() {
        assert_eq!(read_negotiation_header(b"\x05\0\0\0"), None);
        assert_eq!(read_negotiation_header(b"\x05\0\0\0\x02xx"), Some((5, 2)));
        assert_eq!(read_frame_header(b"\0\0\0"), None);
        assert_eq!(read_frame_header(b"\0\0\0\x2f\x80"), Some(47));
    }
}
