//! TLS on the client ports and on the web pages, with certificates by openssl.

use crate::clients::LOGIN;
use crate::process::Process;
use oxpecker_testkit::clients::{Printed, impala_shell, run};
use oxpecker_testkit::{Authority, Pair, TempDir};
use std::process::Command;

struct Files {
    _dir: TempDir,
    ca: String,
    pair: Pair,
}

fn files() -> Files {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Stand-in CA"));
    let ca = authority.certificate().display().to_string();
    let pair = authority.issue("standin", &["DNS:localhost", "IP:127.0.0.1"]);
    Files { _dir: dir, ca, pair }
}

/// impalad's own names of the options.
fn client_ports(pair: &Pair) -> [String; 2] {
    [
        format!("--ssl_server_certificate={}", pair.certificate.display()),
        format!("--ssl_private_key={}", pair.key.display()),
    ]
}

#[track_caller]
fn shell(standin: &Process, protocol: &str, port: &str, more: &[&str]) -> Printed {
    let mut command = impala_shell();
    let address = format!("localhost:{}", standin.port(port));
    command.args([&format!("--protocol={protocol}"), "-i", &address, "-B", "-q", "show tables"]);
    command.args(more);
    run(command)
}

#[track_caller]
fn check(arguments: &[&str], login: &[&str]) {
    let Files { ca, pair, .. } = &files();
    let tls = client_ports(pair);
    let tls = tls.iter().map(String::as_str);
    let standin = Process::start(&arguments.iter().copied().chain(tls).collect::<Vec<_>>());
    for (protocol, port) in [("beeswax", "beeswax"), ("hs2", "hs2"), ("hs2-http", "http")] {
        let more = [&["--ssl", "--ca_cert", ca], login].concat();
        let out = shell(&standin, protocol, port, &more).ok();
        assert_eq!(out, "customers\norders\nweb_logs\n", "{protocol}");
    }
    // Without TLS there is no way in. Only the web pages are a thing of their own.
    let err = shell(&standin, "hs2", "hs2", login).fails();
    // Whether it hears of an end or of a reset is a matter of time.
    assert!(err.contains("Not connected to Impala"), "{err}");
    assert_eq!(standin.get("/healthz").1, "OK");
    let flags = standin.json("/varz?json").to_string();
    assert!(flags.contains("standin.crt"), "{flags}");
}

#[test]
fn impala_shell_with_tls() {
    check(&["--sample"], &[]);
}

#[test]
fn impala_shell_with_tls_and_a_login() {
    check(&["--sample", "--auth=plain", "--user=alice=secret"], LOGIN);
}

#[test]
fn web_pages_with_tls() {
    let Files { ca, pair, .. } = &files();
    let both = [&pair.certificate, &pair.key].map(|path| std::fs::read_to_string(path).unwrap());
    // Without --webserver_private_key_file the key is in the same file.
    let bundle = pair.certificate.with_extension("pem");
    std::fs::write(&bundle, both.concat()).unwrap();
    let web = format!("--webserver_certificate_file={}", bundle.display());
    let standin = Process::start(&["--sample", &web]);
    let to = format!("localhost:{}", standin.port("web"));
    let script = "printf 'GET /?json HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | \
        openssl s_client -connect \"$0\" -CAfile \"$1\" -verify_return_error -quiet";
    let mut command = Command::new("sh");
    command.args(["-c", script, &to, ca]);
    let Printed { out, err, .. } = run(command);
    assert!(out.starts_with("HTTP/1.1 200 OK\r\n"), "{out}\n{err}");
    let page = out.split_once("\r\n\r\n").unwrap().1;
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    let url = page["__common__"]["host-url"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{url}");
    // The client ports are as they were.
    assert_eq!(shell(&standin, "hs2", "hs2", &[]).ok(), "customers\norders\nweb_logs\n");
}

#[test]
fn files_that_do_not_fit_are_named() {
    let Files { pair, .. } = &files();
    let [certificate, key] = client_ports(pair);
    let refused = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_impala-standin"));
        command.args(arguments);
        run(command).fails()
    };
    let err = refused(&[&certificate]);
    assert!(err.contains("--ssl-private-key"), "{err}");
    let wrong = format!("--ssl_private_key={}", pair.certificate.display());
    let err = refused(&[&certificate, &wrong]);
    assert!(err.contains("failed to read") && err.contains("standin.crt"), "{err}");
    let missing = "--ssl_server_certificate=/nonexistent.crt";
    let err = refused(&[missing, &key]);
    assert!(err.contains("/nonexistent.crt") && err.contains("No such file"), "{err}");
}
