//! One member out on request, and back whatever happens.

use oxpecker_testkit::clients::Client;
use oxpecker_testkit::wait_until;

use super::{Cluster, Plan, verify};
use crate::ctl::{command, run};

fn admin(cluster: &Cluster) -> String {
    format!("unix:{}", cluster.admin_socket().display())
}

#[track_caller]
fn ask(cluster: &Cluster, args: &[&str]) -> String {
    let mut command = command(&admin(cluster));
    command.args(args);
    let (status, out, err) = run(command);
    assert_eq!(status, 0, "{args:?}: {out}{err}");
    out
}

#[track_caller]
fn fail_over(cluster: &Cluster, member: &str, more: &[&str]) -> (i32, String) {
    let admin = admin(cluster);
    let arguments = ["--admin", &admin, "--failover", member, "--virtual", "hs2", "--logins", "6"];
    verify(cluster, &[&arguments[..], more].concat())
}

fn is_enabled(cluster: &Cluster, member: &str) -> bool {
    let members = ask(cluster, &["members", "--search", member]);
    assert!(members.contains(member), "{members}");
    members.contains("enabled")
}

#[test]
fn logins_go_elsewhere_and_come_back() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").managed().start();
    let (status, out) = fail_over(&cluster, "hs2/c2", &[]);
    assert_eq!(status, 0, "{out}");
    let line = out.lines().find(|line| line.contains("without hs2/c2:21050, 6 logins")).unwrap();
    let gone = cluster.coordinators[1].ip().to_string();
    assert!(!line.contains(&gone), "{line}");
    for other in [0, 2].map(|index| cluster.coordinators[index].ip().to_string()) {
        assert!(line.contains(&other), "the two others share them: {line}");
    }
    assert!(out.contains("hs2/c2:21050 is enabled again, and new clients come to it"), "{out}");
    assert!(is_enabled(&cluster, "hs2/c2:21050"));
    // It is an event like any other change.
    let events = ask(&cluster, &["events"]);
    assert!(events.contains("verify --failover"), "{events}");
}

#[test]
fn a_client_that_sticks_moves_too() {
    let cluster = Plan::new(2).persistent().managed().start();
    for member in ["hs2/c1", "hs2/c2"] {
        let (status, out) = fail_over(&cluster, member, &[]);
        assert_eq!(status, 0, "{member}: {out}");
        assert!(out.contains("6 logins went elsewhere"), "{member}: {out}");
        assert!(is_enabled(&cluster, member), "{member}");
    }
}

#[test]
fn what_cannot_be_spared_is_left_alone() {
    let mut cluster = Plan::new(2).managed().start();
    cluster.coordinators[1].kill();
    wait_until("it is seen", || ask(&cluster, &["members"]).contains("down"));
    let (status, out) = fail_over(&cluster, "hs2/c1", &[]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("no other member of hs2 is usable"), "{out}");
    let (status, out) = fail_over(&cluster, "hs2/c2", &[]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("hs2/c2:21050 takes no clients already"), "{out}");
    assert_eq!(ask(&cluster, &["events"]).matches("admin-state").count(), 0);
}

/// The others are up by their probes, and let nobody in who does not say the password.
#[test]
fn logins_that_fail_elsewhere_are_a_fault() {
    let cluster = Plan::new(2)
        .args(&["--auth=plain", "--user=ann=secret"])
        .monitor("user = \"ann\"\npassword = \"secret\"")
        .pool("method = \"round-robin\"")
        .managed()
        .start();
    let (status, out) = fail_over(&cluster, "hs2/c1", &[]);
    assert_eq!(status, 5, "{out}");
    assert!(out.contains("without hs2/c1:21050, 6 of 6 logins failed: "), "{out}");
    assert!(is_enabled(&cluster, "hs2/c1:21050"));
}

#[test]
fn ctrl_c_gives_the_member_back() {
    let mut cluster = Plan::new(2).pool("method = \"round-robin\"").managed().start();
    let mut command = command(&admin(&cluster));
    command.args(["verify", "-f"]).arg(cluster.gateway.config_file());
    command.args(["--virtual", "hs2", "--failover", "hs2/c1", "--logins", "1000"]);
    let client = Client::start(command);
    wait_until("it is out", || !is_enabled(&cluster, "hs2/c1:21050"));
    client.interrupt();
    let printed = client.wait();
    assert_eq!(printed.status.code(), Some(130), "{printed:#?}");
    assert!(printed.err.contains("interrupted; the member is as it was"), "{printed:#?}");
    assert!(is_enabled(&cluster, "hs2/c1:21050"));
    assert!(cluster.gateway.is_running());
}
