//! The PROXY protocol, versions 1 and 2: who the client behind another proxy really is.
//! Source: HAProxy `doc/proxy-protocol.txt` (2020/03/05), checked against bytes of HAProxy 2.6.12.
//!
//! TLVs behind the addresses (AWS's endpoint id, CRC32C, SSL) are skipped, not checked: a header is
//! believed or not because of who sent it, which the caller knows and this module does not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(test)]
mod tests;

/// Longest version 1 line with its CR LF (specification, section 2.1).
pub const LENGTH_MAX_V1: usize = 107;
/// Longest version 2 header accepted. The format allows 16 + 65535; real ones, with the TLVs of
/// AWS, Azure and a client certificate's name, stay far below.
pub const LENGTH_MAX_V2: usize = 4096;

const SIGNATURE_V1: &[u8] = b"PROXY ";
const SIGNATURE_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED_V2: usize = 16;
/// `PROXY UNKNOWN` CR LF: no header of either version is shorter.
const LENGTH_MIN: usize = 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The header is at least `need` bytes long in all; reading up to that takes nothing that
    /// belongs to the client. Always more than what was given.
    Incomplete { need: usize },
    /// The header is the first `length` bytes. No addresses (`LOCAL`, `UNKNOWN`, Unix sockets):
    /// the sender speaks for itself, use the socket's.
    Complete { length: usize, source: Option<SocketAddr>, destination: Option<SocketAddr> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeaderError {
    /// The first bytes are of neither version: the client sent no header at all.
    Missing,
    /// No CR LF within [`LENGTH_MAX_V1`] bytes.
    LineTooLong,
    /// A CR without LF, a LF without CR.
    LineEnd,
    /// Neither TCP4, TCP6 nor UNKNOWN.
    Protocol,
    /// Not five words with single spaces between.
    Fields,
    Address,
    Port,
    /// Version 2's version nibble.
    Version(u8),
    /// Neither LOCAL nor PROXY.
    Command(u8),
    /// The announced length does not hold the family's addresses.
    TooShort {
        length: usize,
    },
    /// Beyond [`LENGTH_MAX_V2`].
    TooLong {
        length: usize,
    },
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no PROXY header in front of the client's bytes"),
            Self::LineTooLong => {
                write!(f, "PROXY v1 line does not end within {LENGTH_MAX_V1} bytes")
            }
            Self::LineEnd => f.write_str("PROXY v1 line does not end with CR LF"),
            Self::Protocol => f.write_str("PROXY v1 protocol is not TCP4, TCP6 or UNKNOWN"),
            Self::Fields => f.write_str("PROXY v1 line has not two addresses and two ports"),
            Self::Address => f.write_str("PROXY v1 address is not one of its protocol"),
            Self::Port => f.write_str("PROXY v1 port is not a number from 0 to 65535"),
            Self::Version(version) => write!(f, "PROXY v2 header says version {version}"),
            Self::Command(command) => write!(f, "PROXY v2 command {command} is unknown"),
            Self::TooShort { length } => {
                write!(f, "PROXY v2 length {length} does not hold the addresses")
            }
            Self::TooLong { length } => {
                write!(f, "PROXY v2 header of {length} bytes is over {LENGTH_MAX_V2}")
            }
        }
    }
}

impl std::error::Error for ProxyHeaderError {}

/// Reads the header at the front of `bytes`, whatever follows it.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    if bytes.is_empty() {
        Ok(Parsed::Incomplete { need: LENGTH_MIN })
    } else if agrees(bytes, SIGNATURE_V2) {
        parse_v2(bytes)
    } else if agrees(bytes, SIGNATURE_V1) {
        parse_v1(bytes)
    } else {
        Err(ProxyHeaderError::Missing)
    }
}

/// Appends the header a member shall see before the client's bytes.
///
/// Addresses of different families are both written as IPv6 with the IPv4 one mapped
/// (`::ffff:a.b.c.d`), as HAProxy does in version 2.
pub fn write(version: Version, source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    // A dual-stack listener reports IPv4 clients as mapped; members want to see them as IPv4.
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => match version {
            Version::V1 => line_v1("TCP4", from, to, source.port(), destination.port(), out),
            Version::V2 => {
                fixed_v2(0x21, 0x11, 12, out);
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&to.octets());
                ports_v2(source.port(), destination.port(), out);
            }
        },
        (from, to) => {
            let (from, to) = (as_v6(from), as_v6(to));
            match version {
                Version::V1 => line_v1("TCP6", from, to, source.port(), destination.port(), out),
                Version::V2 => {
                    fixed_v2(0x21, 0x21, 36, out);
                    out.extend_from_slice(&from.octets());
                    out.extend_from_slice(&to.octets());
                    ports_v2(source.port(), destination.port(), out);
                }
            }
        }
    }
}

/// Appends the header for a connection of the gateway itself, such as a health probe.
pub fn write_local(version: Version, out: &mut Vec<u8>) {
    match version {
        Version::V1 => out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
        Version::V2 => fixed_v2(0x20, 0x00, 0, out),
    }
}

/// One is a prefix of the other.
fn agrees(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(a, b)| a == b)
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let window = bytes.get(..LENGTH_MAX_V1).unwrap_or(bytes);
    let Some(end) = window.iter().position(|&b| b == b'\r' || b == b'\n') else {
        if window.len() == LENGTH_MAX_V1 {
            return Err(ProxyHeaderError::LineTooLong);
        }
        return incomplete_v1(window);
    };
    if window[end] == b'\n' {
        return Err(ProxyHeaderError::LineEnd);
    }
    match window.get(end + 1) {
        Some(b'\n') => {}
        Some(_) => return Err(ProxyHeaderError::LineEnd),
        None if window.len() == LENGTH_MAX_V1 => return Err(ProxyHeaderError::LineTooLong),
        None => return Ok(Parsed::Incomplete { need: end + 2 }),
    }
    let line = window.get(SIGNATURE_V1.len()..end).ok_or(ProxyHeaderError::Fields)?;
    // Not UTF-8: then no field of it can be right.
    let line = std::str::from_utf8(line).map_err(|_| ProxyHeaderError::Fields)?;
    let length = end + 2;
    let mut fields = line.split(' ');
    let protocol = fields.next().unwrap_or("");
    if protocol == "UNKNOWN" {
        // "the receiver must ignore anything presented before the CRLF"
        return Ok(Parsed::Complete { length, source: None, destination: None });
    }
    if protocol != "TCP4" && protocol != "TCP6" {
        return Err(ProxyHeaderError::Protocol);
    }
    let fields: Vec<&str> = fields.take(5).collect();
    let [source, destination, source_port, destination_port] = fields[..] else {
        return Err(ProxyHeaderError::Fields);
    };
    let address = |text: &str| -> Result<IpAddr, ProxyHeaderError> {
        let parsed = if protocol == "TCP4" {
            text.parse::<Ipv4Addr>().map(IpAddr::V4)
        } else {
            text.parse::<Ipv6Addr>().map(IpAddr::V6)
        };
        parsed.map_err(|_| ProxyHeaderError::Address)
    };
    let source = SocketAddr::new(address(source)?, port(source_port)?);
    let destination = SocketAddr::new(address(destination)?, port(destination_port)?);
    Ok(Parsed::Complete { length, source: Some(source), destination: Some(destination) })
}

/// How far to read on when no line end has come yet.
fn incomplete_v1(line: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let rest = line.get(SIGNATURE_V1.len()..).unwrap_or(&[]);
    // The shortest lines of each protocol: `TCP4 0.0.0.0 0.0.0.0 0 0` and `TCP6 :: :: 0 0`.
    let shortest = if rest.starts_with(b"TCP4 ") {
        32
    } else if rest.starts_with(b"TCP6 ") {
        22
    } else if [b"TCP4 ".as_slice(), b"TCP6 ", b"UNKNOWN"].iter().any(|p| agrees(rest, p)) {
        LENGTH_MIN
    } else {
        return Err(ProxyHeaderError::Protocol);
    };
    Ok(Parsed::Incomplete { need: shortest.max(line.len() + 2) })
}

/// Digits only: `str::parse` would also take a plus sign.
fn port(text: &str) -> Result<u16, ProxyHeaderError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ProxyHeaderError::Port);
    }
    text.parse().map_err(|_| ProxyHeaderError::Port)
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_V2>() else {
        return Ok(Parsed::Incomplete { need: FIXED_V2 });
    };
    let (version, command, family) = (fixed[12] >> 4, fixed[12] & 0x0f, fixed[13]);
    if version != 2 {
        return Err(ProxyHeaderError::Version(version));
    }
    if command > 1 {
        return Err(ProxyHeaderError::Command(command));
    }
    let announced = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let length = FIXED_V2 + announced;
    if length > LENGTH_MAX_V2 {
        return Err(ProxyHeaderError::TooLong { length });
    }
    // Known from the fixed part alone, so refuse before waiting for the rest.
    let addresses_size = match family {
        0x11 => 12,
        0x21 => 36,
        _ => 0,
    };
    if command == 1 && announced < addresses_size {
        return Err(ProxyHeaderError::TooShort { length: announced });
    }
    let Some(rest) = rest.get(..announced) else {
        return Ok(Parsed::Incomplete { need: length });
    };
    // Unspecified, datagrams and Unix sockets name no TCP client; HAProxy keeps the socket's then.
    let addresses = if command == 1 { addresses_v2(family, rest) } else { None };
    let (source, destination) = addresses.unzip();
    Ok(Parsed::Complete { length, source, destination })
}

fn addresses_v2(family: u8, rest: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let (source, destination, ports) = match family {
        0x11 => {
            let (source, rest) = rest.split_first_chunk::<4>()?;
            let (destination, ports) = rest.split_first_chunk::<4>()?;
            (IpAddr::from(*source), IpAddr::from(*destination), ports)
        }
        0x21 => {
            let (source, rest) = rest.split_first_chunk::<16>()?;
            let (destination, ports) = rest.split_first_chunk::<16>()?;
            (IpAddr::from(*source), IpAddr::from(*destination), ports)
        }
        _ => return None,
    };
    let ports = ports.first_chunk::<4>()?;
    Some((
        SocketAddr::new(source, u16::from_be_bytes([ports[0], ports[1]])),
        SocketAddr::new(destination, u16::from_be_bytes([ports[2], ports[3]])),
    ))
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn line_v1(
    protocol: &str,
    source: impl fmt::Display,
    destination: impl fmt::Display,
    source_port: u16,
    destination_port: u16,
    out: &mut Vec<u8>,
) {
    let line =
        format!("PROXY {protocol} {source} {destination} {source_port} {destination_port}\r\n");
    out.extend_from_slice(line.as_bytes());
}

fn fixed_v2(version_and_command: u8, family: u8, length: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE_V2);
    out.extend_from_slice(&[version_and_command, family]);
    out.extend_from_slice(&length.to_be_bytes());
}

fn ports_v2(source: u16, destination: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&source.to_be_bytes());
    out.extend_from_slice(&destination.to_be_bytes());
}
