//! What every step of a check shares: the files, where secrets come from, the problems found
//! so far, the names that may be referred to.

use std::collections::{BTreeMap, HashSet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::origin::Shown;
use crate::source::Source;
use crate::text::{File, Place};

/// Problems collected per severity; more are only counted.
const COLLECTED_MAX: usize = 1000;
/// Problems shown; the last one tells how many are left out.
const SHOWN_MAX: usize = 200;

pub(crate) struct Ctx<'a> {
    pub(crate) files: &'a [File],
    pub(crate) source: &'a dyn Source,
    pub(crate) names: Names,
    /// A converter that knows better than the plain value how to show it leaves that here.
    pub(crate) shown: Option<Shown>,
    problems: Vec<Problem>,
    known: HashSet<(Place, String)>,
    errors: usize,
    warnings: usize,
    /// Takes what is dropped, so that callers need not care.
    dropped: Problem,
}

/// How a problem is to be treated when the file does not even parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Syntax,
    /// True whatever else is in the file.
    Local,
    /// May only be a consequence of a line that could not be read.
    Consequence,
}

#[derive(Debug)]
pub(crate) struct Problem {
    class: Class,
    severity: Severity,
    place: Place,
    message: String,
    help: Option<String>,
    notes: Vec<(Place, String)>,
}

impl Problem {
    fn new(severity: Severity, place: Place, message: String) -> Self {
        Self { class: Class::Local, severity, place, message, help: None, notes: Vec::new() }
    }

    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn help_if(&mut self, help: Option<String>) -> &mut Self {
        self.help = help;
        self
    }

    pub(crate) fn note(&mut self, place: Place, message: impl Into<String>) -> &mut Self {
        // The built-in text is no place a person can look at.
        if place.file != 0 {
            self.notes.push((place, message.into()));
        }
        self
    }

    pub(crate) fn syntax(&mut self) -> &mut Self {
        self.class = Class::Syntax;
        self
    }

    /// Not told when some line could not be read: it may stand there.
    pub(crate) fn consequence(&mut self) -> &mut Self {
        self.class = Class::Consequence;
        self
    }
}

/// Names of one kind, in file order.
#[derive(Debug, Default)]
pub(crate) struct NameSet {
    index: BTreeMap<String, usize>,
}

impl NameSet {
    pub(crate) fn insert(&mut self, name: &str, index: usize) {
        self.index.insert(name.to_owned(), index);
    }

    pub(crate) fn get(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }
}

/// Everything that may be referred to by name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) nodes: NameSet,
    pub(crate) pools: NameSet,
    pub(crate) monitors: NameSet,
    pub(crate) protocols: NameSet,
    pub(crate) persistences: NameSet,
    pub(crate) tls_clients: NameSet,
    pub(crate) tls_servers: NameSet,
    pub(crate) acmes: NameSet,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(files: &'a [File], source: &'a dyn Source) -> Self {
        Self {
            files,
            source,
            names: Names::default(),
            shown: None,
            problems: Vec::new(),
            known: HashSet::new(),
            errors: 0,
            warnings: 0,
            dropped: Problem::new(Severity::Warning, Place::new(0, 0..0), String::new()),
        }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, place, message.into())
    }

    pub(crate) fn warn(&mut self, place: Place, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, place, message.into())
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// So many errors that finding more helps nobody.
    pub(crate) fn is_full(&self) -> bool {
        self.errors > COLLECTED_MAX
    }

    fn push(&mut self, severity: Severity, place: Place, message: String) -> &mut Problem {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        // An inherited value is read for every heir.
        if !self.known.insert((place, message.clone())) {
            return reset(&mut self.dropped);
        }
        *count += 1;
        if *count > COLLECTED_MAX {
            self.known.remove(&(place, message));
            return reset(&mut self.dropped);
        }
        self.problems.push(Problem::new(severity, place, message));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    /// `file:line`
    pub(crate) fn shown_place(&self, place: Place) -> String {
        let file = &self.files[place.file];
        format!("{}:{}", file.name, file.line_of(place.start) + 1)
    }

    /// All problems in file order.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        let files = self.files;
        let broken = self.problems.iter().any(|problem| problem.class == Class::Syntax);
        if broken {
            let line = |problem: &Problem| {
                (problem.place.file, files[problem.place.file].line_of(problem.place.start))
            };
            let broken_lines: HashSet<_> = self
                .problems
                .iter()
                .filter(|problem| problem.class == Class::Syntax)
                .map(line)
                .collect();
            self.problems.retain(|problem| match problem.class {
                Class::Syntax => true,
                Class::Local => !broken_lines.contains(&line(problem)),
                Class::Consequence => false,
            });
        }
        self.problems.sort_by_key(|problem| (problem.place, problem.severity));
        let counted =
            self.errors.saturating_sub(COLLECTED_MAX) + self.warnings.saturating_sub(COLLECTED_MAX);
        let mut problems = self.problems;
        let mut left_out = counted;
        if problems.len() > SHOWN_MAX {
            // A warning must not push the errors out.
            let all = problems.len();
            problems.sort_by_key(|problem| (problem.severity, problem.place));
            problems.truncate(SHOWN_MAX);
            problems.sort_by_key(|problem| (problem.place, problem.severity));
            left_out += all - SHOWN_MAX;
        }
        let mut diagnostics: Vec<Diagnostic> = problems
            .into_iter()
            .map(|problem| {
                let file = &files[problem.place.file];
                let message = clean(&problem.message);
                let help = problem.help.as_deref().map(clean);
                let mut diagnostic =
                    file.diagnostic(problem.severity, problem.place, message, help);
                diagnostic.notes = problem
                    .notes
                    .into_iter()
                    .map(|(place, message)| files[place.file].note(place, clean(&message)))
                    .collect();
                diagnostic
            })
            .collect();
        if left_out > 0
            && let Some(last) = diagnostics.last().cloned()
        {
            let message = format!("{left_out} more problems are not shown");
            diagnostics.push(Diagnostic { message, help: None, notes: Vec::new(), ..last });
        }
        diagnostics
    }
}

/// Keeps the problem nobody sees from growing.
fn reset(problem: &mut Problem) -> &mut Problem {
    problem.notes.clear();
    problem
}

/// What came from a file must not steer the terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A piece of the file inside a message: short enough to read.
pub(crate) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.chars().nth(CHARS_MAX).is_none() {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX).chain(['…']).collect()
}

/// The name that was probably meant.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Bounds for files made by a machine: distance costs the product of both lengths.
    const WORD_BYTES_MAX: usize = 64;
    const NAMES_MAX: usize = 2000;
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    // HAProxy's `leastconn` and `roundrobin` find theirs as well.
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' ', '.'], "");
    let wanted = plain(word);
    let length = wanted.chars().count();
    let allowed = (length / 3).max(1);
    names
        .take(NAMES_MAX)
        .filter(|name| name.len() <= WORD_BYTES_MAX)
        .map(|name| (strsim::osa_distance(&wanted, &plain(name)), name))
        .filter(|(distance, name)| {
            let close = *distance <= allowed && *distance < length;
            close || (length > 2 && plain(name).starts_with(&wanted))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The few names there are, when none is near; long lists help nobody.
pub(crate) fn listed<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    const NAMES_MAX: usize = 24;
    let names: Vec<String> = names.take(NAMES_MAX + 1).map(|name| format!("`{name}`")).collect();
    (1..=NAMES_MAX).contains(&names.len()).then(|| format!("{what} {}", names.join(", ")))
}

/// `nearest` as a help text.
pub(crate) fn did_you_mean<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    nearest(word, names).map(|name| format!("did you mean `{name}`?"))
}
