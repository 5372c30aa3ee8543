//! What is shown, as tables and as JSON.

use std::process::Stdio;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Lines, Member, connect, wait_until};

use super::{Managed, words};
use crate::site::Site;

/// Two members, the second of which is down, and one client at the first.
fn site() -> (Site, Member) {
    let site = Site::new(2).monitored("");
    let member = Member::echo(site.member_addr(1));
    (site, member)
}

#[track_caller]
fn wait_health(managed: &Managed, member: &str, health: &str) {
    wait_until(&format!("{member} is {health}"), || {
        let members = managed.ok(&["members"]);
        words(&members).iter().any(|line| line.first() == Some(&member) && line.contains(&health))
    });
}

#[test]
fn status_map_and_members_tell_who_is_up() {
    let (site, _member) = site();
    let managed = Managed::start(&site);
    wait_health(&managed, "p/m1:21050", "up");
    wait_health(&managed, "p/m2:21050", "down");
    let mut client = connect(site.front());
    client.check_echo(b"hello");

    let status = managed.ok(&["status"]);
    assert!(status.starts_with("Oxpecker "), "{status}");
    assert!(status.contains(&format!("process {}", managed.gateway.pid())), "{status}");
    assert!(status.contains("1 virtual server, 1 pool, 2 members (1 up)"), "{status}");
    assert!(status.contains("1 now, 1 at most, 1 in all"), "{status}");

    let map = managed.ok(&["map"]);
    let front = site.front().to_string();
    let lines = words(&map);
    assert_eq!(lines[0], ["●", "v", &front, "up", "1", "connection"], "{map}");
    assert_eq!(lines[1], ["└─", "●", "p", "up"], "{map}");
    assert_eq!(lines[2], ["├─", "●", "m1:21050", "up", "enabled", "1", "connection"], "{map}");
    assert_eq!(lines[3], ["└─", "✗", "m2:21050", "down", "enabled", "no", "connections"], "{map}");
    assert!(map.contains("refused"), "why it is down: {map}");

    let members = managed.ok(&["members", "--search", "m2"]);
    assert_eq!(members.lines().count(), 2, "{members}");
    assert!(members.contains("p/m2:21050") && members.contains("refused"), "{members}");
    let members = managed.ok(&["members"]);
    assert!(!members.contains('\u{1b}'), "no colours into a pipe: {members}");
    let first = words(&members).into_iter().find(|line| line[0] == "p/m1:21050").unwrap();
    assert_eq!(first[1], site.member_addr(1).to_string(), "{members}");

    // `--json` is what the API says.
    let pools = managed.json(&["members"]);
    assert_eq!(pools["items"][0]["members"][0]["name"], "m1:21050");
    assert_eq!(managed.json(&["status"])["members_up"], 1);
    assert_eq!(managed.json(&["map"])["virtuals"][0]["pools"][0]["name"], "p");
}

#[test]
fn statistics_count_what_passed_and_are_reset_by_row() {
    let (site, _member) = site();
    let managed = Managed::start(&site);
    let mut client = connect(site.front());
    client.check_echo(&[7; 1500]);
    let row = |args: &[&str], name: &str| -> Vec<String> {
        let out = managed.ok(&[&["stats"], args].concat());
        let lines = words(&out);
        let found = lines.into_iter().find(|line| line.contains(&name));
        let found = found.unwrap_or_else(|| panic!("no `{name}` in {out}"));
        found.into_iter().map(str::to_owned).collect()
    };
    // Counted in bits, shown as F5 does.
    wait_until("all of it is counted", || row(&["--exact"], "p")[3] == "12000");
    let pool = row(&[], "p");
    assert_eq!(pool[2..4], ["12.0K", "12.0K"], "{pool:?}");
    assert_eq!(pool[6..], ["1", "1", "1"], "{pool:?}");
    let member = row(&["--exact"], "m1:21050");
    assert_eq!(member[1..5], ["--", "m1:21050", "12000", "12000"], "{member:?}");
    assert_eq!(row(&["--bytes", "--exact"], "p")[2..4], ["1500", "1500"]);
    assert_eq!(row(&["--of", "nodes", "--exact"], "m1")[2], "12000");
    assert_eq!(row(&["--of", "virtuals", "--exact"], "v")[2], "12000");
    let found = managed.ok(&["stats", "--search", "m2"]);
    assert!(found.contains("m2:21050") && !found.contains("m1:21050"), "{found}");
    let table = managed.json(&["stats"]);
    assert_eq!((&table["of"], &table["rows"][0]["bits_in"]), (&"pools".into(), &12_000.into()));

    let keys = managed.ok(&["stats", "--keys"]);
    assert_eq!(
        keys.lines().collect::<Vec<_>>(),
        ["pool:p", "member:p/m1:21050", "member:p/m2:21050"]
    );
    assert_eq!(managed.ok(&["reset-stats", "p/m1:21050"]), "1 row counted anew\n");
    managed.ok(&["reset-stats", "node:m1", "pool:p"]);
    assert_eq!(row(&["--exact"], "m1:21050")[3], "0");
    assert_eq!(row(&["--of", "virtuals", "--exact"], "v")[2], "12000");
    managed.ok(&["reset-stats"]);
    assert_eq!(row(&["--of", "virtuals", "--exact"], "v")[2], "0");
    let err = managed.fails(&["reset-stats", "p/nobody:1"]);
    assert!(err.contains("p/nobody:1"), "{err}");
}

#[test]
fn connections_are_listed_and_ended() {
    let (site, member) = site();
    let managed = Managed::start(&site);
    assert_eq!(managed.ok(&["connections"]), "no open connection\n");
    let mut client = connect(site.front());
    client.check_echo(b"hello");
    let own = client.local_addr().unwrap().to_string();
    let out = managed.ok(&["connections"]);
    let line = words(&out).into_iter().find(|line| line.contains(&own.as_str()));
    let line = line.unwrap_or_else(|| panic!("{own} is missing: {out}"));
    assert_eq!(line[2..4], ["v", "p/m1:21050"], "{out}");
    let id = line[0].to_owned();
    assert_eq!(managed.ok(&["connections", "--member", "m2"]), "no open connection\n");
    assert!(managed.ok(&["connections", "--member", "m1", "--virtual", "v"]).contains(&own));
    assert_eq!(
        managed.json(&["connections", "--search", &own])["items"][0]["client"],
        own.as_str()
    );

    assert_eq!(managed.ok(&["kill", "connection", &id]), format!("connection {id} ended\n"));
    member.wait_open(0);
    wait_until("its end is listed", || managed.ok(&["endings"]).contains(&own));
    let endings = managed.ok(&["endings"]);
    assert!(endings.contains(" KD"), "{endings}");
    let err = managed.fails(&["kill", "connection", &id]);
    assert!(err.contains(&id), "{err}");

    let _clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = connect(site.front());
            client.check_echo(b"x");
            client
        })
        .collect();
    assert_eq!(managed.ok(&["kill", "member", "m1"]), "3 connections ended\n");
    member.wait_open(0);
}

#[test]
fn events_are_told_as_they_come() {
    let (site, _member) = site();
    let managed = Managed::start(&site);
    let mut follower = managed.command(&["events", "--follow"]);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let lines = Lines::read_from(follower.stdout.take().unwrap());
    // What was before it began is told first.
    lines.wait("started");
    managed.ok(&["disable", "m2", "--comment", "new disks"]);
    let line = lines.wait("admin-state");
    assert!(line.contains("m2:21050"), "{line}");
    follower.kill().unwrap();
    follower.wait().unwrap();
    let all = managed.ok(&["events"]);
    assert!(all.contains("admin-state") && all.contains("new disks"), "{all}");
    let listing = managed.json(&["events", "--limit", "1"]);
    assert_eq!(listing["items"].as_array().map(Vec::len), Some(1));
}

/// As `head` does.
#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let (site, _member) = site();
    let managed = Managed::start(&site);
    let mut command = managed.command(&["events", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    // It writes to nobody with the next event.
    let status = oxpecker_testkit::wait::wait_for("it ends", || {
        managed.ok(&["disable", "m1"]);
        managed.ok(&["enable", "m1"]);
        child.try_wait().unwrap()
    });
    assert_eq!(status.code(), Some(0));
}

#[test]
fn what_is_not_there_is_said_in_words() {
    let (site, _member) = site();
    let managed = Managed::start(&site);
    for (listing, words) in [
        ("sessions", "no session is known\n"),
        ("operations", "no operation is known\n"),
        ("certificates", "no certificate is shown to anybody\n"),
        ("persistence", "no client sticks to a member\n"),
    ] {
        assert_eq!(managed.ok(&[listing]), words);
        assert_eq!(managed.json(&[listing])["items"], serde_json::json!([]));
    }
}
