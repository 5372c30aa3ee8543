//! `check` and `explain` as scripts use them: exit status, standard output, standard error.

use std::process::{Command, Output};

use oxpecker_testkit::TempDir;

use crate::site::{PROGRAM, Site};

pub(crate) fn oxpecker(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(PROGRAM).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Without a problem and without a remark.
const FINE: &str = r#"
node.m1.address = "10.17.84.11"
pool.p = { port = 21050, members = ["m1"] }
virtual.v = { listen = "10.17.84.12:21050", pool = "p", allow = ["10.0.0.0/8"] }
"#;

fn with_file(text: &str) -> (TempDir, String) {
    let dir = TempDir::new();
    let file = dir.write("oxpecker.toml", text).display().to_string();
    (dir, file)
}

#[test]
fn a_fine_configuration_is_status_0() {
    let (_dir, file) = with_file(FINE);
    let (status, out, err) = oxpecker(&["check", "-f", &file]);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "configuration is fine\n", ""));
    assert_eq!(oxpecker(&["check", "--strict", "-f", &file]).0, 0);
}

#[test]
fn warnings_are_status_0_and_under_strict_4() {
    let (_dir, file) = with_file(&Site::new(1).config());
    let (status, out, _) = oxpecker(&["check", "-f", &file]);
    assert_eq!(status, 0);
    assert!(out.contains("warning: pool `p` is not monitored"), "{out}");
    assert!(out.contains("configuration is usable: "), "{out}");
    assert_eq!(oxpecker(&["check", "--strict", "-f", &file]).0, 4);
}

#[test]
fn errors_are_status_3_and_all_shown_at_once() {
    let broken = FINE.replace("port = 21050", "prot = 21050") + "[monitor.x]\ninterval = 5\n";
    let (_dir, file) = with_file(&broken);
    for command in ["check", "explain", "run"] {
        let (status, out, err) = oxpecker(&[command, "-f", &file]);
        assert_eq!(status, 3, "{command}");
        let shown = if command == "check" { out } else { err };
        assert!(shown.contains("help: did you mean `port`?"), "{shown}");
        assert!(shown.contains("oxpecker.toml:6:"), "{shown}");
        assert!(shown.contains("configuration is not usable: "), "{shown}");
    }
}

#[test]
fn check_speaks_json() {
    let broken = FINE.replace("port = 21050", "prot = 21050");
    let (_dir, file) = with_file(&broken);
    let (status, out, _) = oxpecker(&["check", "--format", "json", "-f", &file]);
    assert_eq!(status, 3);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["errors"].as_u64() >= Some(1));
    let list = report["diagnostics"].as_array().unwrap();
    let typo = list.iter().find(|d| d["message"].as_str().unwrap().contains("prot")).unwrap();
    assert_eq!((&typo["severity"], &typo["line"]), (&"error".into(), &3.into()));
    assert!(typo["file"].as_str().unwrap().ends_with("oxpecker.toml"));
    assert!(typo["help"].as_str().unwrap().contains("port"));
}

#[test]
fn wrong_usage_is_status_2() {
    for args in [&["check", "--no-such-flag"][..], &["no-such-command"], &[]] {
        assert_eq!(oxpecker(args).0, 2, "{args:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let (status, _, err) = oxpecker(&["check", "-f", "/nonexistent/oxpecker.toml"]);
    assert_ne!(status, 0);
    assert!(err.contains("/nonexistent"), "{err}");
    let dir = TempDir::new();
    let file = dir.join("missing.toml").display().to_string();
    let (status, _, err) = oxpecker(&["check", "-f", &file]);
    assert_eq!(status, 3);
    assert!(err.contains("missing.toml") && err.contains("no such file"), "{err}");
    let (status, _, err) = oxpecker(&["check", "-f", &dir.path().display().to_string()]);
    assert_eq!(status, 3);
    assert!(err.contains("no *.toml file in"), "{err}");
}

/// Fragments in byte order of their names; what editors and packagers leave behind is not read.
#[test]
fn a_directory_is_read_in_order_without_what_is_hidden() {
    let dir = TempDir::new();
    dir.write("conf.d/10-nodes.toml", "node.m1.address = \"10.17.84.11\"\n");
    dir.write("conf.d/20-pools.toml", "[pool.p]\nport = 21050\nmembers = [\"m1\"]\n");
    dir.write(
        "conf.d/30-virtuals.toml",
        "[virtual.v]\nlisten = \"10.17.84.12:21050\"\npool = \"p\"\nallow = [\"10.0.0.0/8\"]\n",
    );
    for broken in [".hidden.toml", "40-new.toml.dpkg-new", "50-old.toml~", "README"] {
        dir.write(&format!("conf.d/{broken}"), "this is [not toml");
    }
    let conf_d = dir.join("conf.d").display().to_string();
    let (status, out, err) = oxpecker(&["check", "-f", &conf_d]);
    assert_eq!(status, 0, "{out}{err}");
    // Diagnostics come in the order of reading.
    dir.write("conf.d/05-first.toml", "first = 1\n");
    dir.write("conf.d/95-last.toml", "last = 1\n");
    let (status, out, _) = oxpecker(&["check", "-f", &conf_d]);
    assert_eq!(status, 3);
    let (first, last) = (out.find("05-first.toml:1"), out.find("95-last.toml:1"));
    assert!(first.is_some() && first < last, "{out}");
}

#[test]
fn several_files_are_one_configuration() {
    let dir = TempDir::new();
    let mut args = vec!["check".to_owned()];
    for (number, line) in FINE.trim().lines().enumerate() {
        let file = dir.write(&format!("{number}.toml"), line);
        args.extend(["-f".to_owned(), file.display().to_string()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (status, out, err) = oxpecker(&args);
    assert_eq!(status, 0, "{out}{err}");
}

#[test]
fn explain_shows_values_with_their_places_and_no_secret() {
    let (_dir, file) = with_file(
        &(FINE.to_owned()
            + "[monitor.login]\nparent = \"hs2\"\nuser = \"svc\"\npassword = \"hunter2\"\n"),
    );
    let (status, out, err) = oxpecker(&["explain", "-f", &file]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("oxpecker.toml:3"), "where the pool comes from: {out}");
    assert!(out.contains("connect_timeout"), "defaults are shown too: {out}");
    assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{out}");
}

/// Opening a socket would disturb a gateway that runs.
#[test]
fn check_opens_no_socket() {
    let site = Site::new(1);
    let _taken = std::net::TcpListener::bind(site.front()).unwrap();
    let (_dir, file) = with_file(&site.config());
    assert_eq!(oxpecker(&["check", "-f", &file]).0, 0);
}

/// Certificates stand beside the configuration, wherever the program was started.
#[test]
fn certificate_files_are_opened_and_what_is_wrong_is_located() {
    let text = FINE
        .replace("pool = \"p\",", "pool = \"p\", type = \"standard\", tls_client = \"c\",")
        + "[profile.tls_client.c]\ncertificates = [\"missing.pem\", \"empty.pem\"]\n";
    let (dir, file) = with_file(&text);
    dir.write("empty.pem", "nothing\n");
    for command in ["check", "run"] {
        let (status, out, err) = oxpecker(&[command, "-f", &file]);
        assert_eq!(status, 3, "{command}: {out}{err}");
        let shown = if command == "check" { out } else { err };
        let missing = dir.join("missing.pem").display().to_string();
        assert!(shown.contains(&format!("error: failed to read {missing}: no such")), "{shown}");
        assert!(shown.contains("empty.pem holds no certificate"), "{shown}");
        assert!(shown.contains("oxpecker.toml:6:16\n6 | certificates = [\"missing"), "{shown}");
        assert!(shown.contains("configuration is not usable: 2 errors"), "{shown}");
    }
    // What it means is one thing, whether it can be used another.
    assert_eq!(oxpecker(&["explain", "-f", &file]).0, 0);
}

#[test]
fn check_looks_at_what_an_authority_needs() {
    let text = FINE
        .replace("pool = \"p\",", "pool = \"p\", type = \"standard\", tls_client = \"c\",")
        + "[profile.tls_client.c]\ncertificates = [{ acme = \"a\", names = [\"x.example.com\"] }]\n\
           [acme.a]\ndirectory = \"https://acme.example.com/\"\nagree_to_terms = true\n\
           state = \"acme\"\n";
    let (dir, file) = with_file(&text);
    let check = |file: &str| oxpecker(&["check", "-f", file]);
    let (status, out, _) = check(&file);
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("will connect to port 443, where no virtual server ends TLS"), "{out}");
    // What an earlier start left behind.
    dir.write("acme", "not a directory");
    let (status, out, _) = check(&file);
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("/acme is not a directory") && out.contains("oxpecker.toml:10:"), "{out}");
    let (status, out, _) =
        check(&dir.write("b.toml", &format!("{text}ca_file = \"x\"\n")).display().to_string());
    assert_eq!(status, 3, "{out}");
    assert!(out.contains("failed to read") && out.contains("b.toml:11:"), "{out}");
}

#[test]
fn help_lists_exit_statuses_and_signals() {
    let (status, out, _) = oxpecker(&["--help"]);
    assert_eq!(status, 0);
    for word in ["Exit status", "HUP", "TERM", "USR1", "check", "explain"] {
        assert!(out.contains(word), "`{word}` is missing: {out}");
    }
    assert_eq!(oxpecker(&["--version"]).0, 0);
}
