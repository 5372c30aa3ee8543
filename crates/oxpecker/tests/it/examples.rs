//! `oxpecker check` on every example of the documentation, with the files that they name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use oxpecker_testkit::certificates::openssl;
use oxpecker_testkit::clients::run;
use oxpecker_testkit::{Authority, Pair, TempDir};

use crate::site::PROGRAM;

const PASSPHRASE: &str = "open sesame";

/// Where the examples have a program that knows secrets.
const GET_SECRET: &str = "/usr/local/bin/get-secret";

/// Everything that an example names, beside it.
#[track_caller]
fn files(dir: &TempDir) {
    let authority = Authority::new(dir.join("authority"));
    let put = |from: &Path, to: &str| {
        fs::copy(from, dir.join(to)).unwrap();
    };
    let names = ["DNS:impala.example.com", "DNS:hs2.example.com"];
    for name in ["front", "second", "gateway"] {
        let Pair { certificate, key } = authority.issue(name, &names);
        put(&certificate, &format!("{name}.crt"));
        let (from, to) = (key.display().to_string(), dir.join(&format!("{name}.key")));
        let pass = format!("pass:{PASSPHRASE}");
        let files = ["-in", &from, "-out", to.to_str().unwrap(), "-passout", &pass];
        openssl(&[&["pkcs8", "-topk8", "-v2", "aes-256-cbc"], &files[..]].concat());
    }
    let other = authority.issue("other", &["DNS:other-name.example.com"]);
    let bundle = [&other.certificate, &authority.certificate(), &other.key];
    let bundle = bundle.map(|path| fs::read_to_string(path).unwrap()).concat();
    dir.write("other-name.pem", &bundle);
    let admin = authority.issue("admin", &["DNS:impala.example.com"]);
    let bundle = [&admin.certificate, &admin.key].map(|path| fs::read_to_string(path).unwrap());
    dir.write("admin.pem", &bundle.concat());
    let list = authority.revoke(&other);
    for (from, to) in [(authority.certificate(), "ca.crt"), (list.clone(), "ca.crl")] {
        put(&from, to);
    }
    put(&authority.certificate(), "clients-ca.crt");
    put(&authority.certificate(), "s3-ca.crt");
    put(&list, "clients.crl");
    dir.write("s3.key", "secret access key\n");
    dir.write("ci.token", "0123456789abcdef\n");
    dir.write("alice.hash", &openssl(&["passwd", "-6", "swordfish"]));
    dir.write("front.pass", &format!("{PASSPHRASE}\n"));
    let program = dir.write("get-secret", &format!("#!/bin/sh\necho '{PASSPHRASE}'\n"));
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The messages, without those that every site would have: what is warned of is named in the
/// example, and errors there are none.
#[track_caller]
fn check(name: &str, expected: &[&str]) {
    let dir = TempDir::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    let text = fs::read_to_string(examples.join(name)).unwrap();
    let program = dir.join("get-secret").display().to_string();
    let file = dir.write(name, &text.replace(GET_SECRET, &program));
    files(&dir);
    let mut command = Command::new(PROGRAM);
    command.args(["check", "--format", "json", "-f"]).arg(file);
    command.env("PROBE_PASSWORD", "x").env("SECOND_PASSPHRASE", PASSPHRASE);
    let printed = run(command);
    let report: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    let found = report["diagnostics"].as_array().unwrap();
    let messages: Vec<&str> =
        found.iter().map(|finding| finding["message"].as_str().unwrap()).collect();
    assert_eq!(messages.len(), expected.len(), "{name}: {messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{name}: {messages:#?}");
    }
}

#[test]
fn all_are_checked_here() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    let mut names: Vec<_> = fs::read_dir(examples)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["full.toml", "minimal.toml", "tls.toml", "two-services.toml"]);
}

#[test]
fn minimal() {
    check("minimal.toml", &[]);
}

#[test]
fn two_services() {
    check("two-services.toml", &["`shell` listens on port 25003", "`hue` listens on port 21051"]);
}

#[test]
fn tls() {
    check("tls.toml", &[]);
}

#[test]
fn full() {
    check("full.toml", &[]);
}
