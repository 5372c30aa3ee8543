//! What real clients and servers said, as the time lines beside the recordings tell it.

use std::fs;
use std::path::{Path, PathBuf};

use oxpecker_wire::scan::Dialect;
use oxpecker_wire::thrift::MessageKind;

use crate::stream::{Direction, Message, Stream};

/// One direction of one connection.
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) direction: Direction,
    pub(crate) dialect: Dialect,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Vec<(MessageKind, String)>,
}

/// All that can be read to the end: those after a GSSAPI log-in with encryption cannot.
pub(crate) fn recorded() -> Vec<Recorded> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let streams = files.iter().filter(|file| file.extension().is_some_and(|e| e == "bin"));
    streams
        .filter_map(|file| {
            let name = file.file_name()?.to_str()?;
            let (capture, rest) = name.split_once('.')?;
            let (connection, rest) = rest.split_once('.')?;
            let (direction, word) = match rest {
                "c2s.bin" => (Direction::ToServer, "c2s"),
                _ => (Direction::ToClient, "s2c"),
            };
            let time_line =
                fs::read_to_string(file.with_file_name(format!("{capture}.txt"))).ok()?;
            let beeswax = capture.starts_with("shell-beeswax");
            // The last bytes of the first say "Invalid status -128" and nothing in Thrift.
            let unreadable =
                ["shell-beeswax-to-sasl-spark35", "beeline-hs2-gssapi-authconf-spark35"];
            let unreadable = unreadable.contains(&capture) && direction == Direction::ToClient
                || capture == unreadable[1];
            (!unreadable).then(|| Recorded {
                name: name.to_owned(),
                direction,
                dialect: if beeswax { Dialect::Beeswax } else { Dialect::Hs2 },
                bytes: fs::read(file).unwrap(),
                expected: messages(&time_line, connection, word),
            })
        })
        .collect()
}

/// The messages that a time line names.
fn messages(time_line: &str, connection: &str, direction: &str) -> Vec<(MessageKind, String)> {
    let mut found = Vec::new();
    for line in time_line.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(1) != Some(&connection) || words.get(2) != Some(&direction) {
            continue;
        }
        for pair in words.windows(2) {
            let kind = match pair[0] {
                "CALL" => MessageKind::Call,
                "REPLY" => MessageKind::Reply,
                "EXCEPTION" => MessageKind::Exception,
                _ => continue,
            };
            found.push((kind, pair[1].to_owned()));
        }
    }
    found
}

fn read(stream: &Recorded, pieces: &[&[u8]]) -> Vec<Message> {
    let mut reader = Stream::new(stream.direction, stream.dialect);
    for piece in pieces {
        reader.push(piece).unwrap_or_else(|fault| panic!("{}: {fault}", stream.name));
    }
    reader.messages
}

#[test]
fn every_message_of_the_time_lines_is_found() {
    let streams = recorded();
    assert!(streams.len() > 50, "{}", streams.len());
    let mut count = 0;
    for stream in streams {
        let found = read(&stream, &[&stream.bytes]);
        let names: Vec<_> = found.iter().map(|m| (m.kind, m.name.clone())).collect();
        assert_eq!(names, stream.expected, "{}", stream.name);
        count += names.len();
    }
    assert!(count > 500, "{count}");
}

#[test]
fn every_split_finds_the_same() {
    for stream in recorded() {
        let whole = read(&stream, &[&stream.bytes]);
        // All of them, but for the few long ones.
        let step = 1 + stream.bytes.len() / 4000;
        for at in (0..=stream.bytes.len()).step_by(step) {
            let (a, b) = stream.bytes.split_at(at);
            assert_eq!(read(&stream, &[a, b]), whole, "{} at {at}", stream.name);
        }
        let single: Vec<&[u8]> = stream.bytes.chunks(1).collect();
        assert_eq!(read(&stream, &single), whole, "{} by bytes", stream.name);
    }
}

#[track_caller]
fn facts(name: &str, method: &str) -> String {
    let streams = recorded();
    let stream = streams.iter().find(|stream| stream.name == name).unwrap();
    let messages = read(stream, &[&stream.bytes]);
    messages.into_iter().find(|message| message.name == method).unwrap().facts
}

#[test]
fn what_the_shell_says_is_understood() {
    let calls = "shell-hs2-noauth-fake.c1.c2s.bin";
    let handle = |facts: &str| facts.split("Some(Handle { id: Some(").count() - 1;
    assert!(facts(calls, "OpenSession").starts_with("OpenSession None None"));
    let statement = facts(calls, "ExecuteStatement");
    assert!(statement.contains("set all") && handle(&statement) == 1, "{statement}");
    // Rows, and no log.
    let fetch = facts(calls, "FetchResults");
    assert!(fetch.ends_with("Some(8192) false"), "{fetch}");
    let replies = "shell-hs2-noauth-fake.c1.s2c.bin";
    let opened = facts(replies, "OpenSession");
    assert!(handle(&opened) == 1 && opened.contains("lengths: 16, 16"), "{opened}");
    let fetched = facts(replies, "FetchResults");
    assert!(fetched.contains("Some(0)") && fetched.contains("Some(false)"), "{fetched}");
}

#[test]
fn errors_are_understood() {
    let stale = "impyla-hs2-stalehandles-rr-spark35.c2.s2c.bin";
    let refused = facts(stale, "ExecuteStatement");
    assert!(refused.contains("Some(3)") && refused.contains("Invalid SessionHandle"), "{refused}");
    let exception =
        facts("shell-hs2-noauth-spark35-missing-method.c1.s2c.bin", "CloseImpalaOperation");
    assert!(exception.contains("Invalid method name: 'CloseImpalaOperation'"), "{exception}");
}

#[test]
fn beeswax_ids_are_understood() {
    let call = facts("shell-beeswax-cancel-fake.c2.c2s.bin", "Cancel");
    let owner = facts("shell-beeswax-cancel-fake.c1.s2c.bin", "query");
    let id = call.split_whitespace().nth(3).unwrap();
    assert!(id.len() == 33 && owner.contains(id), "{call}: {owner}");
}
