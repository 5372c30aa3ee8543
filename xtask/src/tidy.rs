//! Rules that no compiler checks. Each problem names its place and the way out.
//!
//! The walls themselves are in `tidy/walls.rs`, what sources may say in `tidy/sources.rs`, where
//! documents may link in `tidy/links.rs`.

mod links;
mod sources;
mod walls;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// More than that has one cause, which the first ones show.
const PROBLEMS_SHOWN_MAX: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// File, file and line, or manifest.
    place: String,
    what: String,
    remedy: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    help: {}", self.place, self.what, self.remedy)
    }
}

/// Prints every problem; true when there is none.
pub(crate) fn run(root: &Path) -> bool {
    let mut problems = check_walls(root);
    let files = sources::collect(root);
    if files.is_empty() {
        problems.push(Problem::new(".", "no sources found", "run inside the repository"));
    }
    problems.extend(sources::check(&files));
    problems.extend(links::check(root, &files));
    problems.sort();
    for problem in problems.iter().take(PROBLEMS_SHOWN_MAX) {
        eprintln!("tidy: {problem}");
    }
    match problems.len() {
        0 => println!("tidy: {} files, no problem", files.len()),
        count if count > PROBLEMS_SHOWN_MAX => {
            eprintln!("tidy: {count} problems, the first {PROBLEMS_SHOWN_MAX} shown");
        }
        count => eprintln!("tidy: {count} problem(s)"),
    }
    problems.is_empty()
}

fn check_walls(root: &Path) -> Vec<Problem> {
    let metadata = match cargo(root, &["metadata", "--no-deps", "--format-version", "1"])
        .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
    {
        Ok(metadata) => metadata,
        Err(error) => return vec![cargo_problem("metadata", &error)],
    };
    let packages = walls::packages(&metadata);
    let mut problems = walls::check_edges(&packages);
    for rule in walls::REACH {
        // The binary's crates may not exist yet in a young workspace.
        if !packages.iter().any(|package| package.name == rule.from) {
            continue;
        }
        let arguments = ["tree", "-p", rule.from, "-e", "normal", "--prefix", "none"];
        match cargo(root, &arguments) {
            Ok(tree) => problems.extend(walls::check_reach(rule, &reachable(&tree))),
            Err(error) => problems.push(cargo_problem("tree", &error)),
        }
    }
    problems
}

fn cargo_problem(command: &str, error: &str) -> Problem {
    let what = format!("`cargo {command}` failed: {}", error.trim());
    Problem::new("Cargo.toml", what, "make the workspace resolve")
}

/// Package names of `cargo tree --prefix none`: the first word of each line.
fn reachable(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = crate::cargo()
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_lines_begin_with_the_name() {
        let tree = "oxpecker v0.1.0 (/x/oxpecker)\nlibc v0.2.1\nlibc v0.2.1 (*)\n\n";
        assert_eq!(reachable(tree), BTreeSet::from(["oxpecker", "libc"]));
    }
}
