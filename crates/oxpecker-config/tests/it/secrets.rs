//! Secrets are read from where they are, and never shown.

use oxpecker_config::model::{Login, Probe};
use oxpecker_config::{Input, Maps, check, explain};

use crate::{BASE, check_text, good, shown};

fn with_password(password: &str) -> String {
    let base = BASE.replace("port = 21050\n", "port = 21050\nmonitor = \"login\"\n");
    format!("{base}[monitor.login]\nparent = \"hs2\"\nuser = \"probe\"\npassword = {password}\n")
}

fn password_of(text: &str, maps: &Maps) -> String {
    let config = check(&[Input::new("x", text)], maps).expect("good").config;
    match &config.pools[0].monitor.as_ref().expect("a monitor").probe {
        Probe::Hs2(Login::Plain { user, password }) => {
            assert_eq!(user, "probe");
            password.reveal().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn come_from_files_variables_and_clear_text() {
    let mut maps = Maps::default();
    maps.files.insert("/etc/pass".into(), "one two \r\n".into());
    maps.env.insert("PW".into(), "${x}".into());
    assert_eq!(password_of(&with_password("{ file = \"/etc/pass\" }"), &maps), "one two ");
    assert_eq!(password_of(&with_password("{ env = \"PW\" }"), &maps), "${x}");
    assert_eq!(password_of(&with_password("\"${PW}\""), &maps), "${x}");
    assert_eq!(password_of(&with_password("\"pa$$w\""), &maps), "pa$$w");
}

#[test]
fn clear_text_brings_a_warning_that_does_not_show_it() {
    assert_eq!(
        shown(&with_password("\"hunter2\"")),
        "warning: `password` stands here in clear text\n  --> oxpecker.toml:16:12\n\
         16 | password = ***\n   |            ^^^ help: write { file = \"PATH\" } or { env = \"NAME\" }"
    );
    assert_eq!(good(&with_password("\"${PROBE_PASSWORD}\"")).warnings, []);
}

#[test]
fn what_is_missing_is_told() {
    let text = with_password("{ file = \"/nowhere\" }");
    assert!(
        shown(&text).starts_with(
            "error: cannot read `password` from `/nowhere`: no such file\n  --> oxpecker.toml:16:21\n"
        ),
        "{}",
        shown(&text)
    );
    assert!(shown(&with_password("{ env = \"NO\" }")).contains("variable `NO` is not set"));
    assert!(shown(&with_password("{}")).contains("`password` needs either `file` or `env`"));
    assert!(shown(&with_password("\"\"")).contains("`password` is empty"));
}

/// However the file is broken, the secret is not in the diagnostics.
#[test]
fn never_in_diagnostics_explain_or_debug() {
    let lines = [
        "password = \"hunter2\"",
        "password = \"hunter2",
        "password = 'hunter2'",
        "password = hunter2",
        "password = \"\"\"\nhunter2\"\"\"",
        "password = \"\"\"\nhunter2",
        "password = [\"hunter2\"]",
        "password = [\n\"hunter2\"",
        "password = { fil = \"hunter2\" }",
        "password = { value = \"hunter2\", env = \"X\" }",
        "password = { value = \"hunter2\"",
        "password.value = \"hunter2\"",
        "password = 2\npassword = \"hunter2\"",
        "\"password\" = \"hunter2\"",
        "\"pass\\u0077ord\" = [\"hunter2\", \"${\"]",
        "pasword = \"hunter2\"",
        "passwd = \"hunter2\"",
        "Password = \"hunter2\"",
        "passphrase = \"hunter2\" oops",
        "x = { a = 1, passphrase = \"hunter2\", b = }",
        "password = \"hunter2${NO}\"",
        "password = \"hunter2${\"",
        "passphrase = { command = [\"x\"], file = \"y\", value = \"hunter2\" }",
        "passphrase = { comand = [\"hunter2\"] }",
        "password =\t'''hunter2''' x",
    ];
    for line in lines {
        for user in ["", "user = 5\n"] {
            let text = with_password("1").replace("user = \"probe\"\npassword = 1\n", user);
            let text = format!("{text}{line}\n");
            let all = match check_text(&text) {
                Ok(checked) => {
                    let explained = explain(&checked);
                    format!("{:?} {explained} {checked:?}", checked.warnings)
                }
                Err(diagnostics) => format!("{diagnostics:?} {}", shown(&text)),
            };
            assert!(!all.contains("hunter2"), "for {line}: {all}");
        }
    }
}

#[test]
fn a_masked_line_keeps_the_caret_right() {
    let text = format!(
        "{BASE}[profile.tls_client.x]\ncertificates = [{{ certificate = \"a\", passphrase = \"hunter2\", kye = 1 }}]\n"
    );
    let all = shown(&text);
    assert!(
        all.contains(
            "13 | certificates = [{ certificate = \"a\", passphrase = ***, kye = 1 }]\n   \
             |                                                        ^^^ help: did you mean `key`?"
        ),
        "{all}"
    );
}

/// Seen with `[virtual.pass]`, whose `listen` was shown as `***`.
#[test]
fn a_name_makes_nothing_below_it_secret() {
    for (text, line) in [
        ("[virtual.pass]\nlisten = \"nowhere\"", "listen = \"nowhere\""),
        ("[ virtual . \"pass\" ]\nlisten = \"nowhere\"", "listen = \"nowhere\""),
        ("[virtual]\npassed.listen = \"nowhere\"", "passed.listen = \"nowhere\""),
        ("virtual.passed = { listen = \"nowhere\" }", "virtual.passed = { listen = \"nowhere\" }"),
        (
            "virtual.\"pass\" = { listen = \"nowhere\" }",
            "virtual.\"pass\" = { listen = \"nowhere\" }",
        ),
        ("[profile.protocol.token]\nidle_timeout = \"x\"", "idle_timeout = \"x\""),
        ("[monitor.password]\nparent = \"nobody\"", "parent = \"nobody\""),
        ("[node.pass]\naddress = \"a b\"", "address = \"a b\""),
    ] {
        // At the top, where keys without a heading are the file's own.
        let shown = shown(&format!("{text}\n{BASE}"));
        assert!(shown.contains(&format!(" | {line}\n")), "{shown}");
    }
    for text in [
        "[monitor.pass]\nparent = \"hs2\"\nuser = 5\npassword = \"hunter2",
        "[monitor.pass.password]\nvalue = \"hunter2\"",
        "monitor.pass = { parent = \"hs2\", password = { value = \"hunter2\" } }",
        "monitor.pass = { parent = \"hs2\", password = \"hunter2\", x = 1 }",
        "[monitor]\npassword = { value = \"hunter2\" }",
        "[monitor]\npass = \"hunter2\"",
        "[profile.tls_client.pass]\ncertificates = { certificate = 1, passphrase = \"hunter2\" }",
    ] {
        let shown = shown(&format!("{text}\n{BASE}"));
        assert!(shown.contains("error: ") && !shown.contains("hunter2"), "{text}: {shown}");
    }
}

/// They may hold a token for the store of secrets.
#[test]
fn the_arguments_of_a_command_are_hidden() {
    for (line, expected) in [
        (
            "certificates = [{ certificate = 1, passphrase = { command = [\"get\", \"hunter2\"] } }]",
            "certificates = [{ certificate = 1, passphrase = { command = [\"get\",***] } }]",
        ),
        (
            "certificates = { certificate = 1, passphrase.command = [\"get\", \"-t\", \"hunter2\"] }",
            "certificates = { certificate = 1, passphrase.command = [\"get\", ***, ***] }",
        ),
        (
            "certificates = { certificate = 1, passphrase = { command = [\"get\", \"a]b\", \"hunter2",
            "certificates = { certificate = 1, passphrase = { command = [\"get\",***",
        ),
    ] {
        let shown = shown(&format!("{BASE}[profile.tls_client.x]\n{line}\n"));
        assert!(shown.contains(&format!("13 | {expected}\n")), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
