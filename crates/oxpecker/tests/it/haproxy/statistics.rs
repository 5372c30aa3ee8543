//! Columns, their places, their types and what is in them.

use std::collections::BTreeSet;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{connect, wait_until};

use super::{Both, Row, Side, wait_status};

/// Counted alike, so equal after the same traffic.
const EQUAL: &[&str] = &[
    "pxname",
    "svname",
    "qcur",
    "qmax",
    "scur",
    "smax",
    "stot",
    "bin",
    "bout",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "wredis",
    "status",
    "weight",
    "act",
    "bck",
    "pid",
    "sid",
    "type",
    "lbtot",
    "rate_lim",
    "check_status",
    "check_rise",
    "check_fall",
    "check_health",
    "cli_abrt",
    "srv_abrt",
    "comp_in",
    "comp_out",
    "comp_byp",
    "comp_rsp",
    "check_desc",
    "addr",
    "mode",
    "algo",
    "conn_tot",
    "dcon",
    "dses",
    "wrew",
    "connect",
    "reuse",
    "eint",
    "uweight",
    "hrsp_1xx",
    "req_tot",
];

/// The members and proxies that both have.
const ROWS: &[(&str, &str)] = &[
    ("impala", "FRONTEND"),
    ("impala", "c1"),
    ("impala", "c2"),
    ("impala", "c3"),
    ("impala", "BACKEND"),
    ("broken", "FRONTEND"),
    ("dead", "gone"),
    ("dead", "BACKEND"),
];

#[track_caller]
fn check_equal(both: &Both, when: &str) {
    check_rows(both, when, |_| true, &[]);
}

#[track_caller]
fn check_rows(both: &Both, when: &str, wanted: impl Fn(&str) -> bool, differ: &[&str]) {
    let (ours, theirs) = (both.ours().table(), both.theirs().table());
    for (proxy, name) in ROWS.iter().filter(|(_, name)| wanted(name)) {
        let (ours, theirs) = (ours.row(proxy, name), theirs.row(proxy, name));
        for column in EQUAL.iter().filter(|column| !differ.contains(column)) {
            // A check that is under way has a star there.
            let theirs = theirs[*column].trim_start_matches("* ");
            assert_eq!(ours[*column], theirs, "{column} of {proxy}/{name} {when}");
        }
    }
}

#[test]
fn numbers_and_words_are_haproxys() {
    let mut both = Both::start("admin");
    check_equal(&both, "at first");
    both.each(Side::traffic);
    check_equal(&both, "after traffic");
    both.each(|side| {
        side.ask("set server impala/c2 state drain");
        side.ask("set server impala/c1 state maint");
    });
    check_equal(&both, "with members set aside");
    both.each(|side| {
        _ = side.ask("set server impala/c1 state ready; set server impala/c2 state ready")
    });
    both.each(|side| wait_status(side, "c1", "UP"));
    both.members[2].kill();
    both.each(|side| wait_status(side, "c3", "DOWN"));
    let (ours, theirs) = (both.ours().table(), both.theirs().table());
    for column in
        ["status", "check_status", "check_desc", "check_health", "chkdown", "act", "weight"]
    {
        let of = |row: &Row| row[column].clone();
        assert_eq!(of(ours.row("impala", "c3")), of(theirs.row("impala", "c3")), "{column}");
        let (ours, theirs) = (ours.row("impala", "BACKEND"), theirs.row("impala", "BACKEND"));
        assert_eq!(of(ours), of(theirs), "{column} of the backend");
    }
    assert!(ours.row("impala", "c3")["last_chk"].contains("refused"), "{ours:?}");
    for member in &mut both.members {
        member.kill();
    }
    both.each(|side| wait_status(side, "BACKEND", "DOWN"));
}

const TIMES: [&str; 4] = ["qtime", "ctime", "rtime", "ttime"];

/// A number of the pool's row.
#[track_caller]
fn number(side: &Side, column: &str) -> u64 {
    side.table().row("impala", "BACKEND")[column].parse().unwrap()
}

/// Every member takes one client, and one more waits.
fn queue(side: &Side) {
    side.ask(
        "set maxconn server impala/c1 1; set maxconn server impala/c2 1; set maxconn server impala/c3 1",
    );
    let mut clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = connect(side.front);
            client.check_echo(b"in");
            client
        })
        .collect();
    let mut last = connect(side.front);
    wait_until("one waits", || number(side, "qcur") == 1);
    // It is to have waited for as long as these numbers can tell.
    wait_until("time goes by", || number(side, "lastsess") > 0);
    clients.remove(0).finish();
    last.check_echo(b"in");
    for mut client in clients.into_iter().chain([last]) {
        client.finish();
    }
    wait_until("all have ended", || number(side, "scur") == 0);
}

#[test]
fn times_are_told_and_counters_cleared_as_haproxy_does() {
    let both = Both::start("admin");
    both.each(queue);
    // Nobody is behind this one.
    both.each(|side| drop(connect(side.broken)));
    both.each(|side| {
        wait_until("the failure is counted", || side.table().row("dead", "BACKEND")["econ"] != "0");
        for column in ["qtime", "ttime"] {
            let (mean, max) = (number(side, column), number(side, &format!("{column}_max")));
            // HAProxy divides by the connections that did not wait, so its mean may be more.
            assert!(mean > 0 && max > 0, "{column}: {mean}, at most {max}");
        }
        assert_eq!(number(side, "rtime"), 0);
        let server = side.table().row("impala", "c1").clone();
        assert_ne!((&*server["ttime"], &*server["ttime_max"]), ("0", "0"));
    });
    // Who takes the one that waits is chance. HAProxy counts it at the backend while it waits, and
    // not as balanced.
    let check_proxies = |when: &str| {
        let is_proxy = |name: &str| name == "FRONTEND" || name == "BACKEND";
        check_rows(&both, when, is_proxy, &["lbtot", "smax"]);
    };
    check_proxies("after a queue");
    for column in ["qtime", "ttime"] {
        let ours = both.ours();
        assert!(number(&ours, column) <= number(&ours, &format!("{column}_max")), "{column}");
    }
    both.each(|side| {
        let means = TIMES.map(|column| number(side, column));
        assert!(side.ask("clear counters").trim().is_empty());
        for column in TIMES {
            assert_eq!(number(side, &format!("{column}_max")), 0, "{column}");
        }
        assert_eq!(TIMES.map(|column| number(side, column)), means, "they are no maxima");
        let (most, all) = (number(side, "smax"), number(side, "stot"));
        assert_eq!((most, all, number(side, "qmax")), (0, 4, 0));
    });
    check_proxies("with maxima cleared");
    both.each(|side| {
        side.ask("clear counters all");
        for column in TIMES {
            assert_eq!(number(side, column), 0, "{column}");
        }
    });
    check_equal(&both, "with all cleared");
    let ours = both.ours().table();
    for column in ["stot", "bin", "econ", "connect", "conn_tot", "cli_abrt"] {
        let sums = ours.rows.iter().map(|row| row[column].parse::<u64>().unwrap_or(0));
        assert_eq!(sums.sum::<u64>(), 0, "{column}");
    }
    both.each(Side::traffic);
    check_equal(&both, "and counted anew");
}

/// Scripts split lines at commas and take the seventeenth.
#[test]
fn columns_stand_where_haproxy_has_them() {
    let both = Both::start("admin");
    both.each(Side::traffic);
    let (ours, theirs) = (both.ours().table(), both.theirs().table());
    assert_eq!(ours.columns, theirs.columns);
    // What is empty there is empty here, and the other way round, but for these.
    let differ: BTreeSet<&str> = ["slim"].into();
    for (proxy, name) in ROWS {
        let (ours, theirs) = (ours.row(proxy, name), theirs.row(proxy, name));
        for column in theirs.keys().filter(|column| !differ.contains(column.as_str())) {
            let (here, there) = (&ours[column], &theirs[column]);
            assert_eq!(here.is_empty(), there.is_empty(), "{column} of {proxy}/{name}");
        }
    }
    // `cut -d, -f` on raw lines.
    let raw = both.ours().ask("show stat");
    assert!(raw.starts_with("# pxname,svname,qcur,"), "{raw}");
    assert!(raw.ends_with(",\n\n"), "{raw}");
}

/// `S.2.1.4.scur.1:MGP:u32:0` without numbers of proxies and values.
fn shapes(typed: &str, proxy: &str) -> BTreeSet<String> {
    let mut shapes = BTreeSet::new();
    let mut is_wanted = false;
    for line in typed.lines() {
        let parts: Vec<&str> = line.splitn(4, ':').collect();
        let [place, tags, kind, value] = parts[..] else { continue };
        let place: Vec<&str> = place.split('.').collect();
        let [letter, _, sid, number, name, _] = place[..] else { panic!("{line}") };
        if name == "pxname" {
            is_wanted = value == proxy;
        }
        // Beyond the fixed columns HAProxy's modules begin.
        if is_wanted && number.parse::<usize>().unwrap() < 103 {
            shapes.insert(format!("{letter}.{sid}.{number}.{name}:{tags}:{kind}"));
        }
    }
    assert!(!shapes.is_empty(), "no {proxy}: {typed}");
    shapes
}

#[test]
fn typed_values_have_haproxys_tags_and_types() {
    let both = Both::start("admin");
    both.each(Side::traffic);
    let ask = |side: Side| side.ask("show stat typed");
    let (ours, theirs) = (ask(both.ours()), ask(both.theirs()));
    for proxy in ["impala", "broken", "dead"] {
        assert_eq!(shapes(&ours, proxy), shapes(&theirs, proxy), "{proxy}");
    }
    // What `show info` tells, it tells at the same place.
    let ask = |side: Side| side.ask("show info typed");
    let theirs = ask(both.theirs());
    let shape = |line: &str| line.rsplit_once(':').map(|(shape, _)| shape.to_owned());
    let known: BTreeSet<String> = theirs.lines().filter_map(shape).collect();
    for line in ask(both.ours()).lines().filter(|line| !line.is_empty()) {
        assert!(known.contains(&shape(line).unwrap()), "{line}");
    }
}

#[test]
fn json_has_haproxys_shape() {
    let both = Both::start("admin");
    let first = |side: Side, question: &str| -> serde_json::Value {
        let answer = side.ask(question);
        serde_json::from_str(answer.trim()).unwrap_or_else(|error| panic!("{error}: {answer}"))
    };
    for question in ["show stat json", "show info json"] {
        let (ours, theirs) = (first(both.ours(), question), first(both.theirs(), question));
        let (ours, theirs) = match question {
            "show stat json" => (&ours[0][0], &theirs[0][0]),
            // Name and version differ, the number of threads need not.
            _ => (&ours[3], &theirs[3]),
        };
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(ours), keys(theirs));
        assert_eq!(ours["field"], theirs["field"]);
        assert_eq!(ours["tags"], theirs["tags"]);
        assert_eq!(ours["value"]["type"], theirs["value"]["type"]);
        assert_eq!(ours["processNum"], theirs["processNum"]);
    }
}

#[test]
fn the_same_is_served_over_http() {
    let both = Both::start("admin");
    for path in ["/stats;csv", "/stats;csv;norefresh"] {
        let ((ours, csv), (theirs, _)) = (both.ours().get(path), both.theirs().get(path));
        for head in [&ours, &theirs] {
            assert!(
                head.contains(" 200 ok") && head.contains("content-type: text/plain"),
                "{head}"
            );
        }
        assert_eq!(super::Table::read(&csv).columns, both.theirs().table().columns);
    }
    for path in ["/stats", "/stats;norefresh"] {
        let (head, _) = both.ours().get(path);
        assert!(head.contains(" 303 ") && head.contains("location: /\r\n"), "{path}: {head}");
    }
    both.each(|side| _ = side.ask("set server impala/c1 state maint"));
    let names = |csv: &str| -> Vec<String> {
        super::Table::read(csv).rows.iter().map(|row| row["svname"].clone()).collect()
    };
    let theirs = names(&both.theirs().ask("show stat no-maint"));
    assert!(!theirs.contains(&"c1".to_owned()) && theirs.contains(&"c2".to_owned()));
    for path in ["/stats;csv;no-maint", "/stats;up;csv", "/stats?x;csv;up"] {
        let ours = names(&both.ours().get(path).1);
        assert!(!ours.contains(&"c1".to_owned()) && ours.contains(&"c2".to_owned()), "{path}");
    }
    let (head, json) = both.ours().get("/stats;json");
    assert!(head.contains("content-type: application/json"), "{head}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0][0]["value"]["value"], "impala");
}

/// Where a `haproxy.cfg` says nothing else, and so what old scripts ask.
#[test]
fn haproxys_own_path_is_understood() {
    let both = Both::start("admin");
    let ours = both.ours();
    for path in ["/haproxy?stats;csv", "/haproxy?stats;csv;norefresh", "/stats?x;csv"] {
        let (head, csv) = ours.get(path);
        assert!(head.contains(" 200 ok") && head.contains("content-type: text/plain"), "{head}");
        assert_eq!(super::Table::read(&csv).columns, both.theirs().table().columns);
    }
    let (head, json) = ours.get("/haproxy?stats;json");
    assert!(head.contains("content-type: application/json"), "{head}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0][0]["value"]["value"], "impala");
    for path in ["/haproxy?stats", "/haproxy?stats;norefresh"] {
        let (head, _) = ours.get(path);
        assert!(head.contains(" 303 ") && head.contains("location: /\r\n"), "{path}: {head}");
    }
}
