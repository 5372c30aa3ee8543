//! TLS profiles and who uses them.

use oxpecker_config::model::{
    Certificate, CertificateFiles, ClientAuth, Monitor, Passphrase, TlsClient, TlsServer,
    TlsVersion, TlsVersions, Verify,
};
use oxpecker_config::{Input, Maps, check as check_inputs, explain};

use crate::{BASE, check_text, good, shown};

/// `BASE` with a standard virtual server; `more` starts at line 13.
pub(crate) fn standard(more: &str) -> String {
    format!("{BASE}type = \"standard\"\n{more}")
}

/// Such as `13 error message` for every problem.
pub(crate) fn found(text: &str) -> Vec<String> {
    let diagnostics = match check_text(text) {
        Ok(checked) => checked.warnings,
        Err(diagnostics) => diagnostics,
    };
    let line = |d: &oxpecker_config::Diagnostic| {
        format!("{} {} {}", d.line, d.severity.as_str(), d.message)
    };
    diagnostics.iter().map(line).collect()
}

/// A profile toward clients with one certificate, then `lines` from line 16 on.
fn with_client(lines: &str) -> String {
    standard(&format!(
        "tls_client = \"x\"\n[profile.tls_client.x]\ncertificates = \"x.pem\"\n{lines}\n"
    ))
}

/// A profile toward members, `lines` from line 15 on.
fn with_server(lines: &str) -> String {
    standard(&format!("tls_server = \"x\"\n[profile.tls_server.x]\n{lines}\n"))
}

const PIN: &str = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";

fn client(lines: &str) -> TlsClient {
    good(&with_client(lines)).config.virtuals.remove(0).tls_client.expect("a profile")
}

fn server(lines: &str) -> TlsServer {
    good(&with_server(lines)).config.virtuals.remove(0).tls_server.expect("a profile")
}

fn files(certificate: &str) -> CertificateFiles {
    CertificateFiles { certificate: certificate.into(), key: None, chain: None, passphrase: None }
}

#[test]
fn defaults_are_those_of_the_manual() {
    let both = TlsVersions { min: TlsVersion::V1_2, max: TlsVersion::V1_3 };
    let expected = TlsClient {
        name: "x".to_owned(),
        certificates: vec![Certificate::Files(files("x.pem"))],
        versions: both,
        cipher_suites: vec![],
        alpn: vec![],
        tickets: true,
        client_auth: None,
        handshakes_per_source: None,
    };
    assert_eq!(client(""), expected);
    let expected = TlsServer {
        name: "x".to_owned(),
        verify: Verify::Required,
        server_name: None,
        ca_file: None,
        crl_file: None,
        versions: both,
        cipher_suites: vec![],
        certificate: None,
    };
    assert_eq!(server(""), expected);
}

#[test]
fn profiles_say_all_they_can() {
    let profile = client(
        "min_version = \"1.3\"\ncipher_suites = [\"TLS_AES_256_GCM_SHA384\", \
         \"TLS13_AES_128_GCM_SHA256\"]\nalpn = [\"h2\", \"http/1.1\"]\ntickets = false\n\
         client_certificates = \"optional\"\nclient_ca_file = \"ca\"\nclient_crl_file = \"crl\"\n\
         handshakes_per_source = 50",
    );
    assert_eq!(profile.versions.min, TlsVersion::V1_3);
    assert_eq!(profile.cipher_suites, ["TLS13_AES_256_GCM_SHA384", "TLS13_AES_128_GCM_SHA256"]);
    assert_eq!(profile.alpn, ["h2", "http/1.1"]);
    assert_eq!((profile.tickets, profile.handshakes_per_source), (false, Some(50)));
    let auth = ClientAuth { ca_file: "ca".into(), crl_file: Some("crl".into()), optional: true };
    assert_eq!(profile.client_auth, Some(auth));
    let profile = server(
        "verify = \"required\"\nserver_name = \"Impala.Example.COM.\"\nmax_version = \"1.2\"\n\
         certificate = \"c\"\nkey = \"k\"\npassphrase = { command = [\"p\", \"\"] }",
    );
    assert_eq!(profile.server_name.as_deref(), Some("impala.example.com"));
    let passphrase = Some(Passphrase::Command(vec!["p".to_owned(), String::new()]));
    let expected = CertificateFiles { key: Some("k".into()), passphrase, ..files("c") };
    assert_eq!(profile.certificate, Some(expected));
    assert_eq!(profile.versions.max, TlsVersion::V1_2);
}

#[test]
fn fingerprints_in_every_spelling() {
    let colons: Vec<&str> = (0..64).step_by(2).map(|at| &PIN[at..at + 2]).collect();
    let colons = colons.join(":").to_uppercase();
    for spelling in [
        PIN.to_owned(),
        format!("sha256:{PIN}"),
        colons.clone(),
        format!("sha256:{colons}"),
        format!("SHA256:{colons}"),
        format!("sha256 Fingerprint={colons}"),
        format!("SHA256 Fingerprint={colons}"),
    ] {
        let profile = server(&format!("verify = \"pinned\"\nfingerprints = \"{spelling}\""));
        match profile.verify {
            Verify::Pinned(pins) => {
                assert_eq!((pins.len(), pins[0][0], pins[0][31]), (1, 0x8f, 0xa4), "{spelling}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn profiles_toward_clients_that_make_no_sense() {
    let none = "does nothing with `client_certificates = \"none\"`";
    for (lines, expected) in [
        ("min_version = \"1.1\"", vec!["16 error `min_version` cannot be `1.1`".to_owned()]),
        ("max_version = \"SSLv3\"", vec!["16 error `max_version` cannot be `SSLv3`".to_owned()]),
        (
            "min_version = \"TLSv1.2\"",
            vec!["16 error `min_version` must be one of \"1.2\", \"1.3\", not `TLSv1.2`".to_owned()],
        ),
        (
            "min_version = \"1.3\"\nmax_version = \"1.2\"",
            vec!["17 error `min_version` (1.3) is newer than `max_version` (1.2)".to_owned()],
        ),
        ("cipher_suites = []", vec!["16 error `cipher_suites` must not be empty".to_owned()]),
        (
            "max_version = \"1.2\"\ncipher_suites = \"TLS13_AES_128_GCM_SHA256\"",
            vec![
                "17 error `cipher_suites` has none for TLS 1.2, and nothing else is offered".into(),
            ],
        ),
        (
            "cipher_suites = \"TLS13_AES_128_GCM_SHA256\"",
            vec!["16 warning `cipher_suites` has none for TLS 1.2: it is not offered then".into()],
        ),
        (
            "min_version = \"1.3\"\ncipher_suites = [\"TLS13_AES_128_GCM_SHA256\", \
             \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"]",
            vec![
                "17 warning `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` does nothing: it is for TLS 1.2"
                    .to_owned(),
            ],
        ),
        (
            "min_version = \"1.3\"\ncipher_suites = [\"TLS13_AES_128_GCM_SHA256\", \
             \"TLS_AES_128_GCM_SHA256\"]",
            vec!["17 warning `TLS13_AES_128_GCM_SHA256` is listed twice".to_owned()],
        ),
        ("client_ca_file = \"ca\"", vec![format!("16 error `client_ca_file` {none}")]),
        ("client_crl_file = \"ca\"", vec![format!("16 error `client_crl_file` {none}")]),
        (
            "client_certificates = \"required\"",
            vec!["16 error `client_certificates = \"required\"` needs `client_ca_file`".to_owned()],
        ),
        (
            "handshakes_per_source = 0",
            vec![
                "16 error `handshakes_per_source` must be a whole number from 1 to 1000000, or \"off\""
                    .to_owned(),
            ],
        ),
        ("alpn = \"acme-tls/1\"", vec!["16 error `acme-tls/1` cannot be offered to clients".into()]),
        ("alpn = \"h 2\"", vec!["16 error `h 2` is not the name of a protocol".to_owned()]),
    ] {
        assert_eq!(found(&with_client(lines)), expected, "{lines}");
    }
}

#[test]
fn what_a_parent_says_is_reported_once() {
    let parent = "[profile.tls_client.p]\ncertificates = \"p\"\nmin_version = \"1.3\"\n\
                  max_version = \"1.2\"\n";
    let text = with_client(&format!("parent = \"p\"\n{parent}"));
    assert_eq!(found(&text), ["20 error `min_version` (1.3) is newer than `max_version` (1.2)"]);
    let text = with_client(
        "parent = \"p\"\nmax_version = \"1.2\"\n[profile.tls_client.p]\ncertificates = \"p\"\n\
         min_version = \"1.3\"",
    );
    assert_eq!(found(&text), ["17 error `min_version` (1.3) is newer than `max_version` (1.2)"]);
    // A child may give up what its parent asks for.
    let profile = client(
        "parent = \"p\"\nclient_certificates = \"none\"\n[profile.tls_client.p]\n\
         certificates = \"p\"\nclient_certificates = \"required\"\nclient_ca_file = \"ca\"",
    );
    assert_eq!(profile.client_auth, None);
}

#[test]
fn cipher_suites_and_what_is_said_of_others() {
    let said = |name: &str| {
        let text = with_client(&format!("cipher_suites = \"{name}\""));
        check_text(&text).expect_err("refused").remove(0)
    };
    for (name, spelled) in [
        ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ("ecdhe-ecdsa-aes256-gcm-sha384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    ] {
        let problem = said(name);
        assert_eq!(problem.message, format!("`{name}` is OpenSSL's name of a cipher suite"));
        assert_eq!(problem.help, Some(format!("write \"{spelled}\"")));
    }
    for (name, reason) in [
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "CBC mode"),
        ("ECDHE-RSA-AES128-SHA256", "CBC mode"),
        ("ECDHE-RSA-AES256-SHA", "CBC mode"),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", "with RSA key exchange"),
        ("AES128-GCM-SHA256", "with RSA key exchange"),
        ("AES256-SHA", "with RSA key exchange"),
        ("TLS_RSA_WITH_RC4_128_SHA", "RC4"),
        ("RC4-SHA", "RC4"),
        ("DES-CBC3-SHA", "DES"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES"),
        ("TLS_RSA_WITH_NULL_SHA256", "it encrypts nothing"),
        ("DHE-RSA-AES128-GCM-SHA256", "finite-field"),
        ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "finite-field"),
    ] {
        let problem = said(name);
        let start = format!("cipher suite `{name}` is not offered at all: {reason}");
        assert!(problem.message.starts_with(&start), "{problem}");
    }
    let problem = said("HIGH:!aNULL");
    assert_eq!(problem.message, "`HIGH:!aNULL` is not the name of a cipher suite");
    let problem = said("TLS13_AES_256_GCM_SHA38");
    assert_eq!(problem.help.as_deref(), Some("did you mean `TLS13_AES_256_GCM_SHA384`?"));
    assert!(said("x").help.expect("a list").starts_with("known: `TLS13_AES_256_GCM_SHA384`, "));
}

#[test]
fn profiles_toward_members_that_make_no_sense() {
    let pins = format!("fingerprints = \"{PIN}\"");
    let unverified = "13 warning `x` does not verify the members' certificates";
    for (lines, expected) in [
        ("verify = \"none\"".to_owned(), vec![unverified]),
        (
            "verify = \"none\"\nca_file = \"ca\"".to_owned(),
            vec![unverified, "16 warning `ca_file` does nothing with `verify = \"none\"`"],
        ),
        (
            "verify = \"pinned\"".to_owned(),
            vec!["15 error `verify = \"pinned\"` needs `fingerprints`"],
        ),
        (
            "verify = \"pinned\"\nfingerprints = []".to_owned(),
            vec!["16 error `verify = \"pinned\"` needs `fingerprints`"],
        ),
        (pins.clone(), vec!["15 error `fingerprints` do nothing with `verify = \"required\"`"]),
        (
            format!("verify = \"pinned\"\ncrl_file = \"x\"\n{pins}"),
            vec!["16 warning `crl_file` does nothing with `verify = \"pinned\"`"],
        ),
        ("key = \"k\"".to_owned(), vec!["15 error `key` needs a `certificate`"]),
        (
            "server_name = \"https://x\"".to_owned(),
            vec!["15 error `server_name` must be a host name or an IP address, not `https://x`"],
        ),
    ] {
        assert_eq!(found(&with_server(&lines)), expected, "{lines}");
    }
    for (bad, help) in [
        ("sha256/AAAA", "that is a fingerprint of the key"),
        (&PIN[..40], "that is a SHA-1 fingerprint"),
        (&PIN[..62], "64 hexadecimal digits are needed, here are 62"),
        ("xyz", "`openssl x509"),
    ] {
        let text = with_server(&format!("verify = \"pinned\"\nfingerprints = [\"{bad}\"]"));
        let problem = check_text(&text).expect_err("refused").remove(0);
        assert!(problem.help.as_ref().expect("help").starts_with(help), "{problem}");
    }
}

#[test]
fn names_for_clients_and_for_routes() {
    let layer4 =
        |lines: &str| format!("{BASE}{lines}\n[pool.p2]\nport = 21050\nmembers = [\"a\"]\n");
    let text = layer4(
        "sni_routes = [{ name = \"X.example.com\", pool = \"p2\" }, \
         { name = \"*.Example.com\", pool = \"hs2\" }]",
    );
    let server = good(&text).config.virtuals.remove(0);
    let routes: Vec<_> = server.sni_routes.iter().map(|r| (r.name.as_str(), r.pool)).collect();
    assert_eq!(routes, [("x.example.com", 1), ("*.example.com", 0)]);
    assert!(server.sni_peek);
    assert!(good(&format!("{BASE}sni_peek = true\n")).config.virtuals[0].sni_peek);
    assert!(!good(BASE).config.virtuals[0].sni_peek);

    let route = |name: &str| format!("{{ name = \"{name}\", pool = \"p2\" }}");
    let must = "12 error `name` must be a host name, or `*.` and a host name, not";
    for (lines, expected) in [
        (
            format!("sni_routes = [{}, {}]", route("a.b"), route("a.b")),
            vec!["12 warning `a.b` is routed twice; the first one wins".to_owned()],
        ),
        (
            format!("sni_routes = [{}, {}]", route("*.b"), route("a.b")),
            vec!["12 warning nobody comes here: `*.b` stands before `a.b`".to_owned()],
        ),
        (format!("sni_routes = [{}, {}]", route("*.b"), route("a.c.b")), vec![]),
        (
            format!("sni_routes = [{}, {}]", route("a*.b"), route("*")),
            vec![format!("{must} `a*.b`"), format!("{must} `*`")],
        ),
        (
            "sni_routes = [{ name = \"a\", pool = \"p3\" }]".to_owned(),
            vec!["12 error no pool is called `p3`".to_owned()],
        ),
        (
            "sni_routes = [\"a\"]".to_owned(),
            vec![
                "12 error `sni_routes` must be a list of `{ name = \"NAME\", pool = \"POOL\" }` \
                 tables, not a text"
                    .to_owned(),
            ],
        ),
        (
            format!("sni_peek = false\nsni_routes = [{}]", route("a")),
            vec!["12 error `sni_routes` need the server name that `sni_peek` looks for".to_owned()],
        ),
        (
            format!("type = \"standard\"\nsni_routes = {}", route("a")),
            vec!["13 error `sni_routes` is not possible on a `standard` virtual server".to_owned()],
        ),
    ] {
        let mut problems = found(&layer4(&lines));
        problems.retain(|problem| !problem.contains("pool `p2` is used by no"));
        assert_eq!(problems, expected, "{lines}");
    }
    assert_eq!(
        found(&standard("sni_peek = true\n")),
        ["13 error `sni_peek` is not possible on a `standard` virtual server"]
    );
    for bad in ["10.0.0.1", "*.example.com", "https://a", "a..b", "a:1", "ä.example.com", "-a"] {
        let text = format!("{BASE}public_name = \"{bad}\"\n");
        assert_eq!(
            found(&text),
            [format!("12 error `public_name` must be a host name, not `{bad}`")]
        );
    }
}

#[test]
fn unused_profiles_and_authorities_are_remarked() {
    let text = format!(
        "{BASE}[profile.tls_client.a]\ncertificates = \"c\"\n[profile.tls_client.b]\nparent = \"a\"\n\
         [profile.tls_server.c]\n[profile.tls_server.d]\nparent = \"c\"\n[monitor.m]\n\
         type = \"tcp\"\ntls = \"d\"\n[profile.tls_server.e]\n\
         [acme.f]\ndirectory = \"https://a/\"\nagree_to_terms = true\n"
    );
    assert_eq!(
        found(&text),
        [
            "14 warning TLS profile `b` is used by no virtual server",
            "22 warning TLS profile `e` is used by no virtual server and no monitor",
            "23 warning authority `f` is used by no certificate",
        ]
    );
    // Not on top of a reference that leads nowhere.
    let text = standard("tls_client = \"y\"\n[profile.tls_client.x]\ncertificates = \"c\"\n");
    assert_eq!(found(&text), ["13 error no tls_client profile is called `y`"]);
}

/// The monitor of the first pool.
fn monitor(text: &str) -> Monitor {
    good(text).config.pools.remove(0).monitor.expect("a monitor")
}

fn profile_of(monitor: &Monitor) -> Option<&str> {
    monitor.tls.as_ref().map(|profile| profile.name.as_str())
}

#[test]
fn probes_speak_tls_as_clients_connections_do() {
    let second =
        |tls: &str| format!("[virtual.b]\nlisten = \"10.0.0.8:21050\"\npool = \"hs2\"\n{tls}\n");
    let x = "tls_server = \"x\"\n";
    let profiles = "[profile.tls_server.x]\n[profile.tls_server.y]\n[virtual.y]\n\
                    listen = \"10.0.0.7:21050\"\ntype = \"standard\"\ntls_server = \"y\"\n\
                    pool = \"other\"\n[pool.other]\nport = 21050\nmembers = [\"b\"]\n";
    let with = |monitor: &str, table: &str, second: &str| {
        standard(&format!("{x}{second}{profiles}{table}")).replace(
            "port = 21050\nmembers = [\"a\", \"b\"]",
            &format!("port = 21050\nmembers = [\"a\", \"b\"]\nmonitor = \"{monitor}\""),
        )
    };
    let own = |lines: &str| format!("[monitor.m]\n{lines}\n");
    for (name, table, other, expected) in [
        ("tcp", String::new(), String::new(), Some("x")),
        ("hs2", String::new(), second("type = \"standard\"\ntls_server = \"x\""), Some("x")),
        // One that passes bytes through says nothing.
        ("hs2", String::new(), second(""), Some("x")),
        ("hs2", String::new(), second("type = \"standard\""), Some("x")),
        ("http", String::new(), String::new(), Some("x")),
        ("healthz", String::new(), String::new(), None),
        ("m", own("type = \"http\"\nport = 25000"), String::new(), None),
        ("m", own("type = \"http\"\nport = 21050"), String::new(), Some("x")),
        ("m", own("type = \"tcp\"\nport = 28000"), String::new(), Some("x")),
        ("m", own("type = \"healthz\"\ntls = \"serverssl\""), String::new(), Some("serverssl")),
        ("m", own("type = \"hs2\"\ntls = \"off\""), String::new(), None),
        ("m", own("type = \"hs2\"\ntls = \"y\""), String::new(), Some("y")),
    ] {
        let text = with(name, &table, &other);
        let monitor = monitor(&text);
        assert_eq!(profile_of(&monitor), expected, "{name} {table} {other}");
        let again = check_inputs(&[Input::new("again", explain(&good(&text)))], &Maps::default());
        assert_eq!(again.expect("good").config, good(&text).config, "{name} {table} {other}");
    }
    // Inherited, too.
    let text = with("n", &own("type = \"hs2\"\ntls = \"y\"\n[monitor.n]\nparent = \"m\""), "");
    assert_eq!(profile_of(&monitor(&text)), Some("y"));
    let differ = second("type = \"standard\"\ntls_server = \"y\"");
    let text = with("hs2", "", &differ);
    assert_eq!(profile_of(&monitor(&text)), None);
    assert_eq!(
        shown(&text),
        "warning: probes of pool `hs2` could use the TLS profile `x` or `y`, and use neither\n  \
         --> oxpecker.toml:9:11\n9 | monitor = \"hs2\"\n  |           ^^^^^ help: write \
         [monitor.NAME] with parent = \"hs2\" and tls = \"x\", or tls = \"off\""
    );
    assert_eq!(found(&with("m", &own("type = \"hs2\"\ntls = \"off\""), &differ)), [""; 0]);
    assert_eq!(found(&with("none", "", &differ)), ["9 warning pool `hs2` is not monitored"]);
    let text = with("m", &own("type = \"hs2\"\ntls = \"z\""), "");
    assert!(found(&text)[0].ends_with("no tls_server profile is called `z`"));
    let text = with(
        "m",
        &own("type = \"hs2\"\ntls = \"z\"\n[profile.tls_server.z]\nverify = \"none\""),
        "",
    );
    assert!(found(&text)[0].ends_with("`z` does not verify the members' certificates"));
}

#[test]
fn offering_what_is_not_read_is_remarked() {
    let text =
        with_client("alpn = [\"h2\"]").replace("[profile", "protocol = \"hs2-http\"\n[profile");
    assert_eq!(found(&text), ["13 warning `x` offers `h2`, which is not read here"]);
}

#[test]
fn passphrases_come_from_files_variables_commands_and_clear_text() {
    let value =
        |text: &str| Passphrase::Value(oxpecker_config::model::Secret::new(text.to_owned()));
    let command = |words: &[&str]| Passphrase::Command(words.iter().map(|w| (*w).into()).collect());
    for (written, expected) in [
        ("{ file = \"pass\" }", value("swordfish")),
        ("{ env = \"PROBE_PASSWORD\" }", value("swordfish")),
        ("\"${PROBE_PASSWORD}\"", value("swordfish")),
        ("\"hunter2\"", value("hunter2")),
        ("{ command = \"prog\" }", command(&["prog"])),
        ("{ command = [\"prog\", \"a b\"] }", command(&["prog", "a b"])),
        ("{ command = [\"p\", \"${PROBE_PASSWORD}\"] }", command(&["p", "swordfish"])),
    ] {
        for side in ["client", "server"] {
            let text = match side {
                "client" => with_client("").replace(
                    "\"x.pem\"",
                    &format!("[{{ certificate = \"c\", passphrase = {written} }}]"),
                ),
                _ => with_server(&format!("certificate = \"c\"\npassphrase = {written}")),
            };
            let checked = good(&text);
            let server = &checked.config.virtuals[0];
            let files = match (&server.tls_client, &server.tls_server) {
                (Some(profile), _) => match &profile.certificates[0] {
                    Certificate::Files(files) => files,
                    other => panic!("{other:?}"),
                },
                (_, Some(profile)) => profile.certificate.as_ref().expect("a certificate"),
                _ => panic!("no profile"),
            };
            assert_eq!(files.passphrase.as_ref(), Some(&expected), "{written}");
            let explained = explain(&checked);
            let told = format!("{explained} {:?}", checked.warnings);
            assert!(!told.contains("swordfish") && !told.contains("hunter2"), "{told}");
            assert_eq!(checked.warnings.len(), usize::from(written == "\"hunter2\""));
            if written.contains("command = [") {
                let masked = written.replace("\"a b\"", "\"***\"");
                let masked = masked.replace("\"${PROBE_PASSWORD}\"", "\"***\"");
                assert!(masked != written && explained.contains(&masked), "{explained}");
            }
        }
    }
    for (written, expected) in [
        ("{}", "`passphrase` needs one of `file`, `env` and `command`"),
        (
            "{ file = \"pass\", command = \"x\" }",
            "`passphrase` needs one of `file`, `env` and `command`",
        ),
        ("{ command = [] }", "`command` names no program"),
        ("{ command = [\"\"] }", "`command` names no program"),
        ("{ command = \"get secret\" }", "`command` is run without a shell"),
        ("{ comand = \"x\" }", "`passphrase` needs one of `file`, `env` and `command`"),
    ] {
        let text = with_server(&format!("certificate = \"c\"\npassphrase = {written}"));
        assert_eq!(found(&text)[0], format!("16 error {expected}"), "{written}");
    }
}
