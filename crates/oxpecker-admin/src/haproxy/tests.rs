//! Rows and words without a gateway; beside the real HAProxy they are judged by the program's tests.

use std::time::Duration;

use oxpecker_config::model::Role;
use oxpecker_proxy::control::{AdminState, Health, MemberView, ProbeFailure};

use super::change::{number_of, parse_weight};
use super::fields::{Field, Row};
use super::stat::{self, Only, Wanted};
use super::watch::{Key, Watch, Watched};
use super::words::{self, Verb};
use super::{info, server};
use crate::sample;
use crate::snapshot::Snapshot;

fn rows(snapshot: &Snapshot, wanted: &Wanted) -> Vec<Row> {
    stat::rows(snapshot, &Watch::default(), wanted)
}

fn names(rows: &[Row]) -> Vec<String> {
    let name = |row: &Row| format!("{}/{}", row.text(Field::Pxname), row.text(Field::Svname));
    rows.iter().map(name).collect()
}

/// A pool of the virtual server's name is one proxy with it.
#[test]
fn virtual_servers_and_pools_are_proxies() {
    let rows = rows(&sample::snapshot(), &Wanted::default());
    let expected = [
        "impala/FRONTEND",
        "impala/c1",
        "impala/c2",
        "impala/BACKEND",
        "front/FRONTEND",
        "other/c1",
        "other/BACKEND",
    ];
    assert_eq!(names(&rows), expected);
    let numbers: Vec<_> = rows.iter().map(|row| (row.iid, row.sid)).collect();
    assert_eq!(numbers, [(2, 0), (2, 1), (2, 2), (2, 0), (3, 0), (4, 1), (4, 0)]);
}

/// The same name does not make them one: the virtual server must use the pool.
#[test]
fn a_pool_of_another_virtual_server_stays_apart() {
    let mut snapshot = sample::snapshot();
    snapshot.virtuals[0].pool = "other".to_owned();
    let rows = rows(&snapshot, &Wanted::default());
    assert_eq!(names(&rows)[..3], ["impala/FRONTEND", "front/FRONTEND", "impala/c1"]);
}

/// A node that is in the pool twice is named with its port.
#[test]
fn servers_have_names_of_their_own() {
    let mut snapshot = sample::snapshot();
    let mut again = sample::member("impala", "c1", 1);
    again.name = "c1:21051".to_owned();
    snapshot.pools[0].members.push(again);
    let rows = rows(&snapshot, &Wanted { iid: 2, kinds: 4, ..Wanted::default() });
    assert_eq!(names(&rows), ["impala/c1:21050", "impala/c2", "impala/c1:21051"]);
}

#[test]
fn rows_are_chosen_by_number_kind_and_state() {
    let mut snapshot = sample::snapshot();
    snapshot.pools[0].members[0].health = Health::Down;
    snapshot.pools[0].members[1].admin_state = AdminState::Disabled;
    let count = |wanted: Wanted| rows(&snapshot, &wanted).len();
    let all = Wanted::default();
    assert_eq!(count(all), 7);
    assert_eq!(count(Wanted { iid: 2, ..all }), 4);
    assert_eq!(count(Wanted { kinds: 1, ..all }), 2);
    assert_eq!(count(Wanted { kinds: 2 | 4, ..all }), 5);
    assert_eq!(count(Wanted { iid: 2, kinds: 4, sid: 2, ..all }), 1);
    assert_eq!(count(Wanted { only: Only::Up, ..all }), 5);
    assert_eq!(count(Wanted { only: Only::NoMaint, ..all }), 6);
}

#[track_caller]
fn check_status(
    change: impl FnOnce(&mut MemberView),
    status: &str,
    check: Option<&str>,
    health: u32,
) {
    let mut member = sample::member("impala", "c1", 1);
    change(&mut member);
    assert_eq!(server::status(&member), status);
    assert_eq!(server::check(&member).map(|check| check.status), check);
    assert_eq!(server::check_health(&member), health);
}

/// Words and numbers that HAProxy 2.6 showed with `rise 2 fall 3`.
#[test]
fn states_have_haproxys_words() {
    check_status(|_| {}, "UP", Some("L4OK"), 4);
    let fails = |times| {
        move |member: &mut MemberView| {
            member.probe.failure = Some(ProbeFailure::Connect);
            member.probe.in_a_row = times;
        }
    };
    check_status(fails(1), "UP 2/3", Some("L4CON"), 3);
    check_status(fails(2), "UP 1/3", Some("L4CON"), 2);
    let is_down = |member: &mut MemberView| {
        fails(9)(member);
        member.health = Health::Down;
    };
    check_status(is_down, "DOWN", Some("L4CON"), 0);
    let is_back = |member: &mut MemberView| {
        member.health = Health::Down;
        member.probe.in_a_row = 1;
    };
    check_status(is_back, "DOWN 1/2", Some("L4OK"), 1);
    check_status(|member| member.admin_state = AdminState::Draining, "DRAIN", Some("L4OK"), 4);
    check_status(|member| member.admin_state = AdminState::Disabled, "MAINT", Some("L4OK"), 0);
    let leaves = |member: &mut MemberView| {
        member.health = Health::Quiescing;
        member.probe.kind = "hs2";
    };
    check_status(leaves, "NOLB", Some("L7OKC"), 4);
    let is_new = |member: &mut MemberView| {
        member.health = Health::Unknown;
        member.probe.last = None;
    };
    check_status(is_new, "UP", Some("INI"), 4);
    check_status(|member| member.probe.kind = "", "no check", None, 4);
    for (failure, status) in [
        (ProbeFailure::Unresolved, "SOCKERR"),
        (ProbeFailure::ConnectTimeout, "L4TOUT"),
        (ProbeFailure::Tls, "L6RSP"),
        (ProbeFailure::Answer, "L7RSP"),
        (ProbeFailure::AnswerTimeout, "L7TOUT"),
        (ProbeFailure::Status(503), "L7STS"),
    ] {
        let fails = |member: &mut MemberView| {
            member.probe.failure = Some(failure);
            member.health = Health::Down;
        };
        check_status(fails, "DOWN", Some(status), 0);
    }
}

#[test]
fn texts_are_quoted_where_csv_wants_it() {
    let mut snapshot = sample::snapshot();
    let probe = &mut snapshot.pools[0].members[0].probe;
    probe.failure = Some(ProbeFailure::Answer);
    probe.last_result = "said \"no\", and left".to_owned();
    let csv = stat::csv(&rows(&snapshot, &Wanted { kinds: 4, sid: 1, iid: 2, only: Only::All }));
    assert!(csv.contains(",\"said \"\"no\"\", and left\","), "{csv}");
    assert_eq!(csv.lines().count(), 2);
}

#[test]
fn denied_clients_are_told_from_broken_ones() {
    let rows = rows(&sample::snapshot(), &Wanted::default());
    assert_eq!((rows[0].number(Field::Dcon), rows[0].number(Field::Ereq)), (Some(2), Some(1)));
}

#[test]
fn a_second_has_a_rate_and_a_pool_its_downtime() {
    let mut snapshot = sample::snapshot();
    let mut watch = Watch::default();
    let mut look = |seconds: u64, total: u64, health: Health| {
        let uptime = Duration::from_secs(seconds);
        snapshot.virtuals[0].connections.total_ever = total;
        for member in &mut snapshot.pools[0].members {
            member.health = health;
        }
        watch.observe(uptime, &snapshot.virtuals, &snapshot.pools);
        let rate = watch.rate(&Key::Frontend("impala".to_owned()));
        let turns = watch.turns("impala");
        (rate.last, rate.max, turns.times_down, turns.downtime(uptime).as_secs())
    };
    assert_eq!(look(10, 500, Health::Up), (0, 0, 0, 0), "what came before is not of this second");
    assert_eq!(look(11, 540, Health::Up), (40, 40, 0, 0));
    assert_eq!(look(13, 560, Health::Down), (10, 40, 1, 0));
    assert_eq!(look(18, 560, Health::Down), (0, 40, 1, 5));
    assert_eq!(look(20, 560, Health::Up), (0, 40, 1, 7));
    assert_eq!(look(30, 560, Health::Up), (0, 40, 1, 7));
    watch.forget_maxima();
    assert_eq!(watch.rate(&Key::Frontend("impala".to_owned())).max, 0);
}

#[test]
fn what_was_counted_before_a_clear_is_left_out() {
    let mut snapshot = sample::snapshot();
    let watched = Watched::default();
    let mut look = |retries: u64, clear: bool| {
        snapshot.pools[0].members[0].retries = retries;
        let rows = |watch: &Watch| stat::rows(&snapshot, watch, &Wanted::default());
        if clear {
            watched.clear(rows);
        }
        watched.with(rows)[1].number(Field::Wretr)
    };
    assert_eq!(look(5, false), Some(5));
    assert_eq!(look(6, true), Some(0));
    assert_eq!(look(8, false), Some(2));
    assert_eq!(look(8, true), Some(0), "again, from what there is");
    assert_eq!(look(9, false), Some(1));
    assert_eq!(look(3, false), Some(3), "another member of that name");
}

#[test]
fn lines_fall_into_commands_and_words() {
    let split = |line: &str| words::split(line);
    assert_eq!(split("show stat"), [vec!["show", "stat"]]);
    assert_eq!(split("  show \t stat ; show info\r"), [vec!["show", "stat"], vec!["show", "info"]]);
    assert_eq!(split("a\\ b \\;c"), [vec!["a b", ";c"]]);
    assert_eq!(split("quit;"), [vec!["quit"]]);
    let nothing: [Vec<String>; 1] = [vec![]];
    assert_eq!(split(""), nothing);
    assert_eq!(split("\\"), nothing);
}

#[test]
fn commands_are_found_by_all_their_words() {
    let find = |line: &str| {
        let words = words::split(line).remove(0);
        words::find(&words).map(|(command, rest)| (command.verb, rest.len()))
    };
    assert_eq!(find("show stat -1 4 -1"), Some((Verb::ShowStat, 3)));
    assert_eq!(find("shutdown session 0x1"), Some((Verb::ShutdownSession, 1)));
    assert_eq!(find("shutdown sessions server a/b"), Some((Verb::ShutdownSessions, 1)));
    assert_eq!(find("shutdown sessions"), None);
    assert_eq!(find("show"), None);
    assert_eq!(find("showstat"), None);
}

/// A level sees what it may use, and no more.
#[test]
fn help_is_of_the_level() {
    let lines = |level| words::help(&[], level).lines().count();
    assert!(lines(Role::Viewer) < lines(Role::Operator));
    assert!(lines(Role::Operator) < lines(Role::Admin));
    assert_eq!(lines(Role::Admin), words::COMMANDS.len());
    let some = words::help(&["set".to_owned(), "server".to_owned()], Role::Admin);
    assert_eq!(some.lines().count(), 4, "{some}");
}

#[track_caller]
fn check_weight(word: &str, configured: u16, expected: Option<u16>) {
    assert_eq!(parse_weight(word, configured).ok(), expected, "{word} of {configured}");
}

#[test]
fn weights_are_absolute_or_shares() {
    check_weight("0", 10, Some(0));
    check_weight("256", 10, Some(256));
    check_weight("257", 10, None);
    check_weight("-1", 10, None);
    check_weight("", 10, None);
    check_weight("50%", 10, Some(5));
    check_weight("0%", 10, Some(0));
    check_weight("1%", 10, Some(1));
    check_weight("200%", 200, Some(256));
    check_weight("-5%", 10, None);
    check_weight("99999999999999999999%", 10, None);
    check_weight("9223372036854775807%", 10, None);
}

#[test]
fn numbers_of_sessions_are_hexadecimal_or_decimal() {
    assert_eq!(number_of("0x1f"), Some(31));
    assert_eq!(number_of("31"), Some(31));
    assert_eq!(number_of("0x"), None);
    assert_eq!(number_of("1f"), None);
}

#[test]
fn the_process_tells_of_itself() {
    let items = info::items(&sample::snapshot(), &Watch::default(), "lb1");
    let plain = info::plain(&items);
    for line in
        ["Name: Oxpecker", "Uptime: 1d 1h01m01s", "CurrConns: 3", "CumConns: 20", "node: lb1"]
    {
        assert!(plain.lines().any(|known| known == line), "{line}: {plain}");
    }
    assert!(info::typed(&items).contains("17.CurrConns.1:MGP:u32:3\n"));
}
