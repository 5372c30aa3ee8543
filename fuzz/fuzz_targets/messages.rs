//! Any bytes as one direction of a client's connection: never a panic, and the same messages and the
//! same end however the bytes are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpecker_wire::scan::Dialect;
use stream::{Direction, Message, Stream};

#[path = "../../crates/oxpecker-wire/tests/it/stream.rs"]
mod stream;

fn read(how: u8, bytes: &[u8], piece: usize) -> (Vec<Message>, Option<String>) {
    let direction = if how & 1 == 1 { Direction::ToServer } else { Direction::ToClient };
    let dialect = if how & 2 == 2 { Dialect::Beeswax } else { Dialect::Hs2 };
    let mut stream = Stream::new(direction, dialect);
    for piece in bytes.chunks(piece.max(1)) {
        if let Err(fault) = stream.push(piece) {
            return (stream.messages, Some(fault));
        }
    }
    (stream.messages, None)
}

// The first byte: bit 0 the direction, bit 1 the dialect, the others the size of pieces.
fuzz_target!(|input: &[u8]| {
    let Some((how, bytes)) = input.split_first() else { return };
    let whole = read(*how, bytes, bytes.len());
    assert_eq!(read(*how, bytes, usize::from(how >> 2) + 1), whole);
    for message in &whole.0 {
        let texts = message.name.len() + message.facts.len();
        assert!(texts < 64 * 1024, "{texts} bytes are kept of a message of {}", message.bytes);
    }
});
