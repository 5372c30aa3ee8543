//! SIGHUP: a new configuration or none, and nobody is lost on the way.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use oxpecker_testkit::client::{Talk, try_connect};
use oxpecker_testkit::{Launch, Member, connect, wait_until};

use crate::site::{PROGRAM, Site};

#[test]
fn a_broken_file_changes_nothing_and_is_explained_line_by_line() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut client = connect(site.front());
    client.check_echo(b"before");
    let broken = site.config() + "retrys = 3\n[pool.q]\nmembers = [\"nobody\"]\nport = 21050\n";
    let lines = broken.lines().count();
    assert!(gateway.reload(&broken).contains("reload failed"));
    let typo = gateway.out.wait("retrys");
    assert!(typo.contains(&format!("oxpecker.toml:{}:1", lines - 3)), "{typo}");
    let unknown = gateway.out.wait("nobody");
    assert!(unknown.contains(&format!("oxpecker.toml:{}:", lines - 1)), "{unknown}");
    client.check_echo(b"after");
    connect(site.front()).check_echo(b"newcomer");
    // A file that is no TOML at all, and none.
    assert!(gateway.reload("this is [not toml").contains("reload failed"));
    std::fs::remove_file(gateway.config_file()).unwrap();
    let verdict = gateway.hangup();
    assert!(verdict.contains("reload failed") && verdict.contains("oxpecker.toml"), "{verdict}");
    client.check_echo(b"after all");
    assert!(gateway.reload(&site.config()).contains("reloaded"));
}

#[test]
fn a_port_in_use_keeps_the_old_configuration_whole() {
    let site = Site::new(2);
    let _members =
        [Member::named(site.member_addr(1), "m1"), Member::named(site.member_addr(2), "m2")];
    let one = site.config().replace("[\"m1\", \"m2\"]", "[\"m1\"]");
    let gateway = Launch::new(PROGRAM, &one).start();
    let (taken, free) = (site.net.addr(2), site.net.addr(3));
    let _taken = TcpListener::bind(taken).unwrap();
    let two = site.config().replace("[\"m1\", \"m2\"]", "[\"m2\"]")
        + &format!("[virtual.w]\nlisten = [\"{free}\", \"{taken}\"]\npool = \"p\"\n");
    let verdict = gateway.reload(&two);
    assert!(verdict.contains("reload failed") && verdict.contains(&taken.to_string()), "{verdict}");
    // Nothing of it is in force.
    assert_eq!(connect(site.front()).hear_line(), "m1");
    assert!(try_connect(None, free).is_err());
}

#[test]
fn connections_outlive_their_listener_and_their_member() {
    let site = Site::new(2);
    let _members =
        [Member::named(site.member_addr(1), "m1"), Member::named(site.member_addr(2), "m2")];
    let one = site.config().replace("[\"m1\", \"m2\"]", "[\"m1\"]");
    let gateway = Launch::new(PROGRAM, &one).start();
    let mut old = connect(site.front());
    assert_eq!(old.hear_line(), "m1");
    let moved = site.net.addr(2);
    let two = site
        .config()
        .replace("[\"m1\", \"m2\"]", "[\"m2\"]")
        .replace(&format!("listen = \"{}\"", site.front()), &format!("listen = \"{moved}\""));
    assert!(gateway.reload(&two).contains("reloaded"));
    wait_until("the old address is closed", || try_connect(None, site.front()).is_err());
    let mut new = connect(moved);
    assert_eq!(new.hear_line(), "m2");
    old.check_echo(b"as if nothing had happened");
    drop((old, new));
    gateway.wait_record(2);
    assert!(gateway.records().iter().all(|record| record.letters == "--"));
}

/// The last field but two of a record counts the member's open connections.
#[test]
fn counts_go_on_over_a_reload() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut clients: Vec<_> = (0..5).map(|_| connect(site.front())).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"in"));
    assert!(gateway.reload(&site.config()).contains("reloaded"));
    let mut last = connect(site.front());
    last.check_echo(b"in");
    drop(last);
    assert_eq!(gateway.wait_record(1).open, [6, 6, 6, 6]);
}

#[test]
fn policies_change_for_newcomers_without_a_new_listener() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let mut old = connect(site.front());
    old.check_echo(b"in");
    let config = site.config().replace("pool = \"p\"\n", "pool = \"p\"\ndeny = [\"127.0.0.1\"]\n");
    assert!(gateway.reload(&config).contains("reloaded"));
    connect(site.front()).hear_rest();
    assert_eq!(gateway.wait_record(1).letters, "PR");
    old.check_echo(b"still in");
    assert_eq!(gateway.out.count("listening"), 1, "no listener was opened or closed");
}

/// Every reload changes the members and adds or removes a listener, while clients keep coming
/// to the one that stays. Each of them must be served.
#[test]
fn a_hundred_reloads_under_load_lose_nobody() {
    let site = Site::new(3);
    let _members: Vec<_> = (1..=3).map(|n| Member::echo(site.member_addr(n))).collect();
    let extra = format!("[virtual.w]\nlisten = \"{}\"\npool = \"p\"\n", site.net.addr(2));
    let configs = [
        site.config().replace("[\"m1\", \"m2\", \"m3\"]", "[\"m1\"]"),
        site.config().replace("[\"m1\", \"m2\", \"m3\"]", "[\"m2\", \"m3\"]") + &extra,
        site.config(),
    ];
    let gateway = Launch::new(PROGRAM, &configs[0]).start();
    let mut long: Vec<_> = (0..20).map(|_| connect(site.front())).collect();
    let ended = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let loads: Vec<_> = (0..3)
        .map(|_| {
            let (ended, served, to) = (Arc::clone(&ended), Arc::clone(&served), site.front());
            thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    connect(to).check_echo(b"one of many");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for turn in 1..=100 {
        let verdict = gateway.reload(&configs[turn % 3]);
        assert!(verdict.contains("reloaded"), "{verdict}");
    }
    ended.store(true, Ordering::Relaxed);
    for load in loads {
        load.join().expect("no client is lost");
    }
    long.iter_mut().for_each(|client| client.check_echo(b"here from the beginning"));
    assert!(served.load(Ordering::Relaxed) > 100);
    assert!(gateway.descriptors() < 200, "{} descriptors are open", gateway.descriptors());
}

/// Clients that queue up in the kernel when their listener goes are served first.
#[test]
fn a_removed_listener_serves_whoever_got_through() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let extra = site.net.addr(2);
    let with = site.config() + &format!("[virtual.w]\nlisten = \"{extra}\"\npool = \"p\"\n");
    let gateway = Launch::new(PROGRAM, &with).start();
    gateway.signal(Signal::SIGSTOP);
    let mut early: Vec<_> = (0..200).map(|_| connect(extra)).collect();
    gateway.dir.write("oxpecker.toml", &site.config());
    gateway.signal(Signal::SIGHUP);
    gateway.signal(Signal::SIGCONT);
    gateway.out.wait("reloaded");
    early.iter_mut().for_each(|client| client.check_echo(b"got through"));
    wait_until("it is closed", || try_connect(None, extra).is_err());
}

#[test]
fn what_needs_a_restart_is_said() {
    let site = Site::new(1).top("[process]\nthreads = 1");
    let gateway = site.start();
    let config = site.config().replace("threads = 1", "threads = 2");
    assert!(gateway.reload(&config).contains("reloaded"));
    let said = gateway.out.wait("takes effect at the next start");
    assert!(said.contains("process.threads"), "{said}");
}

#[test]
fn files_that_appear_in_a_directory_are_read() {
    let site = Site::new(1);
    let dir = oxpecker_testkit::TempDir::new();
    let conf_d = dir.join("conf.d");
    std::fs::create_dir(&conf_d).unwrap();
    dir.write("conf.d/00-first.toml", "[log]\nlevel = \"debug\"\n");
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.launch().arg("-f").arg(&conf_d.display().to_string()).start();
    let second = site.net.addr(2);
    let fragment = format!("[virtual.w]\nlisten = \"{second}\"\npool = \"p\"\n");
    let file = dir.write("conf.d/10-more.toml", &fragment);
    assert!(gateway.hangup().contains("reloaded"));
    connect(second).check_echo(b"hello");
    std::fs::remove_file(file).unwrap();
    assert!(gateway.hangup().contains("reloaded"));
    wait_until("it is closed again", || try_connect(None, second).is_err());
    connect(site.front()).check_echo(b"hello");
}

/// A listener that is open stays as it was opened.
#[test]
fn a_changed_way_of_listening_waits_for_the_next_start() {
    let site = Site::new(1);
    let _member = Member::echo(site.member_addr(1));
    let gateway = site.start();
    let config = site.config().replace("pool = \"p\"\n", "pool = \"p\"\nreuse_port = false\n");
    let verdict = gateway.reload(&config);
    assert!(verdict.contains("reloaded"), "{verdict}");
    assert!(gateway.out.wait("takes effect at the next start").contains("reuse_port"));
    connect(site.front()).check_echo(b"hello");
}

/// All sockets of a configuration are opened before any is used; those that were must go again.
#[test]
fn a_failed_reload_leaves_no_socket_file_behind() {
    let site = Site::new(1);
    let gateway = site.start();
    let _taken = TcpListener::bind(site.net.addr(2)).unwrap();
    let path = gateway.dir.join("new.sock");
    let config = site.config()
        + &format!(
            "[virtual.w]\nlisten = [\"unix:{}\", \"{}\"]\npool = \"p\"\n",
            path.display(),
            site.net.addr(2)
        );
    assert!(gateway.reload(&config).contains("reload failed"));
    assert!(!path.exists());
}

/// Names of nodes: one that resolves serves, one that does not holds nobody up.
#[test]
fn members_can_be_named() {
    let site = Site::new(2).pool("retries = 1");
    let config = site
        .config()
        .replace(&format!("\"{}\"", site.member_addr(1).ip()), "\"no-such-host.invalid\"")
        .replace(&format!("\"{}\"", site.member_addr(2).ip()), "\"localhost\"")
        .replace("port = 21050", &format!("port = {}", 20_000 + std::process::id() % 5_000));
    let port = (20_000 + std::process::id() % 5_000) as u16;
    let _member = Member::echo(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    let gateway = Launch::new(PROGRAM, &config).start();
    let said = gateway.out.wait("failed to resolve");
    assert!(said.contains("no-such-host.invalid"), "{said}");
    for _ in 0..4 {
        connect(site.front()).check_echo(b"hello");
    }
    assert!(gateway.hangup().contains("reloaded"));
}
