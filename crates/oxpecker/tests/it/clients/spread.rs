//! The verifications that load balancer recipes for Impala end with, by machine.

use std::collections::BTreeMap;

use oxpecker_testkit::clients::{Terminal, run};

use super::{Plan, raw_sessions};

#[test]
fn three_shells_at_the_same_time_are_on_three_coordinators() {
    let cluster = Plan::new(3).start();
    let mut shells: Vec<_> =
        ["beeswax", "hs2", "hs2-http"].map(|p| Terminal::start(cluster.shell(p))).into();
    for shell in &mut shells {
        shell.wait("default> ");
    }
    let mut owners: Vec<_> = shells
        .iter_mut()
        .map(|shell| {
            shell.type_keys("select 'pid=' || pid();\n");
            shell.wait("\npid=");
            cluster.index_of(&shell.wait("\r\n"))
        })
        .collect();
    owners.sort_unstable();
    // Connections count by node, whichever pool they came through.
    assert_eq!(owners, [0, 1, 2]);
}

/// `for i in {1..10}; do impala-shell -q 'select pid()' 2>&1 | grep Coordinator; done`
#[test]
fn ten_shells_in_turn_are_on_each_of_five_coordinators_twice() {
    let cluster = Plan::new(5).pool("method = \"round-robin\"").start();
    let mut counts = BTreeMap::new();
    for _ in 0..10 {
        let mut command = cluster.shell("hs2");
        command.args(["-q", "select pid()"]);
        let printed = run(command);
        let err = printed.err.clone();
        let index = cluster.index_of(&printed.ok());
        let told = format!("(Coordinator: http://{}:25000)", cluster.coordinators[index].ip());
        assert!(err.contains(&told), "`{told}` in {err}");
        *counts.entry(index).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([(0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]));
}

#[test]
fn three_hundred_sessions_are_spread_to_within_one() {
    let cluster = Plan::new(3).pool("method = \"round-robin\"").start();
    let out = raw_sessions(&cluster, "sessions", "300");
    let mut counts: Vec<u32> = out
        .lines()
        .map(|line| {
            let (pid, count) = line.split_once(' ').unwrap();
            cluster.index_of(pid);
            count.parse().unwrap()
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts.iter().sum::<u32>(), 300);
    assert!(counts.len() == 3 && counts[2] - counts[0] <= 1, "{counts:?}");
}
