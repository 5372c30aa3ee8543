//! Views rendered from made-up values: what people read in them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oxpecker_api::{
    AdminState, Certificate, Counts, Health, Map, MapPool, MapVirtual, Member, StatisticsRow,
    StatisticsTable, Status, Traffic,
};

use super::ask::{Asked, View};
use super::frame::{self, Frame};
use super::{assets, map, needs, settings, statistics};

fn status() -> Status {
    Status {
        version: "0.1.0".into(),
        pid: 42,
        host: "gw-1".into(),
        started: "2026-11-30T08:00:00Z".into(),
        uptime_seconds: 14_400.0,
        worker_threads: 2,
        connections: Counts { current: 3, maximum: 9, total: 100 },
        connections_max: 10_000,
        descriptors_open: 40,
        descriptors_max: 20_000,
        draining: false,
        last_reload: None,
        last_reload_failed: false,
        virtuals: 1,
        pools: 1,
        members: 2,
        members_up: 2,
        sessions: 0,
        operations_open: 0,
        unsaved_changes: 0,
        user: "alice".into(),
        role: "operator".into(),
    }
}

fn member(name: &str) -> Member {
    Member {
        pool: "hs2".into(),
        name: name.into(),
        node: name.split(':').next().unwrap_or_default().into(),
        address: Some(format!("10.0.0.1:{}", name.rsplit(':').next().unwrap_or_default())),
        port: 21_050,
        admin_state: AdminState::Enabled,
        health: Health::Up,
        reason: String::new(),
        health_for_seconds: 60.0,
        usable: true,
        weight: 100,
        priority: 10,
        connections: Counts::default(),
        connections_max: None,
        node_connections: 0,
        traffic: Traffic::default(),
        operations: 0,
        operations_told: None,
        probe: None,
        connect_failures: 0,
        connect_seconds_average: None,
    }
}

fn map_of(members: Vec<Member>) -> Map {
    let pool = MapPool { name: "hs2".into(), health: Health::Up, members };
    let front = MapVirtual {
        name: "impala".into(),
        listen: vec!["*:21050".into()],
        health: Health::Up,
        connections: 3,
        pools: vec![pool],
    };
    Map { virtuals: vec![front] }
}

/// Renders with a frame, and gives back what a person would read, a line for each block.
#[track_caller]
fn read(status: &Status, asked: &Asked, view: impl Fn(&Frame<'_>) -> maud::Markup) -> String {
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    let frame = Frame { status, asked, now, zone: &TimeZone::UTC };
    text(&view(&frame).into_string())
}

/// Without tags; cells are set apart by `|`, rows and blocks by lines.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = after.split_once('>').unwrap();
        match tag.split(' ').next().unwrap() {
            "/td" | "/th" => text.push('|'),
            "/tr" | "/p" | "/li" | "/h1" | "/h2" | "/h3" | "/div" => text.push('\n'),
            _ => {}
        }
        rest = after;
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

type Numbers = [u64; 7];

fn row(kind: &str, name: &str, numbers: Numbers) -> StatisticsRow {
    let [bits_in, bits_out, packets_in, packets_out, current, maximum, total] = numbers;
    StatisticsRow {
        kind: kind.into(),
        key: if kind == "member" { format!("p/{name}") } else { name.into() },
        name: name.into(),
        status: "available".into(),
        health: Health::Up,
        reason: String::new(),
        traffic: Traffic { bits_in, bits_out, packets_in, packets_out },
        connections: Counts { current: current as u32, maximum: maximum as u32, total },
    }
}

/// The numbers of F5's own screen, with digits behind them that it rounded away.
fn f5_table() -> StatisticsTable {
    StatisticsTable {
        of: "pools".into(),
        rows: vec![
            row("pool", "nightly56-impala-21000", [15_612, 32_714, 22, 18, 0, 1, 1]),
            row("pool", "nightly56-impala-21050", [187_084, 753_573, 258, 190, 1, 5, 5]),
            row("member", "nightly56-2:21050", [7_544, 1_728, 10, 4, 0, 2, 2]),
            row("member", "nightly56-3:21050", [3_712, 896, 5, 2, 0, 1, 1]),
            row("member", "nightly56-4:21050", [175_828, 750_949, 243, 184, 1, 2, 2]),
        ],
    }
}

#[test]
fn f5s_table_is_read_the_same_here() {
    let mut status = status();
    status.role = "viewer".into();
    let said = read(&status, &Asked::default(), |frame| statistics::render(frame, &f5_table()));
    let table: Vec<_> = said.lines().filter(|line| line.ends_with('|')).collect();
    assert_eq!(
        table,
        [
            "Statistics of poolsStatus|Pool/Member|Bits|Packets|Connections|",
            "In|Out|In|Out|Current|Maximum|Total|",
            "● available|nightly56-impala-21000|15.6K|32.7K|22|18|0|1|1|",
            "● available|nightly56-impala-21050|187.1K|753.6K|258|190|1|5|5|",
            "● available|-- nightly56-2:21050|7.5K|1.7K|10|4|0|2|2|",
            "● available|-- nightly56-3:21050|3.7K|896|5|2|0|1|1|",
            "● available|-- nightly56-4:21050|175.8K|750.9K|243|184|1|2|2|",
        ]
    );
}

#[test]
fn f5s_table_in_exact_numbers_and_bytes() {
    let asked = Asked { format: "exact".into(), unit: "bytes".into(), ..Asked::default() };
    let said = read(&status(), &asked, |frame| statistics::render(frame, &f5_table()));
    assert!(said.contains("|Bytes|Packets|"), "{said}");
    assert!(said.contains("● available|-- nightly56-2:21050|943|216|10|4|0|2|2|"), "{said}");
}

#[test]
fn offline_rows_give_their_reason() {
    let mut table = f5_table();
    table.rows[2].status = "offline".into();
    table.rows[2].reason = "connection refused".into();
    let said = read(&status(), &Asked::default(), |frame| statistics::render(frame, &table));
    assert!(said.contains("✕ offline connection refused|-- nightly56-2:21050|"), "{said}");
}

#[test]
fn names_cannot_become_tags() {
    let said = read(&status(), &Asked::default(), |frame| {
        let html = map::render(frame, &map_of(vec![member("<b>\"x:1")]));
        assert!(!html.clone().into_string().contains("<b>\"x"), "{}", html.into_string());
        html
    });
    assert!(said.contains("<b>"), "but they are read as they are: {said}");
}

#[test]
fn the_map_gives_every_state_its_word_and_reason() {
    let mut down = member("a:1");
    (down.health, down.usable, down.reason) = (Health::Down, false, "connection refused".into());
    let mut draining = member("b:1");
    (draining.admin_state, draining.usable) = (AdminState::Draining, false);
    (draining.connections.current, draining.operations) = (2, 1);
    let mut drained = member("c:1");
    (drained.admin_state, drained.usable) = (AdminState::Draining, false);
    let mut disabled = member("d:1");
    (disabled.admin_state, disabled.usable) = (AdminState::Disabled, false);
    let mut quiescing = member("e:1");
    (quiescing.health, quiescing.usable) = (Health::Quiescing, false);
    let map = map_of(vec![down, draining, drained, disabled, quiescing, member("f:1")]);
    let said = read(&status(), &Asked::default(), |frame| map::render(frame, &map));
    for expected in [
        "● 1 of 6 usable",
        "✕ a:1down for 1 min: connection refused0 connections",
        "◐ b:1draining (up): 2 connections, 1 operation left2 connections",
        "◐ c:1draining (up): nothing is left0 connections",
        "○ d:1disabled (up): by an operator",
        "◑ e:1shutting down for 1 min",
        "● f:1up for 1 min",
    ] {
        assert!(said.contains(expected), "`{expected}` is missing in:\n{said}");
    }
    let others = |frame: &Frame<'_>| map::render(frame, &map).into_string();
    let asked = Asked::default();
    let html = {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        others(&Frame { status: &status(), asked: &asked, now, zone: &TimeZone::UTC })
    };
    let enabled = html.split("data-member=\"f:1\"").nth(1).unwrap();
    assert!(enabled.starts_with(" data-others=\"0\""), "it is the last usable one: {enabled}");
}

#[test]
fn viewers_are_offered_no_changes() {
    let map = map_of(vec![member("a:1")]);
    let mut viewer = status();
    viewer.role = "viewer".into();
    for (status, offered) in [(&viewer, false), (&status(), true)] {
        let view = |frame: &Frame<'_>| {
            let html = map::render(frame, &map);
            assert_eq!(html.0.contains("<button class=\"act\""), offered, "{}", status.role);
            html
        };
        read(status, &Asked::default(), view);
    }
}

#[track_caller]
fn needs_of(status: &Status, map: &Map, certificates: &[Certificate]) -> Vec<String> {
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    let frame = Frame { status, asked: &Asked::default(), now, zone: &TimeZone::UTC };
    let mark = |urgent: bool| if urgent { "!" } else { "i" };
    let needs = needs::list(&frame, map, certificates);
    needs.iter().map(|need| format!("{} {}", mark(need.urgent), need.text)).collect()
}

#[test]
fn what_needs_a_person_is_told_most_urgent_first() {
    let mut status = status();
    let calm = map_of(vec![member("a:1")]);
    assert_eq!(needs_of(&status, &calm, &[]), [] as [&str; 0]);
    (status.unsaved_changes, status.last_reload_failed) = (2, true);
    status.connections.current = 9_000;
    let mut down = member("a:1");
    (down.health, down.usable, down.reason) = (Health::Down, false, "no answer".into());
    let mut drained = member("b:1");
    (drained.admin_state, drained.usable) = (AdminState::Draining, false);
    let expected = [
        "! Pool hs2 takes no new clients: none of its 2 members is usable.",
        "! a:1 in hs2 is down: no answer.",
        "! The last reload failed: the gateway runs the configuration from before it.",
        "! 9,000 of 10,000 connections are in use: at the limit new clients wait.",
        "! The certificate gw expires in 3 days.",
        "i 2 changes made at run time would be lost at a restart.",
        "i The certificate old expires in 20 days.",
        "i b:1 in hs2 is drained: nothing is left there.",
    ];
    let certificates = [certificate("old", 20), certificate("gw", 3), certificate("fine", 80)];
    assert_eq!(needs_of(&status, &map_of(vec![down, drained]), &certificates), expected);
}

#[test]
fn a_disabled_member_that_is_down_needs_nobody() {
    let mut worked_on = member("a:1");
    (worked_on.health, worked_on.admin_state) = (Health::Down, AdminState::Disabled);
    worked_on.usable = false;
    let map = map_of(vec![worked_on, member("b:1")]);
    assert_eq!(needs_of(&status(), &map, &[]), [] as [&str; 0]);
}

fn certificate(name: &str, days: i64) -> Certificate {
    Certificate {
        side: "clients".into(),
        profile: "tls".into(),
        name: name.into(),
        names: vec!["gw.example".into()],
        not_before: None,
        not_after: Some("2026-12-03T00:00:00Z".into()),
        expires_in_days: Some(days),
        last_error: None,
    }
}

#[test]
fn certificates_tell_how_long_they_last() {
    let items = vec![certificate("gw", 3), certificate("past", -2), certificate("fine", 300)];
    let list = oxpecker_api::Listing { items, truncated: false };
    let said = read(&status(), &Asked::default(), |frame| settings::certificates(frame, &list));
    assert!(said.contains("gw|clients|tls|gw.example|2026-12-03|! 3 days left|"), "{said}");
    assert!(said.contains("✕ expired 2 days ago|") && said.contains("● 300 days left|"), "{said}");
}

#[test]
fn the_document_asks_nothing_of_others() {
    let asked = Asked { view: View::Statistics, search: "x y".into(), ..Asked::default() };
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    let status = status();
    let frame = Frame { status: &status, asked: &asked, now, zone: &TimeZone::UTC };
    let content = statistics::render(&frame, &f5_table());
    let html = frame::document(&frame, &content).into_string();
    assert!(!html.contains("http:") && !html.contains("https:"), "{html}");
    // What the content policy forbids would be lost silently.
    for forbidden in [" style=", "<style", " onclick=", "<script>"] {
        assert!(!html.contains(forbidden), "`{forbidden}`");
    }
    assert!(html.contains("data-live=\"/ui/live?view=statistics&amp;search=x%20y\""), "{html}");
    assert!(html.contains("<html lang=\"en\">") && html.contains("<main id=\"view\""));
}

/// A first visit, assets and a page, over a slow line at night.
#[test]
fn everything_is_below_150_kilobytes() {
    let asked = Asked::default();
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    let status = status();
    let frame = Frame { status: &status, asked: &asked, now, zone: &TimeZone::UTC };
    let members = (0..30).map(|n| member(&format!("coordinator-{n}.example.com:21050"))).collect();
    let page = frame::document(&frame, &map::render(&frame, &map_of(members))).into_string();
    let parts: usize = assets::ALL.iter().map(|asset| asset.content.len()).sum();
    let all = parts + page.len();
    assert!(all < 150_000, "{parts} bytes of parts, {} of a page", page.len());
}

#[test]
fn parts_name_no_other_place() {
    for asset in &assets::ALL {
        // The name of SVG's language is no address that anybody loads.
        let content = asset.content.replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["http:", "https:", "//cdn", "@import", "url("] {
            assert!(!content.contains(forbidden), "{} says `{forbidden}`", asset.name);
        }
        assert!(asset.content.lines().count() < 400, "{} is long", asset.name);
    }
}

/// A script that is not embedded would be missed by the browser only.
#[test]
fn scripts_import_only_parts_that_are_there() {
    for asset in assets::ALL.iter().filter(|asset| asset.name.ends_with(".js")) {
        for line in asset.content.lines().filter(|line| line.starts_with("import ")) {
            let from = line.split("\"./").nth(1).unwrap().trim_end_matches("\";");
            assert!(assets::ALL.iter().any(|other| other.name == from), "{}: {line}", asset.name);
        }
    }
}
