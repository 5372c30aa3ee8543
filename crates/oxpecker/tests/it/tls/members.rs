//! What is believed of members: a certificate that is refused is named, and clients go elsewhere.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::clients::Client;
use oxpecker_testkit::{Authority, Launch, Pair, TempDir, connect, wait_until};

use super::{at_ease, tls_member};
use crate::site::{PROGRAM, Site};

/// Two members: the first shows a certificate with something wrong, the second a good one.
struct Cluster {
    site: Site,
    dir: TempDir,
    authority: Authority,
}

impl Cluster {
    fn new() -> Self {
        let dir = TempDir::new();
        let authority = Authority::new(dir.join("Member CA"));
        let site = Site::new(2).virtual_server("type = \"standard\"\ntls_server = \"members\"");
        Self { site, dir, authority }
    }

    fn ip(&self, member: u8) -> String {
        format!("IP:{}", self.site.member_addr(member).ip())
    }

    fn profile(&self, lines: &str) -> String {
        let ca = self.authority.certificate();
        let parent = "parent = \"serverssl\"";
        format!("[profile.tls_server.members]\n{parent}\nca_file = \"{}\"\n{lines}\n", ca.display())
    }

    /// Clients get to the second member, and the log tells what is wrong with the first.
    #[track_caller]
    fn check_refused(self, bad: &Pair, reason: &str) {
        self.check_refused_with("", bad, reason);
    }

    /// With more lines in the profile.
    #[track_caller]
    fn check_refused_with(self, lines: &str, bad: &Pair, reason: &str) {
        let good = self.authority.issue("good", &[&self.ip(2)]);
        let members = [(1, bad, "bad"), (2, &good, "good")];
        let _members = members
            .map(|(number, pair, name)| tls_member(self.site.member_addr(number), pair, name, &[]));
        let profile = self.profile(lines);
        let site =
            self.site.pool("method = \"round-robin\"\nconnect_failures_max = 0").top(&profile);
        let gateway = site.start();
        for _ in 0..4 {
            assert_eq!(connect(site.front()).hear_line(), "good");
        }
        let line = gateway.out.wait("TLS handshake with a member failed");
        assert!(line.contains("member=m1:21050") && line.contains(reason), "{line}");
        gateway.wait_record(4);
        let records = gateway.records();
        assert!(records.iter().any(|record| record.redispatched), "{records:?}");
    }
}

#[test]
fn a_wrong_name_is_refused() {
    let cluster = Cluster::new();
    let bad = cluster.authority.issue("bad", &["DNS:other.example.test"]);
    let ip = cluster.site.member_addr(1).ip();
    let told = format!("the certificate is for other.example.test, not for {ip}");
    cluster.check_refused(&bad, &told);
}

#[test]
fn an_expired_one_is_refused() {
    let cluster = Cluster::new();
    let bad = cluster.authority.issue_expired("bad", &[&cluster.ip(1)]);
    cluster.check_refused(&bad, "the certificate has expired");
}

#[test]
fn an_unknown_authority_is_refused() {
    let cluster = Cluster::new();
    let stranger = Authority::new(cluster.dir.join("Stranger"));
    let bad = stranger.issue("bad", &[&cluster.ip(1)]);
    cluster.check_refused(&bad, "signed by an authority that is not trusted");
}

#[test]
fn a_self_signed_one_is_refused() {
    let cluster = Cluster::new();
    let bad = cluster.authority.self_signed("bad", &[&cluster.ip(1)], false);
    cluster.check_refused(&bad, "that is not trusted, or by itself");
}

/// As `openssl req -x509` makes it unless told not to.
#[test]
fn a_self_signed_one_that_says_it_is_an_authority_is_refused() {
    let cluster = Cluster::new();
    let bad = cluster.authority.self_signed("bad", &[&cluster.ip(1)], true);
    cluster.check_refused(&bad, "CA:TRUE");
}

#[test]
fn a_revoked_one_is_refused() {
    let cluster = Cluster::new();
    let bad = cluster.authority.issue("bad", &[&cluster.ip(1)]);
    let list = format!("crl_file = \"{}\"", cluster.authority.revoke(&bad).display());
    cluster.check_refused_with(&list, &bad, "the certificate was revoked");
}

/// A site with one member that shows a certificate for its address.
#[track_caller]
fn alone(member: &[&str]) -> (Cluster, Client) {
    let mut cluster = Cluster::new();
    cluster.site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_server = \"members\"")
        .pool("retries = 0");
    let pair = cluster.authority.issue("member", &[&cluster.ip(1)]);
    let member = tls_member(cluster.site.member_addr(1), &pair, "hello", member);
    (cluster, member)
}

/// A list of another authority says nothing of it: to be content with that would be to believe all.
#[test]
fn without_a_list_of_its_authority_a_certificate_is_refused() {
    let (cluster, _member) = alone(&[]);
    let other = Authority::new(cluster.dir.join("Other CA"));
    let list = other.revoke(&other.issue("someone", &["DNS:someone.test"]));
    let profile = cluster.profile(&format!("crl_file = \"{}\"", list.display()));
    let site = cluster.site.top(&profile);
    let gateway = site.start();
    assert!(connect(site.front()).hear_rest().0.is_empty());
    let line = gateway.out.wait("TLS handshake with a member failed");
    assert!(line.contains("no revocation list that was given is of the authority"), "{line}");
}

#[test]
fn a_member_that_asks_for_a_certificate_is_shown_one() {
    // Whom the member believes; its own authority is made with it.
    let dir = TempDir::new();
    let gateways = Authority::new(dir.join("Gateways CA"));
    let ours = gateways.issue("gateway", &["DNS:gateway.example.test"]);
    let (cluster, member) = alone(&[&format!("clients={}", gateways.certificate().display())]);
    let [certificate, key] = [&ours.certificate, &ours.key].map(|file| file.display());
    let lines = format!("certificate = \"{certificate}\"\nkey = \"{key}\"");
    let shown = cluster.profile(&lines);
    let without = cluster.profile("");
    let site = cluster.site.top(&shown);
    let gateway = site.start();
    assert_eq!(connect(site.front()).hear_line(), "hello");
    assert!(gateway.reload(&site.config().replace(&shown, &without)).contains("reloaded"));
    assert!(connect(site.front()).hear_rest().0.is_empty());
    member.out.wait("refused: ");
}

/// Without `ca_file`, members are believed as far as the system's authorities vouch for them.
#[test]
fn the_systems_authorities_count() {
    let (cluster, _member) = alone(&[]);
    let profile = "[profile.tls_server.members]\nparent = \"serverssl\"";
    let site = cluster.site.top(profile);
    let ca = cluster.authority.certificate().display().to_string();
    let gateway = site.launch().env("SSL_CERT_FILE", &ca).start();
    assert_eq!(connect(site.front()).hear_line(), "hello");
    drop(gateway);
    let gateway = site.start();
    assert!(connect(site.front()).hear_rest().0.is_empty());
    let line = gateway.out.wait("TLS handshake with a member failed");
    assert!(line.contains("signed by an authority that is not trusted"), "{line}");
}

/// The address of the node is what its certificate must be for, also when it is a name.
#[test]
fn a_node_with_a_name_is_verified_by_it() {
    let cluster = Cluster::new();
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let pair = cluster.authority.issue("member", &["DNS:localhost"]);
    let _member = tls_member(at, &pair, "hello", &[]);
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_server = \"members\"")
        .member(1, &format!("port = {}", at.port()))
        .pool("retries = 0")
        .top(&cluster.profile(""));
    let config = site.config().replace(&site.member_addr(1).ip().to_string(), "localhost");
    let gateway = Launch::new(PROGRAM, &config).start();
    assert_eq!(connect(site.front()).hear_line(), "hello");
    assert!(gateway.reload(&config.replace("\"localhost\"", "\"127.0.0.1\"")).contains("reloaded"));
    assert!(connect(site.front()).hear_rest().0.is_empty());
    gateway.out.wait("the certificate is for localhost, not for 127.0.0.1");
}

#[test]
fn a_silent_one_is_not_waited_for() {
    let cluster = Cluster::new();
    let profile = cluster.profile("");
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_server = \"members\"")
        .pool("retries = 0")
        .profile("handshake_timeout = \"300ms\"")
        .top(&profile);
    let _member = oxpecker_testkit::Member::silent(site.member_addr(1));
    let gateway = site.start();
    connect(site.front()).hear_rest();
    let line = gateway.out.wait("TLS handshake with a member failed");
    assert!(line.contains("not complete within 300ms"), "{line}");
}

#[test]
fn a_member_without_tls_is_named() {
    let cluster = Cluster::new();
    let _member = oxpecker_testkit::Member::serve(cluster.site.member_addr(1), |mut stream| {
        stream.say(b"this is no TLS at all\n");
        stream.hear_rest();
    });
    let profile = cluster.profile("");
    let site = cluster.site.pool("retries = 0").top(&profile);
    let gateway = site.start();
    let mut told = 0;
    while told == 0 {
        // Now and then a client is sent to the second member, where nobody listens.
        connect(site.front()).hear_rest();
        told = gateway.out.count("the other side does not speak TLS there");
    }
}

#[track_caller]
fn check_pinned(fingerprint_of: &str, works: bool) {
    let cluster = Cluster::new();
    let pair = cluster.authority.self_signed("member", &["DNS:whatever.test"], true);
    let other = cluster.authority.self_signed("other", &["DNS:whatever.test"], true);
    let pin = if fingerprint_of == "member" { pair.fingerprint() } else { other.fingerprint() };
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_server = \"members\"")
        .pool("retries = 0")
        .top(&format!(
            "[profile.tls_server.members]\nverify = \"pinned\"\nfingerprints = \"{pin}\"\n"
        ));
    let _member = tls_member(site.member_addr(1), &pair, "hello", &[]);
    let gateway = site.start();
    let mut client = connect(site.front());
    if works {
        assert_eq!(client.hear_line(), "hello");
    } else {
        client.hear_rest();
        gateway.out.wait("the certificate has none of the pinned fingerprints");
        assert_eq!(gateway.wait_record(1).letters, "SC");
    }
}

#[test]
fn the_pinned_certificate_is_taken_whatever_else_it_says() {
    check_pinned("member", true);
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused() {
    check_pinned("other", false);
}

#[test]
fn without_verification_anything_is_taken() {
    let cluster = Cluster::new();
    let expired = cluster.authority.issue_expired("expired", &["DNS:other.example.test"]);
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_server = \"members\"")
        .top("[profile.tls_server.members]\nverify = \"none\"\n");
    let _member = tls_member(site.member_addr(1), &expired, "hello", &[]);
    let _gateway = site.start();
    assert_eq!(connect(site.front()).hear_line(), "hello");
}

#[test]
fn one_name_for_all_members() {
    let cluster = Cluster::new();
    let pair = cluster.authority.issue("member", &["DNS:impala.example.test"]);
    let _members =
        [1, 2].map(|number| tls_member(cluster.site.member_addr(number), &pair, "hello", &[]));
    let profile = cluster.profile("server_name = \"impala.example.test\"");
    let site = cluster.site.top(&profile);
    let gateway = site.start();
    for _ in 0..4 {
        assert_eq!(connect(site.front()).hear_line(), "hello");
    }
    assert_eq!(gateway.out.count("TLS handshake with a member failed"), 0);
}

/// A resumed session shows no certificate: without a limit a member would be believed for ever.
#[track_caller]
fn check_ends_with_its_certificate(version: &str) {
    let cluster = Cluster::new();
    let soon = Duration::from_secs(8);
    let ends = SystemTime::now() + soon;
    let pair = cluster.authority.issue_ending("brief", &[&cluster.ip(1)], "+8 seconds");
    let version = format!("version={version}");
    let member = tls_member(cluster.site.member_addr(1), &pair, "hello", &[&version]);
    let profile = cluster.profile("");
    let site = cluster.site.pool("retries = 0\nconnect_failures_max = 0").top(&profile);
    // The second member is none.
    let gateway = Launch::new(PROGRAM, &site.config().replace("\"m1\", \"m2\"", "\"m1\"")).start();
    let greeted = || {
        let mut client = connect(site.front());
        client.finish();
        client.hear_rest().0 == b"hello\n"
    };
    while member.out.count("resumed=True") == 0 {
        assert!(greeted() && SystemTime::now() < ends, "{:?}", member.out.all());
    }
    wait_until("the certificate has ended", || SystemTime::now() > ends + Duration::from_secs(1));
    assert!(!greeted(), "{:?}", member.out.all());
    let line = gateway.out.wait("TLS handshake with a member failed");
    assert!(line.contains("the certificate has expired"), "{line}");
}

#[test]
fn a_session_of_tls_1_2_ends_with_the_certificate() {
    check_ends_with_its_certificate("1.2");
}

#[test]
fn a_session_of_tls_1_3_ends_with_the_certificate() {
    check_ends_with_its_certificate("1.3");
}

/// Probes go through TLS like clients, and say the same when it fails.
#[test]
fn a_monitor_marks_a_member_with_a_bad_certificate_down() {
    let cluster = Cluster::new();
    let bad = cluster.authority.issue_expired("bad", &[&cluster.ip(1)]);
    let good = cluster.authority.issue("good", &[&cluster.ip(2)]);
    let members = [(1, &bad, "bad"), (2, &good, "good")];
    let _members = members
        .map(|(number, pair, name)| tls_member(cluster.site.member_addr(number), pair, name, &[]));
    let profile = cluster.profile("");
    let site = cluster.site.top(&profile).monitored("");
    let gateway = Launch::new(PROGRAM, &at_ease(&site.config())).start();
    let line = gateway.out.wait("member is down");
    assert!(line.contains("m1:21050") && line.contains("the certificate has expired"), "{line}");
    gateway.out.wait("to=\"up\"");
    for _ in 0..4 {
        assert_eq!(connect(site.front()).hear_line(), "good");
    }
}
