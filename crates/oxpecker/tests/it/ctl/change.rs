//! Changes of a running gateway.

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, connect};

use super::{Managed, words};
use crate::site::Site;

/// Where `count` new clients come to.
fn reached(site: &Site, count: usize) -> Vec<String> {
    let mut names: Vec<_> = (0..count).map(|_| connect(site.front()).hear_line()).collect();
    names.sort();
    names.dedup();
    names
}

fn two() -> (Site, [Member; 2]) {
    let site = Site::new(2).pool("method = \"round-robin\"");
    let members =
        [1, 2].map(|number| Member::named(site.member_addr(number), &format!("m{number}")));
    (site, members)
}

#[test]
fn states_and_weights_change_who_gets_clients() {
    let (site, _members) = two();
    let managed = Managed::start(&site);
    assert_eq!(reached(&site, 4), ["m1", "m2"]);
    let out = managed.ok(&["disable", "p/m1:21050"]);
    assert!(out.starts_with("p/m1:21050 is disabled, "), "{out}");
    assert_eq!(reached(&site, 4), ["m2"]);
    // Any part that names one member is enough.
    for name in ["m1", "m1:21050", "p/m1"] {
        assert!(managed.ok(&["enable", name]).starts_with("p/m1:21050 is enabled, "), "{name}");
    }
    assert_eq!(reached(&site, 4), ["m1", "m2"]);
    assert!(managed.ok(&["weight", "m2", "0"]).contains("weight 0"));
    assert_eq!(reached(&site, 4), ["m1"]);
    managed.ok(&["weight", "m2", "1"]);
    assert!(managed.ok(&["disable", "--node", "m2"]).starts_with("p/m2:21050 is disabled, "));
    assert_eq!(reached(&site, 4), ["m1"]);
    assert_eq!(managed.ok(&["status"]).matches("running").count(), 1);
}

#[test]
fn names_that_fit_nothing_are_answered_with_those_there_are() {
    let (site, _members) = two();
    let managed = Managed::start(&site);
    for args in [&["enable", "m"][..], &["drain", "p"], &["weight", "m3", "1"], &["remove", "nix"]]
    {
        let err = managed.fails(args);
        assert!(err.contains("there are p/m1:21050, p/m2:21050"), "{args:?}: {err}");
    }
    let err = managed.fails(&["disable", "--node", "m3"]);
    assert!(err.contains("m3"), "{err}");
    let err = managed.fails(&["weight", "m1", "9999"]);
    assert!(err.contains("weight") || err.contains("256"), "{err}");
    assert_eq!(managed.ask(&["weight", "m1", "many"]).0, 2);
}

#[test]
fn members_and_nodes_come_and_go() {
    let (site, _members) = two();
    let third = Member::named(site.member_addr(3), "m3");
    let managed = Managed::start(&site);
    let ip = third.addr().ip().to_string();
    assert_eq!(managed.ok(&["add-node", "m3", &ip]), format!("node m3 is {ip}\n"));
    let out = managed.ok(&["add", "p", "m3:21050", "--disabled"]);
    assert!(out.starts_with("p/m3:21050 is disabled, "), "{out}");
    assert_eq!(reached(&site, 6), ["m1", "m2"]);
    managed.ok(&["enable", "m3"]);
    assert_eq!(reached(&site, 6), ["m1", "m2", "m3"]);
    // What carries clients is not taken out by mistake.
    let mut client = connect(site.front());
    while client.hear_line() != "m3" {
        client = connect(site.front());
    }
    managed.fails(&["remove-node", "m3"]);
    managed.fails(&["remove", "m3"]);
    assert_eq!(managed.ok(&["remove", "m3", "--force"]), "p/m3:21050 is no member any more\n");
    assert_eq!(managed.ok(&["remove-node", "m3"]), "m3 is no node any more\n");
    assert_eq!(reached(&site, 6), ["m1", "m2"]);
    assert!(managed.fails(&["add", "p", "m3"]).contains("`m3` is not NODE:PORT"));
    assert!(managed.fails(&["add", "p", "m3:21050"]).contains("m3"));
    assert!(managed.fails(&["add", "q", "m1:21050"]).contains('q'));
}

#[test]
fn a_reload_is_all_or_nothing() {
    let (site, _members) = two();
    let managed = Managed::start(&site);
    assert_eq!(managed.ok(&["reload"]), "reloaded\n");
    let file = managed.gateway.config_file();
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}\nnonsense = 1\n")).unwrap();
    let err = managed.fails(&["reload"]);
    assert!(err.contains("nonsense") || err.contains("reload"), "{err}");
    assert_eq!(reached(&site, 4), ["m1", "m2"]);
    assert!(managed.ok(&["status"]).contains("failed"), "the status remembers it");
    std::fs::write(&file, good.replace("[\"m1\", \"m2\"]", "[\"m2\"]")).unwrap();
    managed.ok(&["reload"]);
    assert_eq!(reached(&site, 4), ["m2"]);
}

#[test]
fn changes_are_kept_when_they_are_saved() {
    let (site, _members) = two();
    let dir = oxpecker_testkit::TempDir::new();
    let state = dir.join("state.toml");
    let lines = format!("state_file = \"{}\"", state.display());
    let managed = Managed::run(&lines, &site.config());
    managed.ok(&["disable", "m1"]);
    assert!(managed.ok(&["status"]).contains("1 change; `oxpecker save`"));
    let out = managed.ok(&["save"]);
    assert!(out.starts_with("1 change saved in ") && out.contains("state.toml"), "{out}");
    drop(managed);
    let managed = Managed::run(&lines, &site.config());
    let members = managed.ok(&["members"]);
    let first = words(&members).into_iter().find(|line| line[0] == "p/m1:21050").unwrap();
    assert_eq!(first[2], "disabled", "{members}");
    // Without a file there is nothing to save to.
    let managed = Managed::start(&Site::new(1));
    let err = managed.fails(&["save"]);
    assert!(err.contains("state_file"), "{err}");
}
