//! Where calls go, by tables: known handles, forgotten ones, tagged ones.

use std::collections::HashMap;

use oxpecker_wire::scan::{CallScanner, Dialect, Progress};
use oxpecker_wire::thrift::Writer;

use super::*;
use crate::aware::tags::KEY_BYTES_MIN;

const SECRET: [u8; 16] = [9; 16];

fn place(host: &str) -> Place {
    Place { host: host.into(), port: 21_050 }
}

#[derive(Default)]
struct Table {
    sessions: HashMap<Id, Place>,
    operations: HashMap<Id, Place>,
}

impl Known for Table {
    fn session(&self, id: Id) -> Option<Place> {
        self.sessions.get(&id).cloned()
    }

    fn operation(&self, id: Id) -> Option<Place> {
        self.operations.get(&id).cloned()
    }
}

fn table() -> Table {
    let mut table = Table::default();
    table.sessions.insert(Id([1; 16]), place("a"));
    table.operations.insert(Id([2; 16]), place("b"));
    table
}

/// A call of `method` with these handles in fields 1 and 2 of its request.
fn call(method: &str, handles: &[(Id, &[u8])]) -> (Vec<u8>, CallScanner) {
    let mut call = Writer::call(method);
    call.field_struct(1);
    for (at, (id, secret)) in handles.iter().enumerate() {
        call.field_struct(1 + at as i16).field_struct(1);
        call.field_binary(1, &id.0).field_binary(2, secret).stop().stop();
    }
    call.field_binary(3, b"behind").stop().stop();
    let bytes = call.finish();
    let mut scanner = CallScanner::new(Dialect::Hs2);
    let mut used = 0;
    loop {
        let (count, progress) = scanner.feed(&bytes[used..]).unwrap();
        used += count;
        if progress == Progress::End {
            return (bytes, scanner);
        }
    }
}

#[track_caller]
fn check(method: &str, handles: &[(Id, &[u8])], expected: &Target) {
    let (_, scanner) = call(method, handles);
    assert_eq!(target(scanner.call(), None, &table()), *expected, "{method}");
}

#[test]
fn calls_go_to_the_owner_of_their_handle() {
    let (session, operation) = ((Id([1; 16]), &SECRET[..]), (Id([2; 16]), &SECRET[..]));
    check("OpenSession", &[], &Target::New);
    check("ExecuteStatement", &[session], &Target::Place(place("a")));
    check("CloseSession", &[session], &Target::Place(place("a")));
    check("CancelOperation", &[operation], &Target::Place(place("b")));
    check("SomethingNew", &[operation], &Target::Place(place("b")));
    check("SomethingNew", &[(Id([3; 16]), &SECRET)], &Target::Any);
}

#[test]
fn a_forgotten_operation_is_found_by_its_session() {
    let (gone, session) = ((Id([3; 16]), &SECRET[..]), (Id([1; 16]), &SECRET[..]));
    check("GetRuntimeProfile", &[gone, session], &Target::Place(place("a")));
}

#[test]
fn unknown_handles_are_looked_for_and_malformed_ones_are_not() {
    let id = Id([3; 16]);
    let search = |names| Target::Search { names, id, secret: SECRET };
    check("ExecuteStatement", &[(id, &SECRET)], &search(Names::Session));
    check("FetchResults", &[(id, &SECRET)], &search(Names::Operation));
    check("FetchResults", &[(id, b"short")], &Target::Any);
    check("FetchResults", &[(id, &[0; 100])], &Target::Any);
    check("FetchResults", &[], &Target::Any);
}

fn tags(key: u8) -> Tags {
    Tags::new(&[vec![key; KEY_BYTES_MIN]]).unwrap()
}

fn tagged(tags: &Tags, id: Id) -> Vec<u8> {
    [&SECRET[..], &tags.seal(id, &SECRET, &place("z"))].concat()
}

#[test]
fn tags_lead_without_a_table_and_foreign_ones_lead_nowhere() {
    let (ours, id) = (tags(1), Id([7; 16]));
    let (_, scanner) = call("FetchResults", &[(id, &tagged(&ours, id))]);
    let found = target(scanner.call(), Some(&ours), &Table::default());
    assert!(matches!(found, Target::Marked(_)), "{found:?}");
    for (secret, method) in
        [(tagged(&tags(2), id), "FetchResults"), (tagged(&ours, Id([8; 16])), "CloseSession")]
    {
        let (_, scanner) = call(method, &[(id, &secret)]);
        let found = target(scanner.call(), Some(&ours), &table());
        assert!(matches!(found, Target::Refuse(_)), "{found:?}");
    }
}

#[test]
fn what_is_sealed_is_stripped() {
    let tags = tags(1);
    let (first, second) = (Id([1; 16]), Id([2; 16]));
    let (plain, _) = call("GetRuntimeProfile", &[(first, &SECRET), (second, &SECRET)]);
    let handles = [(first, tagged(&tags, first)), (second, tagged(&tags, second))];
    let handles = handles.each_ref().map(|(id, secret)| (*id, &secret[..]));
    let (mut bytes, scanner) = call("GetRuntimeProfile", &handles);
    assert_eq!(strip(&mut bytes, scanner.call(), Some(&tags)), 48);
    assert_eq!(bytes, plain);

    let (mut bytes, scanner) = call("GetRuntimeProfile", &[(first, &SECRET), (second, &SECRET)]);
    let handle = scanner.call().second_handle().unwrap();
    assert_eq!(seal(&mut bytes, handle, &tags, &place("z")), 24);
    let (expected, _) =
        call("GetRuntimeProfile", &[(first, &SECRET), (second, &tagged(&tags, second))]);
    assert_eq!(bytes, expected);
}
