//! What an operator reads of what happened.

use oxpecker_proxy::control::{AdminState, CommandError, Edited, EventKind, Health, Who};
use oxpecker_testkit::{Member, Net, wait_until};

use crate::running::{Running, who};

fn one(net: &Net) -> String {
    format!(
        "node.a.address = \"{}\"\npool.p = {{ port = 21050, monitor = \"none\", members = [\"a\"] }}\n\
         virtual.v = {{ listen = \"{}\", pool = \"p\" }}\n",
        net.ip(2),
        net.addr(1)
    )
}

#[test]
fn start_and_changes_of_an_operator_are_told_with_who_and_what() {
    let net = Net::new();
    let gateway = Running::start(&one(&net));
    let handle = &gateway.handle;
    assert_eq!(gateway.texts(""), ["gateway started: started with 1 virtual servers and 1 pools"]);
    let alice = who().because("new memory");
    assert_eq!(
        handle.set_admin_state(&alice, "p", "a:21050", AdminState::Draining),
        Ok(Edited::Changed)
    );
    assert_eq!(
        handle.set_admin_state(&alice, "p", "a:21050", AdminState::Draining),
        Ok(Edited::Same)
    );
    assert_eq!(handle.set_weight(&who(), "p", "a:21050", 7), Ok(Edited::Changed));
    assert_eq!(handle.set_weight(&who(), "p", "a:21050", 7), Ok(Edited::Same));
    assert_eq!(
        gateway.texts("p/a:21050"),
        ["admin:alice admin-state: enabled → draining (new memory)", "admin:alice weight: 1 → 7"]
    );
    let unknown = handle.set_weight(&who(), "p", "b:21050", 7).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no member `p/b:21050`");
    let heavy = handle.set_weight(&who(), "p", "a:21050", 257).unwrap_err();
    assert_eq!(heavy, CommandError::Refused("weight 257 is too large: at most 256".into()));
    let changed = handle.events_changed();
    handle.note(&Who::new("192.0.2.9"), EventKind::Access, "", "locked out");
    assert!(changed.has_changed().unwrap());
    assert_eq!(handle.events(*changed.borrow() - 1, 10)[0].text, "locked out");
}

#[test]
fn health_is_told_with_its_reason_and_time_down_is_counted() {
    let net = Net::new();
    let monitor = "monitor.quick = { parent = \"tcp\", interval = \"1s\", timeout = \"1s\", fall = 2, interval_down = \"1s\" }\n";
    let text = one(&net).replace("\"none\"", "\"quick\"");
    let mut member = Member::echo(net.addr(2));
    let gateway = Running::start(&format!("{monitor}{text}"));
    let view = || gateway.handle.pools().remove(0).members.remove(0);
    wait_until("it is up", || view().health == Health::Up);
    assert_eq!(view().health_reason, "probe passed");
    member.kill();
    wait_until("it is down", || view().health == Health::Down);
    let down = view();
    assert!(down.health_reason.starts_with("probe failed: connect"), "{}", down.health_reason);
    assert_eq!(down.times_down, 1);
    assert_eq!(down.probe.kind, "tcp");
    assert!(down.probe.failed >= 2 && down.probe.passed >= 1, "{:?}", down.probe);
    assert_eq!(down.probe.times.count(), down.probe.passed);
    assert_eq!(down.probe.last_result, down.health_reason);
    wait_until("time down grows", || view().downtime > down.downtime);
    let texts = gateway.texts("p/a:21050");
    assert_eq!(texts[0], "monitor health: unknown → up: probe passed");
    assert!(texts[1].starts_with("monitor health: up → down: probe failed"), "{texts:?}");
}

#[test]
fn a_reload_tells_what_came_and_went_or_why_it_failed() {
    let net = Net::new();
    let gateway = Running::start(&one(&net));
    let more = one(&net)
        .replace("members", "description = \"x\", members")
        .replace("[\"a\"]", "[\"a\", { node = \"a\", port = 21051 }]");
    gateway.reload(&more).unwrap();
    assert_eq!(gateway.texts("p/a:21051"), ["admin:alice added: member added"]);
    gateway.reload(&one(&net)).unwrap();
    assert_eq!(gateway.texts("p/a:21051")[1], "admin:alice removed: member removed");
    assert!(!gateway.handle.status().last_reload_failed);
    let error = gateway.reload("pool.p = 5").unwrap_err().to_string();
    assert!(gateway.handle.status().last_reload_failed);
    let last = gateway.handle.events(0, 1).remove(0);
    assert_eq!(last.kind, EventKind::ReloadFailed);
    assert!(last.text.ends_with(&error), "{} / {error}", last.text);
}
