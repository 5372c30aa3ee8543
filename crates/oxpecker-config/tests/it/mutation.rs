//! Every example, broken in every small way: never a panic, always a located message.

use oxpecker_config::{Input, check};
use proptest::prelude::*;

use crate::{check_text, examples, source};

/// Checks that whatever is said has a place in the text.
#[track_caller]
fn located(text: &str) {
    let diagnostics = match check_text(text) {
        Ok(checked) => checked.warnings,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a word: {text}");
            diagnostics
        }
    };
    let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
    for diagnostic in diagnostics {
        let at = || format!("{diagnostic:?} in {text}");
        assert!(!diagnostic.message.is_empty(), "{}", at());
        assert_eq!(diagnostic.file, "oxpecker.toml", "{}", at());
        assert!((1..=lines.len()).contains(&diagnostic.line), "{}", at());
        assert!((1..=lines[diagnostic.line - 1] + 1).contains(&diagnostic.column), "{}", at());
        assert!(diagnostic.end_column > diagnostic.column, "{}", at());
        assert!(diagnostic.to_string().contains("^"), "{}", at());
    }
}

/// Every place of a text, or with `MUTATE` unset every few: all of them take minutes.
fn places(text: &str, every: usize) -> impl Iterator<Item = usize> {
    let every = if std::env::var_os("MUTATE").is_some() { 1 } else { every };
    text.char_indices().map(|(at, _)| at).step_by(every)
}

#[test]
fn without_any_one_line() {
    for (_, text) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        for skipped in 0..lines.len() {
            let rest: Vec<&str> =
                lines.iter().enumerate().filter(|(n, _)| *n != skipped).map(|(_, l)| *l).collect();
            located(&rest.join("\n"));
            let twice: Vec<&str> =
                lines[..=skipped].iter().chain(&lines[skipped..]).copied().collect();
            located(&twice.join("\n"));
        }
    }
}

#[test]
fn with_any_one_value_replaced() {
    let garbage = [
        "",
        "1",
        "-1",
        "0",
        "99999999999999999999999",
        "0xff",
        "1.5",
        "nan",
        "true",
        "\"\"",
        "\"x\"",
        "\"5\"",
        "\"off\"",
        "\"none\"",
        "\"${NO}\"",
        "\"${\"",
        "[]",
        "{}",
        "[[]]",
        "[1]",
        "[\"\"]",
        "[{}]",
        "{ x = 1 }",
        "{ file = 1 }",
        "1979-05-27T07:32:00Z",
        "07:32:00",
        "x",
        "\"",
        "\"\"\"",
        "'",
        "[",
        "{",
        "]",
        "=",
        "\u{1b}",
        "é",
    ];
    for (_, text) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let Some((key, _)) = line.split_once('=') else { continue };
            // Half of them for each line, or with `MUTATE` set all.
            let every = if std::env::var_os("MUTATE").is_some() { 1 } else { 2 };
            for value in garbage.iter().skip(n % every).step_by(every) {
                let broken = format!("{key}= {value}");
                let mut all = lines.clone();
                all[n] = &broken;
                located(&all.join("\n"));
            }
        }
    }
}

#[test]
fn cut_anywhere() {
    for (_, text) in examples() {
        // Each line cut at each of its bytes, the rest of the file left as it is.
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            for at in places(line, 5) {
                let mut all = lines.clone();
                all[n] = &line[..at];
                located(&all.join("\n"));
            }
        }
        for at in places(&text, 7) {
            located(&text[..at]);
        }
    }
}

#[test]
fn with_garbage_put_in_anywhere() {
    for (_, text) in examples() {
        for (n, at) in places(&text, 3).enumerate() {
            let garbage = ["\"", "[", "}", "=", "\n", "#", ".", "\u{0}", "ä", "'''", ","][n % 11];
            located(&format!("{}{garbage}{}", &text[..at], &text[at..]));
        }
    }
}

/// Pieces of configuration, to reach further than letters at random would.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        " ",
        "\"",
        "'",
        "#",
        "\"\"\"",
        "node",
        "pool",
        "virtual",
        "monitor",
        "profile",
        "protocol",
        "persistence",
        "log",
        "target",
        "parent",
        "address",
        "members",
        "port",
        "listen",
        "password",
        "= \"5s\"\n",
        "= 5\n",
        "= [\"a\"]\n",
        "\n[pool.a]\n",
        "\n[node.a]\n",
        "\n[profile.protocol.a]\nparent = \"a\"\n",
        "${",
        "*:1",
        "\r\n",
        "é",
        "\u{feff}",
        "file",
        "env",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_answered(text in "(?s).{0,200}") {
        located(&text.replace('\u{feff}', ""));
    }

    #[test]
    fn any_pieces_are_answered(pieces in prop::collection::vec(piece(), 0..60)) {
        located(&pieces.concat().replace('\u{feff}', ""));
    }

    #[test]
    fn several_texts_are_answered(texts in prop::collection::vec("(?s).{0,40}", 0..4)) {
        let inputs: Vec<Input> = texts.into_iter().map(|text| Input::new("x", text)).collect();
        let _ = check(&inputs, &source());
    }
}
