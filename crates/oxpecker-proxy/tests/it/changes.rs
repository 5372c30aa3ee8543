//! Changes at run time: in force at once, over reloads and restarts, and giving way to the files.

use std::fs;

use oxpecker_proxy::control::{AdminState, CommandError, Edited, NewMember, SaveError};
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, Net, TempDir, connect, wait_until};

use crate::running::{Running, who};

fn one(net: &Net) -> String {
    format!(
        "node.a.address = \"{}\"\nnode.b.address = \"{}\"\n\
         pool.p = {{ port = 21050, monitor = \"none\", members = [\"a\"], method = \"round-robin\" }}\n\
         virtual.v = {{ listen = \"{}\", pool = \"p\" }}\n",
        net.ip(2),
        net.ip(3),
        net.addr(1)
    )
}

fn members(gateway: &Running) -> Vec<String> {
    let pool = gateway.handle.pools().remove(0);
    pool.members.into_iter().map(|member| member.name).collect()
}

#[test]
fn a_member_is_added_serves_and_is_removed_while_its_client_goes_on() {
    let net = Net::new();
    let _a = Member::named(net.addr(2), "a");
    let b = Member::named(net.addr(3), "b");
    let gateway = Running::start(&one(&net));
    let handle = &gateway.handle;
    let mut first = connect(net.addr(1));
    assert_eq!(first.hear_line(), "a");
    let new = NewMember { weight: Some(3), ..Default::default() };
    gateway.wait(handle.add_member(who(), "p", "b", 21050, new)).unwrap();
    assert_eq!(members(&gateway), ["a:21050", "b:21050"]);
    assert_eq!(handle.pools()[0].members[1].weight, 3);
    first.check_echo(b"still served");
    let mut on_b = loop {
        let mut client = connect(net.addr(1));
        if client.hear_line() == "b" {
            break client;
        }
    };
    let again = gateway.wait(handle.add_member(who(), "p", "b", 21050, new)).unwrap_err();
    let name = "p/b:21050".to_owned();
    assert_eq!(again, CommandError::Exists { kind: "member", name });
    let in_use = gateway.wait(handle.remove_node(who(), "b")).unwrap_err();
    assert!(in_use.to_string().contains("in use by member `p/b:21050`"), "{in_use}");

    wait_until("one connection is left on it", || b.open() == 1);
    gateway.wait(handle.remove_member(who(), "p", "b:21050")).unwrap();
    assert_eq!(members(&gateway), ["a:21050"]);
    on_b.check_echo(b"goes on");
    let leaving = handle.pools().remove(0).leaving;
    assert_eq!((leaving[0].name.as_str(), leaving[0].connections), ("b:21050", 1));
    let mut next = connect(net.addr(1));
    assert_eq!(next.hear_line(), "a");
    drop(on_b);
    wait_until("nothing is left of it", || handle.pools()[0].leaving.is_empty());
    assert_eq!(
        gateway.texts("p/b:21050"),
        ["admin:alice added: member added", "admin:alice removed: member removed"]
    );
    let last = gateway.wait(handle.remove_member(who(), "p", "a:21050")).unwrap_err();
    assert!(last.to_string().contains("last member"), "{last}");
    // Added and removed: nothing has changed.
    assert_eq!(handle.changes(), []);
}

#[test]
fn changes_stay_over_a_reload_until_the_files_say_something_new() {
    let net = Net::new();
    let gateway = Running::start(&one(&net));
    let handle = &gateway.handle;
    gateway.wait(handle.add_node(who(), "c", "127.0.0.1", "for the night")).unwrap();
    gateway.wait(handle.add_member(who(), "p", "c", 1, NewMember::default())).unwrap();
    handle.set_weight(&who(), "p", "a:21050", 9).unwrap();
    handle.set_admin_state(&who(), "p", "c:1", AdminState::Disabled).unwrap();
    assert_eq!(handle.changes().len(), 3);
    gateway.reload(&one(&net)).unwrap();
    let pool = handle.pools().remove(0);
    assert_eq!((pool.members[0].weight, pool.members[1].name.as_str()), (9, "c:1"));
    assert_eq!(pool.members[1].admin_state, AdminState::Disabled);
    assert_eq!(handle.nodes()[2].description, "for the night");

    let heavier = one(&net).replace("[\"a\"]", "[{ node = \"a\", weight = 5 }]");
    gateway.reload(&heavier).unwrap();
    let pool = handle.pools().remove(0);
    assert_eq!((pool.members[0].weight, pool.members.len()), (5, 2));
    assert_eq!(handle.changes().len(), 2);
    let told = handle.events(0, 100).into_iter().find(|event| event.text.contains("gives way"));
    let text = told.unwrap().text;
    assert!(text.starts_with("`set the weight of p/a:21050 to 9` gives way"), "{text}");
    // What is set back by hand is no change.
    handle.set_weight(&who(), "p", "a:21050", 6).unwrap();
    handle.set_weight(&who(), "p", "a:21050", 5).unwrap();
    assert_eq!(handle.changes().len(), 2);
}

#[test]
fn what_is_saved_is_in_force_after_a_restart() {
    let (net, dir) = (Net::new(), TempDir::new());
    let path = dir.join("state.toml");
    let _b = Member::named(net.addr(3), "b");
    {
        let gateway = Running::with_state(&one(&net), Some(&path));
        let handle = &gateway.handle;
        gateway.wait(handle.add_member(who(), "p", "b", 21050, NewMember::default())).unwrap();
        handle.set_admin_state(&who(), "p", "a:21050", AdminState::Disabled).unwrap();
        assert_eq!((handle.unsaved_changes(), handle.status().unsaved_changes), (2, 2));
        let saved = handle.save(&who()).unwrap();
        assert_eq!((saved.changes, saved.file), (2, path.clone()));
        assert_eq!(handle.unsaved_changes(), 0);
        handle.set_weight(&who(), "p", "a:21050", 4).unwrap();
        assert_eq!(handle.unsaved_changes(), 1);
    }
    let gateway = Running::with_state(&one(&net), Some(&path));
    assert_eq!(connect(net.addr(1)).hear_line(), "b");
    let pool = gateway.handle.pools().remove(0);
    // The weight was not saved.
    assert_eq!((pool.members[0].admin_state, pool.members[0].weight), (AdminState::Disabled, 1));
    assert_eq!((gateway.handle.changes().len(), gateway.handle.unsaved_changes()), (2, 0));
    assert_eq!(
        gateway.handle.set_admin_state(&who(), "p", "a:21050", AdminState::Enabled),
        Ok(Edited::Changed)
    );
    assert_eq!(gateway.handle.unsaved_changes(), 1);
    gateway.handle.save(&who()).unwrap();
    assert!(!fs::read_to_string(&path).unwrap().contains("set-state"));
}

#[test]
fn a_broken_state_file_is_told_of_and_kept() {
    let (net, dir) = (Net::new(), TempDir::new());
    let path = dir.write("state.toml", "[[change]]\ndo = \"fly\"\n");
    let gateway = Running::with_state(&one(&net), Some(&path));
    assert_eq!(members(&gateway), ["a:21050"]);
    let texts = gateway.texts(&path.display().to_string());
    assert!(texts[0].contains("NOT in force: line 2:6: `fly`"), "{texts:?}");
    let saved = gateway.handle.save(&who()).unwrap();
    let bad = dir.join("state.toml.bad");
    assert_eq!(saved.kept_broken, Some(bad.clone()));
    assert!(fs::read_to_string(bad).unwrap().contains("fly"));
}

#[test]
fn without_a_state_file_saving_says_what_to_do() {
    let net = Net::new();
    let gateway = Running::start(&one(&net));
    let error = gateway.handle.save(&who()).unwrap_err();
    assert!(matches!(error, SaveError::NoFile));
    assert!(error.to_string().contains("`state_file`"), "{error}");
}

#[test]
fn limits_and_addresses_change_and_a_listener_pauses() {
    let net = Net::new();
    let _members = [Member::named(net.addr(2), "a"), Member::named(net.addr(5), "elsewhere")];
    let gateway = Running::start(&one(&net));
    let handle = &gateway.handle;
    let mut client = connect(net.addr(1));
    assert_eq!(client.hear_line(), "a");

    gateway.wait(handle.set_virtual_limit(who(), "v", Some(7))).unwrap();
    gateway.wait(handle.set_process_limit(who(), Some(50))).unwrap();
    gateway.wait(handle.set_member_limit(who(), "p", "a:21050", Some(3))).unwrap();
    assert_eq!(handle.virtuals()[0].connections_max, Some(7));
    assert_eq!(handle.status().connections_max, 50);
    assert_eq!(handle.pools()[0].members[0].connections_max, Some(3));
    let zero = gateway.wait(handle.set_virtual_limit(who(), "v", Some(0))).unwrap_err();
    assert!(zero.to_string().contains("a limit is 1 to"), "{zero}");
    let much = gateway.wait(handle.set_process_limit(who(), Some(9_999_999))).unwrap_err();
    assert!(much.to_string().contains("file descriptors"), "{much}");
    assert_eq!(handle.status().connections_max, 50);

    gateway.wait(handle.set_address(who(), "a", &net.ip(5).to_string())).unwrap();
    assert_eq!(connect(net.addr(1)).hear_line(), "elsewhere");
    client.check_echo(b"on the old address");

    gateway.wait(handle.set_listening(who(), "v", false)).unwrap();
    assert!(!handle.virtuals()[0].listening);
    let refused = std::net::TcpStream::connect(net.addr(1)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    client.check_echo(b"goes on");
    // Neither a reload nor another change opens it.
    gateway.reload(&one(&net)).unwrap();
    gateway.wait(handle.set_virtual_limit(who(), "v", None)).unwrap();
    assert!(std::net::TcpStream::connect(net.addr(1)).is_err());
    gateway.wait(handle.set_listening(who(), "v", true)).unwrap();
    assert_eq!(connect(net.addr(1)).hear_line(), "elsewhere");
}
