//! The crate from outside: texts in, configurations and diagnostics out.

mod acme;
mod admin;
mod delivery;
mod examples;
mod explain;
mod locate;
mod meaning;
mod mutation;
mod problems;
mod secrets;
mod shape;
mod tls;

use std::path::PathBuf;

use oxpecker_config::{Checked, Diagnostic, Input, Maps, check};

/// `openssl passwd -6 -salt saltstring swordfish`
const HASH: &str = "$6$saltstring$L2of.QHEyShkEGrKtIsIZ85vN2UxfBB4Fhu2yb0duBAm6qAiljcYaf358n/38bcASFfpU37SW.CynuEXbu5az1";

/// What the examples refer to.
fn source() -> Maps {
    let mut maps = Maps::default();
    maps.env.insert("PROBE_PASSWORD".into(), "swordfish".into());
    maps.env.insert("SECOND_PASSPHRASE".into(), "swordfish".into());
    maps.files.insert("front.pass".into(), "swordfish\n".into());
    maps.files.insert("s3.key".into(), "swordfish\n".into());
    maps.files.insert("alice.hash".into(), format!("{HASH}\n"));
    maps.files.insert("ci.token".into(), "0123456789abcdef\n".into());
    maps.files.insert("pass".into(), "swordfish\n".into());
    maps
}

fn check_text(text: &str) -> Result<Checked, Vec<Diagnostic>> {
    check(&[Input::new("oxpecker.toml", text)], &source())
}

/// All diagnostics, errors or not, as a person sees them.
fn shown(text: &str) -> String {
    let diagnostics = match check_text(text) {
        Ok(checked) => checked.warnings,
        Err(diagnostics) => diagnostics,
    };
    let shown: Vec<String> = diagnostics.iter().map(Diagnostic::to_string).collect();
    shown.join("\n")
}

#[track_caller]
fn good(text: &str) -> Checked {
    match check_text(text) {
        Ok(checked) => checked,
        Err(diagnostics) => {
            for diagnostic in &diagnostics {
                eprintln!("{diagnostic}");
            }
            panic!("refused");
        }
    }
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Name and text of every example.
fn examples() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = std::fs::read_dir(docs().join("examples"))
        .expect("the examples are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("text"))
        })
        .collect();
    all.sort();
    assert!(all.len() >= 4, "examples are missing");
    all
}

/// A small good configuration to hang other tables on.
const BASE: &str = r#"
[node.a]
address = "10.0.0.1"
[node.b]
address = "10.0.0.2"
[pool.hs2]
port = 21050
members = ["a", "b"]
[virtual.hs2]
listen = "10.0.0.9:21050"
pool = "hs2"
"#;
