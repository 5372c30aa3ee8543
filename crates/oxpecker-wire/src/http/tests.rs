//! Responses in pieces: lengths, chunks, until close; bounds; garbage.

use proptest::prelude::*;

use super::*;

/// Reads the same whole, byte by byte and cut in two anywhere.
#[track_caller]
fn check(response: &[u8], status: u16, body: &[u8], closes: bool) {
    let verify = |pieces: &[&[u8]]| {
        let mut reader = ResponseReader::new();
        for piece in pieces {
            reader.push(piece).unwrap();
        }
        if !reader.is_complete() {
            reader.closed().unwrap();
        }
        let head = reader.head().unwrap();
        assert_eq!((head.status, head.closes), (status, closes));
        assert_eq!(reader.body(), body);
    };
    verify(&[response]);
    verify(&response.chunks(1).collect::<Vec<_>>());
    for cut in 0..response.len() {
        verify(&[&response[..cut], &response[cut..]]);
    }
}

#[track_caller]
fn check_error(response: &[u8], expected: HttpError) {
    let error = |pieces: std::slice::Chunks<'_, u8>| {
        let mut reader = ResponseReader::new();
        for piece in pieces {
            if let Err(error) = reader.push(piece) {
                return Some(error);
            }
        }
        reader.closed().err()
    };
    assert_eq!(error(response.chunks(response.len())), Some(expected.clone()), "whole");
    assert_eq!(error(response.chunks(1)), Some(expected), "byte by byte");
}

#[test]
fn body_by_length() {
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", false);
    check(b"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", 200, b"", false);
    check(b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, b"x", false);
    check(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", true);
    let kept = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx";
    check(kept, 200, b"x", false);
    let closed = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    check(closed, 503, b"x", true);
    check(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", false);
}

/// Impala's 401 has neither length nor body (docs/impala.md, "HTTP").
#[test]
fn body_until_close() {
    check(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n", 401, b"", true);
    check(b"HTTP/1.0 200 OK\r\n\r\nabc", 200, b"abc", true);
}

#[test]
fn body_in_chunks() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    check(chunked, 200, b"abc0123456789", false);
    // Chunks win over a length.
    let both = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n\
        1\r\na\r\n0\r\n\r\n";
    check(both, 200, b"a", false);
}

#[test]
fn interim_responses_are_skipped() {
    let response = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    check(response, 200, b"x", false);
    check_error(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(9), HttpError::TooManyInterim);
}

#[test]
fn what_is_not_a_response() {
    check_error(b"\x15\x03\x01\0\x02", HttpError::NotHttp);
    check_error(b"HTTP/2 200\r\n\r\n", HttpError::NotHttp);
    check_error(b"HTTP/1.1 20 OK\r\n\r\n", HttpError::Head);
    check_error(b"HTTP/1.1 2000 OK\r\n\r\n", HttpError::Head);
    check_error(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", HttpError::Head);
    check_error(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", HttpError::Head);
    let two = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    check_error(two, HttpError::Head);
    check_error(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", HttpError::CutOff);
    check_error(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", HttpError::Surplus);
    let chunked =
        |rest: &[u8]| [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", rest].concat();
    check_error(&chunked(b"g\r\n"), HttpError::Chunk);
    check_error(&chunked(b"-1\r\n"), HttpError::Chunk);
    check_error(&chunked(b"11111111111111111\r\n"), HttpError::Chunk);
    check_error(&chunked(b"1\r\nab\r\n"), HttpError::Chunk);
    check_error(&chunked(&[b'0'; 5000]), HttpError::Chunk);
    check_error(&chunked(b"1\r\na\r\n"), HttpError::CutOff);
}

#[test]
fn bounds_hold() {
    let head = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; HEAD_BYTES_MAX]].concat();
    check_error(&head, HttpError::HeadTooLong);
    let body = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; BODY_BYTES_MAX + 1]].concat();
    check_error(&body, HttpError::BodyTooLong);
}

/// RFC 4648, 10, and RFC 7617, 2.
#[test]
fn base64_is_the_standards() {
    let vectors =
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
    for (plain, encoded) in vectors {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
    assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    assert_eq!(basic_credentials("Aladdin", "open sesame"), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

proptest! {
    #[test]
    fn no_bytes_panic(
        start in prop_oneof![
            Just(&b""[..]), Just(&b"HTTP/1.1 200 OK\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..]),
        ],
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8),
    ) {
        let mut reader = ResponseReader::new();
        let mut result = reader.push(start);
        for piece in pieces {
            if result.is_err() { break; }
            result = reader.push(&piece);
        }
        let _ = reader.closed();
    }
}
