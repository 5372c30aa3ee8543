//! What `oxpecker check` says of certificates, with names and dates, before anybody connects.

use std::process::Command;

use oxpecker_testkit::clients::run;
use oxpecker_testkit::{Authority, Pair, TempDir};

use crate::site::PROGRAM;

struct Case {
    dir: TempDir,
    authority: Authority,
}

impl Case {
    fn new() -> Self {
        let dir = TempDir::new();
        let authority = Authority::new(dir.join("CA"));
        Self { dir, authority }
    }

    /// Exit status and what is said of a virtual server with this certificate.
    #[track_caller]
    fn check(&self, pair: &Pair, virtual_server: &str) -> (i32, String) {
        let text = format!(
            "node.m1.address = \"10.17.84.11\"\n\
             pool.p = {{ port = 21050, members = [\"m1\"] }}\n\
             [profile.tls_client.front]\ncertificates = [{}]\n\
             [virtual.v]\nlisten = \"10.17.84.12:21050\"\npool = \"p\"\nallow = [\"10.0.0.0/8\"]\n\
             tls_client = \"front\"\n{virtual_server}\n",
            pair.entry()
        );
        let file = self.dir.write("oxpecker.toml", &text);
        let mut command = Command::new(PROGRAM);
        command.arg("check").arg("--strict").arg("-f").arg(file);
        let printed = run(command);
        (printed.status.code().unwrap(), printed.out)
    }
}

const COVERED: &str = "type = \"standard\"\npublic_name = \"impala.example.com\"";
const NAME: &[&str] = &["DNS:impala.example.com"];

#[test]
fn a_good_certificate_is_fine() {
    let case = Case::new();
    let said = case.check(&case.authority.issue("front", NAME), COVERED);
    assert_eq!(said, (0, "configuration is fine\n".to_owned()));
    let wild = case.authority.issue("wild", &["DNS:*.example.com"]);
    assert_eq!(case.check(&wild, COVERED).0, 0);
}

#[test]
fn dates_are_told() {
    let case = Case::new();
    let (status, out) = case.check(&case.authority.issue_expired("front", NAME), COVERED);
    assert_eq!(status, 4, "{out}");
    assert!(out.contains("front.crt expired on 2020-02-01T00:00:00Z"), "{out}");
    assert!(out.contains("oxpecker.toml:4:16\n4 | certificates = ["), "{out}");
    // Thirteen days and some hours are within fourteen days, fifteen are not.
    let soon = case.authority.issue_ending("soon", NAME, "+13 days 12 hours");
    let (status, out) = case.check(&soon, COVERED);
    assert_eq!(status, 4, "{out}");
    assert!(out.contains("soon.crt expires on 20") && out.contains(", in 13 days"), "{out}");
    let later = case.authority.issue_ending("later", NAME, "+15 days");
    assert_eq!(case.check(&later, COVERED).0, 0);
}

#[test]
fn names_are_told() {
    let case = Case::new();
    let other = case.authority.issue("front", &["DNS:a.example.com", "DNS:*.b.example.com"]);
    let (status, out) = case.check(&other, COVERED);
    assert_eq!(status, 4, "{out}");
    let told = "no certificate of profile `front` is for `impala.example.com`: \
                they are for a.example.com, *.b.example.com";
    assert!(out.contains(told), "{out}");
    assert!(out.contains("subject alternative name DNS:impala.example.com"), "{out}");
}

#[test]
fn the_key_of_another_certificate_is_told() {
    let case = Case::new();
    let [front, other] = ["front", "other"].map(|name| case.authority.issue(name, NAME));
    let mixed = Pair { certificate: front.certificate, key: other.key };
    let (status, out) = case.check(&mixed, COVERED);
    assert_eq!(status, 3, "{out}");
    assert!(out.contains("front.crt does not belong to the key in "), "{out}");
}

#[test]
fn a_profile_on_layer4_is_refused_with_the_remedy() {
    let case = Case::new();
    let pair = case.authority.issue("front", NAME);
    let (status, out) = case.check(&pair, "type = \"layer4\"");
    assert_eq!(status, 3, "{out}");
    assert!(out.contains("`tls_client` is not possible on a `layer4` virtual server"), "{out}");
    assert!(out.contains("type = \"standard\""), "{out}");
}

#[test]
fn members_that_are_not_verified_are_warned_of() {
    let case = Case::new();
    let pair = case.authority.issue("front", NAME);
    let lines = "tls_server = \"any\"\n[profile.tls_server.any]\nverify = \"none\"";
    let (status, out) = case.check(&pair, &format!("{COVERED}\n{lines}"));
    assert_eq!(status, 4, "{out}");
    assert!(out.contains("warning: `any` does not verify the members' certificates"), "{out}");
}
