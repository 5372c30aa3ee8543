//! Certificates are replaced while clients come and go.

use std::fs;

use oxpecker_testkit::clients::Client;
use oxpecker_testkit::wait::wait_for;
use oxpecker_testkit::{Http, Member, Pair};

use super::{Front, NAME, peer, shown};

/// Puts a pair in the place of another, each file in one step.
fn replace(old: &Pair, new: &Pair) {
    for (new, old) in [(&new.key, &old.key), (&new.certificate, &old.certificate)] {
        let copy = old.with_extension("new");
        fs::copy(new, &copy).unwrap();
        fs::rename(&copy, old).unwrap();
    }
}

#[track_caller]
fn hammer(front: &Front) -> Client {
    let to = format!("front={}", front.site.front());
    Client::start(peer(
        "hammer",
        &[&to, &format!("name={NAME}"), &format!("authority={}", front.ca())],
    ))
}

/// Each of them is shown to a client before the next one comes. Every fiftieth time there is a
/// reload as well, which may take the new files first.
#[test]
fn a_thousand_renewals_under_load_lose_nobody() {
    let front = Front::new(1);
    let _member = Member::echo(front.site.member_addr(1));
    let gateway = front.site.start();
    let mut open = front.talk(&[]);
    assert_eq!(open.ask("before"), "before");
    let mut clients = hammer(&front);
    // Making a thousand would take longer than showing them.
    let new: Vec<_> = (0..10)
        .map(|number| front.authority.issue(&format!("new-{number}"), &[&format!("DNS:{NAME}")]))
        .map(|pair| (pair.serial(), pair))
        .collect();
    for turn in 0..1000 {
        let (serial, pair) = &new[turn % new.len()];
        replace(&front.pair, pair);
        if turn % 50 == 49 {
            assert!(gateway.hangup().contains("reloaded"));
        }
        wait_for("clients are shown the new certificate", || {
            let said = clients.ask("?");
            let (seen, served) = said.split_once(' ').unwrap();
            assert_ne!(served, "-1", "{:#?}", clients.err.all());
            (seen == serial).then_some(())
        });
    }
    let said = clients.ask("stop");
    let served: i64 = said.split_once(' ').unwrap().1.parse().unwrap();
    assert!(served > 1000, "{said}: {:#?}", clients.err.all());
    assert_eq!(open.ask("still here"), "still here");
    drop(open);
    gateway.wait_record(served as usize + 1);
    let failed = gateway.records().iter().filter(|record| record.letters == "PR").count();
    assert_eq!(failed, 0, "no handshake failed");
}

#[test]
fn a_broken_renewal_keeps_the_old_certificate() {
    let front = Front::new(1);
    let gateway = front.site.start();
    let shown_serial = || shown(front.site.front(), NAME, "-serial");
    let before = shown_serial();
    // The key of another certificate.
    let other = front.authority.issue("other", &[&format!("DNS:{NAME}")]);
    let mark = gateway.out.mark();
    fs::copy(&other.key, &front.pair.key).unwrap();
    let line = gateway.out.wait_since(mark, "keeping the old one");
    assert!(line.contains("does not belong to the key in"), "{line}");
    assert_eq!(shown_serial(), before);
    // A half-written file.
    let mark = gateway.out.mark();
    fs::write(&front.pair.certificate, "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    let line = gateway.out.wait_since(mark, "keeping the old one");
    assert!(line.contains("front.crt"), "{line}");
    // And none: a reload must not take it either.
    fs::remove_file(&front.pair.certificate).unwrap();
    let verdict = gateway.hangup();
    assert!(verdict.contains("reload failed"), "{verdict}");
    assert_eq!(shown_serial(), before);
    let mark = gateway.out.mark();
    replace(&front.pair, &other);
    gateway.out.wait_since(mark, "renewed certificate in use");
    assert_eq!(shown_serial(), format!("serial={}", other.serial()));
}

/// Whoever writes two files is between them for a while.
#[test]
fn a_renewal_in_two_steps_is_no_complaint() {
    let front = Front::new(1);
    let gateway = front.site.start();
    let new = front.authority.issue("new", &[&format!("DNS:{NAME}")]);
    fs::copy(&new.key, &front.pair.key).unwrap();
    // At the first look the halves do not belong together, at the second they do.
    gateway.out.wait("changed certificate cannot be used yet, looking again");
    fs::copy(&new.certificate, &front.pair.certificate).unwrap();
    gateway.out.wait("renewed certificate in use");
    assert_eq!(shown(front.site.front(), NAME, "-serial"), format!("serial={}", new.serial()));
    assert_eq!(gateway.out.count("keeping the old one"), 0, "{:#?}", gateway.out.all());
}

#[test]
fn a_certificate_that_ends_soon_is_spoken_of() {
    let front = Front::new(1);
    let expired = front.authority.issue_expired("old", &[&format!("DNS:{NAME}")]);
    replace(&front.pair, &expired);
    let gateway = front.site.start();
    let line = gateway.out.wait("certificate has expired");
    assert!(line.contains("2020-02-01") && line.contains("front.crt"), "{line}");
}

/// The same as in the log, for whoever watches over the API.
#[test]
fn events_tell_of_certificates() {
    let Front { site, dir: _dir, authority, pair } = Front::new(1);
    let ending = authority.issue_ending("ending", &[&format!("DNS:{NAME}")], "+10 days");
    replace(&pair, &ending);
    let site = site.admin("");
    let _gateway = site.start_with_admin();
    let http = Http::tcp(site.admin_addr()).by_script();
    let wait_event = |part: &str| -> serde_json::Value {
        wait_for(&format!("an event with `{part}`"), || {
            let reply = http.get("/api/v1/events");
            let events: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            let items = events["items"].as_array().unwrap();
            let told = |item: &&serde_json::Value| item["text"].as_str().unwrap().contains(part);
            items.iter().find(told).cloned()
        })
    };
    let check = |part: &str, who: &str| {
        let event = wait_event(part);
        assert_eq!((&event["kind"], &event["who"]), (&"certificate".into(), &who.into()));
        assert!(event["subject"].as_str().unwrap().contains("front"), "{event}");
    };
    check("expires in ", "clock");
    let new = authority.issue("new", &[&format!("DNS:{NAME}")]);
    replace(&pair, &new);
    check("renewed certificate in use at v", "file");
    fs::copy(&ending.key, &pair.key).unwrap();
    check("changed certificate cannot be used at v", "file");
    assert_eq!(shown(site.front(), NAME, "-serial"), format!("serial={}", new.serial()));
}
