//! The texts that are imported, and stretches of them.

use oxpecker_config::{Diagnostic, Input, Severity, SourceText};

/// A stretch of one input, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Index into [`Files`].
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn new(file: usize, start: usize, end: usize) -> Self {
        Self { file, start, end: end.max(start) }
    }

    /// From here to the end of `last`.
    pub(crate) fn to(self, last: Self) -> Self {
        Self::new(self.file, self.start, last.end)
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> At<T> {
    pub(crate) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<SourceText>,
}

impl Files {
    pub(crate) fn new(inputs: &[Input]) -> Self {
        let text = |input: &Input| SourceText::new(input.name.clone(), input.text.clone());
        Self { files: inputs.iter().map(text).collect() }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, SourceText> {
        self.files.iter()
    }

    pub(crate) fn set_secrets(&mut self, mut secrets: Vec<Span>) {
        secrets.sort_unstable();
        for (number, file) in self.files.iter_mut().enumerate() {
            let mut merged: Vec<std::ops::Range<usize>> = Vec::new();
            for span in secrets.iter().filter(|span| span.file == number) {
                match merged.last_mut() {
                    Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                    _ => merged.push(span.start..span.end),
                }
            }
            file.set_secrets(merged);
        }
    }

    pub(crate) fn problem(
        &self,
        severity: Severity,
        span: Span,
        message: &str,
        help: Option<&str>,
    ) -> Diagnostic {
        self.files[span.file].problem(severity, span.start..span.end, message, help)
    }

    /// File and line, from 1.
    pub(crate) fn line(&self, span: Span) -> (&str, usize) {
        let file = &self.files[span.file];
        (file.name(), file.line_number(span.start))
    }

    /// `line 12`, or with several files `haproxy.cfg line 12`.
    pub(crate) fn place(&self, span: Span) -> String {
        let (name, line) = self.line(span);
        if self.files.len() == 1 {
            return format!("line {line}");
        }
        let name = name.rsplit('/').next().unwrap_or(name);
        format!("{name} line {line}")
    }
}
