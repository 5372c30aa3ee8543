//! The web page in a real browser: what an operator sees, clicks, and hears back.

mod browser;
mod certificates;
mod changes;
mod sorting;
mod work;

use std::net::TcpStream;

use fantoccini::key::Key;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Gateway, Member, connect, wait_until};
use serde_json::json;

use crate::site::Site;
use browser::{Browser, Eyes};

/// A gateway with an admin side, echoing members, and a browser that looks at it.
struct Bench {
    site: Site,
    members: Vec<Member>,
    gateway: Gateway,
    browser: Browser,
}

const VIEWS: [&str; 12] = [
    "/",
    "/ui/statistics",
    "/ui/hour",
    "/ui/connections",
    "/ui/endings",
    "/ui/sessions",
    "/ui/operations",
    "/ui/statements",
    "/ui/events",
    "/ui/persistence",
    "/ui/certificates",
    "/ui/configuration",
];

#[track_caller]
fn bench(members: u8, eyes: Eyes) -> Bench {
    bench_of(Site::new(members).monitored("").admin(""), members, eyes)
}

#[track_caller]
fn bench_of(site: Site, members: u8, eyes: Eyes) -> Bench {
    let members: Vec<_> = (1..=members).map(|n| Member::echo(site.member_addr(n))).collect();
    let gateway = site.start_with_admin();
    gateway.out.wait_count(members.len(), "member changed health");
    let browser = Browser::new(&format!("http://{}", site.admin_addr()), eyes);
    Bench { site, members, gateway, browser }
}

impl Bench {
    /// A client whose connection is placed.
    #[track_caller]
    fn client(&self) -> TcpStream {
        let mut client = connect(self.site.front());
        client.check_echo(b"here");
        client
    }
}

/// Desk and phone, by day and by night.
fn all_eyes() -> impl Iterator<Item = Eyes> {
    [Eyes::DESK, Eyes::PHONE].into_iter().flat_map(|eyes| [eyes, Eyes { dark: true, ..eyes }])
}

fn row(member: &str) -> String {
    format!(".member[data-key=\"{member}\"]")
}

fn button(act: &str, member: &str) -> String {
    format!("button[data-act=\"{act}\"][data-member=\"{member}\"]")
}

#[test]
fn a_drain_is_asked_about_done_and_seen_on_the_map() {
    let bench = bench(3, Eyes::DESK);
    let clients: Vec<_> = (0..3).map(|_| bench.client()).collect();
    let browser = &bench.browser;
    browser.open("/");
    browser.wait_text("#live", "live, ");
    browser.wait_text(&row("m1:21050"), "up");
    browser.wait_text(&row("m1:21050"), "1 connection");
    browser.wait_text(".needs", "Nothing needs you");
    browser.click(&button("drain", "m1:21050"));
    browser.wait_text("#ask", "Drain m1:21050 in p?");
    browser.wait_text("#ask", "New clients go to the 2 other usable members of p.");
    browser.wait_text("#ask", "1 open connection");
    browser.screenshot("drain-asked");
    browser.click("#ask button[type=submit]");
    browser.wait_text("#said", "m1:21050 in p is draining.");
    browser.wait_text(&row("m1:21050"), "draining (up): 1 connection left");
    bench.gateway.out.wait("admin state changed");
    // And it is so: whoever comes now goes to the others.
    let more: Vec<_> = (0..4).map(|_| bench.client()).collect();
    browser.wait_text(&row("m2:21050"), "3 connections");
    browser.wait_text(&row("m1:21050"), "1 connection");
    browser.screenshot("draining");
    drop(clients);
    browser.wait_text(&row("m1:21050"), "nothing is left");
    browser.wait_text(".needs", "m1:21050 in p is drained");
    drop(more);
    browser.click(&button("enable", "m1:21050"));
    browser.wait_text("#ask", "Enable m1:21050");
    browser.click("#ask button[type=submit]");
    browser.wait_text(&format!("{} .why", row("m1:21050")), "up for");
}

#[test]
fn a_dead_member_is_told_with_its_reason_and_the_last_one_is_warned_of() {
    let mut bench = bench(2, Eyes::DESK);
    bench.browser.open("/");
    bench.browser.wait_text(&row("m2:21050"), "up");
    bench.members[1].kill();
    bench.browser.wait_text(&row("m2:21050"), "down");
    bench.browser.wait_text(".needs .urgent", "m2:21050 in p is down");
    bench.browser.screenshot("down");
    bench.browser.click(&button("disable", "m1:21050"));
    let warning = "No other member of p is usable: its new clients will be refused.";
    bench.browser.wait_text("#ask .warning", warning);
    bench.browser.press(Key::Escape);
    assert!(bench.browser.is_focused(&button("disable", "m1:21050")), "where it was before");
    bench.members[1] = Member::echo(bench.site.member_addr(2));
    bench.browser.wait_text(".needs", "Nothing needs you");
}

#[test]
fn the_keyboard_is_enough_and_the_focus_stays_while_values_change() {
    let bench = bench(2, Eyes::DESK);
    let browser = &bench.browser;
    browser.open("/");
    browser.wait_text("#live", "live, ");
    browser.press(Key::Tab);
    assert!(browser.is_focused("a.skip"), "the first stop skips the head");
    browser.press(Key::Enter);
    browser.tab_to(&button("drain", "m1:21050"));
    let _clients: Vec<_> = (0..3).map(|_| bench.client()).collect();
    browser.wait_text("#strip", "3 of");
    assert!(browser.is_focused(&button("drain", "m1:21050")), "updates leave the focus alone");
    browser.press(Key::Enter);
    browser.wait_text("#ask", "Drain m1:21050");
    browser.type_into("#ask input", "disk is changed");
    browser.tab_to("#ask button[type=submit]");
    browser.press(Key::Enter);
    browser.wait_text(&row("m1:21050"), "draining");
    wait_until("the focus is with the member it was about", || {
        browser.is_focused("button[data-member=\"m1:21050\"]")
    });
    browser.tab_to("nav a[href=\"/ui/events\"]");
    browser.press(Key::Enter);
    browser.wait_text("h1", "Events");
    browser.wait_text("main", "p/m1:21050");
}

#[test]
fn statistics_are_searched_switched_and_reset_by_selection() {
    let bench = bench(2, Eyes::DESK);
    let clients: Vec<_> = (0..4).map(|_| bench.client()).collect();
    let browser = &bench.browser;
    browser.open("/ui/statistics");
    let member = |name: &str| format!("tr[data-key=\"member:p/{name}\"]");
    browser.wait_text(&member("m1:21050"), "-- m1:21050");
    // Four clients said four bytes each, and heard them again.
    browser.wait_text("tr[data-key=\"pool:p\"]", "128 128 4 4 4 4 4");
    browser.screenshot("statistics");
    browser.type_into("#search", "M2");
    browser.wait_gone(&member("m1:21050"));
    browser.wait_text(&member("m2:21050"), "m2:21050");
    assert_eq!(browser.script("return location.search"), json!("?search=M2"));
    browser.click("a[data-reset-search]");
    browser.wait_text(&member("m1:21050"), "m1:21050");
    assert!(browser.is_focused("#search"));
    let mut client = bench.client();
    client.check_echo(&[b'x'; 2000]);
    browser.wait_text("tr[data-key=\"pool:p\"]", "16.2K 16.2K");
    browser.click("a[href*=\"format=exact\"]");
    browser.wait_text("tr[data-key=\"pool:p\"]", "16160 16160");
    browser.click("a[href*=\"unit=bytes\"]");
    browser.wait_text("tr[data-key=\"pool:p\"]", "2020 2020");
    browser.click("input[data-select=\"pool:p\"]");
    browser.wait_text("button[data-act=\"reset\"]", "Reset 1 selected");
    browser.click("button[data-act=\"reset\"]");
    browser.wait_text("#ask", "Reset the statistics of 1 row?");
    browser.click("#ask button[type=submit]");
    browser.wait_text("#said", "count from zero");
    browser.wait_text("tr[data-key=\"pool:p\"]", "0 0 0 0 5 5 0");
    browser.wait_text("button[data-act=\"reset\"]", "Reset selected");
    browser.click("a[href*=\"of=virtuals\"]");
    browser.wait_text("table.statistics", "Virtual Server");
    browser.wait_text("tr.virtual", "v");
    drop(clients);
}

#[test]
fn a_connection_is_ended_and_its_ending_is_told() {
    let bench = bench(1, Eyes::DESK);
    let mut client = bench.client();
    let own = client.local_addr().unwrap().to_string();
    let browser = &bench.browser;
    browser.open("/ui/connections");
    browser.wait_text("main", &own);
    browser.screenshot("connections");
    browser.click("button[data-act=\"kill-connection\"]");
    browser.wait_text("#ask", &format!("End the connection of {own} to m1:21050?"));
    browser.click("#ask button[type=submit]");
    let (rest, _) = client.hear_rest();
    assert!(rest.is_empty());
    browser.wait_text("main", "No connection is open.");
    browser.open("/ui/endings");
    browser.wait_text("main", "ended by an operator");
    browser.wait_text("main", &own);
}

#[test]
fn a_refusal_is_told_where_one_clicked() {
    let bench = bench(2, Eyes::DESK);
    let browser = &bench.browser;
    browser.open("/");
    browser.click(&button("weight", "m2:21050"));
    browser.wait_text("#ask", "Weight of m2:21050");
    // Meanwhile somebody takes it away.
    let config = bench.site.config_in(bench.gateway.dir.path());
    let config = config.replace("\"m1\", \"m2\"", "\"m1\"");
    assert!(bench.gateway.reload(&config).contains("reloaded"));
    browser.click("#ask button[type=submit]");
    browser.wait_text("#ask [role=alert]", "Refused: there is no member");
    browser.press(Key::Escape);
    browser.wait_gone(&row("m2:21050"));
}

#[test]
fn a_lost_stream_is_told_and_found_again() {
    let Bench { site, members: _members, gateway, browser } = bench(1, Eyes::DESK);
    browser.open("/");
    browser.wait_text("#live", "live, ");
    drop(gateway);
    browser.wait_text("#live", "not live since");
    browser.click(&button("drain", "m1:21050"));
    browser.click("#ask button[type=submit]");
    browser.wait_text("#ask [role=alert]", "The gateway does not answer.");
    browser.screenshot("lost");
    browser.press(Key::Escape);
    let _again = site.start_with_admin();
    browser.wait_text("#live", "live, ");
}

#[test]
fn everything_can_be_read_without_javascript() {
    let eyes = Eyes { script: false, ..Eyes::DESK };
    let bench = bench(2, eyes);
    let _client = bench.client();
    let browser = &bench.browser;
    browser.open("/");
    browser.wait_text(&row("m1:21050"), "up");
    browser.wait_text("footer", "Without JavaScript this page only shows");
    assert_eq!(
        browser.text(&button("drain", "m1:21050")).as_deref(),
        Some(""),
        "it could do nothing"
    );
    browser.screenshot("map");
    browser.click("nav a[href=\"/ui/statistics\"]");
    browser.wait_text("h1", "Statistics");
    browser.type_into("#search", "m2");
    browser.press(Key::Enter);
    browser.wait_gone("tr[data-key=\"member:p/m1:21050\"]");
    browser.wait_text("tr[data-key=\"member:p/m2:21050\"]", "m2:21050");
    browser.click("a[href*=\"format=exact\"]");
    browser.wait_text(".switch a[aria-current][data-key=\"format=exact\"]", "Exact");
    for view in VIEWS {
        browser.open(view);
        assert!(browser.text("h1").is_some_and(|title| !title.is_empty()), "{view}");
    }
}

#[test]
fn a_phone_scrolls_no_view_sideways_and_nothing_is_asked_of_others() {
    for eyes in [Eyes::PHONE, Eyes { dark: true, ..Eyes::PHONE }, Eyes { dark: true, ..Eyes::DESK }]
    {
        let bench = bench(2, eyes);
        let _client = bench.client();
        let browser = &bench.browser;
        for view in VIEWS.into_iter().chain(["/ui/member?pool=p&member=m1:21050"]) {
            browser.open(view);
            browser.wait_text("#live", "live, ");
            browser.check_width(view);
            let own = format!("http://{}/", bench.site.admin_addr());
            for address in browser.loaded() {
                assert!(address.starts_with(&own), "{view} loads {address}");
            }
            let dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches");
            assert_eq!(dark, json!(eyes.dark));
            let name = view.trim_start_matches("/ui/").split('?').next().unwrap();
            browser.screenshot(if name == "/" { "map" } else { name });
        }
    }
}
