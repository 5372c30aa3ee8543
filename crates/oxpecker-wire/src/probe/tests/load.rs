//! What coordinators say they have to do.

use super::*;

const PAGE: &str = "# HELP impala_server_num_queries_registered The total number of queries\n\
    # TYPE impala_server_num_queries_registered gauge\n\
    impala_server_num_queries_registered_total 9\n\
    impala_server_num_queries_registered 17\n\
    impala_server_num_queries 20000\n";

fn response(lines: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}").into_bytes()
}

/// The same in one piece, byte by byte, and with the peer's close at the end.
#[track_caller]
fn told(answer: &[u8]) -> Result<u32, LoadError> {
    let ask = |size: usize| {
        let (mut page, sent) = LoadPage::ask("coord-1:25000");
        assert!(sent.starts_with(b"GET /metrics_prometheus HTTP/1.1\r\nHost: coord-1:25000\r\n"));
        for piece in answer.chunks(size) {
            if let Some(told) = page.receive(piece)? {
                return Ok(told);
            }
        }
        page.closed()
    };
    let whole = ask(answer.len().max(1));
    assert_eq!(ask(1), whole);
    whole
}

#[test]
fn the_number_is_found_however_the_page_comes() {
    assert_eq!(told(&response("", PAGE)), Ok(17));
    assert_eq!(told(&response(&format!("Content-Length: {}\r\n", PAGE.len()), PAGE)), Ok(17));
    let chunked = format!("{:x}\r\n{PAGE}\r\n0\r\n\r\n", PAGE.len());
    assert_eq!(told(&response("Transfer-Encoding: chunked\r\n", &chunked)), Ok(17));
    // Without a line end, and as a floating number.
    assert_eq!(told(&response("", "impala_server_num_queries_registered 3.0")), Ok(3));
}

#[test]
fn what_is_no_number_is_not_told() {
    for body in ["", "x 1\n", "impala_server_num_queries_registered NaN\n"] {
        assert_eq!(told(&response("", body)), Err(LoadError::NotTold), "{body}");
    }
    for value in ["-1", "1e300", "", "x"] {
        let line = format!("impala_server_num_queries_registered {value}\n");
        assert_eq!(told(&response("", &line)), Err(LoadError::NotTold), "{value}");
    }
}

#[test]
fn other_answers_are_errors() {
    let answer = |bytes: &[u8]| told(bytes).unwrap_err().to_string();
    let refused = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    assert!(answer(refused).contains("HTTP status 401"), "{}", answer(refused));
    assert!(answer(b"\x16\x03\x01\x00\x01").contains("TLS"));
    assert!(answer(b"").contains("closed"), "{}", answer(b""));
    assert!(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").contains("closed"));
}

/// A page without end, and lines without end, cost a line.
#[test]
fn an_endless_page_is_given_up() {
    let (mut page, _) = LoadPage::ask("h");
    assert_eq!(page.receive(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(None));
    let piece = [b'x'; 64 * 1024];
    let error = (0..1000).find_map(|_| page.receive(&piece).err());
    assert_eq!(error, Some(LoadError::TooLong));
}
