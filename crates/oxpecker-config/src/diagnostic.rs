//! What is shown to a person whose configuration has a problem: the place, the line, a caret
//! under it and a way out. Never shows a secret (see [`crate::mask`]).

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and probably is not what was meant.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem, with the place it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Name of the [`crate::Input`].
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, counted in characters.
    pub column: usize,
    /// One past the last character, on the same line.
    pub end_column: usize,
    pub message: String,
    /// The line itself: secrets masked, control characters replaced, long lines cut.
    pub line_text: String,
    /// Characters of `line_text` before the caret. Differs from `column - 1` when cut.
    pub caret: usize,
    /// Characters of `line_text` under the caret, at least 1.
    pub caret_length: usize,
    pub help: Option<String>,
    /// Other places that matter.
    pub notes: Vec<Note>,
}

/// Another place that has to do with the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.severity.as_str(), self.message)?;
        writeln!(f, "  --> {}:{}:{}", self.file, self.line, self.column)?;
        let number = self.line.to_string();
        writeln!(f, "{number} | {}", self.line_text)?;
        let gutter = " ".repeat(number.len());
        // A tab before the caret stays a tab, so that both lines move alike.
        let mut pad = String::new();
        let mut under = 0;
        for (n, c) in self.line_text.chars().enumerate() {
            if n < self.caret {
                let blank = if c == '\t' { '\t' } else { ' ' };
                pad.extend(std::iter::repeat_n(blank, cells(c)));
            } else if n < self.caret + self.caret_length {
                under += cells(c);
            }
        }
        write!(f, "{gutter} | {pad}{}", "^".repeat(under.max(1)))?;
        if let Some(help) = &self.help {
            write!(f, " help: {help}")?;
        }
        for note in &self.notes {
            let Note { file, line, column, message } = note;
            write!(f, "\n{gutter} = note: {message} at {file}:{line}:{column}")?;
        }
        Ok(())
    }
}

/// Terminal cells of a character: close enough to keep a caret under its word.
fn cells(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
