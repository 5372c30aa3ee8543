//! PROXY headers: HAProxy's own bytes, every split point, every kind of wrong header.

use proptest::prelude::*;

use super::*;

const HAPROXY_V1: &[u8] = include_bytes!("../../tests/data/haproxy-proxy-v1-header.bin");
const HAPROXY_V2: &[u8] = include_bytes!("../../tests/data/haproxy-proxy-v2-header.bin");

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn written(version: Version, source: &str, destination: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(version, address(source), address(destination), &mut out);
    out
}

/// The header is complete exactly when its last byte is there, `need` never asks for more than
/// the header has, and what follows is left alone.
#[track_caller]
fn check(header: &[u8], expected: Option<(&str, &str)>) {
    for cut in 0..header.len() {
        match parse(&header[..cut]) {
            Ok(Parsed::Incomplete { need }) => {
                assert!(
                    need > cut && need <= header.len(),
                    "need {need} of {} at {cut}",
                    header.len()
                );
            }
            other => panic!("{other:?} after {cut} of {} bytes", header.len()),
        }
    }
    let (source, destination) = expected.map(|(a, b)| (address(a), address(b))).unzip();
    let complete = Parsed::Complete { length: header.len(), source, destination };
    assert_eq!(parse(header), Ok(complete));
    assert_eq!(parse(&[header, b"\x80\x01\0\x01\r\n"].concat()), Ok(complete));
}

#[track_caller]
fn check_error(header: &[u8], expected: ProxyHeaderError) {
    assert_eq!(parse(header), Err(expected));
}

/// A version 2 header from its parts.
fn v2(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    fixed_v2(version_and_command, family, u16::try_from(rest.len()).unwrap(), &mut header);
    header.extend_from_slice(rest);
    header
}

#[test]
fn reads_what_haproxy_wrote() {
    check(HAPROXY_V1, Some(("127.0.0.1:46010", "127.0.9.9:22001")));
    check(HAPROXY_V2, Some(("127.0.0.1:38720", "127.0.9.9:22002")));
}

#[test]
fn writes_what_haproxy_writes() {
    assert_eq!(written(Version::V1, "127.0.0.1:46010", "127.0.9.9:22001"), HAPROXY_V1);
    assert_eq!(written(Version::V2, "127.0.0.1:38720", "127.0.9.9:22002"), HAPROXY_V2);
}

#[test]
fn the_longest_and_shortest_v1_lines_are_read() {
    let longest_address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let line = format!("PROXY TCP6 {longest_address} {longest_address} 65535 65535\r\n");
    let peer = format!("[{longest_address}]:65535");
    check(line.as_bytes(), Some((&peer, &peer)));
    check(b"PROXY TCP6 :: ::1 0 1\r\n", Some(("[::]:0", "[::1]:1")));
    check(b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", Some(("0.0.0.0:0", "0.0.0.0:0")));
    check(b"PROXY UNKNOWN\r\n", None);
    let unknown = format!("PROXY UNKNOWN {longest_address} {longest_address} 65535 65535\r\n");
    assert_eq!(unknown.len(), LENGTH_MAX_V1);
    check(unknown.as_bytes(), None);
}

#[test]
fn v1_lines_that_are_not() {
    check_error(b"GET / HTTP/1.1\r\n", ProxyHeaderError::Missing);
    check_error(b"\x80\x01\0\x01", ProxyHeaderError::Missing);
    check_error(b"PROXX", ProxyHeaderError::Missing);
    check_error(b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", ProxyHeaderError::Protocol);
    check_error(b"PROXY UDP", ProxyHeaderError::Protocol);
    check_error(b"PROXY \r\n", ProxyHeaderError::Protocol);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", ProxyHeaderError::LineEnd);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx", ProxyHeaderError::LineEnd);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", ProxyHeaderError::Fields);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", ProxyHeaderError::Fields);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", ProxyHeaderError::Fields);
    check_error(b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", ProxyHeaderError::Fields);
    check_error(b"PROXY TCP4 ::1 1.2.3.4 1 2\r\n", ProxyHeaderError::Address);
    check_error(b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", ProxyHeaderError::Address);
    check_error(b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", ProxyHeaderError::Address);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", ProxyHeaderError::Port);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", ProxyHeaderError::Port);
    check_error(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\xff\r\n", ProxyHeaderError::Fields);
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
    check_error(&endless, ProxyHeaderError::LineTooLong);
    let late = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92], b"\r\n"].concat();
    assert_eq!(late.len(), LENGTH_MAX_V1 + 1);
    check_error(&late, ProxyHeaderError::LineTooLong);
}

#[test]
fn v2_skips_tlvs_and_checks_no_checksum() {
    let addresses = [10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x56, 0x78];
    // AWS's VPC endpoint id, a wrong CRC32C, NOOP padding.
    let tlvs = b"\xea\0\x05\x01vpce\x03\0\x04\xde\xad\xbe\xef\x04\0\x02\0\0";
    let header = v2(0x21, 0x11, &[addresses.as_slice(), tlvs].concat());
    check(&header, Some(("10.0.0.1:4660", "10.0.0.2:22136")));
}

#[test]
fn v2_without_tcp_addresses_means_the_sockets_own() {
    check(&v2(0x20, 0x00, b""), None);
    // LOCAL: "must discard any protocol block".
    check(&v2(0x20, 0x11, &[1; 12]), None);
    check(&v2(0x20, 0x11, &[1; 3]), None);
    check(&v2(0x21, 0x00, b""), None);
    check(&v2(0x21, 0x31, &[b'/'; 216]), None);
    check(&v2(0x21, 0x12, &[1; 12]), None);
    check(&v2(0x21, 0x77, &[1; 40]), None);
}

#[test]
fn v2_headers_that_are_not() {
    check_error(&v2(0x11, 0x11, &[0; 12]), ProxyHeaderError::Version(1));
    check_error(&v2(0x22, 0x11, &[0; 12]), ProxyHeaderError::Command(2));
    check_error(&v2(0x21, 0x11, &[0; 11]), ProxyHeaderError::TooShort { length: 11 });
    check_error(&v2(0x21, 0x21, &[0; 35]), ProxyHeaderError::TooShort { length: 35 });
    // Refused by the fixed part alone: nobody waits for 64 KiB of TLVs.
    let long = v2(0x21, 0x11, &[0; 5000]);
    check_error(&long[..FIXED_V2], ProxyHeaderError::TooLong { length: FIXED_V2 + 5000 });
    assert!(parse(&v2(0x21, 0x11, &[0; LENGTH_MAX_V2 - FIXED_V2])).is_ok());
    check_error(b"\r\n\r\n\0\r\nQUIX", ProxyHeaderError::Missing);
}

#[test]
fn mixed_and_mapped_addresses() {
    let both_v6 = Some(("[::ffff:10.0.0.1]:1", "[::1]:2"));
    check(&written(Version::V1, "10.0.0.1:1", "[::1]:2"), both_v6);
    check(&written(Version::V2, "10.0.0.1:1", "[::1]:2"), both_v6);
    let header = written(Version::V1, "[::ffff:10.0.0.1]:1", "10.0.0.2:2");
    assert_eq!(header, b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
}

#[test]
fn own_connections_carry_no_addresses() {
    for version in [Version::V1, Version::V2] {
        let mut out = Vec::new();
        write_local(version, &mut out);
        check(&out, None);
    }
}

#[test]
fn errors_show_no_bytes_of_the_peer() {
    let error = parse(b"PROXY TCP4 \x1b[31m 1.2.3.4 1 2\r\n").unwrap_err();
    assert!(error.to_string().chars().all(|c| c.is_ascii_graphic() || c == ' '));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        source: (u32, u16), destination: (u32, u16), wide: [u128; 2], v6: bool, v2: bool,
    ) {
        let (source, destination) = if v6 {
            (SocketAddr::new(IpAddr::from(wide[0].to_be_bytes()).to_canonical(), source.1),
             SocketAddr::new(IpAddr::from(wide[1].to_be_bytes()).to_canonical(), destination.1))
        } else {
            (SocketAddr::new(IpAddr::from(source.0.to_be_bytes()), source.1),
             SocketAddr::new(IpAddr::from(destination.0.to_be_bytes()), destination.1))
        };
        let mut out = Vec::new();
        write(if v2 { Version::V2 } else { Version::V1 }, source, destination, &mut out);
        if !v2 { prop_assert!(out.len() <= LENGTH_MAX_V1); }
        let parsed = parse(&out);
        let expected =
            Parsed::Complete { length: out.len(), source: Some(source), destination: Some(destination) };
        prop_assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn no_bytes_panic_or_stall(
        start in prop_oneof![
            Just(&b""[..]), Just(SIGNATURE_V1), Just(SIGNATURE_V2), Just(&b"PROXY TCP4 "[..]),
            Just(&b"PROXY TCP6 "[..]), Just(&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"[..]),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &rest].concat();
        match parse(&bytes) {
            Ok(Parsed::Incomplete { need }) => {
                prop_assert!(need > bytes.len() && need <= LENGTH_MAX_V2);
            }
            Ok(Parsed::Complete { length, .. }) => prop_assert!(length <= bytes.len()),
            Err(_) => {}
        }
    }
}
