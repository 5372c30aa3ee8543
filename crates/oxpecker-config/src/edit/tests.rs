//! Compaction, application and the text form.

use super::*;
use crate::source::{Input, Maps};

const FILES: &str = r#"
node.a.address = "10.0.0.1"
node.b.address = "b.example"
node.unused.address = "10.0.0.9"
pool.p = { port = 21050, members = ["a", { node = "b", weight = 3 }] }
virtual.v = { listen = "127.0.0.1:21050", pool = "p" }
"#;

fn files(text: &str) -> Config {
    match crate::check(&[Input::new("oxpecker.toml", text)], &Maps::default()) {
        Ok(checked) => checked.config,
        Err(problems) => panic!("{problems:#?}"),
    }
}

fn weight(member: &str, weight: u16, was: u16) -> Edit {
    Edit::SetWeight { pool: "p".into(), member: member.into(), weight, was }
}

fn state(member: &str, state: AdminState) -> Edit {
    Edit::SetState { pool: "p".into(), member: member.into(), state, was: AdminState::Enabled }
}

fn add(node: &str, port: u16) -> Edit {
    Edit::AddMember { pool: "p".into(), node: node.into(), member: new_member(port) }
}

fn remove(member: &str) -> Edit {
    Edit::RemoveMember { pool: "p".into(), member: member.into() }
}

fn node(name: &str, address: &str) -> Edit {
    Edit::AddNode(Node {
        name: name.into(),
        description: String::new(),
        address: parse_host(address).unwrap(),
    })
}

#[track_caller]
fn compacted(edits: &[Edit], expected: &[Edit]) {
    let mut all = Vec::new();
    edits.iter().for_each(|edit| push(&mut all, edit.clone()));
    assert_eq!(all, expected);
}

#[test]
fn the_last_value_wins_and_going_back_is_no_change() {
    compacted(&[weight("a:21050", 5, 1), weight("a:21050", 7, 5)], &[weight("a:21050", 7, 1)]);
    compacted(&[weight("a:21050", 5, 1), weight("a:21050", 1, 1)], &[]);
    let draining = state("a:21050", AdminState::Draining);
    compacted(&[draining.clone(), state("a:21050", AdminState::Enabled)], &[]);
    compacted(
        &[draining.clone(), weight("b:21050", 5, 3)],
        &[draining.clone(), weight("b:21050", 5, 3)],
    );
}

#[test]
fn what_was_added_and_removed_leaves_nothing() {
    compacted(&[add("unused", 21050), remove("unused:21050")], &[]);
    compacted(&[weight("a:21050", 5, 1), remove("a:21050")], &[remove("a:21050")]);
    let back = [remove("a:21050"), add("a", 21050), remove("a:21050")];
    compacted(&back, &[remove("a:21050")]);
    compacted(&[node("c", "10.0.0.3"), Edit::RemoveNode { node: "c".into() }], &[]);
}

#[test]
fn values_of_what_was_added_are_folded_in() {
    let mut member = new_member(21050);
    (member.weight, member.state) = (5, AdminState::Disabled);
    let expected = Edit::AddMember { pool: "p".into(), node: "unused".into(), member };
    let edits = [
        add("unused", 21050),
        weight("unused:21050", 5, 1),
        state("unused:21050", AdminState::Disabled),
    ];
    compacted(&edits, &[expected]);
}

#[test]
fn changes_are_applied_over_the_files() {
    let mut config = files(FILES);
    let edits = [
        node("c", "10.0.0.3"),
        add("c", 21050),
        weight("b:21050", 9, 3),
        state("a:21050", AdminState::Draining),
        remove("a:21050"),
        Edit::RemoveNode { node: "a".into() },
    ];
    assert_eq!(apply(&edits, &mut config), []);
    let names = |member: &Member| member_name(&config.nodes[member.node].name, member.port);
    let members: Vec<_> = config.pools[0].members.iter().map(names).collect();
    assert_eq!(members, ["b:21050", "c:21050"]);
    assert_eq!(config.pools[0].members[0].weight, 9);
}

#[track_caller]
fn refused(edit: Edit, expected: &str) {
    let mut config = files(FILES);
    let before = config.clone();
    let error = apply_one(&edit, &mut config).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(config, before);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    refused(weight("x:1", 5, 1), "there is no member `p/x:1`");
    refused(weight("a:21050", 257, 1), "weight 257 is too large: at most 256");
    refused(
        weight("a:21050", 5, 2),
        "the configuration files changed the weight of `p/a:21050`: it is 1 there now",
    );
    refused(add("nobody", 1), "there is no node `nobody`");
    refused(add("a", 21050), "there is a member `p/a:21050` already");
    refused(add("a", 0), "port 0 is no port");
    refused(node("a", "10.0.0.3"), "there is a node `a` already");
    refused(
        node("a b", "10.0.0.3"),
        "`a b` cannot be a name: only letters, digits, `_`, `-` and `.`, at most 128 bytes",
    );
    refused(
        Edit::RemoveNode { node: "a".into() },
        "node `a` is in use by member `p/a:21050`: remove that first",
    );
    refused(
        Edit::SetProcessLimit { limit: Some(0), was: None },
        "a limit is 1 to 10000000, or off",
    );
    let mut config = files(FILES);
    apply_one(&remove("a:21050"), &mut config).unwrap();
    let error = apply_one(&remove("b:21050"), &mut config).unwrap_err();
    assert_eq!(error, EditError::LastMember { pool: "p".into() });
}

#[test]
fn a_file_that_changed_since_wins_and_the_rest_stays() {
    let mut config = files(&FILES.replace("weight = 3", "weight = 4"));
    let edits = [weight("b:21050", 9, 3), weight("a:21050", 2, 1)];
    let dropped = apply(&edits, &mut config);
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0].0, edits[0]);
    assert_eq!((config.pools[0].members[0].weight, config.pools[0].members[1].weight), (2, 4));
}

#[test]
fn a_file_that_took_the_change_over_drops_nothing() {
    let mut config = files(&FILES.replace("weight = 3", "weight = 9"));
    assert_eq!(apply(&[weight("b:21050", 9, 3)], &mut config), []);
}

fn one_of_each() -> Vec<Edit> {
    let member = Member { connections_max: Some(7), ..new_member(21051) };
    vec![
        Edit::AddNode(Node {
            name: "c".into(),
            description: "says \"hello\"\nand more".into(),
            address: Host::Name("c.example".into()),
        }),
        Edit::RemoveNode { node: "unused".into() },
        Edit::SetAddress {
            node: "a".into(),
            address: parse_host("10.0.0.7").unwrap(),
            was: parse_host("10.0.0.1").unwrap(),
        },
        Edit::AddMember { pool: "p".into(), node: "c".into(), member },
        remove("a:21050"),
        weight("b:21050", 9, 3),
        state("b:21050", AdminState::Draining),
        Edit::SetMemberLimit {
            pool: "p".into(),
            member: "b:21050".into(),
            limit: None,
            was: Some(3),
        },
        Edit::SetVirtualLimit { virtual_server: "v".into(), limit: Some(9), was: None },
        Edit::SetProcessLimit { limit: Some(100), was: None },
    ]
}

#[test]
fn what_is_written_is_read_back() {
    let edits = one_of_each();
    let text = write(&edits);
    assert_eq!(parse("state.toml", &text).unwrap(), edits, "{text}");
    assert_eq!(parse("state.toml", &write(&[])).unwrap(), []);
}

#[track_caller]
fn problem(text: &str, expected: &str) {
    let problems = parse("state.toml", text).unwrap_err();
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(shown.iter().any(|shown| shown.contains(expected)), "{expected}\n{shown:#?}");
}

#[test]
fn a_broken_file_names_line_and_reason() {
    problem("[[change]\n", "state.toml:1:");
    problem("[[change]]\ndo = \"fly\"\n", "state.toml:2:6");
    problem("[[change]]\ndo = \"fly\"\n", "one of: add-node");
    problem("[[change]]\ndo = \"remove-node\"\n", "`node` is missing");
    problem("\n[other]\n", "state.toml:2:2");
    let weight = write(&[weight("b:21050", 9, 3)]);
    problem(&weight.replace("to = 9", "to = 99999999"), "`to` must be a count in range");
    problem(&weight.replace("to = 9", "to = 9\ncolour = 1"), "unknown key `colour`");
    let state = write(&[state("b:21050", AdminState::Draining)]);
    problem(&state.replace("draining", "gone"), "must be \"enabled\"");
    let added = write(&[add("a", 1)]);
    problem(&added.replace("a:1", "a"), "write node:port");
}
