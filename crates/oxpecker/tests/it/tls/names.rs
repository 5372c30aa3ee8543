//! Which certificate is shown to whom.

use std::net::SocketAddr;
use std::process::Command;

use oxpecker_testkit::clients::run;
use oxpecker_testkit::{Authority, Member, TempDir};

use super::{look, profile_of, shown};
use crate::site::Site;

#[test]
fn the_name_asked_for_chooses_the_certificate() {
    let dir = TempDir::new();
    let (ours, theirs) = (Authority::new(dir.join("Our CA")), Authority::new(dir.join("Their CA")));
    let first = ours.issue("first", &["DNS:first.example.test"]);
    let second = theirs.issue("second", &["DNS:second.example.test", "DNS:also.example.test"]);
    let wild = ours.issue("wild", &["DNS:*.wild.example.test"]);
    let exact = theirs.issue("exact", &["DNS:exact.wild.example.test"]);
    let certificates = [&first, &second, &wild, &exact].map(|pair| pair.entry()).join(", ");
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_client = \"front\"")
        .top(&profile_of(&certificates, ""));
    let _gateway = site.start();
    let front = site.front();
    assert_eq!(shown(front, "", "-issuer"), "issuer=CN = Our CA");
    assert_eq!(shown(front, "second.example.test", "-issuer"), "issuer=CN = Their CA");
    for (name, subject) in [
        ("", "first"),
        ("first.example.test", "first"),
        ("unknown.example.test", "first"),
        ("second.example.test", "second"),
        ("ALSO.Example.Test", "second"),
        ("a.wild.example.test", "wild"),
        ("exact.wild.example.test", "exact"),
        ("wild.example.test", "first"),
        ("a.b.wild.example.test", "first"),
    ] {
        assert_eq!(shown(front, name, "-subject"), format!("subject=CN = {subject}"), "for {name}");
    }
}

/// Certificate, chain and key in one file, as HAProxy wants them, and the chain in another.
#[test]
fn the_whole_chain_is_shown() {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Root"));
    let pair = authority.issue("front", &["DNS:front.example.test"]);
    let texts = [&pair.certificate, &authority.certificate(), &pair.key]
        .map(|path| std::fs::read_to_string(path).unwrap());
    let bundle = dir.write("bundle.pem", &texts.concat());
    let in_parts = format!(
        "{{ certificate = \"{}\", key = \"{}\", chain = \"{}\" }}",
        pair.certificate.display(),
        pair.key.display(),
        authority.certificate().display()
    );
    for certificates in [format!("\"{}\"", bundle.display()), in_parts] {
        let site = Site::new(1)
            .virtual_server("type = \"standard\"\ntls_client = \"front\"")
            .top(&profile_of(&certificates, ""));
        let _member = Member::echo(site.member_addr(1));
        let _gateway = site.start();
        let ca = authority.certificate().display().to_string();
        let out = look(site.front(), &["-showcerts", "-CAfile", &ca]).ok();
        assert!(out.contains("Verification: OK"), "{out}");
        assert_eq!(out.matches("BEGIN CERTIFICATE").count(), 2, "{out}");
    }
}

/// Only what modern clients need, and nothing weak.
#[test]
fn versions_and_suites_are_the_modern_ones() {
    let front = super::Front::new(1);
    let _member = Member::echo(front.site.member_addr(1));
    let _gateway = front.site.start();
    let to = front.site.front();
    for version in ["-tls1_2", "-tls1_3"] {
        let out = look(to, &[version]).ok();
        assert!(out.contains(", Cipher is ") && !out.contains("(NONE)"), "{out}");
    }
    // At this level OpenSSL itself would offer them.
    for weak in ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DES-CBC3-SHA"] {
        let cipher = format!("{weak}:@SECLEVEL=0");
        let err = look(to, &["-tls1_2", "-cipher", &cipher]).fails();
        let refused = err.contains("handshake failure") || err.contains("no cipher");
        assert!(refused, "{weak}: {err}");
    }
    for old in ["-tls1", "-tls1_1"] {
        let err = look(to, &[old, "-cipher", "ALL:@SECLEVEL=0"]).fails();
        let told =
            err.contains("alert protocol version") || err.contains("alert handshake failure");
        assert!(told, "{old}: {err}");
    }
}

/// What a scanner sees: these suites with this kind of key, and nothing else.
#[track_caller]
fn scan(to: SocketAddr, key: &str) {
    let mut command = Command::new("sslscan");
    command.args(["--no-colour", &to.to_string()]);
    let out = run(command).ok();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = out.lines().map(words).collect();
    let versions = lines.iter().filter(|words| words.get(1).is_some_and(|word| word == "enabled"));
    let versions: Vec<_> = versions.map(|words| words[0].as_str()).collect();
    assert_eq!(versions, ["TLSv1.2", "TLSv1.3"], "{out}");
    let offered = lines.iter().filter(|words| {
        words.first().is_some_and(|word| word == "Accepted" || word == "Preferred")
    });
    let mut suites: Vec<_> = offered.map(|words| words[4].as_str()).collect();
    suites.sort_unstable();
    let expected = [
        &format!("ECDHE-{key}-AES128-GCM-SHA256"),
        &format!("ECDHE-{key}-AES256-GCM-SHA384"),
        &format!("ECDHE-{key}-CHACHA20-POLY1305"),
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ];
    assert_eq!(suites, expected, "{out}");
    assert!(out.contains("Session renegotiation not supported"), "{out}");
    assert!(!out.lines().any(|line| line.contains(" vulnerable") && !line.contains(" not ")));
}

/// Offload, bridging and the admin side, with both kinds of keys. What is passed through is the
/// members' own.
#[test]
fn sslscan_finds_nothing_weak() {
    let front = super::Front::new(1);
    let _member = Member::echo(front.site.member_addr(1));
    let rsa = front.authority.issue_rsa("rsa", &["DNS:rsa.example.test"]);
    let bridged = front.site.net.addr(2);
    let tables = format!(
        "[profile.tls_client.rsa]\ncertificates = [{}]\n\
         [virtual.bridged]\nlisten = \"{bridged}\"\npool = \"p\"\ntype = \"standard\"\n\
         tls_client = \"rsa\"\ntls_server = \"serverssl\"\n",
        rsa.entry()
    );
    let (to, admin) = (front.site.front(), front.site.admin_addr());
    let _gateway = front.site.top(&tables).admin("tls_client = \"rsa\"").start_with_admin();
    scan(to, "ECDSA");
    scan(bridged, "RSA");
    scan(admin, "RSA");
}

#[test]
fn a_profile_narrows_versions_and_suites() {
    let front = super::Front::with(
        1,
        "min_version = \"1.3\"\ncipher_suites = [\"TLS13_CHACHA20_POLY1305_SHA256\"]\n\
         alpn = [\"http/1.1\"]",
    );
    let _member = Member::echo(front.site.member_addr(1));
    let _gateway = front.site.start();
    let out = look(front.site.front(), &["-alpn", "h2,http/1.1"]).ok();
    assert!(out.contains("Cipher is TLS_CHACHA20_POLY1305_SHA256"), "{out}");
    assert!(out.contains("ALPN protocol: http/1.1"), "{out}");
    let err = look(front.site.front(), &["-tls1_2"]).fails();
    assert!(err.contains("alert protocol version"), "{err}");
}
