//! Configurations of other balancers as Oxpecker's own: text in, native text, a checked
//! configuration and a report out.
//!
//! What is read becomes native text first, and that text is checked like any other. So the file
//! that `oxpecker import` writes and the configuration that `oxpecker run -f haproxy.cfg` runs
//! are the same thing. Problems that the check finds are told at the place in the foreign file.
//!
//! Pure: texts and environment come in through [`oxpecker_config::Source`].

mod bigip;
mod elb;
mod files;
mod haproxy;
mod native;
mod report;

use oxpecker_config::{Checked, Diagnostic, Input, Severity, Source};

use files::{Files, Span};
use native::{Native, Written};
use report::Notes;
pub use report::{Entry, Report, Verdict};

/// All inputs together; a configuration is written by people.
const BYTES_MAX: usize = 16 << 20;

/// Name of the text that is made, where anybody gets to see it.
const MADE: &str = "oxpecker.toml";

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `haproxy.cfg`
    Haproxy,
    /// `bigip.conf`, what `tmsh list` prints, `tmsh create` lines
    Bigip,
    /// What `aws elb describe-…`, `aws elbv2 describe-…` and `aws ec2 describe-…` print
    Elb,
}

impl Format {
    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Bigip => "bigip",
            Self::Elb => "elb",
        }
    }

    /// What the check says in native words, for those who have this file.
    fn translate(self, help: &str) -> &str {
        match self {
            Self::Haproxy if help.contains("accept_proxy = [") => {
                "say whose clients may come: `tcp-request connection reject unless { src 10.0.0.0/8 }`; a native \
                 file can name the balancers in `accept_proxy`"
            }
            _ if !help.starts_with("write allow = ") => help,
            Self::Haproxy => {
                "write `tcp-request connection reject unless { src 10.0.0.0/8 }`, or bind to an \
                 internal address"
            }
            Self::Bigip => "write `source 10.0.0.0/8`, or give it an internal destination",
            Self::Elb => "name the networks of your clients in its security groups",
        }
    }

    /// How people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Haproxy => "HAProxy",
            Self::Bigip => "F5 BIG-IP",
            Self::Elb => "AWS",
        }
    }
}

/// What came of an import.
#[derive(Debug)]
pub struct Import {
    /// A native configuration; incomplete when something was refused.
    pub text: String,
    pub report: Report,
    checked: Option<Checked>,
    trace: Trace,
}

/// Leads from the native text back to the foreign one.
#[derive(Debug)]
pub struct Trace {
    format: Format,
    files: Files,
    written: Written,
}

/// What a format's mapper leaves behind.
struct Mapped {
    native: Native,
    notes: Notes,
    secrets: Vec<Span>,
}

/// Reads the inputs as one configuration.
pub fn import(format: Format, inputs: &[Input], source: &dyn Source) -> Import {
    let mut files = Files::new(inputs);
    let bytes: usize = inputs.iter().map(|input| input.text.len()).sum();
    let Mapped { native, mut notes, secrets } = if inputs.is_empty() || bytes > BYTES_MAX {
        files = Files::new(&[Input::new(inputs.first().map_or("(no input)", |i| &i.name), "")]);
        let mut notes = Notes::default();
        let words = format!("the configuration is longer than {} MiB", BYTES_MAX >> 20);
        notes.refuse(Span::new(0, 0, 0), words, "is this the right file?");
        Mapped { native: Native::new(), notes, secrets: Vec::new() }
    } else {
        match format {
            Format::Haproxy => haproxy::read(&files, source),
            Format::Bigip => bigip::read(&files),
            Format::Elb => elb::read(&files),
        }
    };
    files.set_secrets(secrets);
    let written = native.write(&head(format, &files));
    let trace = Trace { format, files, written };
    let text = trace.written.text.clone();
    let (checked, found) = match oxpecker_config::check(&[Input::new(MADE, &*text)], source) {
        Ok(mut checked) => {
            let found = std::mem::take(&mut checked.warnings);
            (Some(checked), found)
        }
        Err(found) => (None, found),
    };
    // When something was refused, what follows from its absence is no news.
    let found = match notes.has_refused() {
        true => Vec::new(),
        false => found.into_iter().filter_map(|found| trace.foreign(found)).collect(),
    };
    if checked.is_none() && !notes.has_refused() && found.is_empty() {
        let words = "this configuration cannot be expressed";
        notes.refuse(Span::new(0, 0, 0), words, "");
    }
    let checked = checked.filter(|_| !notes.has_refused());
    let report = notes.finish(&trace.files, found);
    Import { text, report, checked, trace }
}

impl Import {
    /// The configuration to run, or what stands in the way. Diagnostics name the foreign text.
    pub fn into_checked(self) -> Result<(Checked, Trace), Vec<Diagnostic>> {
        let diagnostics: Vec<Diagnostic> = self.report.diagnostics().cloned().collect();
        match self.checked {
            Some(mut checked) => {
                checked.warnings = diagnostics;
                checked.origin.retrace(|line| self.trace.line(line));
                Ok((checked, self.trace))
            }
            None => Err(diagnostics),
        }
    }

    /// What the text means, when nothing was refused.
    pub fn checked(&self) -> Option<&Checked> {
        self.checked.as_ref()
    }
}

impl Trace {
    /// The same problem at the place in the foreign text; `None` when that has been told already.
    pub fn foreign(&self, found: Diagnostic) -> Option<Diagnostic> {
        if found.file != MADE {
            return Some(found);
        }
        // What has no place of its own is told at the beginning.
        let origin = self.written.origin(found.line, found.column);
        let (span, told) = origin.unwrap_or((Span::new(0, 0, 0), None));
        let is_told = told.is_some_and(|part| found.message.contains(part));
        if is_told && found.severity == Severity::Warning {
            return None;
        }
        let help = found.help.as_deref().map(|help| self.format.translate(help));
        let mut at = self.files.problem(found.severity, span, &found.message, help);
        at.notes = found.notes;
        for note in &mut at.notes {
            if let Some((span, _)) = self.written.origin(note.line, note.column) {
                let here = self.files.problem(Severity::Warning, span, "", None);
                (note.file, note.line, note.column) = (here.file, here.line, here.column);
            }
        }
        Some(at)
    }

    fn line(&self, line: usize) -> Option<(String, usize)> {
        let (span, _) = self.written.origin(line, 0)?;
        let (file, line) = self.files.line(span);
        Some((file.to_owned(), line))
    }
}

/// The first lines of the text.
fn head(format: Format, files: &Files) -> Vec<String> {
    let names: Vec<&str> =
        files.iter().map(|file| file.name().rsplit('/').next().unwrap_or_default()).collect();
    let names: String = names.join(", ").chars().filter(|c| !c.is_control()).collect();
    vec![
        format!("Made from {names} by `oxpecker import {}`, whose report tells", format.as_str()),
        "what was changed or left out, and why.".to_owned(),
    ]
}
