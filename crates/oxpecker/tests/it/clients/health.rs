//! What monitors see of coordinators that shut down, hang, are full, or want another login.

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use oxpecker_testkit::{Standin, connect, wait_until};

use super::{Cluster, Plan, number, wait_executing, wait_line};

/// New sessions go to the other of two coordinators and nowhere else.
#[track_caller]
fn check_avoided(cluster: &Cluster, avoided: usize) {
    let seen = cluster.sessions().ask("connects 6");
    let expected = format!("{}:6", cluster.pids()[1 - avoided]);
    assert_eq!(seen, expected, "coordinator {avoided} of {:?} is avoided", cluster.pids());
}

#[test]
fn a_graceful_shutdown_is_seen_and_what_runs_finishes() {
    let mut cluster = Plan::new(2)
        .args(&["--shutdown-grace-period=1"])
        .pool("method = \"round-robin\"")
        .also_judged_by("healthz")
        .start();
    let mut client = cluster.sessions();
    let leaving = cluster.index_of(&client.ask("open a"));
    client.ask("start a select sleep(5000)");
    wait_executing(&cluster.coordinators[leaving], 1);
    let mark = cluster.gateway.out.mark();
    let before = hs2_connections(&cluster.coordinators[leaving]);
    cluster.coordinators[leaving].shut_down_gracefully();
    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "to=\"quiescing\""]);
    // One probe may have been under way, the next one saw it, and we may be late to look.
    let probes = hs2_connections(&cluster.coordinators[leaving]) - before;
    assert!(probes <= 3, "it took {probes} probes");
    for pool in ["pool=hs2 ", "pool=hs2-http ", "pool=also "] {
        let line = wait_line(&cluster.gateway, mark, &[pool, "to=\"quiescing\""]);
        assert!(line.contains("the coordinator says it is shutting down"), "{line}");
    }
    check_avoided(&cluster, leaving);
    assert_eq!(client.ask("finish a"), "[(True,)]");
    assert!(cluster.coordinators[leaving].wait_exit().success());
    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "member is down"]);
}

#[test]
fn the_statement_shutdown_is_seen_too() {
    let cluster = Plan::new(2).pool("method = \"round-robin\"").start();
    let mut client = cluster.sessions();
    let leaving = cluster.index_of(&client.ask("open a"));
    let mark = cluster.gateway.out.mark();
    let answer = client.ask("run a :shutdown()");
    assert!(answer.contains("shutdown grace period left"), "{answer}");
    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "to=\"quiescing\""]);
    check_avoided(&cluster, leaving);
    assert!(client.ask("run a select 1").contains("Server is being shut down"));
}

#[test]
fn a_frozen_coordinator_is_noticed_by_hs2_and_not_by_tcp() {
    let mut cluster = Plan::new(2).also_judged_by("tcp").start();
    let mark = cluster.gateway.out.mark();
    cluster.coordinators[0].signal(Signal::SIGSTOP);
    let line = wait_line(&cluster.gateway, mark, &["pool=hs2 ", "member is down"]);
    assert!(line.contains("no answer to ") && line.contains(" in time"), "{line}");
    check_avoided(&cluster, 0);
    let lines = cluster.gateway.out.all();
    let tcp = lines[mark..].iter().filter(|line| line.contains("pool=also ")).count();
    assert_eq!(tcp, 0, "the kernel goes on accepting for it");
    let mark = cluster.gateway.out.mark();
    cluster.coordinators[0].signal(Signal::SIGCONT);
    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "to=\"up\""]);
}

/// The third connection is accepted and then silent.
#[test]
fn a_full_coordinator_is_marked_down_and_avoided() {
    let cluster = Plan::new(2).args(&["--fe-service-threads=2"]).start();
    let full = SocketAddr::new(cluster.coordinators[0].ip(), 21_050);
    let mark = cluster.gateway.out.mark();
    let idle = [connect(full), connect(full)];
    let line = wait_line(&cluster.gateway, mark, &["pool=hs2 ", "member is down"]);
    assert!(line.contains("no answer to "), "{line}");
    check_avoided(&cluster, 0);
    let mark = cluster.gateway.out.mark();
    drop(idle);
    wait_line(&cluster.gateway, mark, &["pool=hs2 ", "to=\"up\""]);
}

/// What the first probes of a single coordinator say, by pool.
#[track_caller]
fn check_login(args: &[&str], monitor: &str, expected: [(&str, &str); 3]) {
    let cluster = Plan::new(1).args(args).monitor(monitor).launch();
    for (pool, reason) in expected {
        let pool = format!("pool={pool} ");
        let line = wait_line(&cluster.gateway, 0, &[&pool, "member is down"]);
        assert!(line.contains(reason), "`{reason}` is missing: {line}");
    }
}

#[test]
fn a_wrong_password_of_the_probe_is_named() {
    check_login(
        &["--auth=plain", "--user=probe=watch"],
        "login = \"plain\"\nuser = \"probe\"\npassword = \"wrong\"",
        [
            ("hs2", "during SASL login, as Impala does when it refuses the credentials"),
            ("beeswax", "during SASL login, as Impala does when it refuses the credentials"),
            ("hs2-http", "HTTP status 401: check the probe's credentials"),
        ],
    );
}

#[test]
fn a_missing_login_of_the_probe_is_named() {
    check_login(
        &["--auth=plain", "--user=probe=watch"],
        "login = \"none\"",
        [
            ("hs2", "login = plain"),
            ("beeswax", "login = plain"),
            ("hs2-http", "HTTP status 401: check the probe's credentials"),
        ],
    );
}

/// How many connections its HiveServer2 port ever had.
#[track_caller]
fn hs2_connections(coordinator: &Standin) -> u64 {
    let metrics = coordinator.page("/metrics_prometheus");
    let name = "impala_thrift_server_hiveserver2_frontend_total_connections ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name}is missing in {metrics}")).parse().unwrap()
}

#[test]
fn probes_leave_no_session_and_no_connection_behind() {
    let cluster = Plan::new(1).start();
    let coordinator = &cluster.coordinators[0];
    wait_until("ten probes", || hs2_connections(coordinator) >= 10);
    // One may be under way at any time.
    wait_until("no sessions and connections", || {
        let none = |name| number(coordinator, "/sessions?json", name) == 0;
        none("num_sessions") && none("num_connections")
    });
}
