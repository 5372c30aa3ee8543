//! Bytes and the ends of streams, in the three ways and both versions. What is carried is in
//! peer.py.

use oxpecker_testkit::clients::run;
use oxpecker_testkit::{Authority, TempDir};

use super::{Front, NAME, peer};
use crate::site::Site;

/// Runs all of peer.py's checks of a client and a member through the gateway.
#[track_caller]
fn carry(site: &Site, settings: &[&str]) {
    let gateway = site.start();
    let (front, at) = (format!("front={}", site.front()), format!("at={}", site.member_addr(1)));
    let out = run(peer("carry", &[&[&*front, &*at], settings].concat())).ok();
    assert!(out.ends_with("carried\n"), "{out}");
    let checks = out.lines().count() - 1;
    gateway.wait_record(checks);
    let records = gateway.records();
    let bad: Vec<_> = records.iter().filter(|record| record.letters != "--").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(gateway.out.count("close_notify"), 0, "every end was a clean one");
}

#[track_caller]
fn offload(version: &str) {
    let front = Front::new(1);
    let (name, version) = (format!("name={NAME}"), format!("version={version}"));
    carry(&front.site, &["client=tls", &name, &format!("authority={}", front.ca()), &version]);
}

#[test]
fn offload_with_tls_1_2() {
    offload("1.2");
}

#[test]
fn offload_with_tls_1_3() {
    offload("1.3");
}

#[track_caller]
fn bridging(version: &str) {
    let mut front = Front::new(1);
    let ip = format!("IP:{}", front.site.member_addr(1).ip());
    let pair = front.authority.issue("member", &[&ip]);
    let profile = format!("[profile.tls_server.members]\nca_file = \"{}\"", front.ca());
    front.site = front.site.virtual_server("tls_server = \"members\"").top(&profile);
    let (name, version) = (format!("name={NAME}"), format!("version={version}"));
    let (authority, member) =
        (format!("authority={}", front.ca()), format!("member={}", pair.stem()));
    carry(&front.site, &["client=tls", &name, &authority, &member, &version]);
}

#[test]
fn bridging_with_tls_1_2() {
    bridging("1.2");
}

#[test]
fn bridging_with_tls_1_3() {
    bridging("1.3");
}

/// Clear text on one side only: what a member says with its handshake meets bytes that wait.
#[track_caller]
fn encrypting(version: &str) {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Member CA"));
    let site = Site::new(1).virtual_server("type = \"standard\"\ntls_server = \"members\"");
    let pair = authority.issue("member", &[&format!("IP:{}", site.member_addr(1).ip())]);
    let ca = authority.certificate();
    let profile = format!("[profile.tls_server.members]\nca_file = \"{}\"", ca.display());
    let (member, version) = (format!("member={}", pair.stem()), format!("version={version}"));
    carry(&site.top(&profile), &[&member, &version]);
}

#[test]
fn encrypting_with_tls_1_2() {
    encrypting("1.2");
}

#[test]
fn encrypting_with_tls_1_3() {
    encrypting("1.3");
}

#[test]
fn passthrough_with_a_look_at_the_name() {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("Member CA"));
    let pair = authority.issue("member", &[&format!("DNS:{NAME}")]);
    let site = Site::new(1).virtual_server("sni_peek = true");
    let ca = authority.certificate();
    let (authority, member) =
        (format!("authority={}", ca.display()), format!("member={}", pair.stem()));
    carry(&site, &["client=tls", "passes=yes", &format!("name={NAME}"), &authority, &member]);
}
