//! Sessions that resume, and how streams end.

use std::fs;

use oxpecker_testkit::clients::Client;
use oxpecker_testkit::{Authority, Gateway, Launch, Member, TempDir, wait_until};

use super::{Front, NAME, look, profile_of, s_client, tls_member};
use crate::site::{PROGRAM, Site};

/// Where Debian's libfaketime lies.
const LIBFAKETIME_DIR: &str = "/usr/lib/x86_64-linux-gnu/faketime";

#[track_caller]
fn json_records(gateway: &Gateway, n: usize) -> Vec<serde_json::Value> {
    let lines = gateway.out.wait_count(n, "\"record\":\"access\"");
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// In TLS 1.3 the ticket comes after the handshake.
#[track_caller]
pub(super) fn wait_ticket(file: &str) {
    let whole = |text: String| text.contains("-----END");
    wait_until("the session is written down", || fs::read_to_string(file).is_ok_and(whole));
}

/// A full handshake, then one that resumes it.
#[track_caller]
fn check_resumes(version: &str, between: impl Fn(&Front, &Gateway), resumes: bool, profile: &str) {
    let mut front = Front::with(1, profile);
    front.site = front.site.top("[log]\naccess = \"json\"");
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = front.site.start();
    let file = front.dir.join("session").display().to_string();
    let options = [version, "-servername", NAME];
    let first = [&options[..], &["-sess_out", &file]].concat();
    let client = Client::start(s_client(front.site.front(), &first));
    if resumes {
        wait_ticket(&file);
    } else {
        client.out.wait("Verify return code");
    }
    let out = client.wait().ok();
    assert!(out.contains("\nNew, TLSv1."), "{out}");
    if !std::path::Path::new(&file).exists() && !resumes {
        return;
    }
    between(&front, &gateway);
    let out = look(front.site.front(), &[&options[..], &["-sess_in", &file]].concat()).ok();
    assert_eq!(out.contains("\nReused, TLSv1."), resumes, "{out}");
    let records = json_records(&gateway, 2);
    assert_eq!(records[0]["tls"]["resumed"], false, "{records:?}");
    assert_eq!(records[1]["tls"]["resumed"], resumes, "{records:?}");
    assert_eq!(records[1]["tls"]["server_name"], NAME);
}

#[test]
fn sessions_of_tls_1_2_resume() {
    check_resumes("-tls1_2", |_, _| {}, true, "");
}

#[test]
fn sessions_of_tls_1_3_resume() {
    check_resumes("-tls1_3", |_, _| {}, true, "");
}

#[test]
fn sessions_resume_over_a_reload() {
    let reload = |_: &Front, gateway: &Gateway| assert!(gateway.hangup().contains("reloaded"));
    check_resumes("-tls1_2", reload, true, "");
    check_resumes("-tls1_3", reload, true, "");
}

#[test]
fn without_tickets_nothing_resumes() {
    check_resumes("-tls1_2", |_, _| {}, false, "tickets = false");
    check_resumes("-tls1_3", |_, _| {}, false, "tickets = false");
}

/// A ticket lets a client in without its certificate being looked at: those given out before
/// certificates were required must not count any more.
#[test]
fn sessions_do_not_outlive_a_change_of_client_authentication() {
    let demand = |front: &Front, gateway: &Gateway| {
        let lines =
            format!("\nclient_certificates = \"required\"\nclient_ca_file = \"{}\"", front.ca());
        let table = "[profile.tls_client.front]";
        let config = front.site.config().replace(table, &format!("{table}{lines}"));
        assert!(gateway.reload(&config).contains("reloaded"));
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let mut front = Front::new(1);
        front.site = front.site.top("[log]\naccess = \"json\"");
        let _member = Member::echo(front.site.member_addr(1));
        let gateway = front.site.start();
        let file = front.dir.join("session").display().to_string();
        let client = Client::start(s_client(front.site.front(), &[version, "-sess_out", &file]));
        wait_ticket(&file);
        client.wait().ok();
        demand(&front, &gateway);
        look(front.site.front(), &[version, "-sess_in", &file]);
        let records = json_records(&gateway, 2);
        assert_eq!(records[1]["reason"], "TLS handshake failed", "{records:?}");
    }
}

/// Keys of tickets change every six hours, and the one before is still believed. The clock that the
/// gateway sees is set forward; the other clocks of the machine are left alone.
#[test]
fn the_keys_of_tickets_are_changed() {
    let front = Front::new(1);
    let clock = front.dir.write("clock", "+0h");
    let _member = Member::echo(front.site.member_addr(1));
    let _gateway = Launch::new(PROGRAM, &front.site.config())
        .env("LD_PRELOAD", "libfaketimeMT.so.1")
        .env("LD_LIBRARY_PATH", LIBFAKETIME_DIR)
        .env("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string())
        .env("FAKETIME_NO_CACHE", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .start();
    let begin = |name: &str| {
        let file = front.dir.join(name).display().to_string();
        let options = ["-tls1_3", "-servername", NAME, "-sess_out", &file];
        let client = Client::start(s_client(front.site.front(), &options));
        wait_ticket(&file);
        assert!(client.wait().ok().contains("\nNew, TLSv1."));
        file
    };
    let resumes = |file: &str| {
        let options = ["-tls1_3", "-servername", NAME, "-sess_in", file];
        look(front.site.front(), &options).ok().contains("\nReused, TLSv1.")
    };
    let first = begin("first");
    assert!(resumes(&first));
    fs::write(&clock, "+7h").unwrap();
    let second = begin("second");
    assert!(resumes(&first), "the key before the current one is believed");
    fs::write(&clock, "+14h").unwrap();
    assert!(resumes(&second));
    assert!(!resumes(&first), "a key that was replaced twice is not");
}

/// The session of one name is none of another, whose certificate the client has to see.
#[test]
fn sessions_do_not_resume_under_another_name() {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("CA"));
    let pairs = ["a", "b"].map(|name| authority.issue(name, &[&format!("DNS:{name}.test")]));
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_client = \"front\"")
        .top(&profile_of(&pairs.map(|pair| pair.entry()).join(", "), ""));
    let _member = Member::echo(site.member_addr(1));
    let _gateway = site.start();
    for version in ["-tls1_2", "-tls1_3"] {
        let file = dir.join(version).display().to_string();
        let first = [version, "-servername", "a.test", "-sess_out", &file];
        let client = Client::start(s_client(site.front(), &first));
        wait_ticket(&file);
        client.wait().ok();
        let again = |name| look(site.front(), &[version, "-servername", name, "-sess_in", &file]);
        let out = again("b.test").ok();
        assert!(out.contains("\nNew, TLSv1.") && out.contains("subject=CN = b"), "{out}");
        let out = again("a.test").ok();
        assert!(out.contains("\nReused, TLSv1."), "{out}");
    }
}

/// Two virtual servers with one profile but for the certificates of clients: what was given out
/// where nobody has to show one is no way in where everybody has to.
#[test]
fn sessions_of_one_virtual_server_are_none_of_another() {
    let dir = TempDir::new();
    let authority = Authority::new(dir.join("CA"));
    let pair = authority.issue("front", &[&format!("DNS:{NAME}")]);
    let entry = pair.entry();
    let site = Site::new(1)
        .virtual_server("type = \"standard\"\ntls_client = \"front\"")
        .top("[log]\naccess = \"json\"");
    let closed = site.net.addr(2);
    let site = site.top(&format!(
        "{}[profile.tls_client.closed]\nparent = \"front\"\ncertificates = [{entry}]\n\
         client_certificates = \"required\"\nclient_ca_file = \"{}\"\n\
         [virtual.closed]\nlisten = \"{closed}\"\npool = \"p\"\ntype = \"standard\"\n\
         tls_client = \"closed\"\n",
        profile_of(&entry, ""),
        authority.certificate().display()
    ));
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    for (turn, version) in ["-tls1_2", "-tls1_3"].into_iter().enumerate() {
        let file = dir.join(version).display().to_string();
        let options = [version, "-servername", NAME];
        let first = [&options[..], &["-sess_out", &file]].concat();
        let client = Client::start(s_client(site.front(), &first));
        wait_ticket(&file);
        client.wait().ok();
        look(closed, &[&options[..], &["-sess_in", &file]].concat());
        let records = json_records(&gateway, 2 * turn + 2);
        assert_eq!(records[2 * turn + 1]["reason"], "TLS handshake failed", "{records:?}");
    }
}

/// Nor do those of clients that were let in by an authority that is believed no more.
#[test]
fn sessions_of_clients_with_certificates_end_with_a_reload() {
    let mut front = Front::new(1);
    let (old, new) = ["Old CA", "New CA"].map(|name| Authority::new(front.dir.join(name))).into();
    let alice = old.issue("alice", &["DNS:alice.test"]);
    front.site = front.site.top("[log]\naccess = \"json\"");
    let table = "[profile.tls_client.front]";
    let config = |authority: &Authority| {
        let ca = authority.certificate();
        let lines = format!(
            "{table}\nclient_certificates = \"required\"\nclient_ca_file = \"{}\"",
            ca.display()
        );
        front.site.config().replace(table, &lines)
    };
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = Launch::new(PROGRAM, &config(&old)).start();
    let [certificate, key] = [&alice.certificate, &alice.key].map(|f| f.display().to_string());
    let mut records = 0;
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(gateway.reload(&config(&old)).contains("reloaded"));
        let file = front.dir.join(version).display().to_string();
        let options = [version, "-servername", NAME];
        let own = ["-cert", &*certificate, "-key", &*key, "-sess_out", &file];
        let client = Client::start(s_client(front.site.front(), &[&options[..], &own].concat()));
        wait_ticket(&file);
        client.wait().ok();
        let resume = [&options[..], &["-sess_in", &file]].concat();
        let out = look(front.site.front(), &resume).ok();
        assert!(out.contains("\nReused, TLSv1."), "{out}");
        assert!(gateway.reload(&config(&new)).contains("reloaded"));
        look(front.site.front(), &resume);
        records += 3;
        let all = json_records(&gateway, records);
        assert_eq!(all[records - 1]["reason"], "TLS handshake failed", "{all:?}");
    }
}

/// What members say must not look complete when it is not.
#[test]
fn a_member_that_ends_without_close_notify_is_noted_and_passed_on() {
    let mut front = Front::new(1);
    let ip = format!("IP:{}", front.site.member_addr(1).ip());
    let pair = front.authority.issue("member", &[&ip]);
    let profile = format!("[profile.tls_server.members]\nca_file = \"{}\"", front.ca());
    front.site = front.site.virtual_server("tls_server = \"members\"").top(&profile);
    let _member = tls_member(front.site.member_addr(1), &pair, "half an ans", &["cut=yes"]);
    let gateway = front.site.start();
    let client = Client::start(s_client(front.site.front(), &["-quiet"]));
    gateway.out.wait("a member's TLS stream ended without close_notify");
    client.out.wait("half an ans");
    let printed = client.wait();
    assert!(printed.err.contains("unexpected eof while reading"), "{printed:?}");
}

/// A client that is cut off is not one that has finished.
#[test]
fn an_end_without_close_notify_is_noted() {
    let mut front = Front::new(1);
    front.site = front.site.top("[log]\naccess = \"json\"");
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = front.site.start();
    let mut clean = front.talk(&[]);
    assert_eq!(clean.ask("hello"), "hello");
    clean.ask("#finish");
    drop(clean);
    json_records(&gateway, 1);
    let mut cut = front.talk(&["version=1.2"]);
    assert_eq!(cut.ask("hello"), "hello");
    cut.ask("#cut");
    drop(cut);
    let records = json_records(&gateway, 2);
    assert_eq!(records[0]["tls"]["truncated"], false, "{records:?}");
    assert_eq!(records[0]["tls"]["version"], "TLSv1_3", "{records:?}");
    assert_eq!(records[1]["tls"]["truncated"], true, "{records:?}");
    assert_eq!(records[1]["tls"]["version"], "TLSv1_2", "{records:?}");
    assert_eq!(records[1]["tls"]["ended_here"], true, "{records:?}");
}
