//! Whether probes speak TLS, and whose certificates are believed.

use oxpecker_config::model::{Monitor, Verify};

use super::{listen, refused, says};
use crate::{config, haproxy};

#[track_caller]
fn monitor(lines: &str) -> Monitor {
    config(&haproxy(&listen(lines))).pools[0].monitor.clone().expect("a monitor")
}

/// Asked of HAProxy 2.6 with a server that shows what it hears.
#[test]
fn probes_speak_tls_where_haproxys_do() {
    let cases = [
        ("", "ssl verify none check", true),
        ("", "ssl verify none no-check-ssl check", false),
        ("", "ssl verify none check port 35000", false),
        ("", "ssl verify none check port 21050", false),
        ("", "ssl verify none check check-ssl port 35000", true),
        ("", "check", false),
        ("", "check check-ssl verify none port 35000", true),
        (" option tcp-check\n tcp-check connect\n", "ssl verify none check", false),
        (" option tcp-check\n tcp-check connect default\n", "ssl verify none check", true),
        (" option tcp-check\n tcp-check connect port 35000\n", "ssl verify none check", false),
        (" option tcp-check\n tcp-check connect port 35000 ssl\n", "check", true),
        (" option ssl-hello-chk\n", "check", true),
        (" option httpchk GET /x\n", "ssl verify none check", true),
        (" option httpchk GET /x\n", "ssl verify none check port 35000", false),
        (" option httpchk GET /x\n", "ssl verify none check check-ssl port 35000", true),
        (" option httpchk GET /x\n", "check port 35000", false),
    ];
    for (lines, options, expected) in cases {
        let monitor = monitor(&format!("{lines} server a 10.0.0.1:21050 {options}\n"));
        assert_eq!(monitor.tls.is_some(), expected, "{lines} {options}");
    }
    // With the same profile as connections.
    let lines = " option httpchk GET /x\n server a 10.0.0.1:21050 ssl ca-file /ca.pem verifyhost x check check-ssl port 35000\n";
    assert_eq!(monitor(lines).tls.unwrap().server_name.as_deref(), Some("x"));
    refused(
        " server b 10.0.0.2:21050 ssl verify none check\n server c 10.0.0.3:21050 ssl verify none check port 35000",
        "some members are probed in clear text and others by TLS",
    );
}

#[test]
fn a_probe_makes_one_connection() {
    refused(
        " option tcp-check\n tcp-check connect port 35000\n tcp-check connect port 35001",
        "a probe makes one connection",
    );
    // A rule of the proxy's own takes the place of those it inherits.
    let text = "defaults\n mode tcp\n option tcp-check\n tcp-check connect port 35000\nlisten l\n \
                bind 10.0.0.9:1\n tcp-check connect port 35001\n server a 10.0.0.1:21050 check\n";
    assert_eq!(config(&haproxy(text)).pools[0].monitor.as_ref().unwrap().port, Some(35_001));
}

#[test]
fn servers_that_are_believed_otherwise_are_no_pool() {
    let two = |one: &str, other: &str| {
        listen(&format!(
            " server a a.example.com:21050 ssl {one} check\n server b b.example.com:21050 ssl {other} check"
        ))
    };
    let verified = "verify required ca-file /ca.pem verifyhost x";
    let mixed = "some members' certificates are verified and others' are not";
    says(&two("verify none", verified), mixed);
    says(&two(verified, "verify none"), mixed);
    assert!(haproxy(&two("verify none", verified)).checked().is_none());
    for (option, what) in
        [("ca-file /other.pem", "ca-file"), ("ssl-min-ver TLSv1.3", "ssl-min-ver")]
    {
        let text = two(verified, &format!("{verified} {option}"));
        says(&text, &format!("refused: `{what}` is the same for all members of a pool"));
    }
    // Names that nobody verifies need not be the same.
    let named = two("verify none sni str(x)", "verify none sni str(y)");
    let profile = config(&haproxy(&named)).virtuals[0].tls_server.clone().unwrap();
    assert_eq!((profile.verify, profile.server_name), (Verify::None, None));
    says(&named, "members are asked for the name in their own address");
}

#[test]
fn the_name_that_probes_ask_for_is_told() {
    let server =
        |options: &str| listen(&format!(" server a 10.0.0.1:21050 ssl verify none {options}"));
    says(&server("check sni str(x) check-sni y"), "probes ask for `x`, as connections do");
    says(&server("check port 35000 check-sni y"), "the probe is in clear text");
}
