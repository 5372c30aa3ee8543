//! Same client, same member, when possible (tests T8; features A34, D6).

use super::*;

/// Members that five connections of one client get, each after one of `events`.
#[track_caller]
fn check(members: &str, when_all_down: WhenAllDown, events: [&str; 5], expected: &str) {
    let mut lab = Lab::with(PoolSpec { when_all_down, ..pool("p", Method::RoundRobin, members) });
    lab.tell("a+ b+ c+");
    let mut got = String::new();
    for event in events {
        lab.tell(event);
        got += &lab.sticky(1);
        lab.close_all();
    }
    assert_eq!(got, expected, "{events:?}");
}

#[test]
fn client_stays_where_it_was_while_that_member_is_usable() {
    use WhenAllDown::*;
    check("a b c", Refuse, ["", "", "", "", ""], "aaaaa");
    // A draining member keeps its clients, a disabled one does not.
    check("a b c", Refuse, ["", "ar", "", "", ""], "aaaaa");
    check("a b c", Refuse, ["", "ax", "ae", "", ""], "abbbb");
    // Down or quiescing: to another, and the client stays there.
    check("a b c", Refuse, ["", "a-", "a+", "", ""], "abbbb");
    check("a b c", Refuse, ["", "a~", "a+", "", ""], "abbbb");
    check("a b c", Refuse, ["", "a- b- c-", "a+", "b+", ""], "a-aaa");
    // Failing open, the old member is the best guess, but never a disabled one.
    check("a b c", TryAny, ["", "a- b- c-", "", "b+", "a+"], "aa!a!bb");
    check("a b c", TryAny, ["", "a~ b- c-", "", "", ""], "aa!a!a!a!");
    check("a b c", TryAny, ["", "a- b- c- ax", "", "", ""], "ab!b!b!b!");
}

#[test]
fn weight_zero_keeps_its_clients() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    lab.tell("a+ b+");
    assert_eq!(lab.sticky(1), "a");
    lab.balancer.set_weight(lab.id("a"), 0);
    assert_eq!((lab.sticky(1), lab.sticky(2)), ("a".to_owned(), "b".to_owned()));
}

#[test]
fn full_member_sends_its_client_elsewhere_and_keeps_the_entry() {
    let mut lab = Lab::new(Method::RoundRobin, "a/1 b/1");
    lab.tell("a+ b+");
    assert_eq!(lab.sticky(1), "a");
    assert_eq!(lab.sticky(1), "b");
    assert_eq!(lab.sticky(1), "#");
    lab.close_all();
    assert_eq!(lab.sticky(1), "a");
    // Also when it is the only one left.
    lab.tell("ar b-");
    assert_eq!(lab.sticky(1), "#");
}

#[test]
fn member_that_was_tried_loses_the_client() {
    let mut lab = Lab::new(Method::RoundRobin, "a b c");
    lab.tell("a+ b+ c+");
    assert_eq!(lab.sticky(1), "a");
    let choice = lab.request(client(1), true, "a").expect("a choice");
    assert_eq!((choice.member, choice.by), (lab.id("b"), ChosenBy::Method));
    let choice = lab.request(client(1), true, "").expect("a choice");
    assert_eq!((choice.member, choice.by), (lab.id("b"), ChosenBy::Persistence));
}

#[test]
fn entry_expires_after_its_timeout_but_not_under_an_open_connection() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    lab.tell("a+ b+");
    assert_eq!(lab.sticky(1), "a");
    lab.wait(10_000);
    lab.balancer.expire(lab.now);
    assert_eq!(lab.sticky(1), "a");
    lab.close_all();
    lab.wait(179);
    assert_eq!(lab.sticky(1), "a");
    lab.close_all();
    lab.wait(180);
    assert_eq!(lab.sticky(1), "b");
    lab.close_all();
    lab.wait(180);
    lab.balancer.expire(lab.now);
    assert_eq!(lab.balancer.entries_len(lab.table()), 0);
}

#[test]
fn ten_thousand_sources_only_those_of_the_lost_member_move() {
    let mut lab = Lab::new(Method::RoundRobin, "a b c");
    let large = TableSpec { entries_max: 20_000, ..table("t") };
    lab.balancer.configure(vec![lab.spec.clone()], vec![large], lab.now);
    lab.tell("a+ b+ c+");
    let all = |lab: &mut Lab| -> Vec<String> {
        let names = (0..10_000).map(|source| lab.sticky(source)).collect();
        lab.close_all();
        names
    };
    let before = all(&mut lab);
    lab.tell("b-");
    let without = all(&mut lab);
    lab.tell("b+");
    let after = all(&mut lab);
    for (before, without) in before.iter().zip(&without) {
        assert!(before == without || before == "b");
        assert_ne!(without, "b");
    }
    assert_eq!(without, after); // back is not a reason to move anyone
}

#[test]
fn entries_can_be_listed_forgotten_and_cleared() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    lab.tell("a+ b+");
    for source in 1..=3 {
        lab.sticky(source);
    }
    let table = lab.table();
    let entries: Vec<_> =
        lab.balancer.entries(table, lab.now).map(|e| (e.client, e.member, e.open)).collect();
    let (a, b) = (lab.id("a"), lab.id("b"));
    assert_eq!(entries, [(client(1), a, 1), (client(2), b, 1), (client(3), a, 1)]);
    assert!(lab.balancer.forget_entry(table, client(1)));
    assert!(!lab.balancer.forget_entry(table, client(1)));
    assert_eq!(lab.balancer.entries_len(table), 2);
    lab.balancer.clear_entries(table);
    assert_eq!(lab.balancer.entries_len(table), 0);
    lab.close_all(); // what was open under cleared entries closes as usual
    assert_eq!(lab.view("a").open, 0);
}
