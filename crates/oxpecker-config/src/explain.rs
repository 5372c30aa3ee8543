//! The effective configuration as TOML: every value, and after it where it came from.

use crate::check::Checked;
use crate::origin::{Entry, Origin, Section, Shown};

/// Renders what is in effect. The text is a valid configuration with the same meaning, except
/// for secrets, which are `***`: those of users and tokens have to be written in again.
pub fn explain(checked: &Checked) -> String {
    let mut text =
        String::from("# Effective configuration. Built-in tables are shown as comments.\n");
    for section in &checked.origin.sections {
        // A built-in profile nobody uses is in the manual.
        if section.built_in && section.used_by.is_empty() {
            continue;
        }
        section_text(section, &mut text);
    }
    text
}

fn section_text(section: &Section, text: &mut String) {
    let mut lines = vec![match section.used_by.as_slice() {
        [] => section.heading.clone(),
        users => format!("{}  # used by {}", section.heading, users.join(", ")),
    }];
    for entry in &section.entries {
        entry_lines(entry, section.built_in, &mut lines);
    }
    text.push('\n');
    if section.built_in {
        text.push_str("# built in:\n");
    }
    for line in lines {
        if section.built_in {
            text.push_str("# ");
        }
        text.push_str(&line);
        text.push('\n');
    }
}

fn entry_lines(entry: &Entry, built_in: bool, lines: &mut Vec<String>) {
    let key = entry.key;
    let origin = match &entry.origin {
        Origin::Default => "default".to_owned(),
        Origin::Parent(name) => format!("from {name}"),
        Origin::At { .. } if built_in => "built in".to_owned(),
        Origin::At { file, line, .. } => format!("{}:{line}", one_line(file)),
    };
    match &entry.shown {
        Shown::Unset(meaning) => lines.push(format!("# {key}: {meaning}  # {origin}")),
        Shown::One(value) => lines.push(format!("{key} = {value}  # {origin}")),
        Shown::Many(items) => {
            lines.push(format!("{key} = [  # {origin}"));
            lines.extend(items.iter().map(|(value, line)| match line {
                Some(line) => format!("    {value},  # {}", one_line(line)),
                None => format!("    {value},"),
            }));
            lines.push("]".to_owned());
        }
    }
}

/// A file name must not end the comment it stands in.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
