//! `oxpecker verify` against a running gateway with real coordinators behind it.

mod failover;
mod kerberos;
mod tls;

use std::process::{Command, Output};

use super::{Cluster, Plan};
use crate::site::PROGRAM;

/// Exit status and standard output.
#[track_caller]
fn verify(cluster: &Cluster, more: &[&str]) -> (i32, String) {
    let config = cluster.gateway.config_file();
    let mut command = Command::new(PROGRAM);
    command.args(["verify", "-f"]).arg(config).args(more);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let out = String::from_utf8(stdout).unwrap();
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (status.code().unwrap(), out)
}

#[test]
fn a_healthy_gateway_passes_over_all_protocols() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").start();
    let (status, out) = verify(&cluster, &["--logins", "9"]);
    assert_eq!(status, 0, "{out}");
    let counts: Vec<_> = out.lines().filter(|line| line.contains("9 logins: ")).collect();
    assert_eq!(counts.len(), 3, "one line for each protocol: {out}");
    for line in counts {
        assert_eq!(line.matches(" 3").count(), 3, "each coordinator three times: {line}");
    }
    assert_eq!(out.matches("3 connections at once are on 3 of 3 members").count(), 3, "{out}");
}

#[test]
fn stickiness_is_seen() {
    let cluster = Plan::new(3).persistent().start();
    let (status, out) = verify(&cluster, &["--virtual", "hs2"]);
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("one client is always given the same coordinator"), "{out}");
    assert_eq!(out.matches("Virtual server").count(), 1, "{out}");
}

#[test]
fn dead_coordinators_fail_with_words_and_status_5() {
    let mut cluster = Plan::new(2).start();
    for coordinator in &mut cluster.coordinators {
        coordinator.kill();
    }
    let (status, out) = verify(&cluster, &["--virtual", "hs2", "--logins", "2"]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("2 of 2 logins failed: "), "{out}");
    assert!(out.contains("fix: "), "{out}");
}

#[test]
fn one_dead_coordinator_is_named() {
    let mut cluster = Plan::new(3).start();
    cluster.coordinators[1].kill();
    let (status, out) = verify(&cluster, &["--virtual", "hs2", "--logins", "6"]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("FAULT    member c2:21050 cannot be reached from here: "), "{out}");
    assert!(!out.contains("member c1:21050") && !out.contains("logins failed"), "{out}");
}

/// The method spreads, so something is wrong when all meet at one.
#[test]
fn shells_at_once_that_are_all_on_one_coordinator_are_told() {
    let mut cluster = Plan::new(3).start();
    cluster.coordinators[1].kill();
    cluster.coordinators[2].kill();
    let (_, out) = verify(&cluster, &["--virtual", "hs2", "--logins", "1"]);
    assert!(out.contains("warning  3 connections at once are on 1 of 3 members"), "{out}");
}

#[test]
fn a_login_by_ldap_needs_the_right_password() {
    let cluster = Plan::new(2)
        .args(&["--auth=plain", "--user=ann=secret"])
        .monitor("user = \"ann\"\npassword = \"secret\"")
        .start();
    let write = |text| cluster._directory.write("password", text).display().to_string();
    let file = write("secret\n");
    let arguments = ["--virtual", "hs2", "--user", "ann", "--password-file", &file];
    let (status, out) = verify(&cluster, &arguments);
    assert_eq!(status, 0, "{out}");
    write("wrong\n");
    let (status, out) = verify(&cluster, &arguments);
    assert_eq!(status, 5, "{out}");
    assert!(!out.contains("wrong"), "passwords are not shown: {out}");
}

#[test]
fn json_says_the_same() {
    let cluster = Plan::new(2).start();
    let (status, out) = verify(&cluster, &["--format", "json", "--logins", "2"]);
    assert_eq!(status, 0);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["faults"], 0);
    assert!(report["findings"].as_array().unwrap().len() >= 3, "{out}");
}
