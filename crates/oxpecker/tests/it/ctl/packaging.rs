//! Completions and manual pages, made from the command line itself.

use oxpecker_testkit::TempDir;

use crate::command_line::oxpecker;

#[test]
fn every_command_has_a_page() {
    let dir = TempDir::new();
    let (status, _, err) = oxpecker(&["man", &dir.path().display().to_string()]);
    assert_eq!(status, 0, "{err}");
    let (_, help, _) = oxpecker(&["--help"]);
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let commands = rest.lines().take_while(|line| !line.is_empty());
    let names = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let page = std::fs::read_to_string(dir.join(&format!("oxpecker-{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("no page for {name}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
    let (status, _, err) = oxpecker(&["man", "/nonexistent"]);
    assert_eq!(status, 1);
    assert!(err.contains("/nonexistent"), "{err}");
}

#[test]
fn shells_accept_their_completions() {
    let dir = TempDir::new();
    let (status, script, _) = oxpecker(&["completions", "bash"]);
    assert_eq!(status, 0);
    let file = dir.write("oxpecker.bash", &script);
    let line = format!(
        "source {}; COMP_WORDS=(oxpecker res); COMP_CWORD=1; _oxpecker oxpecker res oxpecker; \
         echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let output = std::process::Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "reset-stats");
    for shell in ["zsh", "fish"] {
        let (status, script, _) = oxpecker(&["completions", shell]);
        assert_eq!(status, 0);
        assert!(script.contains("reset-stats"), "{shell}");
    }
}
