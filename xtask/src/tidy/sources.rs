//! What files may say: heads, lengths, stray words, and what pure crates must not name.

use std::fs;
use std::path::Path;

use super::Problem;

#[cfg(test)]
mod tests;

/// A text file, with its path from the root.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// The aim is 500 (style); here the build stops.
const LINES_MAX: usize = 700;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Sources of crates that know no socket, file, clock or random source.
const PURE: &[&str] = &[
    "crates/oxpecker-balance/src/",
    "crates/oxpecker-config/src/",
    "crates/oxpecker-import/src/",
    "crates/oxpecker-wire/src/",
];

/// What those sources must not name, also when imported under a shorter path.
const IMPURE_NAMES: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "std::fs",
    "fs::read",
    "fs::read_to_string",
    "fs::write",
    "fs::File",
    "File::open",
    "std::env",
    "env::var",
    "env::args",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "thread::spawn",
    "thread::sleep",
    "std::process",
];

/// Words that no file may keep. Spelled in parts: this file is checked too.
const STRAY_WORDS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or write down why it is not done"),
    (concat!("FIX", "ME"), "mend it, or write down why it stays"),
    (concat!("/wo", "rk/"), "a path of one machine: name the file from the repository's root"),
];

/// Directories that hold nothing of ours, beside all hidden ones but these.
const SKIPPED: &[&str] = &["target", "node_modules"];
const HIDDEN_OURS: &[&str] = &[".ci", ".cargo"];

/// Larger ones are data, not text to read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Every text file below `root`, in order of path.
pub(super) fn collect(root: &Path) -> Vec<File> {
    let mut files = Vec::new();
    collect_into(root, root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect_into(root: &Path, directory: &Path, files: &mut Vec<File>) {
    // What cannot be read is not ours to judge; cargo complains if it matters.
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        if kind.is_dir() {
            if is_ours(&name.to_string_lossy()) {
                collect_into(root, &path, files);
            }
        } else if kind.is_file()
            && name != ".git"
            && entry.metadata().is_ok_and(|m| m.len() <= FILE_BYTES_MAX)
        {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let relative = path.strip_prefix(root).unwrap_or(&path);
            files.push(File { path: relative.to_string_lossy().into_owned(), text });
        }
    }
}

/// A directory's name says whether its content is kept in the repository.
fn is_ours(name: &str) -> bool {
    !SKIPPED.contains(&name) && (!name.starts_with('.') || HIDDEN_OURS.contains(&name))
}

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        check_stray_words(file, &mut problems);
        if file.path.ends_with(".rs") {
            check_head(file, &mut problems);
            check_length(file, &mut problems);
            if PURE.iter().any(|directory| file.path.starts_with(directory)) {
                check_purity(file, &mut problems);
            }
        }
    }
    for (path, _) in LONG_FILES {
        let still_long =
            files.iter().any(|file| file.path == *path && file.text.lines().count() > LINES_MAX);
        if !still_long {
            let remedy = "take it off LONG_FILES in xtask/src/tidy/sources.rs";
            problems.push(Problem::new(*path, "is excused but not too long", remedy));
        }
    }
    problems
}

fn check_head(file: &File, problems: &mut Vec<Problem>) {
    if !file.text.starts_with("//!") {
        let what = "does not open with `//!`";
        let remedy = "say in its first line what the file is for and what it never does";
        problems.push(Problem::new(format!("{}:1", file.path), what, remedy));
    }
}

fn check_length(file: &File, problems: &mut Vec<Problem>) {
    let lines = file.text.lines().count();
    if lines > LINES_MAX && !LONG_FILES.iter().any(|(path, _)| *path == file.path) {
        let what = format!("has {lines} lines, more than {LINES_MAX}");
        problems.push(Problem::new(file.path.as_str(), what, "split it by what its parts know"));
    }
}

fn check_stray_words(file: &File, problems: &mut Vec<Problem>) {
    for (index, line) in file.text.lines().enumerate() {
        for (word, remedy) in STRAY_WORDS {
            if contains_word(line, word) {
                let place = format!("{}:{}", file.path, index + 1);
                problems.push(Problem::new(place, format!("says `{word}`"), *remedy));
            }
        }
    }
}

fn check_purity(file: &File, problems: &mut Vec<Problem>) {
    let is_test = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    if is_test {
        return;
    }
    for (number, line) in code_lines(&file.text) {
        let grouped = line.trim_start().strip_prefix("use std::{");
        let names = IMPURE_NAMES.iter().copied().filter(|name| {
            let in_group = name
                .strip_prefix("std::")
                .is_some_and(|last| grouped.is_some_and(|group| contains_word(group, last)));
            in_group || contains_word(line, name)
        });
        // One line, one problem: `std::fs` and `fs::read` are the same offence.
        if let Some(name) = names.into_iter().next() {
            let what = format!("a pure crate names `{name}`");
            let remedy = "take bytes, times and seeds as arguments, or move this to oxpecker-proxy";
            problems.push(Problem::new(format!("{}:{number}", file.path), what, remedy));
        }
    }
}

/// Numbered lines without comments and without inline test modules, as rustfmt lays them out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut after_cfg_test = false;
    let mut in_tests = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if in_tests {
            in_tests = line != "}";
            return None;
        }
        let opens_module = line.starts_with("mod ") && line.ends_with('{');
        if after_cfg_test && opens_module {
            in_tests = true;
            return None;
        }
        after_cfg_test = line == "#[cfg(test)]";
        if line.trim_start().starts_with("//") {
            return None;
        }
        let code = line.find(" // ").map_or(line, |at| &line[..at]);
        Some((index + 1, code))
    })
}

/// `word` with no letter, digit or underscore (for a path: no path character) beside it.
fn contains_word(line: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        if word.starts_with('/') {
            // `/x/` begins a path; `a/x/`, `./x/` and `~/x/` are others.
            return !before.is_some_and(|c| in_name(c) || "./-~}".contains(c));
        }
        !before.is_some_and(in_name) && !after.is_some_and(in_name)
    })
}
