//! `oxpecker check` and `oxpecker explain`.

use std::io::{self, Write};
use std::path::PathBuf;

use oxpecker_config::{Diagnostic, Severity};
use serde_json::json;

use crate::Format;
use crate::exit::Exit;
use crate::load::Files;

pub(crate) fn check(paths: &[PathBuf], strict: bool, format: Format) -> anyhow::Result<Exit> {
    let files = Files::new(paths)?;
    let diagnostics = match files.load_all()? {
        Ok(checked) => checked.warnings,
        Err(diagnostics) => diagnostics,
    };
    let (errors, warnings) = count(&diagnostics);
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{:#}", to_json(&diagnostics))?,
        Format::Text => {
            for diagnostic in &diagnostics {
                writeln!(out, "{diagnostic}\n")?;
            }
            writeln!(out, "{}", summary(errors, warnings))?;
        }
    }
    Ok(match (errors, warnings) {
        (0, 0) => Exit::Fine,
        (0, _) if strict => Exit::Warnings,
        (0, _) => Exit::Fine,
        _ => Exit::Configuration,
    })
}

pub(crate) fn explain(paths: &[PathBuf]) -> anyhow::Result<Exit> {
    let files = Files::new(paths)?;
    match files.load()? {
        Ok(checked) => {
            io::stdout().lock().write_all(oxpecker_config::explain(&checked).as_bytes())?;
            Ok(Exit::Fine)
        }
        Err(diagnostics) => {
            print_errors(&diagnostics);
            Ok(Exit::Configuration)
        }
    }
}

/// Shows diagnostics on standard error, for commands whose output is something else.
pub(crate) fn print_errors(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}\n");
    }
    let (errors, warnings) = count(diagnostics);
    eprintln!("{}", summary(errors, warnings));
}

fn count(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}

fn summary(errors: usize, warnings: usize) -> String {
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "configuration is fine".to_owned(),
        (0, warnings) => format!("configuration is usable: {}", plural(warnings, "warning")),
        (errors, 0) => format!("configuration is not usable: {}", plural(errors, "error")),
        _ => format!(
            "configuration is not usable: {}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        ),
    }
}

fn to_json(diagnostics: &[Diagnostic]) -> serde_json::Value {
    let (errors, warnings) = count(diagnostics);
    let list: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| {
            json!({
                "severity": diagnostic.severity.as_str(),
                "file": diagnostic.file,
                "line": diagnostic.line,
                "column": diagnostic.column,
                "end_column": diagnostic.end_column,
                "message": diagnostic.message,
                "line_text": diagnostic.line_text,
                "help": diagnostic.help,
            })
        })
        .collect();
    json!({ "errors": errors, "warnings": warnings, "diagnostics": list })
}
