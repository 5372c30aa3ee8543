//! The runtime socket: answers, what commands do, levels, bounds.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{DEADLINE, Member, connect, wait_until};

use super::{Both, Side, wait_status};

/// Answers that scripts may compare.
#[test]
fn wrong_input_is_answered_in_haproxys_words() {
    let both = Both::start("admin");
    for line in [
        "set server",
        "set server impala",
        "set server nope/c1 state drain",
        "set server impala/zz state drain",
        "set server impala/c1 state foo",
        "set server impala/c1 state",
        "set server impala/c1 weight",
        "set server impala/c1 weight 257",
        "set server impala/c1 weight -1",
        "set server impala/c1 weight abc",
        "set server impala/c1 addr",
        "set server impala/c1 addr somewhere",
        "set server impala/c1 health",
        "set server impala/c1 health foo",
        "enable health",
        "enable health nope/c1",
        "enable health impala/zz",
        "enable health dead/gone",
        "disable health impala",
        "set weight impala 1",
        "set weight impala/c1",
        "get weight",
        "get weight impala/zz",
        "get weight nope/c1",
        "get weight impala/c2",
        "enable server impala",
        "disable server impala/zz",
        "enable frontend nope",
        "disable frontend",
        "set maxconn frontend nope 1",
        "set maxconn frontend impala",
        "set maxconn server impala/c1",
        "set maxconn server impala/c1 many",
        "show sess 0x123",
        "shutdown session",
        "shutdown session 0x123",
        "shutdown sessions server",
        "shutdown sessions server impala/zz",
        "show table nope",
        "clear table nope",
        "show servers state nope",
        "show servers conn nope",
        "show cli level",
        "add server impala/c1 127.0.0.1:5",
        "del server impala/zz",
        "del server impala/c1",
        "show version; get weight impala/zz",
    ] {
        let theirs = both.theirs().ask(line);
        let ours = both.ours().ask(line);
        // Versions differ, and HAProxy leaves out the empty line after some refusals.
        let last = |answer: &str| answer.trim_end().lines().last().unwrap_or_default().to_owned();
        assert_eq!(last(&ours), last(&theirs), "{line}");
        assert!(ours.ends_with("\n\n"), "{line}: {ours:?}");
    }
    let ours = both.ours().ask("bogus");
    assert!(ours.starts_with("Unknown command. Please enter one of"), "{ours}");
    let ours = both.ours().ask("show bogus");
    assert!(ours.starts_with("Unknown command, but maybe one of") && ours.contains("show stat"));
}

#[test]
fn success_is_an_empty_line() {
    let both = Both::start("admin");
    for line in [
        "set server impala/c1 state drain",
        "set server impala/c1 state maint",
        "set server impala/c1 state ready",
        "set server impala/c1 weight 7",
        "set server impala/c1 weight 100%",
        "set weight impala/c1 3",
        "disable server impala/c1",
        "enable server impala/c1",
        "enable health impala/c1",
        "disable health dead/gone",
        "set maxconn server impala/c1 10",
        "set maxconn frontend impala 100",
        "disable frontend broken",
        "enable frontend broken",
        "set maxconn global 100",
        "shutdown sessions server impala/c1",
        "clear counters",
        "clear counters all",
        "set timeout cli 5",
        "user",
        "operator",
    ] {
        let (ours, theirs) = (both.ours().ask(line), both.theirs().ask(line));
        assert_eq!(ours, theirs, "{line}");
        assert!(ours.trim().is_empty(), "{line}: {ours}");
    }
}

/// What cannot be is told in a sentence, with what to say instead; nothing changes.
#[test]
fn health_is_measured_and_the_answer_says_what_to_set() {
    let both = Both::start("admin");
    let ours = both.ours();
    for (line, instead) in [
        ("set server impala/c1 health up", "use 'state ready'"),
        ("set server impala/c1 health stopping", "use 'state drain'"),
        ("set server impala/c1 health down", "use 'state maint'"),
        ("disable health impala/c1", "use 'state maint'"),
    ] {
        let said = ours.ask(line);
        assert!(said.starts_with("Health ") && said.contains(instead), "{line}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{line}: {said}");
        assert_eq!(ours.table().row("impala", "c1")["status"], "UP");
    }
    assert!(ours.ask("help").contains("enable health <bk>/<srv>"));
}

/// Columns of `show servers state` by server, without times and what follows the clock.
fn states(side: &Side) -> Vec<Vec<String>> {
    let answer = side.ask("show servers state impala");
    let mut lines = answer.lines();
    assert_eq!(lines.next(), Some("1"));
    let head = lines.next().unwrap().trim_start_matches("# ").to_owned();
    let columns: Vec<&str> = head.split(' ').collect();
    let changes = columns.iter().position(|name| *name == "srv_time_since_last_change").unwrap();
    let rows = lines.filter(|line| !line.is_empty()).map(|line| {
        let mut cells: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(cells.len(), columns.len(), "{line}");
        cells.remove(changes);
        cells
    });
    [columns.iter().map(ToString::to_string).collect()].into_iter().chain(rows).collect()
}

#[test]
fn states_of_servers_are_haproxys() {
    let mut both = Both::start("admin");
    assert_eq!(states(&both.ours()), states(&both.theirs()), "at first");
    both.each(|side| {
        side.ask("set server impala/c1 state maint; set server impala/c2 state drain");
    });
    assert_eq!(states(&both.ours()), states(&both.theirs()), "set aside");
    both.members[2].kill();
    both.each(|side| wait_status(side, "c3", "DOWN"));
    assert_eq!(states(&both.ours()), states(&both.theirs()), "with a dead one");
    let ours = both.ours();
    assert!(ours.ask("show backend").starts_with("# name\nimpala\ndead\n"));
    let conn = |side: &Side| side.ask("show servers conn impala").lines().next().map(str::to_owned);
    let without_threads =
        |line: Option<String>| line.map(|line| line.split('[').next().unwrap().to_owned());
    assert_eq!(without_threads(conn(&ours)), without_threads(conn(&both.theirs())));
}

#[test]
fn members_are_set_aside_weighed_moved_and_limited() {
    let both = Both::start("admin");
    let ours = both.ours();
    let cell = |name: &str, column: &str| ours.table().row("impala", name)[column].clone();
    ours.ask("set server impala/c1 state maint; set server impala/c2 state maint");
    // Numbers stand for names, as in HAProxy.
    assert_eq!(cell("c1", "status"), "MAINT");
    let mut client = connect(ours.front);
    client.check_echo(b"to c3");
    assert_eq!(cell("c3", "scur"), "1");
    // Its number in `show sess` ends it.
    let sessions = ours.ask("show sess");
    let id = sessions.split(':').next().unwrap().to_owned();
    assert!(sessions.contains(" fe=impala be=impala srv=c3 "), "{sessions}");
    assert!(ours.ask(&format!("show sess {id}")).contains("server=c3"));
    assert_eq!(ours.ask(&format!("shutdown session {id}")), "\n");
    client.hear_rest();
    wait_until("it ended", || cell("c3", "scur") == "0");
    ours.ask("set server impala/c1 state ready; set server impala/c1 weight 0");
    assert_eq!(cell("c1", "weight"), "0");
    ours.ask("set server impala/c2 weight 50%");
    assert_eq!(ours.ask("get weight impala/c2"), "1 (initial 2)\n\n");
    ours.ask("set maxconn server impala/c3 3");
    wait_until("the limit is shown", || cell("c3", "slim") == "3");
    let there = both.net.ip(15);
    let said = ours.ask(&format!("set server impala/c2 addr {there}"));
    let before = both.net.ip(12);
    assert_eq!(
        said,
        format!("IP changed from '{before}' to '{there}' by 'stats socket command'\n\n")
    );
    wait_until("it is shown", || cell("c2", "addr") == format!("{there}:21050"));
    // Of what was done somebody is named.
    let events = ours.ask("show events");
    assert!(events.contains("haproxy-socket") && events.contains("impala/c1:21050"), "{events}");
}

#[test]
fn servers_come_and_go() {
    let both = Both::start("admin");
    let ours = both.ours();
    let there = both.net.addr(16);
    let _member = Member::echo(there);
    let added = ours.ask(&format!("add server impala/c9 {there} weight 5 maxconn 9"));
    assert_eq!(added, "New server registered.\n\n");
    let row = ours.table().row("impala", "c9").clone();
    assert_eq!((&*row["status"], &*row["weight"], &*row["slim"]), ("MAINT", "5", "9"));
    ours.ask("enable server impala/c9");
    wait_status(&ours, "c9", "UP");
    // Without the empty line, which HAProxy leaves out here.
    let (here, there) =
        (ours.ask("del server impala/c9"), both.theirs().ask("del server impala/c1"));
    assert_eq!(here.trim_end(), there.trim_end());
    assert_eq!(ours.ask("disable server impala/c9; del server impala/c9"), "\nServer deleted.\n\n");
    assert!(!ours.ask("show stat").contains("impala,c9,"));
}

#[test]
fn tables_hold_where_clients_stick() {
    let both = Both::start("admin");
    let ours = both.ours();
    assert!(ours.ask("show table").starts_with("# table: broken, type: ip, size:"));
    assert!(ours.ask("show table broken").contains(", used:0\n"));
    assert_eq!(ours.ask("clear table broken"), "\n");
    assert_eq!(ours.ask("clear table broken key 127.0.0.1"), "\n");
}

#[test]
fn levels_are_kept() {
    for (level, denied, allowed) in [
        (
            "user",
            &["set server impala/c1 state drain", "show sess", "clear counters", "show env"][..],
            "show stat",
        ),
        (
            "operator",
            &["set server impala/c1 state drain", "clear counters all", "shutdown session 0x1"][..],
            "show sess",
        ),
    ] {
        let both = Both::start(level);
        for line in denied {
            let (ours, theirs) = (both.ours().ask(line), both.theirs().ask(line));
            assert_eq!(ours, "Permission denied\n\n", "{line} as {level}");
            if *line != "show env" {
                assert_eq!(ours, theirs, "{line} as {level}");
            }
        }
        assert!(!both.ours().ask(allowed).contains("Permission"));
        assert_eq!(both.ours().ask("show cli level"), format!("{level}\n\n"));
        assert!(!both.ours().ask("help").contains("set server"));
    }
    let both = Both::start("admin");
    let lowered = both.ours().ask("user; set server impala/c1 state maint");
    assert_eq!(lowered, both.theirs().ask("user; set server impala/c1 state maint"));
    // Values may be passwords.
    let environment = both.ours().ask("show env PATH");
    assert_eq!(environment, "PATH=***\n\n");
}

#[test]
fn a_prompt_keeps_the_connection() {
    let both = Both::start("admin");
    let mut stream = UnixStream::connect(both.ours().socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut hear = |said: &str| {
        stream.write_all(said.as_bytes()).unwrap();
        let mut heard = String::new();
        while !heard.ends_with("\n> ") {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "closed after {heard:?}");
            heard.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        heard
    };
    assert_eq!(hear("prompt\n"), "\n> ");
    assert_eq!(hear("get weight impala/c1\n"), "1 (initial 1)\n\n> ");
    assert!(hear("show info\n").contains("\nCurrConns: 0\n"));
    stream.write_all(b"quit\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// Whoever writes without end, or not at all, is let go; others do not feel it.
#[test]
fn lines_and_patience_are_bounded() {
    let both = Both::start("admin");
    let ours = both.ours();
    let mut endless = UnixStream::connect(&ours.socket).unwrap();
    endless.set_read_timeout(Some(DEADLINE)).unwrap();
    let piece = [b'a'; 4096];
    let written = (0..1000).take_while(|_| endless.write_all(&piece).is_ok()).count();
    assert!(written < 1000, "4 MB without a line were taken");
    let mut silent = UnixStream::connect(&ours.socket).unwrap();
    silent.set_read_timeout(Some(DEADLINE)).unwrap();
    silent.write_all(b"prompt; set timeout cli 1\n").unwrap();
    let mut heard = Vec::new();
    silent.read_to_end(&mut heard).unwrap();
    assert!(heard.ends_with(b"> "), "closed after its second");
    // More of them than there are slots: the others wait, and come in when some left.
    let crowd: Vec<_> = (0..80).map(|_| UnixStream::connect(&ours.socket).unwrap()).collect();
    let mut client = connect(ours.front);
    client.check_echo(b"traffic goes on");
    drop(crowd);
    assert!(ours.ask("show version").starts_with(env!("CARGO_PKG_VERSION")));
    for junk in
        [&b"\x00\xff\xfe;;;;\\"[..], b"show stat -1 -1", b"set server \xf0\x28 state", b";", b""]
    {
        let mut stream = UnixStream::connect(&ours.socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(junk).unwrap();
        stream.write_all(b"\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.ends_with(b"\n"), "{junk:?}");
    }
}
