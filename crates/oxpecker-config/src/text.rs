//! One input with its line starts and secrets: turns byte places into lines and columns.

use std::fmt;
use std::ops::Range;

use crate::context::clean;
use crate::diagnostic::{Diagnostic, Note, Severity};

/// Longer lines are cut to a window around the caret.
const LINE_CHARS_MAX: usize = 160;

/// A stretch of one input, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Index into the files of the check; 0 is the built-in text.
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Place {
    pub(crate) fn new(file: usize, span: Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end.max(span.start) }
    }
}

/// A text that diagnostics point into.
#[derive(Clone)]
pub struct File {
    pub(crate) name: String,
    /// Without byte-order mark.
    pub(crate) text: String,
    line_starts: Vec<usize>,
    secrets: Vec<Range<usize>>,
}

/// Without the text, which may hold secrets.
impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name).finish_non_exhaustive()
    }
}

impl File {
    /// `name` is shown in diagnostics, mostly a path. A byte-order mark is taken off.
    pub fn new(name: String, text: String) -> Self {
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let mut line_starts = vec![0];
        line_starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        Self { name, text, line_starts, secrets: Vec::new() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Without byte-order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Byte ranges that no diagnostic may show, sorted and not overlapping.
    pub fn set_secrets(&mut self, secrets: Vec<Range<usize>>) {
        self.secrets = secrets;
    }

    /// A problem with a stretch of this text, in bytes. Control characters in the message are
    /// replaced.
    pub fn problem(
        &self,
        severity: Severity,
        span: Range<usize>,
        message: &str,
        help: Option<&str>,
    ) -> Diagnostic {
        let place = Place::new(0, span);
        self.diagnostic(severity, place, clean(message), help.map(clean))
    }

    /// Line of a byte, from 1.
    pub fn line_number(&self, at: usize) -> usize {
        self.line_of(at) + 1
    }

    /// Line number from 0.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= at).saturating_sub(1)
    }

    /// Byte range of a line without its line end.
    pub(crate) fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    pub(crate) fn line(&self, line: usize) -> &str {
        &self.text[self.line_range(line)]
    }

    /// The source text of a place; empty when it is none.
    pub(crate) fn slice(&self, place: Place) -> &str {
        self.text.get(place.start..place.end).unwrap_or("")
    }

    /// The nearest character boundary at or before `at`.
    fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn secret_at(&self, at: usize) -> Option<usize> {
        let next = self.secrets.partition_point(|range| range.end <= at);
        self.secrets.get(next).filter(|range| range.start <= at).map(|_| next)
    }

    /// Line and column, both from 1.
    pub(crate) fn position(&self, place: Place) -> (usize, usize) {
        let start = self.floor(place.start);
        let line = self.line_of(start);
        let range = self.line_range(line);
        let start = start.clamp(range.start, range.end);
        (line + 1, self.text[range.start..start].chars().count() + 1)
    }

    pub(crate) fn note(&self, place: Place, message: String) -> Note {
        let (line, column) = self.position(place);
        Note { file: self.name.clone(), line, column, message }
    }

    pub(crate) fn diagnostic(
        &self,
        severity: Severity,
        place: Place,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        let (line, column) = self.position(place);
        let range = self.line_range(line - 1);
        let start = self.floor(place.start).clamp(range.start, range.end);
        let end = self.floor(place.end).clamp(start, range.end);
        let shown = self.shown_line(range, start..end);
        // The end of a secret would tell its length.
        let marked = match self.secret_at(start) {
            Some(_) => 1,
            None => self.text[start..end].chars().count().max(1),
        };
        Diagnostic {
            severity,
            file: self.name.clone(),
            line,
            column,
            end_column: column + marked,
            message,
            line_text: shown.text,
            caret: shown.caret,
            caret_length: shown.length,
            help,
            notes: Vec::new(),
        }
    }

    fn shown_line(&self, line: Range<usize>, mark: Range<usize>) -> Shown {
        let mut chars: Vec<char> = Vec::new();
        let mut caret = None;
        let mut caret_end = None;
        let mut masked = None;
        // Only a window of a long line is looked at: it may have megabytes.
        let window = self.floor(mark.start.saturating_sub(4 * LINE_CHARS_MAX)).max(line.start);
        for (offset, c) in self.text[window..line.end].char_indices() {
            let at = window + offset;
            if at >= mark.start && caret.is_none() {
                caret = Some(chars.len());
            }
            if at >= mark.end && caret_end.is_none() {
                caret_end = Some(chars.len());
            }
            if caret.is_some_and(|caret| chars.len() > caret + LINE_CHARS_MAX) {
                break;
            }
            match self.secret_at(at) {
                Some(secret) => {
                    if masked.replace(secret) != Some(secret) {
                        chars.extend("***".chars());
                    }
                }
                // An escape sequence in a file must not reach the terminal.
                None => chars.push(if c.is_control() && c != '\t' { '\u{fffd}' } else { c }),
            }
        }
        let mut caret = caret.unwrap_or(chars.len());
        // Inside a secret the caret stands under its stars.
        if self.secret_at(mark.start).is_some_and(|n| self.secrets[n].start < mark.start) {
            caret = caret.saturating_sub(3);
        }
        let caret_end = caret_end.unwrap_or(chars.len()).max(caret);
        let length = (caret_end - caret).max(1);
        let total = chars.len();
        let cut_front = if window > line.start || caret > LINE_CHARS_MAX {
            caret.saturating_sub(LINE_CHARS_MAX / 2)
        } else {
            0
        };
        let cut_back = total.min(cut_front + LINE_CHARS_MAX);
        let mut text = String::new();
        if cut_front > 0 {
            text.push('…');
            caret = caret - cut_front + 1;
        }
        text.extend(&chars[cut_front..cut_back]);
        if cut_back < total {
            text.push('…');
        }
        Shown { length: length.min(LINE_CHARS_MAX), text, caret }
    }
}

/// A line as it is printed, with the caret's place in it.
struct Shown {
    text: String,
    caret: usize,
    length: usize,
}
