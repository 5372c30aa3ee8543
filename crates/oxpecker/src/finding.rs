//! What was found, and how it is told.

use std::io::{self, Write};

use oxpecker_proxy::wording::without_codes;
use serde_json::json;

use crate::Format;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Fine,
    /// Something to know.
    Note,
    /// Works, and will trouble somebody one day.
    Warning,
    /// Does not work.
    Fault,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "FAULT",
        }
    }
}

/// One line of the report, or three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) what: String,
    /// Why it matters.
    pub(crate) why: Option<String>,
    pub(crate) fix: Option<String>,
}

/// Findings that belong together.
#[derive(Debug, Default)]
pub(crate) struct Section {
    title: String,
    findings: Vec<Finding>,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    sections: Vec<Section>,
    /// Lines to copy somewhere, by their title.
    texts: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn section(&mut self, title: impl Into<String>) -> &mut Section {
        self.sections.push(Section { title: title.into(), findings: Vec::new() });
        let last = self.sections.len() - 1;
        &mut self.sections[last]
    }

    /// Something to copy and paste.
    pub(crate) fn text(&mut self, title: impl Into<String>, text: impl Into<String>) {
        self.texts.push((title.into(), text.into()));
    }

    pub(crate) fn has_faults(&self) -> bool {
        self.all().any(|finding| finding.verdict == Verdict::Fault)
    }

    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.sections.iter().flat_map(|section| &section.findings)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.all().filter(|finding| finding.verdict == verdict).count()
    }

    pub(crate) fn print(&self, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match format {
            Format::Text => self.print_text(&mut out),
            Format::Json => writeln!(out, "{}", self.json()),
        }
    }

    fn print_text(&self, out: &mut impl Write) -> io::Result<()> {
        for section in self.sections.iter().filter(|section| !section.findings.is_empty()) {
            writeln!(out, "{}", section.title)?;
            for finding in &section.findings {
                writeln!(out, "  {:<8} {}", finding.verdict.word(), finding.what)?;
                for (label, text) in [("why", &finding.why), ("fix", &finding.fix)] {
                    if let Some(text) = text {
                        writeln!(
                            out,
                            "           {label}: {}",
                            text.replace('\n', "\n                ")
                        )?;
                    }
                }
            }
            writeln!(out)?;
        }
        for (title, text) in &self.texts {
            writeln!(out, "{title}")?;
            for line in text.lines() {
                writeln!(out, "    {line}")?;
            }
            writeln!(out)?;
        }
        let (faults, warnings) = (self.count(Verdict::Fault), self.count(Verdict::Warning));
        let plural = |count| if count == 1 { "" } else { "s" };
        writeln!(
            out,
            "{faults} fault{}, {warnings} warning{}, {} passed",
            plural(faults),
            plural(warnings),
            self.count(Verdict::Fine),
        )
    }

    fn json(&self) -> serde_json::Value {
        let findings = self.sections.iter().flat_map(|section| {
            section.findings.iter().map(|finding| {
                json!({
                    "section": section.title,
                    "verdict": finding.verdict.word().to_lowercase(),
                    "what": finding.what,
                    "why": finding.why,
                    "fix": finding.fix,
                })
            })
        });
        let texts = self.texts.iter().map(|(title, text)| json!({ "title": title, "text": text }));
        json!({
            "findings": findings.collect::<Vec<_>>(),
            "texts": texts.collect::<Vec<_>>(),
            "faults": self.count(Verdict::Fault),
            "warnings": self.count(Verdict::Warning),
        })
    }
}

impl Section {
    pub(crate) fn fine(&mut self, what: impl Into<String>) {
        self.add(Verdict::Fine, what.into(), None, None);
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.add(Verdict::Note, what.into(), None, None);
    }

    pub(crate) fn warning(
        &mut self,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Verdict::Warning, what.into(), Some(why.into()), Some(fix.into()));
    }

    /// A warning that says itself why it matters.
    pub(crate) fn advice(&mut self, what: impl Into<String>, fix: Option<String>) {
        self.add(Verdict::Warning, what.into(), None, fix);
    }

    pub(crate) fn fault(
        &mut self,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Verdict::Fault, what.into(), Some(why.into()), Some(fix.into()));
    }

    fn add(&mut self, verdict: Verdict, what: String, why: Option<String>, fix: Option<String>) {
        // Most findings carry what the system said.
        let what = without_codes(&what).into_owned();
        self.findings.push(Finding { verdict, what, why, fix });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_told_in_words() {
        let mut report = Report::default();
        let error = io::Error::from_raw_os_error(nix::libc::ECONNREFUSED);
        let what = format!("no web page at 10.0.0.1:25000 ({error}): role is not known");
        report.section("Coordinators").warning(what, "why", "fix");
        let mut text = Vec::new();
        report.print_text(&mut text).unwrap();
        for told in [String::from_utf8(text).unwrap(), report.json().to_string()] {
            let words = "no web page at 10.0.0.1:25000 (connection refused): role is not known";
            assert!(told.contains(words), "{told}");
        }
    }
}
