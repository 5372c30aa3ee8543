//! Clients that are not let in: they are told, noted, and nobody else's trouble.

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::clients::Client;
use oxpecker_testkit::{Member, connect, connect_from};

use super::{Front, NAME, look, peer};

const DEBUG: &str = "[log]\nlevel = \"debug\"";

#[test]
fn old_versions_and_clear_text_are_refused_and_others_are_not_disturbed() {
    let mut front = Front::new(1);
    front.site = front.site.top(DEBUG);
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = front.site.start();
    let mut open = front.talk(&[]);
    let err = look(front.site.front(), &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).fails();
    assert!(err.contains("alert protocol version") || err.contains("alert handshake"), "{err}");
    assert_eq!(gateway.wait_record(1).letters, "PR");
    gateway.out.wait("TLS handshake with a client failed");
    // What impala-shell says first without --ssl, and what a browser says.
    for first in [&b"\x80\x01\x00\x01\x00\x00\x00\x0bOpenSession"[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let mark = gateway.out.mark();
        let mut clear = connect(front.site.front());
        clear.say(first);
        clear.hear_rest();
        let line = gateway.out.wait_since(mark, "TLS handshake with a client failed");
        assert!(line.contains("does not speak TLS"), "{line}");
    }
    assert_eq!(gateway.wait_record(3).letters, "PR");
    assert_eq!(open.ask("still here"), "still here");
}

#[test]
fn a_silent_client_is_not_waited_for() {
    let mut front = Front::new(1);
    front.site = front.site.profile("handshake_timeout = \"300ms\"").top(DEBUG);
    let gateway = front.site.start();
    let mut silent = connect(front.site.front());
    silent.hear_rest();
    let line = gateway.out.wait("TLS handshake with a client failed");
    assert!(line.contains("not complete within 300ms"), "{line}");
    // Nor one that begins and goes on forever.
    let mut slow = connect(front.site.front());
    slow.say(b"\x16\x03\x01\x02\x00\x01");
    slow.hear_rest();
    assert_eq!(gateway.wait_record(2).letters, "PR");
}

/// Probes of balancers in front only open the port.
#[test]
fn a_client_that_says_nothing_and_leaves_is_no_failed_handshake() {
    let mut front = Front::new(1);
    front.site = front.site.top("[log]\ndontlognull = true\naccess = \"json\"");
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = front.site.start();
    drop(connect(front.site.front()));
    let mut client = front.talk(&[]);
    assert_eq!(client.ask("hello"), "hello");
    drop(client);
    let line = gateway.out.wait("\"record\":\"access\"");
    assert!(line.contains("\"bytes_up\":6"), "{line}");
}

#[test]
fn one_source_has_its_share_of_handshakes() {
    let front = Front::with(1, "handshakes_per_source = 3");
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = front.site.start();
    let to = front.site.front();
    // All within a second, or the count begins anew.
    let greedy: Vec<_> = (0..40).map(|_| connect_from(front.site.net.client(1), to)).collect();
    gateway.wait_record(30);
    let mut other = front.talk(&[]);
    assert_eq!(other.ask("hello"), "hello");
    drop(greedy);
    let records = gateway.records();
    let from = front.site.net.client(1).to_string();
    assert!(
        records.iter().all(|record| record.letters != "PR" || record.client.starts_with(&from))
    );
}

/// Exit code and messages of a client with this certificate, or none.
#[track_caller]
fn try_with(front: &Front, version: &str, certificate: Option<&str>) -> Result<String, String> {
    let mut settings = vec![
        format!("front={}", front.site.front()),
        format!("name={NAME}"),
        format!("authority={}", front.ca()),
        format!("version={version}"),
    ];
    settings.extend(certificate.map(|stem| format!("certificate={stem}")));
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut client = Client::start(peer("talk", &settings));
    // It may have failed already.
    client.say("hello");
    let printed = client.wait();
    if printed.status.success() && printed.out.contains("hello") {
        Ok(printed.out)
    } else {
        Err(printed.err)
    }
}

/// OpenSSL makes lists of version 1 unless it is told to count them.
#[test]
fn a_list_of_revocations_that_cannot_be_read_is_named() {
    let front = Front::new(1);
    let table = "[profile.tls_client.front]";
    let refused = |list: &std::path::Path| {
        let lines = format!(
            "{table}\nclient_certificates = \"required\"\nclient_ca_file = \"{}\"\nclient_crl_file = \"{}\"",
            front.ca(),
            list.display()
        );
        super::refuses_to_start(&front.site.config().replace(table, &lines))
    };
    let clients = oxpecker_testkit::Authority::new(front.dir.join("Clients CA"));
    let said = refused(&clients.uncounted_list());
    assert!(said.contains("is of version 1") && said.contains("crlnumber = FILE"), "{said}");
    assert!(said.contains("client_crl_file"), "{said}");
    let said = refused(&front.pair.certificate);
    assert!(said.contains("holds no list of revoked certificates"), "{said}");
}

#[test]
fn client_certificates_are_asked_for_and_revoked() {
    let mut front = Front::new(1);
    let clients = oxpecker_testkit::Authority::new(front.dir.join("Clients CA"));
    let alice = clients.issue("alice", &["DNS:alice.test"]);
    let mallory = clients.issue("mallory", &["DNS:mallory.test"]);
    let crl = clients.revoke(&mallory);
    let stranger = front.authority.issue("stranger", &["DNS:stranger.test"]);
    let _member = Member::echo(front.site.member_addr(1));
    front.site = front.site.top(DEBUG);
    let table = "[profile.tls_client.front]";
    let config = |how: &str| {
        let lines = format!(
            "{table}\nclient_certificates = \"{how}\"\nclient_ca_file = \"{}\"\nclient_crl_file = \"{}\"",
            clients.certificate().display(),
            crl.display()
        );
        front.site.config().replace(table, &lines)
    };
    let gateway = oxpecker_testkit::Launch::new(crate::site::PROGRAM, &config("required")).start();
    for version in ["1.2", "1.3"] {
        assert!(try_with(&front, version, Some(&alice.stem())).is_ok());
        for (certificate, reason) in [
            (Some(mallory.stem()), "the certificate was revoked"),
            (Some(stranger.stem()), "signed by an authority that is not trusted"),
            (None, "peer sent no certificates"),
        ] {
            let mark = gateway.out.mark();
            let said =
                try_with(&front, version, certificate.as_deref()).expect_err("it is refused");
            assert!(!said.contains("Traceback"), "{said}");
            let line = gateway.out.wait_since(mark, "TLS handshake with a client failed");
            assert!(line.contains(reason), "{line}");
        }
    }
    assert!(gateway.reload(&config("optional")).contains("reloaded"));
    for version in ["1.2", "1.3"] {
        assert!(try_with(&front, version, None).is_ok());
        assert!(try_with(&front, version, Some(&alice.stem())).is_ok());
        assert!(try_with(&front, version, Some(&mallory.stem())).is_err());
    }
}
