//! The dashboard in a terminal: what the screen shows, what keys do, and what is left behind.

use nix::sys::signal::Signal;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, connect, wait_until};

use super::Managed;
use super::tty::Tty;
use crate::site::Site;

struct Watched {
    managed: Managed,
    tty: Tty,
    site: Site,
    _members: Vec<Member>,
}

fn watched() -> Watched {
    let site = Site::new(2).monitored("").pool("method = \"round-robin\"");
    let members: Vec<_> =
        [1, 2].into_iter().map(|number| Member::echo(site.member_addr(number))).collect();
    let managed = Managed::start(&site);
    managed.gateway.out.wait_count(2, "to=\"up\"");
    let tty = Tty::start(&managed.command(&["top", "--interval", "200ms"]), 80, 24);
    tty.wait_text("p/m2:21050");
    Watched { managed, tty, site, _members: members }
}

/// The line that the cursor is on.
fn cursor(screen: &str) -> &str {
    screen.lines().find(|line| line.starts_with("> ")).unwrap_or("")
}

#[test]
fn it_shows_what_moves() {
    let watched = watched();
    let screen = watched.tty.contents();
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("Oxpecker ") && lines[0].contains("2 members, 2 up"), "{screen}");
    assert!(lines[2].starts_with("Virtual Server"), "{screen}");
    assert!(lines[3].starts_with("v ") && lines[3].contains(" up "), "{screen}");
    assert!(lines[23].starts_with("s sort: name  / filter  d drain"), "{screen}");
    let mut client = connect(watched.site.front());
    let moves = |screen: &str| {
        let line = screen.lines().find(|line| line.starts_with("v ")).unwrap_or("");
        let words: Vec<&str> = line.split_whitespace().collect();
        // Connections, and bits a second each way.
        words.get(3) == Some(&"1") && words.get(5).is_some_and(|rate| *rate != "0.0")
    };
    wait_until("traffic is seen", || {
        client.check_echo(&[1; 20_000]);
        moves(&watched.tty.contents())
    });
}

#[test]
fn keys_drain_and_enable_after_a_question() {
    let mut watched = watched();
    watched.tty.type_keys("j");
    watched.tty.wait("the cursor moves", |screen| cursor(screen).contains("p/m2:21050"));
    watched.tty.type_keys("d");
    watched.tty.wait_text("Drain p/m2:21050?");
    watched.tty.type_keys("n");
    watched.tty.wait_text("nothing was changed");
    assert!(!watched.managed.ok(&["members"]).contains("draining"));
    watched.tty.type_keys("dy");
    watched.tty.wait("it drains", |screen| cursor(screen).contains("draining"));
    assert!(watched.managed.ok(&["members"]).contains("draining"));
    watched.tty.type_keys("ey");
    watched.tty.wait("it is back", |screen| cursor(screen).contains(" up "));
    watched.tty.type_keys("xy");
    watched.tty.wait("it is out", |screen| cursor(screen).contains("disabled"));
    assert!(watched.managed.ok(&["members"]).contains("disabled"));
    watched.tty.type_keys("q");
    assert_eq!(watched.tty.wait_exit().code(), Some(0));
    watched.tty.check_restored();
}

#[test]
fn a_filter_and_an_order() {
    let mut watched = watched();
    watched.tty.type_keys("/m2\r");
    watched.tty.wait("one is left", |screen| {
        screen.contains("/ filter: m2") && !screen.contains("p/m1:21050")
    });
    watched.tty.type_keys("\u{1b}");
    watched.tty.wait_text("p/m1:21050");
    watched.tty.type_keys("r");
    watched.tty.wait("it is turned round", |screen| {
        screen.contains("sort: name, reversed") && screen.find("p/m2") < screen.find("p/m1")
    });
    watched.tty.type_keys("?");
    watched.tty.wait_text("Any key goes back.");
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut watched = watched();
        assert!(watched.tty.is_raw());
        watched.tty.signal(signal);
        assert_eq!(watched.tty.wait_exit().code(), Some(0), "{signal}");
        watched.tty.check_restored();
    }
    let mut watched = watched();
    watched.tty.type_keys("\u{3}");
    assert_eq!(watched.tty.wait_exit().code(), Some(0));
    watched.tty.check_restored();
}

#[test]
fn another_size_is_another_drawing() {
    let watched = watched();
    for (columns, rows) in [(120, 40), (40, 10), (1, 1), (80, 24)] {
        watched.tty.resize(columns, rows);
    }
    let last =
        |screen: &str| screen.lines().nth(23).is_some_and(|line| line.starts_with("s sort: name"));
    watched.tty.wait("it fills the screen again", last);
}

#[test]
fn a_gateway_that_goes_is_told_and_waited_for() {
    let mut watched = watched();
    watched.managed.gateway.signal(Signal::SIGINT);
    watched.managed.gateway.wait_exit();
    let screen = watched.tty.wait_text("no news for");
    assert!(screen.contains("no gateway answers at unix:"), "{screen}");
    // What was known last stays to be read.
    assert!(screen.contains("p/m1:21050"), "{screen}");
    watched.tty.type_keys("q");
    assert_eq!(watched.tty.wait_exit().code(), Some(0));
    watched.tty.check_restored();
}

#[test]
fn without_a_terminal_it_says_what_is_for_scripts() {
    let managed = Managed::start(&Site::new(1));
    let err = managed.fails(&["top"]);
    assert!(err.contains("top needs a terminal"), "{err}");
}
