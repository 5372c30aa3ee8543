//! What became of each directive: one entry a line, and beside them the warnings of an expert.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Write};

use oxpecker_config::{Diagnostic, Severity};

use crate::files::{Files, Span};

/// More problems have one cause, which the first ones show.
const PROBLEMS_MAX: usize = 200;

/// Steps of work that one configuration may take. Real ones take hundreds; without an end a few
/// megabytes could ask for lists of lists of lists.
const WORK_MAX: usize = 1_000_000;

/// What became of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Means the same here.
    Kept,
    /// Has no meaning here; nothing is lost.
    Dropped,
    /// Is written or works differently, as the words say.
    Changed,
    /// Would behave otherwise than its author relies on: the configuration cannot be used.
    Refused,
    /// Beside the others: works as written, and probably is not what was meant.
    Warned,
}

impl Verdict {
    pub const ALL: [Self; 5] =
        [Self::Kept, Self::Changed, Self::Dropped, Self::Refused, Self::Warned];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Dropped => "dropped",
            Self::Changed => "changed",
            Self::Refused => "refused",
            Self::Warned => "warned",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub verdict: Verdict,
    /// The place, the line itself with secrets masked, and what is to be said about it (empty when
    /// a directive is kept just so).
    pub at: Diagnostic,
}

/// What became of everything that was read, in the order it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub entries: Vec<Entry>,
}

impl Report {
    pub fn count(&self, verdict: Verdict) -> usize {
        self.entries.iter().filter(|entry| entry.verdict == verdict).count()
    }

    /// What `check` shows: refusals as errors, warnings as warnings.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let shown = |entry: &&Entry| matches!(entry.verdict, Verdict::Refused | Verdict::Warned);
        self.entries.iter().filter(shown).map(|entry| &entry.at)
    }

    /// `31 kept, 4 changed, 2 dropped, 0 refused, 1 warning`
    pub fn summary(&self) -> String {
        let parts = Verdict::ALL.map(|verdict| match (verdict, self.count(verdict)) {
            (Verdict::Warned, 1) => "1 warning".to_owned(),
            (Verdict::Warned, count) => format!("{count} warnings"),
            (_, count) => format!("{count} {}", verdict.as_str()),
        });
        parts.join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heading = None;
        for Entry { verdict, at } in &self.entries {
            let Diagnostic { file, line, column, line_text, message, help, .. } = at;
            if heading.replace(file) != Some(file) {
                writeln!(f, "{file}")?;
            }
            let place = format!("{line}:{column}");
            writeln!(f, "{place:>8} {:<8} {}", verdict.as_str(), line_text.trim())?;
            for (mark, words) in [("", Some(message)), ("help: ", help.as_ref())] {
                if let Some(words) = words.filter(|words| !words.is_empty()) {
                    writeln!(f, "{:17} {mark}{words}", "")?;
                }
            }
        }
        writeln!(f, "{}", self.summary())
    }
}

#[derive(Debug)]
struct Note {
    verdict: Verdict,
    span: Span,
    words: String,
    help: Option<String>,
}

/// Collects verdicts in any order.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// By file and the byte where a directive begins.
    directives: BTreeMap<(usize, usize), Directive>,
    known: HashSet<(Verdict, Span, String)>,
    explained: HashMap<&'static str, Span>,
    refused: usize,
    warned: usize,
    left_out: usize,
    worked: usize,
}

#[derive(Debug, Default)]
struct Directive {
    span: Option<Span>,
    notes: Vec<Note>,
    /// Refused, and not shown.
    left_out: bool,
}

impl Notes {
    /// Begins a directive; what is said about places inside of it belongs to it.
    pub(crate) fn directive(&mut self, span: Span) {
        self.directives.entry((span.file, span.start)).or_default().span = Some(span);
    }

    pub(crate) fn drop(&mut self, span: Span, words: impl Into<String>) {
        self.push(Verdict::Dropped, span, words.into(), None);
    }

    pub(crate) fn change(&mut self, span: Span, words: impl Into<String>) {
        self.push(Verdict::Changed, span, words.into(), None);
    }

    /// The same explanation of many lines: at length once, then in short.
    pub(crate) fn explain(&mut self, span: Span, words: &'static str, short: &'static str) {
        let first = *self.explained.entry(words).or_insert(span);
        self.change(span, if first == span { words } else { short });
    }

    pub(crate) fn refuse(&mut self, span: Span, words: impl Into<String>, help: impl Into<String>) {
        self.push(Verdict::Refused, span, words.into(), Some(help.into()));
    }

    pub(crate) fn warn(&mut self, span: Span, words: impl Into<String>, help: impl Into<String>) {
        self.push(Verdict::Warned, span, words.into(), Some(help.into()));
    }

    pub(crate) fn has_refused(&self) -> bool {
        self.refused > 0
    }

    /// How many there are so far.
    pub(crate) fn refusals(&self) -> usize {
        self.refused
    }

    /// So many problems that finding more helps nobody.
    pub(crate) fn is_full(&self) -> bool {
        self.left_out > 5 * PROBLEMS_MAX || self.worked > WORK_MAX
    }

    /// Accounts for work that grows with products of what was read. False, with one refusal, when
    /// it is too much.
    pub(crate) fn work(&mut self, steps: usize, span: Span) -> bool {
        let before = self.worked <= WORK_MAX;
        self.worked = self.worked.saturating_add(steps);
        let fits = self.worked <= WORK_MAX;
        if before && !fits {
            self.refuse(span, "this configuration is too large", "is this the right file?");
        }
        fits
    }

    fn push(&mut self, verdict: Verdict, span: Span, words: String, help: Option<String>) {
        // A directive of `defaults` is looked at for every heir.
        if !self.known.insert((verdict, span, words.clone())) {
            return;
        }
        let count = match verdict {
            Verdict::Refused => Some(&mut self.refused),
            Verdict::Warned => Some(&mut self.warned),
            _ => None,
        };
        let mut is_shown = true;
        if let Some(count) = count {
            *count += 1;
            is_shown = *count <= PROBLEMS_MAX;
            self.left_out += usize::from(!is_shown);
        }
        let help = help.filter(|help| !help.is_empty());
        let home = self.directives.range_mut(..=(span.file, span.start)).next_back();
        let inside = home.filter(|(_, directive)| {
            directive.span.is_some_and(|home| home.file == span.file && span.start <= home.end)
        });
        let note = Note { verdict, span, words, help };
        match inside {
            Some((_, directive)) if !is_shown => directive.left_out |= verdict == Verdict::Refused,
            None if !is_shown => {}
            Some((_, directive)) => directive.notes.push(note),
            // Deep inside of a directive's block, or a file that cannot be read at all.
            None => {
                let directive = self.directives.entry((span.file, span.start)).or_default();
                directive.span.get_or_insert(span);
                directive.notes.push(note);
            }
        }
    }

    /// The report, with the problems that the check of the result found.
    pub(crate) fn finish(self, files: &Files, found: Vec<Diagnostic>) -> Report {
        let mut entries: Vec<Entry> = Vec::new();
        let is_full = self.is_full();
        // What was not looked at any more is not called good.
        let looked_at = |directive: &Directive| !is_full || !directive.notes.is_empty();
        for directive in self.directives.into_values().filter(looked_at) {
            directive.finish(files, &mut entries);
        }
        for at in found {
            let verdict = match at.severity {
                Severity::Error => Verdict::Refused,
                Severity::Warning => Verdict::Warned,
            };
            let entry = Entry { verdict, at };
            if verdict == Verdict::Refused {
                // The line had seemed good.
                entries.retain(|other| {
                    let same = (&other.at.file, other.at.line) == (&entry.at.file, entry.at.line);
                    !same || other.verdict >= Verdict::Refused
                });
            }
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let order = |name: &str| files.iter().position(|file| file.name() == name);
        entries.sort_by_key(|entry| (order(&entry.at.file), entry.at.line));
        if let (true, Some(last)) = (self.left_out > 0, entries.last()) {
            let message = format!("{} more problems are not shown", self.left_out);
            let severity = Severity::Warning;
            let at = Diagnostic { message, severity, help: None, notes: vec![], ..last.at.clone() };
            entries.push(Entry { verdict: Verdict::Warned, at });
        }
        Report { entries }
    }
}

impl Directive {
    /// The gentle verdicts on its parts become one; refusals and warnings stand alone.
    fn finish(self, files: &Files, entries: &mut Vec<Entry>) {
        let gentle = |note: &&Note| note.verdict < Verdict::Refused;
        let refused = self.left_out || self.notes.iter().any(|n| n.verdict == Verdict::Refused);
        if let (Some(span), false) = (self.span, refused) {
            let verdict = self.notes.iter().filter(gentle).map(|note| note.verdict).max();
            let mut words = String::new();
            for note in self.notes.iter().filter(gentle).filter(|note| !note.words.is_empty()) {
                let gap = if words.is_empty() { "" } else { "; " };
                let _ = write!(words, "{gap}{}", note.words);
            }
            let at = files.problem(Severity::Warning, span, &words, None);
            entries.push(Entry { verdict: verdict.unwrap_or(Verdict::Kept), at });
        }
        for note in self.notes {
            let severity = match note.verdict {
                Verdict::Refused => Severity::Error,
                Verdict::Warned => Severity::Warning,
                _ => continue,
            };
            let at = files.problem(severity, note.span, &note.words, note.help.as_deref());
            entries.push(Entry { verdict: note.verdict, at });
        }
    }
}
