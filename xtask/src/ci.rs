//! Everything a change has to pass. The first failing step ends the run with its exit code and a
//! line that says how to repeat it alone.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use crate::{docs, tidy};

/// Installs impala-shell, impyla and other real clients for the end-to-end tests.
pub(crate) const CLIENTS_SCRIPT: &str = "scripts/test-clients.sh";

#[derive(Debug, PartialEq)]
struct Step {
    name: &'static str,
    /// Program and arguments; a program `cargo` is the one that runs us.
    command: &'static [&'static str],
}

const TIDY: &[&str] = &["cargo", "xtask", "tidy"];
const DOCS: &[&str] = &["cargo", "xtask", "docs"];

/// In this order: what installs comes first because it may need the network, what is quick to
/// fail before what is slow, and the tests last so that their closing lines end the output.
const STEPS: &[Step] = &[
    Step { name: "clients", command: &[CLIENTS_SCRIPT] },
    Step { name: "fmt", command: &["cargo", "fmt", "--all", "--check"] },
    Step { name: "tidy", command: TIDY },
    Step {
        name: "clippy",
        command: &["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    },
    // End-to-end tests start programs of other packages, which `cargo test` alone does not build.
    Step { name: "build", command: &["cargo", "build", "--workspace", "--bins"] },
    Step { name: "docs", command: DOCS },
    Step { name: "test", command: &["cargo", "test", "--workspace"] },
];

pub(crate) fn run(root: &Path) -> ExitCode {
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("ci: no `cc` found: rustc links with it (Debian: apt install gcc)");
    }
    let outcome = run_steps(STEPS, |step| {
        println!("\n=== {}: {}", step.name, step.command.join(" "));
        execute(root, step)
    });
    match outcome {
        Ok(()) => {
            println!("\n=== ci: all steps passed");
            ExitCode::SUCCESS
        }
        Err((step, code)) => {
            eprintln!(
                "\nci: step `{}` failed with exit code {code}; repeat it with: {}",
                step.name,
                step.command.join(" "),
            );
            ExitCode::from(code)
        }
    }
}

/// Runs the steps until one gives another code than 0.
fn run_steps(steps: &[Step], mut execute: impl FnMut(&Step) -> u8) -> Result<(), (&Step, u8)> {
    for step in steps {
        match execute(step) {
            0 => {}
            code => return Err((step, code)),
        }
    }
    Ok(())
}

fn execute(root: &Path, step: &Step) -> u8 {
    // In this process: a second `cargo xtask` would only build and start the same program.
    if step.command == TIDY {
        return if tidy::run(root) { 0 } else { 1 };
    }
    if step.command == DOCS {
        return docs::run(root);
    }
    let (program, arguments) = (step.command[0], &step.command[1..]);
    let mut command = match program {
        "cargo" => crate::cargo(),
        script => Command::new(root.join(script)),
    };
    match command.args(arguments).current_dir(root).status() {
        Ok(status) => exit_code(status),
        Err(error) => {
            eprintln!("ci: cannot run `{program}`: {error}");
            // The shell's codes for the same.
            if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
        }
    }
}

/// As a shell shows it: 128 and the signal's number for a killed process.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    // A code that does not fit must not turn into 0.
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_the_first_failure_with_its_code() {
        let mut ran = Vec::new();
        let outcome = run_steps(STEPS, |step| {
            ran.push(step.name);
            if step.name == "clippy" { 101 } else { 0 }
        });
        assert_eq!(ran, ["clients", "fmt", "tidy", "clippy"]);
        let (step, code) = outcome.unwrap_err();
        assert_eq!((step.name, code), ("clippy", 101));
    }

    #[test]
    fn the_tests_come_last() {
        let mut ran = Vec::new();
        let outcome = run_steps(STEPS, |step| {
            ran.push(step.name);
            0
        });
        assert_eq!(outcome, Ok(()));
        assert_eq!(ran, ["clients", "fmt", "tidy", "clippy", "build", "docs", "test"]);
    }

    #[test]
    fn killed_steps_do_not_pass() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(101 << 8)), 101);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
    }
}
