//! `[log.delivery]`: what it means, and what a person reads when something is wrong.

use std::time::Duration;

use oxpecker_config::model::{Delivery, Layout, Store};
use oxpecker_config::{Input, Maps};

use crate::{BASE, good, shown};

/// `BASE` has 11 lines, so the table begins at line 12.
fn table(lines: &str) -> String {
    format!("{BASE}[log.delivery]\n{lines}\n")
}

fn delivery(lines: &str) -> Delivery {
    good(&table(lines)).config.log.delivery.expect("it is written")
}

/// Message and place of each problem, with its help.
#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    let text = shown(&table(lines));
    for line in expected {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
    let problems = text.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(
        problems,
        expected.iter().filter(|line| line.starts_with("error:")).count(),
        "{text}"
    );
}

#[test]
fn defaults_are_those_of_aws() {
    let delivery = delivery("bucket = \"Cluster1-logs\"");
    let Store::Bucket(bucket) = &delivery.store else { panic!("{delivery:?}") };
    assert_eq!(bucket.name, "Cluster1-logs");
    assert!(bucket.endpoint.is_none() && bucket.keys.is_none() && bucket.ca_file.is_none());
    assert_eq!((delivery.interval, delivery.layout), (Duration::from_secs(3600), Layout::Elb));
    assert_eq!(delivery.spool_bytes_max, 1 << 30);
    assert_eq!(delivery.spool.to_str(), Some("/var/lib/oxpecker/spool"));
}

#[test]
fn without_the_table_nothing_is_delivered() {
    assert_eq!(good(BASE).config.log.delivery, None);
}

#[test]
fn prefixes_and_endpoints_lose_their_slashes() {
    let delivery = delivery(
        "bucket = \"logs\"\nprefix = \"/a/Cluster1-Impala/\"\nendpoint = \"https://[::1]:9000/\"",
    );
    assert_eq!(delivery.prefix.as_deref(), Some("a/Cluster1-Impala"));
    let Store::Bucket(bucket) = delivery.store else { panic!("no bucket") };
    assert_eq!(bucket.endpoint.as_deref(), Some("https://[::1]:9000"));
}

#[test]
fn one_place_and_only_one() {
    check(
        "",
        &[
            "error: `bucket` or `directory` is missing in [log.delivery]\n  --> oxpecker.toml:12:6",
            "for example: bucket = \"Cluster1-logs\"",
        ],
    );
    check(
        "bucket = \"logs\"\ndirectory = \"/mnt\"",
        &["error: `bucket` and `directory` both say where files go\n  --> oxpecker.toml:14:13"],
    );
    check(
        "directory = \"/mnt\"\nca_file = \"ca.crt\"",
        &["error: `ca_file` does nothing for this delivery", "only a `bucket` needs it"],
    );
}

#[test]
fn names_that_cannot_be() {
    check(
        "bucket = \"s3://logs/impala/\"",
        &[
            "error: `s3://logs/impala/` cannot be the name of a bucket",
            "write bucket = \"logs\" and prefix = \"impala\"",
        ],
    );
    check("bucket = \"a..b\"", &["error: `a..b` cannot be the name of a bucket"]);
    check(
        "bucket = \"logs\"\nprefix = \"../up\"\nname = \"a_b\"",
        &["error: `../up` cannot be a prefix", "error: `a_b` cannot be `name`"],
    );
}

#[test]
fn endpoints_are_scheme_host_and_port() {
    let refused = "error: `endpoint` must be a URL such as \"https://s3.example.com:9000\", not";
    for (endpoint, help) in [
        ("s3.example.com", "begin with https://"),
        ("https://s3.example.com/logs", "the bucket is `bucket`"),
        ("https://s3.example.com:99999", "scheme, host and port only"),
    ] {
        check(&format!("bucket = \"logs\"\nendpoint = \"{endpoint}\""), &[refused, help]);
    }
    check(
        "bucket = \"logs\"\nendpoint = \"https://AKIA:swordfish@s3.example.com\"",
        &[
            "`endpoint` must be a URL such as \"https://s3.example.com:9000\", not `***`",
            "error:",
            "keys are `access_key_id` and `secret_access_key`",
        ],
    );
    let clear = shown(&table("bucket = \"logs\"\nendpoint = \"http://10.0.0.5:9000\""));
    assert!(clear.contains("warning: access records can be read on their way"), "{clear}");
    let own = shown(&table("bucket = \"logs\"\nendpoint = \"http://127.0.0.1:9000\""));
    assert!(!own.contains("warning: access records"), "{own}");
}

#[test]
fn keys_come_in_pairs_and_are_not_shown() {
    check(
        "bucket = \"logs\"\naccess_key_id = \"AKIA1\"",
        &["error: `access_key_id` needs `secret_access_key`\n  --> oxpecker.toml:14:17"],
    );
    check(
        "bucket = \"logs\"\nsecret_access_key = { file = \"s3.key\" }",
        &["error: `secret_access_key` needs `access_key_id`"],
    );
    let text =
        table("bucket = \"logs\"\naccess_key_id = \"AKIA1\"\nsecret_access_key = \"sword/fish\"");
    let shown = shown(&text);
    assert!(shown.contains("`secret_access_key` stands here in clear text"), "{shown}");
    let checked = good(&text);
    let explained = oxpecker_config::explain(&checked);
    let debug = format!("{:?}", checked.config);
    assert!(![shown, explained, debug].concat().contains("sword/fish"));
}

#[test]
fn sizes_and_intervals() {
    check(
        "bucket = \"logs\"\nspool_max = 5\ninterval = \"25h\"",
        &[
            "error: `spool_max` needs a unit\n",
            "write \"5MiB\" or \"5GiB\"",
            "error: `interval` must be whole seconds, 24h at most",
        ],
    );
    check(
        "bucket = \"logs\"\nspool_max = \"5GB\"\ninterval = \"500ms\"",
        &[
            "error: `spool_max` must be a size such as \"64MiB\", not `5GB`",
            "units are KiB, MiB, GiB and TiB",
            "error: `interval` must be at least 1s",
        ],
    );
    check(
        "bucket = \"logs\"\nspool_max = \"1KiB\"",
        &["error: `spool_max` must be at least 64KiB"],
    );
}

#[test]
fn records_must_exist_and_are_seen_in_the_bucket() {
    let off = format!("{BASE}[log]\naccess = \"off\"\n[log.delivery]\nbucket = \"logs\"\n");
    let found = shown(&off);
    assert!(found.contains("there is nothing to deliver: `access` of [log] is \"off\""), "{found}");
    // No target shows them, but they are not lost.
    let quiet = format!("{BASE}[log]\nlevel = \"notice\"\n[log.delivery]\nbucket = \"logs\"\n");
    assert!(!shown(&quiet).contains("no log target shows access records"));
}

#[test]
fn several_files_make_one_table_but_each_key_once() {
    let check_two = |second: &str| {
        let inputs = [
            Input::new("a.toml", table("bucket = \"logs\"")),
            Input::new("b.toml", format!("[log.delivery]\n{second}\n")),
        ];
        oxpecker_config::check(&inputs, &Maps::default())
    };
    let config = check_two("interval = \"5m\"").expect("both together are good").config;
    let delivery = config.log.delivery.expect("it is written");
    assert_eq!(delivery.interval, Duration::from_secs(300));
    let problems = check_two("bucket = \"other\"").expect_err("one bucket too many");
    assert_eq!(problems[0].message, "`bucket` of [log.delivery] is written twice");
}
