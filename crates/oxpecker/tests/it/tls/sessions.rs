//! Sessions that resume, and how streams end.

use std::fs;

use oxpecker_testkit::clients::Client;
use oxpecker_testkit::{Gateway, Member, wait_until};

use super::{Front, NAME, look, s_client};

#[track_caller]
fn json_records(gateway: &Gateway, n: usize) -> Vec<serde_json::Value> {
    let lines = gateway.out.wait_count(n, "\"record\":\"access\"");
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// In TLS 1.3 the ticket comes after the handshake.
#[track_caller]
fn wait_ticket(file: &str) {
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
