//! The examples of the documentation and of the design are good, and complete.

use std::collections::BTreeSet;

use oxpecker_config::model::{Certificate, Passphrase, Secret};
use oxpecker_config::{TABLES, explain, reference};

use crate::{check_text, docs, examples, good};

#[test]
fn every_example_is_good() {
    for (name, text) in examples() {
        if let Err(diagnostics) = check_text(&text) {
            panic!("{name}: {}", diagnostics[0]);
        }
    }
}

#[test]
fn warnings_of_the_examples_are_the_known_ones() {
    for (name, text) in examples() {
        let warnings: Vec<String> =
            good(&text).warnings.into_iter().map(|warning| warning.message).collect();
        let expected: &[&str] = match name.as_str() {
            "two-services.toml" => &[
                "`shell` listens on port 25003, its members on 21000",
                "`hue` listens on port 21051, its members on 21050",
            ],
            _ => &[],
        };
        assert_eq!(warnings, expected, "{name}");
    }
}

#[test]
fn the_full_example_has_every_key() {
    let path = docs().join("examples/full.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let words: BTreeSet<&str> =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    for table in TABLES {
        for option in table.options {
            assert!(words.contains(option.key), "{} of {}", option.key, table.heading);
        }
    }
    // A table's own keys come from its own lines: `explain` knows.
    let explained = explain(&good(&text));
    let known_defaults = [
        // Not together with what the example shows instead.
        "transparent",
        "directory",
        "parent",
        "source",
        "port",
        "send_proxy",
        "login",
        "user",
        "password",
    ];
    for line in explained.lines().filter(|line| line.ends_with("# default")) {
        let key = line.trim_start_matches("# ").split([' ', ':']).next().unwrap();
        let written = explained
            .lines()
            .any(|other| other.starts_with(&format!("{key} = ")) && other.contains(".toml:"));
        assert!(written || known_defaults.contains(&key), "nobody writes {key}");
    }
}

/// design.md §5, which is a promise.
const DESIGN: &str = r#"
[node.coord-1]
address = "10.17.84.11"            # IP recommended; a name is re-resolved and the last good answer kept
[node.coord-2]
address = "10.17.84.12"
[node.coord-3]
address = "10.17.84.13"

[pool.hs2]
description = "impalad HiveServer2: Hue, JDBC, ODBC 2"
port = 21050                       # default for members
members = ["coord-1", "coord-2", { node = "coord-3", port = 21051, weight = 2 }]
method = "least-connections"       # round-robin | least-connections | source-hash | random-two | least-operations
scope = "node"                     # node: all connections to that address, over all pools (F5's recipe) · member
monitor = "hs2"                    # tcp | http | hs2 | beeswax | hs2-http | healthz; or a [monitor.NAME]
service_down = "none"              # none | reset | drop | reselect

[virtual.hue]
listen = "0.0.0.0:21051"
pool = "hs2"
type = "standard"                  # layer4: opaque bytes, cheapest · standard: may end TLS and read the protocol
protocol = "hs2"                   # tcp | hs2 | beeswax | hs2-http
persistence = "source_addr_1h"
protocol_profile = "fastl4_1h"
tls_client = "front"               # profile names
tls_server = "verified"
allow = ["10.0.0.0/8"]             # security group

[profile.protocol.fastl4_1h]
parent = "fastl4"                  # built in: idle_timeout 300 s
idle_timeout = "1h"

[profile.persistence.source_addr_1h]
parent = "source_addr"             # built in: timeout 180 s
timeout = "1h"

[profile.tls_client.front]         # parent clientssl
certificates = [{ certificate = "f5-demo-12.crt", key = "f5-demo-12.key", chain = "ca.crt", passphrase = { file = "pass" } }]

[profile.tls_server.verified]
parent = "serverssl"

[admin]
listen = "127.0.0.1:25002"
"#;

#[test]
fn the_design_is_kept() {
    let checked = good(DESIGN);
    assert_eq!(checked.warnings, []);
    let server = &checked.config.virtuals[0];
    assert_eq!(server.protocol_profile.idle_timeout.unwrap().as_secs(), 3600);
    assert_eq!(server.persistence.as_ref().unwrap().timeout.as_secs(), 3600);
    match &server.tls_client.as_ref().unwrap().certificates[0] {
        Certificate::Files(files) => {
            let passphrase = Passphrase::Value(Secret::new("swordfish".to_owned()));
            assert_eq!(files.passphrase, Some(passphrase));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(checked.config.pools[0].members[2].port, 21051);
}

#[test]
fn the_manual_page_is_fresh() {
    let path = docs().join("configuration.md");
    let wanted = reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/configuration.md is stale: run UPDATE=1 cargo test -p oxpecker-config"
    );
}

#[test]
fn the_example_of_every_option_is_good_toml() {
    for table in TABLES {
        for option in table.options {
            let text = format!("{} = {}", option.key, option.example);
            let parsed = toml::de::DeTable::parse(&text);
            assert!(parsed.is_ok(), "{text}");
            assert!(option.doc.ends_with(['.', ')']), "{} is no sentence", option.doc);
        }
    }
}
