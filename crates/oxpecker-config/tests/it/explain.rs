//! `explain`: origins, inheritance, and that its text means the same as what it explains.

use oxpecker_config::model::Secret;
use oxpecker_config::{Config, Input, Maps, check, explain};

use crate::{BASE, HASH, check_text, examples, good};

#[test]
fn tells_where_each_value_came_from() {
    let text = format!(
        "{BASE}protocol_profile = \"long\"\n\
         [profile.protocol.long]\nparent = \"middle\"\nclient_timeout = \"2h\"\n\
         [profile.protocol.middle]\nparent = \"fastl4\"\nserver_timeout = \"1h\"\n"
    );
    let explained = explain(&good(&text));
    let section = explained.split("\n\n").find(|part| part.starts_with("[profile.protocol.long]"));
    assert_eq!(
        section.unwrap(),
        r#"[profile.protocol.long]  # used by virtual hs2
parent = "middle"  # oxpecker.toml:14
idle_timeout = "300s"  # from fastl4
client_timeout = "2h"  # oxpecker.toml:15
server_timeout = "1h"  # from middle
handshake_timeout = "10s"  # default
client_keepalive = { idle = "60s", interval = "15s", count = 4 }  # default
server_keepalive = { idle = "60s", interval = "15s", count = 4 }  # default
client_user_timeout = "off"  # default
server_user_timeout = "off"  # default"#
    );
}

#[test]
fn members_show_their_effective_values() {
    let explained = explain(&good(BASE));
    let line = "    { node = \"a\", port = 21050, weight = 1, priority = 10, state = \"enabled\" },  \
                # oxpecker.toml:8";
    assert!(explained.lines().any(|found| found == line), "{explained}");
    assert!(
        explained.contains("# built in:\n# [monitor.tcp]  # used by pool hs2\n"),
        "{explained}"
    );
    assert!(explained.contains("# connections_max: no limit of its own  # default\n"));
}

#[test]
fn probes_tell_where_their_tls_comes_from() {
    let text = format!("{BASE}type = \"standard\"\ntls_server = \"serverssl\"\n");
    let explained = explain(&good(&text));
    let lines = "\nmonitor = \"tcp\"  # default\n\
                 # TLS of its probes: as its virtual servers  # from tls_server serverssl\n";
    assert!(explained.contains(lines), "{explained}");
    assert!(!explain(&good(BASE)).contains("TLS of its probes"));
}

/// Secrets are `***` in an explained text.
fn without_secrets(mut config: Config) -> Config {
    use oxpecker_config::model::{AdminPassword, Certificate, Login, Passphrase, Probe, Store};
    let forget = |passphrase: &mut Option<Passphrase>| match passphrase {
        Some(Passphrase::Value(secret)) => *secret = Secret::default(),
        Some(Passphrase::Command(words)) => words.truncate(1),
        _ => {}
    };
    if let Some(delivery) = &mut config.log.delivery
        && let Store::Bucket(bucket) = &mut delivery.store
        && let Some(keys) = &mut bucket.keys
    {
        keys.secret = Secret::default();
    }
    for pool in &mut config.pools {
        if let Some(monitor) = &mut pool.monitor
            && let Probe::Hs2(Login::Plain { password, .. }) = &mut monitor.probe
        {
            *password = Secret::default();
        }
    }
    for user in config.admin.iter_mut().flat_map(|admin| &mut admin.users) {
        if let AdminPassword::Clear(password) = &mut user.password {
            *password = Secret::default();
        }
    }
    let of_monitors = config.pools.iter_mut().filter_map(|pool| pool.monitor.as_mut());
    let of_virtuals = config.virtuals.iter_mut().filter_map(|server| server.tls_server.as_mut());
    for profile in of_monitors.filter_map(|monitor| monitor.tls.as_mut()).chain(of_virtuals) {
        if let Some(files) = &mut profile.certificate {
            forget(&mut files.passphrase);
        }
    }
    let of_virtuals = config.virtuals.iter_mut().filter_map(|server| server.tls_client.as_mut());
    let of_admin = config.admin.iter_mut().filter_map(|admin| admin.tls_client.as_mut());
    for certificate in of_virtuals.chain(of_admin).flat_map(|tls| &mut tls.certificates) {
        if let Certificate::Files(files) = certificate {
            forget(&mut files.passphrase);
        }
    }
    config
}

#[test]
fn what_is_explained_reads_back_the_same() {
    for (name, text) in examples() {
        let first = good(&text);
        let explained = explain(&first);
        // Nobody may log in with what stands for a secret, so it has to be written in.
        let whole = explained
            .replace("password_hash = \"***\"", &format!("password_hash = \"{HASH}\""))
            .replace("password = \"***\"", "password = \"swordfish\"")
            .replace("token = \"***\"", "token = \"0123456789abcdef\"");
        let second = match check_text(&whole) {
            Ok(checked) => checked,
            Err(diagnostics) => panic!("{name}: {}\n{explained}", diagnostics[0]),
        };
        assert_eq!(without_secrets(first.config), without_secrets(second.config), "{name}");
    }
}

#[test]
fn names_and_texts_that_need_quotes_survive() {
    let text = BASE
        .replace(
            "[node.a]",
            "[node.\"a.example.com\"]\ndescription = \"a\\\"b\\\\ $${X} ä\\u0001\"",
        )
        .replace("[\"a\",", "[\"a.example.com\",");
    let first = good(&text);
    assert_eq!(first.config.nodes[0].description, "a\"b\\ ${X} ä\u{1}");
    let second = check(&[Input::new("again", explain(&first))], &Maps::default()).unwrap();
    assert_eq!(first.config, second.config);
}
