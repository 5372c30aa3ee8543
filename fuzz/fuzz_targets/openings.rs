//! Any bytes where small things are read: PROXY headers, ClientHellos, PLAIN responses, answers to
//! probes, statements. Never a panic, and what comes in pieces is judged as in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpecker_wire::http::{HttpError, ResponseReader};
use oxpecker_wire::probe::LoadPage;
use oxpecker_wire::redact::{conceal, digest, redact};
use oxpecker_wire::{client_hello, proxy_header, sasl};

/// Bodies are taken as they come, as the probes do.
fn response(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<HttpError>) {
    let (mut reader, mut body) = (ResponseReader::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        let pushed = reader.push(piece);
        body.extend(reader.take_body());
        if let Err(error) = pushed {
            return (body, Some(error));
        }
    }
    (body, None)
}

fn load(bytes: &[u8], piece: usize) -> Option<u32> {
    let (mut page, _) = LoadPage::ask("h");
    bytes.chunks(piece).find_map(|piece| page.receive(piece).transpose()).and_then(Result::ok)
}

fuzz_target!(|input: &[u8]| {
    let Some((how, bytes)) = input.split_first() else { return };
    match how {
        0 => drop(proxy_header::parse(bytes)),
        1 => drop(client_hello::parse(bytes)),
        2 => {
            if let Ok((user, password)) = sasl::read_plain_response(bytes) {
                let again = sasl::plain_response(user, password).expect("neither has a NUL");
                assert_eq!(sasl::read_plain_response(&again), Ok((user, password)));
            }
        }
        3 if bytes.len() < 16 * 1024 => {
            let (whole, pieces) = (response(bytes, bytes.len().max(1)), response(bytes, 1));
            assert_eq!(pieces.1, whole.1);
        }
        4 => assert_eq!(load(bytes, 1), load(bytes, bytes.len().max(1))),
        _ => {
            let redacted = redact(bytes);
            digest(&redacted);
            conceal(bytes);
        }
    }
});
