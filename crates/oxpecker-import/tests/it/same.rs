//! The file that an import writes means what the import means, and nothing is left unsaid.

use std::collections::{BTreeMap, BTreeSet};

use oxpecker_config::{Input, Maps, check};
use oxpecker_import::{Format, Import, Verdict};

use crate::{config, read, samples};

pub(crate) const FORMATS: &[(Format, &str)] =
    &[(Format::Haproxy, ".cfg"), (Format::Bigip, ".conf"), (Format::Elb, ".json")];

fn all() -> Vec<(String, String, Import)> {
    let mut all = Vec::new();
    for (format, extension) in FORMATS {
        for (name, text) in samples(extension) {
            let imported = read(*format, &name, &text);
            all.push((name, text, imported));
        }
    }
    all
}

#[test]
fn the_written_file_gives_the_same_configuration() {
    for (name, _, imported) in all() {
        // As somebody would who has only the file.
        let written = [Input::new("elsewhere.toml", imported.text.as_str())];
        match check(&written, &Maps::default()) {
            Ok(checked) => assert_eq!(checked.config, config(&imported), "{name}"),
            Err(diagnostics) => panic!("{name}: {}\n{}", diagnostics[0], imported.text),
        }
    }
}

/// Every line that says something has one verdict, and its own.
#[test]
fn every_directive_is_accounted_for() {
    for (name, text, imported) in all().into_iter().filter(|(name, ..)| name.ends_with(".cfg")) {
        let mut verdicts: BTreeMap<usize, usize> = BTreeMap::new();
        let gentle = |verdict| verdict != Verdict::Warned;
        for entry in imported.report.entries.iter().filter(|entry| gentle(entry.verdict)) {
            *verdicts.entry(entry.at.line).or_default() += 1;
        }
        let directive = |line: &str| !line.trim().is_empty() && !line.trim().starts_with('#');
        let expected: BTreeMap<usize, usize> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| directive(line))
            .map(|(number, _)| (number + 1, 1))
            .collect();
        assert_eq!(verdicts, expected, "{name}");
    }
}

/// What differs is said in words.
#[test]
fn whatever_is_not_kept_has_a_reason() {
    for (name, _, imported) in all() {
        for entry in &imported.report.entries {
            let is_said = !entry.at.message.is_empty();
            assert!(is_said || entry.verdict == Verdict::Kept, "{name}: {entry:?}");
        }
    }
}

/// Objects and properties of BIG-IP, values of AWS: none is left out of the report.
#[test]
fn every_line_of_the_others_is_in_the_report() {
    for (name, text, imported) in all().into_iter().filter(|(name, ..)| !name.ends_with(".cfg")) {
        let told: BTreeSet<usize> =
            imported.report.entries.iter().map(|entry| entry.at.line).collect();
        // BIG-IP: a line that is indented once is a property. AWS: a value stands after its key.
        let says = |line: &str| match name.ends_with(".conf") {
            true => {
                line.starts_with("ltm") || line.starts_with("    ") && !line.starts_with("     ")
            }
            false => {
                let line = line.trim_end().trim_end_matches(',');
                line.contains("\": ") && !line.ends_with(['{', '[', ']', '}'])
            }
        };
        let mut is_read = true;
        for (number, line) in text.lines().enumerate() {
            // Networks and iRules are left out as a whole.
            if !line.starts_with([' ', '}']) {
                is_read =
                    name.ends_with(".json") || line.starts_with("ltm ") && !line.contains(" rule ");
            }
            let is_silent = !is_read || line.trim() == "}" || !says(line);
            assert!(is_silent || told.contains(&(number + 1)), "{name}:{}: {line}", number + 1);
        }
    }
}

/// A person would not write what is the default anyway.
#[test]
fn nothing_redundant_is_written() {
    for (name, _, imported) in all() {
        let written = |text: &str| {
            let input = [Input::new("x.toml", text)];
            check(&input, &Maps::default()).ok().map(|checked| checked.config)
        };
        let whole = written(&imported.text);
        let lines: Vec<&str> = imported.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            // The address of the page is worth saying, and so is what a profile comes from.
            let is_page = lines[number.saturating_sub(1)] == "[admin]";
            if is_page
                || line.starts_with("parent = ")
                || !line.contains(" = ")
                || line.starts_with(' ')
            {
                continue;
            }
            let rest: Vec<&str> =
                lines.iter().enumerate().filter(|(n, _)| *n != number).map(|(_, l)| *l).collect();
            assert_ne!(written(&rest.join("\n")), whole, "{name} line {number}: {line}");
        }
    }
}
