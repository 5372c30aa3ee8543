//! Certificates that come from authorities by themselves.

use std::time::Duration;

use oxpecker_config::model::{AcmeChallenge, Certificate};

use crate::tls::{found, standard};
use crate::{BASE, good};

/// An authority whose table has `lines` from line 18 on, and a certificate of it.
fn with_acme(listen: &str, lines: &str) -> String {
    let text = standard(&format!(
        "tls_client = \"x\"\n[profile.tls_client.x]\n\
         certificates = {{ acme = \"ca\", names = \"a.example.com\" }}\n[acme.ca]\n\
         agree_to_terms = true\n{lines}\n"
    ));
    text.replace("\"10.0.0.9:21050\"", &format!("[\"10.0.0.9:21050\", \"{listen}\"]"))
}

const DIRECTORY: &str = "directory = \"https://ca.example.com/dir\"";
#[test]
fn defaults_are_those_of_the_manual() {
    let config = good(&with_acme("10.0.0.9:443", DIRECTORY)).config;
    let acme = &config.acmes[0];
    assert_eq!((acme.challenge.clone(), acme.contact.len()), (AcmeChallenge::TlsAlpn01, 0));
    assert_eq!(acme.renew_before, Duration::from_secs(30 * 24 * 3600));
    assert_eq!(acme.state.to_str(), Some("/var/lib/oxpecker/acme"));
}

#[test]
fn certificates_from_files_or_from_an_authority() {
    let listed = |entry: &str| {
        found(&with_acme("10.0.0.9:443", DIRECTORY).replace(
            "{ acme = \"ca\", names = \"a.example.com\" }",
            &format!("[{{ acme = \"ca\", names = \"a.example.com\" }}, {entry}]"),
        ))
    };
    let must = "`names` must be a host name or a list of them, not";
    for (entry, expected) in [
        ("\"x.pem\"", vec![]),
        ("{ key = \"k\" }", vec!["15 error `certificate` is missing in `certificates`".to_owned()]),
        (
            "{ certificate = \"c\", acme = \"ca\", names = \"x\" }",
            vec![
                "15 error a certificate stands in files or comes from `acme`, not both".to_owned(),
            ],
        ),
        (
            "{ acme = \"ca\", names = \"x\", key = \"k\" }",
            vec!["15 error `key` does nothing for a certificate that comes from `acme`".to_owned()],
        ),
        (
            "{ certificate = \"c\", names = \"x\" }",
            vec!["15 error `names` does nothing for a certificate that stands in files".to_owned()],
        ),
        ("{ acme = \"ca\" }", vec!["15 error `acme` needs `names`".to_owned()]),
        ("{ acme = \"ca\", names = [] }", vec!["15 error `names` must not be empty".to_owned()]),
        (
            "{ acme = \"cb\", names = \"x\" }",
            vec!["15 error no acme table is called `cb`".to_owned()],
        ),
        (
            "{ acme = \"ca\", names = [\"x\", \"X.\"] }",
            vec!["15 warning `x` is listed twice".to_owned()],
        ),
        (
            "{ acme = \"ca\", names = [\"*.x.com\", \"a_b\", \"-a\", \"10.0.0.1\", \"a:1\"] }",
            vec![
                format!("15 error {must} `*.x.com`"),
                format!("15 error {must} `a_b`"),
                format!("15 error {must} `-a`"),
                format!("15 error {must} `10.0.0.1`"),
                format!("15 error {must} `a:1`"),
            ],
        ),
    ] {
        assert_eq!(listed(entry), expected, "{entry}");
    }
}

#[test]
fn authorities() {
    let text = with_acme(
        "10.0.0.9:21051",
        &format!(
            "{DIRECTORY}\nchallenge = \"http-01\"\ncontact = [\"mailto:ops@example.com\"]\n\
             renew_before = \"20d\"\nca_file = \"ca\""
        ),
    );
    let config = good(&text).config;
    let listen = "0.0.0.0:80".parse().expect("an address");
    assert_eq!(config.acmes[0].challenge, AcmeChallenge::Http01 { listen });
    assert_eq!(config.acmes[0].contact, ["ops@example.com"]);
    let profile = config.virtuals[0].tls_client.as_ref().expect("a profile");
    let names = vec!["a.example.com".to_owned()];
    assert_eq!(profile.certificates, [Certificate::Acme { acme: 0, names }]);

    let must = "18 error `directory` must be an https address, not";
    for (lines, expected) in [
        ("directory = \"http://127.0.0.1/dir\"", vec![format!("{must} `http://127.0.0.1/dir`")]),
        ("directory = \"https://\"", vec![format!("{must} `https://`")]),
        ("directory = \"https://a@b/\"", vec![format!("{must} `https://a@b/`")]),
        ("directory = \"https://a:0/\"", vec![format!("{must} `https://a:0/`")]),
        ("directory = \"letsencrypt\"", vec![format!("{must} `letsencrypt`")]),
        ("directory = \"https://[::1]:14000/dir\"", vec![]),
        (
            &format!("{DIRECTORY}\ncontact = [\"ops\", \"a b@c\", \"a@b?c=d\"]"),
            vec![
                "19 error `contact` must be a mail address or a list of them, not `ops`".to_owned(),
                "19 error `contact` must be a mail address or a list of them, not `a b@c`".into(),
                "19 error `contact` must be a mail address or a list of them, not `a@b?c=d`".into(),
            ],
        ),
        (
            &format!("{DIRECTORY}\nhttp_listen = \"*:80\""),
            vec![
                "19 error `http_listen` does nothing with `challenge = \"tls-alpn-01\"`".to_owned(),
            ],
        ),
        (
            &format!("{DIRECTORY}\nchallenge = \"http-01\"\nhttp_listen = \"10.0.0.9:443\""),
            vec![
                "20 error `10.0.0.9:443` is already taken by virtual server `hs2`".to_owned(),
                "20 warning the authority `ca` will connect to port 80, not to 443".to_owned(),
            ],
        ),
        (
            &format!("{DIRECTORY}\nrenew_before = \"1m\""),
            vec!["19 error `renew_before` must be at least 1h".to_owned()],
        ),
    ] {
        assert_eq!(found(&with_acme("10.0.0.9:443", lines)), expected, "{lines}");
    }
    for agreed in ["", "agree_to_terms = false\n"] {
        let text = with_acme("10.0.0.9:443", DIRECTORY).replace("agree_to_terms = true\n", agreed);
        let problems = found(&text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with("[acme.ca] needs `agree_to_terms = true`"), "{problems:?}");
    }
}

#[test]
fn authorities_share_the_port_they_are_all_asked_on() {
    let acme = |name: &str, listen: &str| {
        format!(
            "[acme.{name}]\n{DIRECTORY}\nagree_to_terms = true\nchallenge = \"http-01\"\n\
             http_listen = \"{listen}\"\n"
        )
    };
    let clashes = |text: &str| {
        let all = found(text);
        all.into_iter().filter(|problem| problem.contains("already taken")).collect::<Vec<_>>()
    };
    let same = format!("{BASE}{}{}", acme("a", "10.0.0.9:80"), acme("b", "10.0.0.9:80"));
    assert_eq!(clashes(&same), [""; 0]);
    let overlap = format!("{BASE}{}{}", acme("a", "10.0.0.9:80"), acme("b", "*:80"));
    assert_eq!(clashes(&overlap), ["21 error `[::]:80` is already taken by [acme.a]"]);
}

#[test]
fn an_authority_must_find_us() {
    let lacks = "16 warning the authority `ca` will connect to port 443, where no virtual server \
                 ends TLS";
    assert_eq!(found(&with_acme("10.0.0.9:443", DIRECTORY)), [""; 0]);
    assert_eq!(found(&with_acme("10.0.0.8:21050", DIRECTORY)), [lacks]);
    let text = with_acme("10.0.0.9:443", DIRECTORY)
        .replace("tls_client =", "public_name = \"b.example.com\"\ntls_client =");
    assert_eq!(found(&text), ["13 warning no certificate is asked for `b.example.com`"]);
    assert_eq!(found(&text.replace("b.example.com", "A.Example.com.")), [""; 0]);
}

#[test]
fn an_authority_must_be_let_in() {
    let closed = with_acme("10.0.0.9:443", DIRECTORY)
        .replace("tls_client =", "allow = [\"10.0.0.0/8\"]\ntls_client =");
    let kept_out = "13 warning the authority `ca` will connect to port 443, and may be kept out by \
                    `allow`";
    assert_eq!(found(&closed), [kept_out]);
    let open = closed.replace("\"10.0.0.0/8\"", "\"10.0.0.0/8\", \"0.0.0.0/0\"");
    assert_eq!(found(&open), [""; 0]);
    assert_eq!(
        found(&closed.replace(DIRECTORY, &format!("{DIRECTORY}\nchallenge = \"http-01\""))),
        [""; 0]
    );
}
