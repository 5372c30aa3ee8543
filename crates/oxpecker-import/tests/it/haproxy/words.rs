//! Clauses whose meaning is one line, and what is said where something is wrong.

use std::time::Duration;

use oxpecker_config::model::{Certificate, Config, TlsVersion};
use oxpecker_import::Verdict;

use super::{SERVER, listen, refused, says};
use crate::{config, haproxy, told};

#[track_caller]
fn read(lines: &str) -> Config {
    config(&haproxy(&listen(lines)))
}

/// A line of `bind` with these options, on top of the usual one.
#[track_caller]
fn bind(options: &str) -> Config {
    read(&format!(" bind {options}\n{SERVER}"))
}

#[test]
fn the_certificate_for_clients_without_a_name() {
    let files = |options: &str| -> Vec<String> {
        let profile = bind(options).virtuals[1].tls_client.clone().expect("a profile");
        let file = |certificate: &Certificate| match certificate {
            Certificate::Files(files) => files.certificate.display().to_string(),
            Certificate::Acme { .. } => String::new(),
        };
        profile.certificates.iter().map(file).collect()
    };
    assert_eq!(files("10.0.0.9:1 ssl crt /b.pem crt /c.pem"), ["/b.pem", "/c.pem"]);
    assert_eq!(
        files("10.0.0.9:1 ssl crt /b.pem default-crt /a.pem crt /c.pem"),
        ["/a.pem", "/b.pem", "/c.pem"]
    );
    refused(
        " bind 10.0.0.9:1 ssl crt /etc/haproxy/certs/",
        "directories of certificates are not read",
    );
    refused(
        " bind 10.0.0.9:1 ssl crt /a.pem verify required ca-file /a ca-verify-file /b",
        "clients' certificates are verified by one file of authorities",
    );
}

#[test]
fn clauses_of_bind() {
    let everybody = bind("10.0.0.9:1 accept-proxy").virtuals[1].accept_proxy.clone();
    let shown: Vec<_> = everybody.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(shown, ["0.0.0.0/0", "::/0"]);
    let told = listen(&format!(" bind 10.0.0.9:1 accept-proxy\n{SERVER}"));
    says(&told, "warned: `l-1` takes PROXY headers from everybody");
    assert!(bind("[fd00::9]:1 v4v6").virtuals[1..].iter().all(|server| server.dual_stack));
    assert!(!bind("[fd00::9]:1 v6only").virtuals[1].dual_stack);
}

#[test]
fn one_version_of_tls_for_all_listeners() {
    let text = format!(
        "global\n ssl-default-bind-options force-tlsv12\n{}",
        listen(&format!(" bind 10.0.0.9:1 ssl crt /a.pem\n{SERVER}"))
    );
    let profile = config(&haproxy(&text)).virtuals[1].tls_client.clone().expect("a profile");
    assert_eq!(profile.versions.max, TlsVersion::V1_2);
}

#[test]
fn clauses_of_servers() {
    let server = |options: &str| listen(&format!(" server a 10.0.0.1:21050 check {options}\n"));
    says(&server("fastinter 1s"), "changed: without `fastinter`");
    let pool = |text: &str| config(&haproxy(text)).pools[0].clone();
    assert!(pool(&server("source 0.0.0.0 usesrc clientip")).transparent);
    let two =
        server("maxconn 5 maxqueue 7") + " server b 10.0.0.2:21050 check maxconn 5 maxqueue 7\n";
    assert_eq!(pool(&two).queue_max, 14);
    says(&two, "connections wait at the pool, not at a member");
    says(
        &listen(&format!(" balance source\n hash-type consistent\n{SERVER}")),
        "is always consistent",
    );
    let kept = read(&format!(" option srvtcpka\n srvtcpka-idle 2m\n srvtcpka-cnt 3\n{SERVER}"));
    let profile = &kept.virtuals[0].protocol_profile;
    let server = profile.server_keepalive.expect("keep-alive");
    assert_eq!((server.idle, server.count), (Duration::from_secs(120), 3));
    assert_ne!(profile.client_keepalive, profile.server_keepalive);
}

/// What is said of the file's lines, by verdict and line.
fn count(text: &str, verdict: Verdict) -> usize {
    haproxy(text).report.count(verdict)
}

#[test]
fn one_mistake_is_told_once() {
    for line in [
        " bind 10.0.0.9:1 crt-list /x",
        " server b 10.0.0.2:21050 nonsense value check",
        " server b ${NO_SUCH_HOST}:21050 check",
        " bind ${NO_SUCH_HOST}:1",
    ] {
        let text = listen(&format!("{line}\n{SERVER}"));
        assert_eq!(count(&text, Verdict::Refused), 1, "{:#?}", told(&haproxy(&text)));
    }
    let page = "listen s\n mode http\n bind 127.0.0.1:25002\n stats enable\n stats auth u:p\n";
    let text = listen(SERVER) + page;
    assert_eq!(count(&text, Verdict::Warned), 1, "{:#?}", told(&haproxy(&text)));
}

#[test]
fn what_is_the_same_for_many_lines_is_explained_once() {
    let listens = ["a", "b", "c"].map(|name| {
        format!("listen {name}\n bind unix@/run/{name}\n balance leastconn\n server {name} 10.0.0.1:21050 check\n")
    });
    let told = told(&haproxy(&listens.concat()));
    let count = |words: &str| told.iter().filter(|line| line.contains(words)).count();
    assert_eq!((count("each port of a host by itself"), count("as above")), (1, 2), "{told:#?}");
}

#[test]
fn words_are_those_of_the_file_at_hand() {
    let imported = haproxy(&listen(&format!(" bind 8.8.8.8:21050\n{SERVER}")));
    let open =
        imported.report.diagnostics().find(|at| at.message.contains("everybody may connect"));
    let help = open.and_then(|at| at.help.clone()).expect("a warning");
    assert!(help.contains("tcp-request connection reject unless"), "{help}");
    let imported = haproxy(&listen(&format!(" timeout server 3600\n{SERVER}")));
    let short = imported.report.diagnostics().find(|at| at.message.contains("is cut"));
    let help = short.and_then(|at| at.help.clone()).expect("a warning");
    assert!(help.contains("a bare number is milliseconds: is 3600s meant?"), "{help}");
    let socket =
        format!("global\n stats socket ipv4@127.0.0.1:9999 level admin\n{}", listen(SERVER));
    says(&socket, "changed: commands are not taken over TCP");
}
