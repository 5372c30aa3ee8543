//! Each rule against files made up for it.

use super::*;

/// The places of all problems.
fn places(path: &str, text: &str) -> Vec<String> {
    let file = File { path: path.to_owned(), text: text.to_owned() };
    check(&[file]).into_iter().map(|problem| problem.place).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn installed_and_built_things_are_not_ours() {
    let ours = [".ci", ".cargo", "crates", "tests"].map(is_ours);
    assert_eq!(ours, [true; 4]);
    let others = [".git", ".tools", "target", "node_modules"].map(is_ours);
    assert_eq!(others, [false; 4]);
}

#[test]
fn every_source_has_a_head() {
    assert_eq!(places("a.rs", "//! What it is for.\nfn main() {}\n"), NONE);
    assert_eq!(places("a.rs", "fn main() {}\n"), ["a.rs:1"]);
    assert_eq!(places("a.rs", ""), ["a.rs:1"]);
    assert_eq!(places("a.md", "Text.\n"), NONE);
}

#[test]
fn long_files_are_split() {
    let lines = |count: usize| format!("//! Head.\n{}", "\n".repeat(count - 1));
    assert_eq!(places("a.rs", &lines(700)), NONE);
    assert_eq!(places("a.rs", &lines(701)), ["a.rs"]);
    assert_eq!(places("a.md", &lines(701)), NONE);
}

#[test]
fn stray_words_are_found_where_they_stand() {
    let [(todo, _), (fixme, _), (work, _)] = STRAY_WORDS else { panic!("{STRAY_WORDS:?}") };
    assert_eq!(places("a.md", &format!("one\n{todo}: two\n")), ["a.md:2"]);
    assert_eq!(places("a.sh", &format!("# {fixme}\n")), ["a.sh:1"]);
    assert_eq!(places("a.md", &format!("MAS{todo}N and {todo}S and todo")), NONE);
    assert_eq!(places("a.toml", &format!("path = \"{work}main\"")), ["a.toml:1"]);
    assert_eq!(places("a.toml", &format!("path = \"frame{work}main\"")), NONE);
    assert_eq!(places("a.sh", &format!("rm -r \"${{TMP}}{work}x\" .{work}x")), NONE);
}

#[test]
fn pure_crates_name_nothing_impure() {
    let pure = "crates/oxpecker-wire/src/a.rs";
    let with = |line: &str| format!("//! Head.\n{line}\n");
    for line in [
        "use std::net::TcpStream;",
        "use std::net::{IpAddr, TcpStream};",
        "use std::{env, fmt};",
        "use std::fs;",
        "    let now = Instant::now();",
        "    let now = std::time::SystemTime::now();",
        "    std::thread::sleep(pause);",
        "    let text = fs::read_to_string(path);",
    ] {
        assert_eq!(places(pure, &with(line)), ["crates/oxpecker-wire/src/a.rs:2"], "{line}");
        assert_eq!(places("crates/oxpecker-proxy/src/a.rs", &with(line)), NONE, "{line}");
    }
    for line in [
        "use std::net::{IpAddr, SocketAddr};",
        "use std::{fmt, net::IpAddr};",
        "// Never std::fs.",
        "    let x = 1; // not Instant::now()",
        "    let my_std::fsx = 1;",
        "    now: Instant,",
    ] {
        assert_eq!(places(pure, &with(line)), NONE, "{line}");
    }
}

#[test]
fn tests_of_pure_crates_may_use_files_and_threads() {
    let pure = "crates/oxpecker-config/src/a.rs";
    let inline = "//! Head.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_eq!(places(pure, inline), NONE);
    let after = format!("{inline}use std::fs;\n");
    assert_eq!(places(pure, &after), ["crates/oxpecker-config/src/a.rs:6"]);
    let beside = "//! Head.\n#[cfg(test)]\nmod tests;\nuse std::fs;\n";
    assert_eq!(places(pure, beside), ["crates/oxpecker-config/src/a.rs:4"]);
    assert_eq!(places("crates/oxpecker-config/src/a/tests.rs", "//! Head.\nuse std::fs;\n"), NONE);
    assert_eq!(places("crates/oxpecker-config/tests/it/a.rs", "//! Head.\nuse std::fs;\n"), NONE);
}
