//! Every monitor, inside TLS, to stand-ins: the member with the right certificate is up and serves,
//! the one with another name's is down, for a reason that is told.

use oxpecker_testkit::clients::{impala_shell, run};
use oxpecker_testkit::{Authority, Launch, Pair, Standin, TempDir};

use super::at_ease;
use crate::site::{PROGRAM, Site};

/// A stand-in whose client ports and web pages show this certificate.
#[track_caller]
fn standin(site: &Site, member: u8, pair: &Pair) -> Standin {
    let (certificate, key) = (pair.certificate.display(), pair.key.display());
    let arguments = [
        "--sample".to_owned(),
        format!("--ssl_server_certificate={certificate}"),
        format!("--ssl_private_key={key}"),
        format!("--webserver_certificate_file={certificate}"),
        format!("--webserver_private_key_file={key}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Standin::start(site.member_addr(member).ip(), &arguments)
}

/// The monitor takes its TLS from the virtual server of the pool, so it verifies what traffic does;
/// for the web pages, which are a service of their own, it is written.
#[track_caller]
fn check(parent: &str, more: &str, protocol: &str, port: u16) {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Member CA"));
    let ca = authority.certificate().display().to_string();
    let members = format!("[profile.tls_server.members]\nca_file = \"{ca}\"");
    let site = Site::new(2)
        .member(1, &format!("port = {port}"))
        .member(2, &format!("port = {port}"))
        .virtual_server("type = \"standard\"\ntls_server = \"members\"")
        .top(&members)
        .monitored(&format!("parent = \"{parent}\"\ntimeout = \"20s\"\n{more}"));
    let ip = |member| site.member_addr(member).ip();
    let right = authority.issue("right", &[&format!("IP:{}", ip(1))]);
    let wrong = authority.issue("wrong", &["DNS:other.example.test"]);
    let (good, _bad) = (standin(&site, 1, &right), standin(&site, 2, &wrong));
    // A probe of many steps may take its time on a machine that is busy with all the tests; the
    // first one tells all that is asked here.
    let config = at_ease(&site.config()).replace("interval = \"1s\"", "interval = \"20s\"");
    let gateway = Launch::new(PROGRAM, &config).start();
    let up = gateway.out.wait("to=\"up\"");
    assert!(up.contains(&format!("m1:{port}")), "{up}");
    let down = gateway.out.wait("member is down");
    let reason = format!("the certificate is for other.example.test, not for {}", ip(2));
    assert!(down.contains(&format!("m2:{port}")) && down.contains(&reason), "{down}");
    for _ in 0..2 {
        let mut shell = impala_shell();
        shell.args([&format!("--protocol={protocol}"), "-i", &site.front().to_string()]);
        shell.args(["-B", "-q", "select pid()"]);
        assert_eq!(run(shell).ok().trim(), good.pid().to_string());
    }
    // Nobody tried the other one, and the first was never thought ill of.
    assert_eq!(gateway.out.count("member is down"), 1);
    assert_eq!(gateway.out.count("TLS handshake with a member failed"), 0);
}

#[test]
fn tcp() {
    check("tcp", "", "hs2", 21_050);
}

#[test]
fn http() {
    check("http", "port = 25000\npath = \"/backends?json\"\ntls = \"members\"", "hs2", 21_050);
}

#[test]
fn hs2() {
    check("hs2", "", "hs2", 21_050);
}

#[test]
fn beeswax() {
    check("beeswax", "", "beeswax", 21_000);
}

#[test]
fn hs2_http() {
    check("hs2-http", "", "hs2-http", 28_000);
}

#[test]
fn healthz() {
    check("healthz", "tls = \"members\"", "hs2", 21_050);
}
