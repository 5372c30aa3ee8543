//! Syntax errors in the words of someone who writes configuration, not grammars.

use std::collections::HashSet;

use toml::de::Error;

use crate::context::{Ctx, shorten};
use crate::text::{File, Place};
use crate::units::parse_duration;

/// For files made by a machine: what stands further back is no help.
const LINES_MAX: usize = 5000;

pub(super) fn report(ctx: &mut Ctx<'_>, file: usize, errors: &[Error]) {
    let mut doubled_headings = HashSet::new();
    for error in errors {
        if ctx.is_full() {
            return;
        }
        let text = &ctx.files[file];
        // Some errors, such as too deep nesting of keys, come without a place.
        let span = error.span().unwrap_or(0..0);
        let place = Place::new(file, span);
        if error.message().starts_with("duplicate key") {
            let heading = heading_above(text, place);
            let is_heading = heading == Some(text.line_of(place.start));
            // The second table goes on where the first ended: its keys are no problem of theirs.
            if is_heading {
                doubled_headings.extend(heading);
            } else if heading.is_some_and(|heading| doubled_headings.contains(&heading)) {
                continue;
            }
        }
        let (message, help, earlier) = describe(text, place, error.message());
        let problem = ctx.error(place, message).syntax().help_if(help);
        if let Some(earlier) = earlier {
            problem.note(earlier, "first");
        }
    }
}

fn describe(file: &File, place: Place, said: &str) -> (String, Option<String>, Option<Place>) {
    let found = file.slice(place).trim();
    if said.starts_with("duplicate key") {
        let line = file.line(file.line_of(place.start.min(file.text.len()))).trim();
        let heading = line.split_inclusive(']').next().filter(|_| line.starts_with('['));
        let name = heading.map_or_else(|| format!("`{}`", shorten(found)), shorten);
        return (format!("{name} is written twice"), None, first_of(file, place));
    }
    if said.contains("recursion") {
        return ("nested too deeply".to_owned(), None, None);
    }
    // "expected literal string" is a grammar's way to say what stands before it.
    let said = said.strip_suffix(", expected literal string").unwrap_or(said);
    let message = format!("not valid TOML: {said}");
    (message, help(file, place), None)
}

/// What the line was probably meant to be.
fn help(file: &File, place: Place) -> Option<String> {
    let line = file.line(file.line_of(place.start.min(file.text.len())));
    let (key, value) = line.split_once('=')?;
    if mask(key) {
        return None;
    }
    let value = value.split('#').next().unwrap_or("").trim();
    if value.is_empty() {
        return Some(format!("write a value after `{} =`", shorten(key.trim())));
    }
    let bare = value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/*".contains(c));
    if !bare || matches!(value, "true" | "false") {
        return None;
    }
    match value {
        "yes" | "on" | "True" | "TRUE" => Some("write true".to_owned()),
        "no" | "False" | "FALSE" => Some("write false".to_owned()),
        _ if parse_duration(value).is_ok() || value.parse::<f64>().is_err() => {
            Some(format!("write it in quotes: \"{}\"", shorten(value)))
        }
        _ => None,
    }
}

fn mask(key: &str) -> bool {
    crate::mask::is_secret_key(key.trim().trim_matches(['"', '\'']))
}

/// The line of the table's heading a place belongs to.
fn heading_above(file: &File, place: Place) -> Option<usize> {
    let at = file.line_of(place.start.min(file.text.len()));
    (0..=at).rev().take(LINES_MAX).find(|&line| file.line(line).trim_start().starts_with('['))
}

/// Where the name of a doubled key or heading stands first.
fn first_of(file: &File, place: Place) -> Option<Place> {
    let at = file.line_of(place.start.min(file.text.len()));
    let own = file.line(at).trim();
    let name = file.slice(place);
    let heading = own.starts_with('[');
    let mut found = None;
    for line in (0..at).rev().take(LINES_MAX) {
        let text = file.line(line).trim();
        if heading {
            if text.split('#').next().map(str::trim) == own.split('#').next().map(str::trim) {
                found = Some(line);
            }
        } else if text.starts_with('[') {
            break;
        } else if text.split_once('=').is_some_and(|(key, _)| key.trim() == name) {
            found = Some(line);
        }
    }
    let range = file.line_range(found?);
    let offset = file.text.get(range.clone())?.find(name)?;
    Some(Place::new(place.file, range.start + offset..range.start + offset + name.len()))
}
