//! The configurations that documents show: the built `oxpecker` checks each of them.
//! Judges nothing itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::markdown;

/// The first line of a block that is a whole configuration. Other blocks are parts of one.
const MARK: &str = "# oxpecker.toml";

/// A whole configuration in a document.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    path: String,
    line: usize,
    text: String,
}

/// Checks every example; the exit code of a CI step.
pub(crate) fn run(root: &Path) -> u8 {
    match check_all(root) {
        Ok(count) => {
            println!("docs: {count} configuration(s), all usable");
            0
        }
        Err(problem) => {
            eprintln!("docs: {problem}");
            1
        }
    }
}

fn check_all(root: &Path) -> Result<usize, String> {
    let examples = collect(root)?;
    if examples.is_empty() {
        return Err(format!("no block begins with `{MARK}`; README.md had one"));
    }
    let program = target_directory(root).join("debug/oxpecker");
    if !program.exists() {
        let program = program.display();
        return Err(format!("no {program}; build it: cargo build --package oxpecker"));
    }
    let directory = std::env::temp_dir().join(format!("oxpecker-docs-{}", std::process::id()));
    let io = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir_all(&directory).map_err(io)?;
    let file = directory.join("oxpecker.toml");
    let result = examples.iter().try_for_each(|example| {
        fs::write(&file, &example.text).map_err(io)?;
        check(&program, &file, example)
    });
    // Whatever is left of it is small and in the temporary directory.
    let _ = fs::remove_dir_all(&directory);
    result.map(|()| examples.len())
}

fn check(program: &Path, file: &Path, example: &Example) -> Result<(), String> {
    let output = Command::new(program)
        .args(["check", "-f"])
        .arg(file)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "{}:{}: `oxpecker check` does not take this configuration ({})\n{}",
        example.path,
        example.line,
        output.status,
        String::from_utf8_lossy(&said),
    ))
}

/// The examples of README.md and docs/*.md, in order of path.
fn collect(root: &Path) -> Result<Vec<Example>, String> {
    let mut paths = vec![PathBuf::from("README.md")];
    let entries = fs::read_dir(root.join("docs")).map_err(|error| format!("docs: {error}"))?;
    paths.extend(entries.flatten().map(|entry| Path::new("docs").join(entry.file_name())));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let text = fs::read_to_string(root.join(&path)).map_err(|e| format!("{name}: {e}"))?;
        found.extend(examples(&name, &text));
    }
    Ok(found)
}

fn examples(path: &str, text: &str) -> Vec<Example> {
    let blocks = markdown::parse(text).blocks.into_iter();
    blocks
        .filter(|block| block.language == "toml" && block.text.lines().next() == Some(MARK))
        .map(|block| Example { path: path.to_owned(), line: block.line, text: block.text })
        .collect()
}

/// Where cargo builds, as far as the environment says.
fn target_directory(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_configurations_are_told_from_parts() {
        let text = "```toml\n# oxpecker.toml\na = 1\n```\n\n```toml\nb = 2\n```\n\n```\n# oxpecker.toml\n```\n";
        let text_found = "# oxpecker.toml\na = 1\n".to_owned();
        let found = Example { path: "README.md".into(), line: 2, text: text_found };
        assert_eq!(examples("README.md", text), [found]);
    }
}
