//! What virtual servers that read the protocol ask of the balancer.

use super::*;

#[test]
fn fewest_operations_win_and_ties_go_round() {
    let mut lab = Lab::new(Method::LeastOperations, "a b c");
    lab.tell("a+ b+ c+");
    assert_eq!(lab.at_once(6), "abcabc");
    lab.close_all();
    let (a, b) = (lab.id("a"), lab.id("b"));
    lab.balancer.set_operations(a, 3);
    lab.balancer.set_operations(b, 1);
    // Connections do not count, however many there are.
    assert_eq!(lab.at_once(5), "ccccc");
    lab.tell("c-");
    assert_eq!(lab.at_once(3), "bbb");
}

#[test]
fn operations_are_counted_by_node() {
    let mut lab = Lab::new(Method::LeastOperations, "a@x b@x c@y");
    lab.tell("a+ b+ c+");
    let a = lab.id("a");
    lab.balancer.set_operations(a, 1);
    assert_eq!(lab.at_once(3), "ccc");
}

#[test]
fn a_connection_that_had_to_go_somewhere_counts_there() {
    let mut lab = Lab::new(Method::LeastConnections, "a b");
    lab.tell("a+ b- ar");
    let (a, b) = (lab.id("a"), lab.id("b"));
    // Neither health nor admin state is asked.
    for member in [a, b, b] {
        assert!(lab.balancer.attach(member).is_some());
    }
    assert_eq!((lab.view("a").open, lab.view("b").open), (1, 2));
    lab.tell("b+ ae");
    assert_eq!(lab.choose(), "a");
    for member in [a, b, b] {
        lab.balancer.release(member, lab.now, None);
    }
    assert_eq!((lab.view("a").open, lab.view("b").open), (1, 0));
    lab.close_all();
    lab.reload("a");
    assert!(lab.balancer.attach(b).is_none());
}

#[test]
fn who_takes_new_sessions() {
    let mut lab = Lab::new(Method::LeastConnections, "a b c d e");
    lab.tell("a+ b- c~ dr ex");
    let takes = |name| lab.balancer.takes_new(lab.id(name));
    assert_eq!(["a", "b", "c", "d", "e"].map(takes), [true, false, false, false, false]);
    let down = |name| lab.balancer.is_down(lab.id(name));
    assert_eq!(["a", "b", "c", "d", "e"].map(down), [false, true, false, false, false]);
}
