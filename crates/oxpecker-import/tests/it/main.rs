//! The crate from outside: foreign texts in; native text, configuration and report out.

mod bigip;
mod broken;
mod elb;
mod facts;
mod haproxy;
mod same;
mod stats;

use std::path::PathBuf;

use oxpecker_config::model::Config;
use oxpecker_config::{Input, Maps};
use oxpecker_import::{Format, Import, Verdict, import};

fn sample(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    std::fs::read_to_string(path).expect("the sample is there")
}

/// Every sample of a format, with its name.
fn samples(extension: &str) -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .expect("samples")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(extension))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no sample *{extension}");
    names.into_iter().map(|name| (name.clone(), sample(&name))).collect()
}

fn read(format: Format, name: &str, text: &str) -> Import {
    import(format, &[Input::new(name, text)], &Maps::default())
}

fn haproxy(text: &str) -> Import {
    read(Format::Haproxy, "haproxy.cfg", text)
}

#[track_caller]
fn config(imported: &Import) -> Config {
    match imported.checked() {
        Some(checked) => checked.config.clone(),
        None => panic!("refused:\n{}", imported.report),
    }
}

/// `line verdict: words`, without what is kept just so.
fn told(imported: &Import) -> Vec<String> {
    let entries = imported.report.entries.iter();
    entries
        .filter(|entry| entry.verdict != Verdict::Kept)
        .map(|entry| format!("{} {}: {}", entry.at.line, entry.verdict.as_str(), entry.at.message))
        .collect()
}
