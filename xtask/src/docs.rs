//! The configurations that documents show: the built `oxpecker` checks each of them, translates
//! those of other balancers, and runs the commands of the guides. Judges nothing itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::markdown::{self, Block};

/// First lines of blocks that are a whole configuration, with the file each is. Other blocks are
/// parts of one.
const MARKS: &[(&str, &str)] = &[
    ("# oxpecker.toml", "oxpecker.toml"),
    ("# haproxy.cfg", "haproxy.cfg"),
    ("# bigip.conf", "bigip.conf"),
];

/// JSON has no comments: whole documents begin so.
const JSON_MARK: (&str, &str) = ("{\n    \"LoadBalancerDescriptions\"", "elb.json");

/// What the example above becomes, word for word.
const WRITTEN: &str = "# oxpecker.toml, as `oxpecker import ";

/// Something in a document to be tried.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    path: String,
    line: usize,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// A configuration, under the name it gets.
    File(&'static str, String),
    /// What importing the last one for this balancer writes.
    Written(String, String),
    /// A command line of a guide, about the last configuration.
    Command(String),
}

/// Tries every example; the exit code of a CI step.
pub(crate) fn run(root: &Path) -> u8 {
    match check_all(root) {
        Ok(count) => {
            println!("docs: {count} configuration(s) and commands, all usable");
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
        return Err(format!("no block begins with `{}`; README.md had one", MARKS[0].0));
    }
    let program = target_directory(root).join("debug/oxpecker");
    if !program.exists() {
        let program = program.display();
        return Err(format!("no {program}; build it: cargo build --package oxpecker"));
    }
    let directory = std::env::temp_dir().join(format!("oxpecker-docs-{}", std::process::id()));
    let io = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir_all(&directory).map_err(io)?;
    let mut last = "oxpecker.toml";
    let result = examples.iter().try_for_each(|example| match &example.what {
        What::File(name, text) => {
            fs::write(directory.join(name), text).map_err(io)?;
            last = name;
            oxpecker(&program, &directory, &["check", "-f", name], example).map(drop)
        }
        What::Written(balancer, text) => {
            let output = oxpecker(&program, &directory, &["import", balancer, last], example)?;
            compare(&String::from_utf8_lossy(&output.stdout), text, example)
        }
        What::Command(line) => {
            let arguments: Vec<&str> = line.split_whitespace().skip(1).collect();
            // Another guide's: a reader follows one, and nothing is written over by itself.
            let output = arguments.iter().skip_while(|argument| **argument != "-o").nth(1);
            output.map(|name| fs::remove_file(directory.join(name)));
            oxpecker(&program, &directory, &arguments, example).map(drop)
        }
    });
    // Whatever is left of it is small and in the temporary directory.
    let _ = fs::remove_dir_all(&directory);
    result.map(|()| examples.len())
}

fn oxpecker(
    program: &Path,
    directory: &Path,
    arguments: &[&str],
    example: &Example,
) -> Result<Output, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "{}:{}: `oxpecker {}` fails ({})\n{}",
        example.path,
        example.line,
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&said),
    ))
}

/// The head says where the file came from, and a document something else.
fn compare(written: &str, shown: &str, example: &Example) -> Result<(), String> {
    let body = written.split_once("\n\n").map_or(written, |(_, body)| body);
    if body.trim() == shown.trim() {
        return Ok(());
    }
    Err(format!("{}:{}: the import writes otherwise:\n{body}", example.path, example.line))
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

/// Configurations first: a guide names its commands before it shows the file.
fn examples(path: &str, text: &str) -> Vec<Example> {
    let is_guide = path.starts_with("docs/from-");
    let mut found = Vec::new();
    let mut commands = Vec::new();
    for block in markdown::parse(text).blocks {
        let at = |line, what| Example { path: path.to_owned(), line, what };
        if is_guide && block.language == "sh" {
            let lines = block.text.lines().enumerate();
            let own = lines.filter(|(_, line)| line.starts_with("oxpecker "));
            commands
                .extend(own.map(|(n, line)| at(block.line + n, What::Command(line.to_owned()))));
        } else if let Some(what) = whole(&block) {
            found.push(at(block.line, what));
        }
    }
    found.extend(commands);
    found
}

/// A block that is a configuration by itself.
fn whole(block: &Block) -> Option<What> {
    let (first, rest) = block.text.split_once('\n')?;
    if let Some(balancer) = first.strip_prefix(WRITTEN) {
        let balancer = balancer.split('`').next().unwrap_or_default();
        return Some(What::Written(balancer.to_owned(), rest.to_owned()));
    }
    if block.language == "json" && block.text.starts_with(JSON_MARK.0) {
        return Some(What::File(JSON_MARK.1, block.text.clone()));
    }
    let (_, name) = MARKS.iter().find(|(mark, _)| *mark == first)?;
    let is_native = block.language == "toml";
    (is_native == name.ends_with(".toml")).then(|| What::File(name, block.text.clone()))
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

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[(usize, What)]) {
        let found: Vec<_> = examples(path, text).into_iter().map(|e| (e.line, e.what)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn whole_configurations_are_told_from_parts() {
        let text = "```toml\n# oxpecker.toml\na = 1\n```\n\n```toml\nb = 2\n```\n\n```\n# oxpecker.toml\n```\n";
        let file = What::File("oxpecker.toml", "# oxpecker.toml\na = 1\n".into());
        check("README.md", text, &[(2, file)]);
    }

    #[test]
    fn guides_show_what_imports_write_and_their_commands() {
        let text = "```sh\n# first\noxpecker check -f haproxy.cfg\n```\n```\n# haproxy.cfg\nglobal\n```\n\
                    ```toml\n# oxpecker.toml, as `oxpecker import haproxy` writes it\n[log]\n```\n";
        let expected = [
            (6, What::File("haproxy.cfg", "# haproxy.cfg\nglobal\n".into())),
            (10, What::Written("haproxy".into(), "[log]\n".into())),
            (3, What::Command("oxpecker check -f haproxy.cfg".into())),
        ];
        check("docs/from-haproxy.md", text, &expected);
        check("docs/operations.md", text, &expected[..2]);
    }
}
