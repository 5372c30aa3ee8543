//! Makes the manual page of the configuration, `docs/configuration.md`, from the option table.

use crate::options::{BUILT_IN, Fallback, Kind, TABLES, TableDoc};

const HEAD: &str = include_str!("reference/head.md");

/// The page. A test keeps the copy in the repository the same.
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    for table in TABLES {
        table_text(table, &mut page);
    }
    page.push_str("\n## Built-in profiles and monitors\n\n");
    page.push_str(
        "Read-only: name them as `parent`, or use them directly. They are written in the same \
         language, and `oxpecker explain` shows those in use.\n\n```toml",
    );
    page.push_str(BUILT_IN);
    page.push_str("```\n");
    page
}

fn table_text(table: &TableDoc, page: &mut String) {
    let heading = match table.heading.strip_prefix('[') {
        Some(_) => format!("`{}`", table.heading),
        None => {
            let mut chars = table.heading.chars();
            let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
            format!("{first}{}", chars.as_str())
        }
    };
    page.push_str(&format!("\n## {heading}\n\n{}\n\n", table.doc));
    page.push_str("| key | takes | default | |\n|---|---|---|---|\n");
    for option in table.options {
        let takes = match option.kind {
            // Shown with marks that a table cell needs.
            Kind::Word(words) => {
                let words: Vec<String> = words().iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
            ref other => other.describe(),
        };
        let default = match option.default {
            Fallback::Required => "**required**".to_owned(),
            Fallback::Value(text) => format!("`{text}`"),
            Fallback::Unset(meaning) => meaning.to_owned(),
        };
        let doc = format!("{} Example: `{} = {}`", option.doc, option.key, option.example);
        let cells = [format!("`{}`", option.key), takes, default, doc];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}
