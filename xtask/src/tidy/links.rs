//! Documents: relative links lead somewhere, and fences are closed.

use std::path::Path;

use super::Problem;
use super::sources::File;
use crate::markdown::{self, Document};

/// README.md and its neighbours, and everything below docs/.
fn is_document(path: &str) -> bool {
    path.ends_with(".md") && (!path.contains('/') || path.starts_with("docs/"))
}

pub(super) fn check(root: &Path, files: &[File]) -> Vec<Problem> {
    check_with(files, |path| root.join(path).exists())
}

fn check_with(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    let documents: Vec<(&str, Document<'_>)> = files
        .iter()
        .filter(|file| is_document(&file.path))
        .map(|file| (file.path.as_str(), markdown::parse(&file.text)))
        .collect();
    let mut problems = Vec::new();
    for (path, document) in &documents {
        if let Some(line) = document.unclosed {
            let what = "opens a block that nothing closes";
            problems.push(Problem::new(format!("{path}:{line}"), what, "end it with ```"));
        }
        for (line, link) in document.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if target.is_empty() { (*path).to_owned() } else { beside(path, target) };
            let place = format!("{path}:{line}");
            if !exists(&target) {
                let what = format!("links to `{link}`, and there is no {target}");
                problems.push(Problem::new(place, what, "name the file as seen from this one"));
                continue;
            }
            let found = documents.iter().find(|(path, _)| *path == target);
            if let Some((_, document)) = found.filter(|_| !anchor.is_empty())
                && !document.anchors().iter().any(|known| known == anchor)
            {
                let what = format!("links to `{link}`, and {target} has no such heading");
                let remedy = "GitHub's spelling: lower case, `-` for spaces, no other signs";
                problems.push(Problem::new(place, what, remedy));
            }
        }
    }
    problems
}

/// `target` as seen from the directory of the file `path`, from the root.
fn beside(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            // Above the root the `..` stays, and nothing will be found there.
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.into() }
    }

    #[track_caller]
    fn check(link: &str, expected: &[&str]) {
        let files = [
            file("docs/a.md", &format!("[x]({link})\n")),
            file("docs/b.md", "## Idle time-outs\n"),
            file("crates/x/head.md", "[not](checked.md)\n"),
        ];
        let exists =
            |path: &str| ["README.md", "docs/a.md", "docs/b.md", "docs/examples"].contains(&path);
        let found: Vec<String> =
            check_with(&files, exists).into_iter().map(|problem| problem.what).collect();
        assert_eq!(found, expected, "{link}");
    }

    #[test]
    fn links_lead_somewhere() {
        check("b.md", &[]);
        check("./b.md#idle-time-outs", &[]);
        check("../README.md", &[]);
        check("examples/", &[]);
        check("https://example.com/gone.md", &[]);
        check("c.md", &["links to `c.md`, and there is no docs/c.md"]);
        check("../../etc", &["links to `../../etc`, and there is no ../etc"]);
        check("b.md#idle", &["links to `b.md#idle`, and docs/b.md has no such heading"]);
        check("#here", &["links to `#here`, and docs/a.md has no such heading"]);
    }

    #[test]
    fn an_open_block_is_named() {
        let problems = check_with(&[file("README.md", "a\n```sh\nls\n")], |_| true);
        assert_eq!(problems[0].place, "README.md:2");
    }
}
