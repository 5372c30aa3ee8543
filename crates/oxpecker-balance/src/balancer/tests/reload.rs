//! What stays and what changes over a reload (test T34).

use super::*;

#[test]
fn same_names_keep_ids_counts_health_admin_states_weights_and_entries() {
    let mut lab = Lab::new(Method::RoundRobin, "a b c");
    lab.tell("a+ b+ c- ar");
    assert_eq!((lab.sticky(1), lab.sticky(2)), ("b".to_owned(), "b".to_owned()));
    lab.balancer.set_weight(lab.id("b"), 7);
    lab.wait(5);
    let view = |lab: &Lab| ["a", "b", "c"].map(|name| lab.view(name));
    let (before, table) = (view(&lab), lab.table());
    lab.reload("c b a d"); // another order, and one more
    assert_eq!(view(&lab), before);
    assert_eq!(lab.table(), table);
    assert_eq!(lab.sticky(1), "b");
    assert_eq!(lab.view("d").health, Health::Unknown);
}

#[test]
fn edited_values_win_over_what_an_operator_set() {
    let mut lab = Lab::new(Method::RoundRobin, "a*1 b*1 c*1");
    lab.tell("ax br");
    for name in ["a", "b"] {
        lab.balancer.set_weight(lab.id(name), 9);
    }
    lab.reload("a*2 b*1+x c*3/5@moved");
    let settings = |lab: &Lab, name| (lab.view(name).weight, lab.view(name).admin_state);
    assert_eq!(settings(&lab, "a"), (2, AdminState::Disabled));
    assert_eq!(settings(&lab, "b"), (9, AdminState::Disabled));
    assert_eq!(settings(&lab, "c"), (3, AdminState::Enabled));
    assert_eq!(lab.view("c").connections_max, Some(5));
    assert_eq!(lab.view("c").node, "moved");
    lab.reload("a*2 b*1 c*3");
    assert_eq!(settings(&lab, "b"), (9, AdminState::Enabled));
}

#[test]
fn removed_member_counts_for_its_node_until_its_last_connection_closes() {
    let mut lab = Lab::new(Method::RoundRobin, "a@one b@two");
    lab.tell("a+ b+");
    assert_eq!(lab.at_once(4), "abab");
    let b = lab.id("b");
    lab.reload("a@one");
    assert_eq!(lab.choose(), "a");
    let leaving = lab.balancer.leaving();
    assert_eq!((leaving.len(), leaving[0].id, leaving[0].open), (1, b, 2));
    assert_eq!(lab.balancer.member_name(b), Some("b"));
    assert_eq!(lab.balancer.probed(b, ProbeOutcome::Failed, lab.now), None);
    assert_eq!(lab.balancer.nodes().len(), 2);
    let load = lab.balancer.release(b, lab.now, None);
    assert_eq!(load, Load { member: 2, node: 2, pool: 5 });
    lab.balancer.release(b, lab.now, None);
    assert_eq!(lab.balancer.leaving(), []);
    assert_eq!((lab.balancer.member_name(b), lab.balancer.pool_of(b)), (None, None));
    assert_eq!(lab.balancer.nodes().len(), 1);
    lab.reload("a@one b@two");
    let new = lab.id("b");
    assert_ne!(new, b); // never used again
    lab.reload("a@one"); // without connections it goes at once
    assert_eq!(lab.balancer.pool_of(new), None);
}

#[test]
fn member_that_returns_before_its_last_connection_closed_is_the_same() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    lab.tell("a+ b+ br");
    lab.tell("be");
    assert_eq!(lab.at_once(2), "ab");
    let b = lab.id("b");
    lab.tell("bx");
    lab.reload("a");
    lab.reload("a b@elsewhere");
    let view = lab.view("b");
    assert_eq!((view.id, view.open, view.node_open), (b, 1, 1));
    assert_eq!((view.health, view.admin_state), (Health::Unknown, AdminState::Enabled));
    lab.close_all();
    assert_eq!(lab.balancer.leaving(), []);
    assert_eq!(lab.balancer.nodes().len(), 2);
}

#[test]
fn removed_pool_serves_nobody_and_vanishes_with_its_last_connection() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    lab.tell("a+ b+");
    lab.choose();
    let (a, pool) = (lab.id("a"), lab.balancer.pool_id("p").expect("a pool"));
    let (spec, now) = (lab.spec.clone(), lab.now);
    lab.balancer.configure(vec![], vec![], now);
    assert_eq!(lab.balancer.pool_id("p"), None);
    assert_eq!(lab.balancer.pool_name(pool), Some("p"));
    let request = Request { pool, client: client(0), table: None, tried: &[], now };
    assert_eq!(lab.balancer.choose(&request), Err(Refusal::NoUsableMember));
    lab.balancer.release(a, now, None);
    assert_eq!(lab.balancer.pool_name(pool), None);
    assert_eq!(lab.balancer.nodes(), []);
    lab.balancer.configure(vec![spec], vec![], now);
    assert_ne!(lab.balancer.pool_id("p"), Some(pool));
}

#[test]
fn connection_of_a_removed_table_closes_as_usual() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    lab.sticky(1);
    let (table, a) = (lab.table(), lab.id("a"));
    lab.balancer.configure(vec![lab.spec.clone()], vec![], lab.now);
    let load = lab.balancer.release(a, lab.now, Some((table, client(1))));
    assert_eq!(load, Load { member: 1, node: 1, pool: 1 });
    lab.reload("a b");
    assert_ne!(lab.table(), table);
}

#[test]
fn doubled_names_count_once() {
    let lab = Lab::new(Method::RoundRobin, "a*1 a*2 b");
    let pool = lab.balancer.pool_id("p").expect("a pool");
    assert_eq!(lab.balancer.members(pool).len(), 2);
    assert_eq!(lab.view("a").weight, 1);
}
