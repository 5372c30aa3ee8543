//! Pointing at values that turn out bad after the check.

use oxpecker_config::{Input, Maps, Severity, check};

use crate::BASE;

/// In two files: a profile, its heir, and one with a dot in its name; the built-in parent is used
/// as it is as well.
const PROFILES: &str = r#"
[profile.tls_client.front]
certificates = [
    "a.pem",
    { certificate = "b.pem", passphrase = "hunter2" },
]
[profile.tls_client."heir.of.front"]
parent = "front"
tickets = false
[profile.tls_server.members]
parent = "serverssl"
ca_file = "ca.crt"
"#;

#[track_caller]
fn locate(table: &str, key: &str, expected: &str) {
    let virtuals = format!(
        "{BASE}type = \"standard\"\ntls_client = \"front\"\ntls_server = \"members\"\n\
         [virtual.other]\nlisten = \"10.0.0.9:443\"\npool = \"hs2\"\ntype = \"standard\"\n\
         tls_client = \"heir.of.front\"\ntls_server = \"serverssl\"\n"
    );
    let inputs = [Input::new("site.toml", virtuals), Input::new("tls.toml", PROFILES)];
    let checked = check(&inputs, &Maps::default()).expect("good");
    let shown = checked.locate(Severity::Error, table, key, "bad", Some("help")).to_string();
    assert_eq!(shown, expected, "{table} {key}");
}

#[test]
fn a_value_is_found_where_it_is_written() {
    let certificates = "error: bad\n  --> tls.toml:3:16\n3 | certificates = [\n  |                ^ \
                        help: help";
    locate("profile.tls_client.front", "certificates", certificates);
    // Inherited.
    locate("profile.tls_client.heir.of.front", "certificates", certificates);
    locate(
        "profile.tls_server.members",
        "ca_file",
        "error: bad\n  --> tls.toml:12:11\n12 | ca_file = \"ca.crt\"\n   |           ^^^^^^^^ help: help",
    );
}

#[test]
fn what_is_not_written_is_told_at_the_table_or_its_user() {
    locate(
        "profile.tls_client.heir.of.front",
        "client_ca_file",
        "error: bad\n  --> tls.toml:7:21\n7 | [profile.tls_client.\"heir.of.front\"]\n  \
         |                     ^^^^^^^^^^^^^^^ help: help",
    );
    // Built in: nobody can look there.
    locate(
        "profile.tls_server.serverssl",
        "ca_file",
        "error: bad\n  --> site.toml:20:14\n20 | tls_server = \"serverssl\"\n   \
         |              ^^^^^^^^^^^ help: help",
    );
    locate("pool.nowhere", "port", "error: bad\n  --> site.toml:1:1\n1 | \n  | ^ help: help");
}

#[test]
fn secrets_stay_hidden() {
    let text = format!(
        "{BASE}type = \"standard\"\ntls_client = \"front\"\n[profile.tls_client.front]\n\
         certificates = [{{ certificate = \"b.pem\", passphrase = \"hunter2\" }}]\n"
    );
    let checked = check(&[Input::new("site.toml", text)], &Maps::default()).expect("good");
    let found = checked.locate(
        Severity::Warning,
        "profile.tls_client.front",
        "certificates",
        "expired\u{1b}[2J",
        None,
    );
    assert_eq!(found.message, "expired\u{fffd}[2J");
    assert_eq!(found.line_text, "certificates = [{ certificate = \"b.pem\", passphrase = *** }]");
    assert!(!format!("{found:?} {checked:?}").contains("hunter2"));
}
