//! The real clients: impala-shell, impyla, PyHive. Not optional: without them these tests fail.

use crate::process::Process;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A program of the test clients.
#[track_caller]
fn tool(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tool = root.join(".tools/venv").join(path);
    assert!(tool.exists(), "{} is missing: run scripts/test-clients.sh", tool.display());
    tool
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts").join(name)
}

/// Runs to the end; standard output and standard error.
#[track_caller]
fn output(command: &mut Command) -> (bool, String, String) {
    // With a ticket cache the shell would try Kerberos by itself; the home directory gets its
    // history.
    command.env_remove("KRB5CCNAME").env("HOME", env!("CARGO_TARGET_TMPDIR"));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

pub(crate) const LOGIN: &[&str] =
    &["-l", "-u", "alice", "--auth_creds_ok_in_clear", "--ldap_password_cmd=printf secret"];

/// impala-shell without decoration.
#[track_caller]
fn shell(protocol: &str, port: u16, login: &[&str], sql: &str) -> (bool, String, String) {
    let address = format!("127.0.0.1:{port}");
    let protocol = format!("--protocol={protocol}");
    let mut command = Command::new(tool("shell/bin/impala-shell"));
    output(command.args([&protocol, "-i", &address, "-B", "-q", sql]).args(login))
}

#[track_caller]
fn check_shell(protocol: &str, port_name: &str) {
    let standin = Process::start(&["--sample"]);
    let port = standin.port(port_name);
    let sql = "select pid(); show tables; describe web_logs; create table t (a int, s string); \
        insert into t values (1, '007'), (2, null); select * from t order by a; set mem_limit=1g; use default; \
        select value, value * 0.5 from generate_series(1, 30000) where value % 10000 = 0; values (1, 'x'); \
        explain select * from t; upsert into t values (3, 'x'); update t set s = 'y' where a = 3; select 1;";
    let (ok, out, err) = shell(protocol, port, &[], sql);
    assert!(ok, "{err}");
    let expected = format!(
        "{}\ncustomers\norders\nweb_logs\nat\ttimestamp\t\nclient\tstring\t\nmethod\tstring\t\npath\tstring\t\n\
         status\tsmallint\t\nbytes\tbigint\t\nseconds\tdouble\t\nTable has been created.\n1\t007\n2\tNULL\n",
        standin.pid()
    );
    let (out, rest) = out.split_at(expected.len().min(out.len()));
    assert_eq!(out, expected, "{err}");
    assert!(rest.starts_with("10000\t5000"), "{rest}\n{err}");
    assert!(rest.ends_with("\n1\n"), "{rest}");
    for line in ["Modified 2 row(s)", "Fetched 3 row(s)", "MEM_LIMIT set to 1g"] {
        assert!(err.contains(line), "`{line}` in {err}");
    }
    let (ok, _, err) = shell(protocol, port, &[], "select nonsense from customers");
    assert!(!ok);
    assert!(
        err.contains("AnalysisException: Could not resolve column/field reference: 'nonsense'"),
        "{err}"
    );
    let (ok, _, err) = shell(protocol, port, &[], "select repeat('x', 1000000000)");
    assert!(!ok && err.contains("repeat: the text would be too long"), "{err}");
}

#[test]
fn impala_shell_hs2() {
    check_shell("hs2", "hs2");
}

#[test]
fn impala_shell_beeswax() {
    check_shell("beeswax", "beeswax");
}

#[test]
fn impala_shell_hs2_http() {
    check_shell("hs2-http", "http");
}

#[test]
fn impala_shell_logs_in() {
    let standin = Process::start(&["--sample", "--auth=plain", "--user=alice=secret"]);
    for (protocol, port) in [("hs2", "hs2"), ("beeswax", "beeswax"), ("hs2-http", "http")] {
        let (ok, out, err) =
            shell(protocol, standin.port(port), LOGIN, "select user(), count(*) from orders");
        assert!(ok, "{protocol}: {err}");
        assert_eq!(out, "alice\t8000\n", "{protocol}: {err}");
    }
    let wrong = [&LOGIN[..4], &["--ldap_password_cmd=printf wrong"]].concat();
    let (ok, _, err) = shell("hs2", standin.port("hs2"), &wrong, "select 1");
    assert!(!ok && err.contains("read 0 bytes"), "{err}");
    let (ok, _, err) = shell("hs2-http", standin.port("http"), &wrong, "select 1");
    assert!(!ok && err.contains("401"), "{err}");
}

#[track_caller]
fn check_terminal(protocol: &str, port_name: &str) {
    let standin = Process::start(&[]);
    let address = format!("127.0.0.1:{}", standin.port(port_name));
    let web = format!("127.0.0.1:{}", standin.port("web"));
    let mut command = Command::new(tool("shell/bin/python"));
    command
        .arg(script("terminal.py"))
        .arg(tool("shell/bin/impala-shell"))
        .args([protocol, &address, &web]);
    let (ok, out, err) = output(&mut command);
    assert!(ok, "{err}");
    assert!(out.contains("Cancelling Query") && out.contains("Query Interrupted"), "{out}");
    assert!(out.contains("after cancel"), "{out}");
    assert_eq!(out.contains("after reconnect"), protocol != "beeswax", "{out}");
}

#[test]
fn impala_shell_ctrl_c_and_reconnect_hs2() {
    check_terminal("hs2", "hs2");
}

#[test]
fn impala_shell_ctrl_c_beeswax() {
    check_terminal("beeswax", "beeswax");
}

#[test]
fn impala_shell_ctrl_c_and_reconnect_hs2_http() {
    check_terminal("hs2-http", "http");
}

#[track_caller]
fn check_impyla(mode: &str, port_name: &str, user: Option<&str>, arguments: &[&str]) {
    let standin = Process::start(&[&["--sample"], arguments].concat());
    let mut command = Command::new(tool("cli/bin/python"));
    let port = standin.port(port_name).to_string();
    let (ok, out, err) =
        output(command.arg(script("with_impyla.py")).args([&port, mode]).env("USER", "zoe"));
    assert!(ok, "{out}\n{err}");
    let (first, rest) = out.split_once('\n').unwrap();
    assert!(first.starts_with(&format!("({}, '", standin.pid())), "{first}");
    assert!(user.is_none_or(|user| first.ends_with(&format!(", '{user}')"))), "{first}");
    let expected = include_str!("scripts/with_impyla.expected");
    assert_eq!(rest, expected);
}

#[test]
fn impyla_raw() {
    check_impyla("none", "hs2", None, &[]);
}

#[test]
fn impyla_plain() {
    check_impyla("plain", "hs2", Some("alice"), &["--auth=plain", "--user=alice=secret"]);
}

#[test]
fn impyla_http() {
    check_impyla("http", "http", None, &[]);
}

#[test]
fn impyla_http_with_login() {
    check_impyla("http-login", "http", Some("alice"), &["--auth=plain", "--user=alice=secret"]);
}

#[test]
fn pyhive_plain() {
    let standin = Process::start(&["--sample", "--auth=plain", "--user=alice=secret"]);
    let mut command = Command::new(tool("cli/bin/python"));
    let (ok, out, err) =
        output(command.arg(script("with_pyhive.py")).arg(standin.port("hs2").to_string()));
    assert!(ok, "{out}\n{err}");
    let expected = format!(
        "[({}, 'alice', None)]\n(8000,)\n5000050000\n\
         AnalysisException: Could not resolve column/field reference: 'nonsense'\n\
         TTransportException TSocket read 0 bytes\n",
        standin.pid()
    );
    assert_eq!(out, expected);
}
