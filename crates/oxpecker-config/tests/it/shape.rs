//! Texts of odd shapes: line ends, marks, several files, variables, enormous ones.

use std::time::{Duration, Instant};

use oxpecker_config::model::{AccessFormat, Listen};
use oxpecker_config::{Input, Maps, check};

use crate::{BASE, check_text, good, shown};

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let windows = format!("\u{feff}{}", BASE.replace('\n', "\r\n"));
    assert_eq!(good(&windows).config, good(BASE).config);
    let broken = "\u{feff}timout = 1\r\n";
    let expected =
        "error: unknown table `timout`\n  --> oxpecker.toml:1:1\n1 | timout = 1\n  | ^^^^^^ help: ";
    assert!(shown(broken).contains(expected), "{}", shown(broken));
}

#[test]
fn columns_count_characters_and_the_caret_stays_under_its_word() {
    let text = format!("{BASE}[process]\nuser = \"ärger\" # 漢字\nthreads\t= \"漢\"\n");
    let expected = "error: `threads` must be a whole number from 1 to 1024, not a text\n  \
                    --> oxpecker.toml:14:11\n14 | threads\t= \"漢\"\n   |        \t  ^^^^ help: for example: threads = 4";
    assert!(shown(&text).contains(expected), "{}", shown(&text));
}

#[test]
fn several_files_are_one_configuration() {
    let (first, second) = BASE.split_at(BASE.find("[pool").unwrap());
    let log = "[log]\naccess = \"json\"\n[[log.target]]\nto = \"stderr\"\n";
    let inputs = [
        Input::new("20.toml", second),
        Input::new("10.toml", format!("{log}{first}")),
        Input::new("30.toml", "[[log.target]]\nto = \"stdout\"\n[process]\nthreads = 2\n"),
    ];
    let config = check(&inputs, &Maps::default()).unwrap().config;
    assert_eq!(config.pools[0].members.len(), 2);
    assert_eq!(config.log.access, AccessFormat::Json);
    assert_eq!(config.log.targets.len(), 2);
    assert_eq!(config.process.threads.unwrap().get(), 2);
}

#[test]
fn the_same_thing_in_two_files_names_both_places() {
    let inputs = [
        Input::new("a.toml", format!("{BASE}[process]\nthreads = 2\n")),
        Input::new("b.toml", "[process]\nthreads = 3\n[pool.hs2]\nport = 1\n"),
    ];
    let shown: Vec<String> =
        check(&inputs, &Maps::default()).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "error: `threads` of [process] is written twice\n  --> b.toml:2:1\n2 | threads = 3\n  \
             | ^^^^^^^\n  = note: first at a.toml:13:1",
            "error: [pool.hs2] is written twice\n  --> b.toml:3:7\n3 | [pool.hs2]\n  |       ^^^\n  \
             = note: first at a.toml:6:7",
        ]
    );
}

#[test]
fn variables_are_replaced_in_every_text() {
    let mut maps = Maps::default();
    maps.env.insert("HOST".into(), "10.0.0.7".into());
    maps.env.insert("EMPTY".into(), String::new());
    let text = BASE
        .replace("10.0.0.9:21050", "${HOST}:${PORT:-21050}")
        .replace("[node.b]", "[node.b]\ndescription = \"$5 $${HOST} ${EMPTY:-none}\"");
    let config = check(&[Input::new("x", text)], &maps).unwrap().config;
    assert_eq!(config.virtuals[0].listen, [Listen::Tcp("10.0.0.7:21050".parse().unwrap())]);
    assert_eq!(config.nodes[1].description, "$5 ${HOST} none");
}

#[test]
fn deep_nesting_does_not_reach_the_stack() {
    let depth = 100_000;
    let mut texts: Vec<String> = ["[", "{a=", "[[", "a.", "[{a=", "{\"a\".b=", "{a.b.c.d=["]
        .iter()
        .flat_map(|part| {
            let deep = part.repeat(depth);
            [deep.clone(), format!("x = {deep}"), format!("x = {deep}\n[a]\nb = 1\n")]
        })
        .collect();
    texts.push(format!("{} = 1", ["a"; 100_000].join(".")));
    texts.push(format!("[{}]", ["a"; 100_000].join(".")));
    // As deep as each rule of the parser allows, one inside the other.
    let key = ["a"; 79].join(".");
    texts.push(format!("[{key}]\n{key} = {}1{}", format!("{{{key} = ").repeat(79), "}".repeat(79)));
    for text in texts {
        let started = Instant::now();
        assert!(check_text(&text).is_err());
        assert!(started.elapsed() < Duration::from_secs(20), "{:.40} takes long", text);
    }
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let text = "#".repeat((16 << 20) + 1);
    assert!(shown(&text).starts_with("error: the file is longer than 16 MiB\n"));
}

#[test]
fn a_thousand_problems_are_cut_to_a_readable_number() {
    let mut text = BASE.to_owned();
    for n in 0..5000 {
        text.push_str(&format!(
            "[virtual.v{n}]\nlisten = \"10.0.0.9:{n}\"\npool = \"hs3\"\nx = 1\n"
        ));
    }
    let diagnostics = check_text(&text).unwrap_err();
    assert_eq!(diagnostics.len(), 201);
    assert!(diagnostics[200].message.ends_with(" more problems are not shown"));
}

#[test]
fn a_long_line_is_cut_around_the_caret() {
    let text = format!("{BASE}[process]\nx = \"{}\"\n", "y".repeat(1_000_000));
    let diagnostic = check_text(&text).unwrap_err().remove(0);
    assert!(diagnostic.line_text.chars().count() < 200);
    let text = format!("{BASE}deny = [{}\"z\"]\n", "\"10.0.0.1\", ".repeat(10_000));
    let diagnostic = check_text(&text).unwrap_err().remove(0);
    assert_eq!(diagnostic.column, 9 + 12 * 10_000);
    let under: String =
        diagnostic.line_text.chars().skip(diagnostic.caret).take(diagnostic.caret_length).collect();
    assert_eq!(under, "\"z\"");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = format!(
        "{BASE}[process]\nuser = \"\\u001b[31m\"\n\"\\u001b[2J\" = 1\n# \u{7f}\u{1b}[0m\nx = \u{1b}"
    );
    assert!(!shown(&text).contains('\u{1b}'));
}
