//! Tables by a column: with the pointer, with the keyboard, without JavaScript, on a phone.

use oxpecker_testkit::Http;
use serde_json::Value;

use super::*;

/// A gateway with this many connections open at its members, in the order of their names.
#[track_caller]
fn loaded(counts: &[usize], eyes: Eyes) -> (Bench, Vec<TcpStream>) {
    let members = counts.len() as u8;
    let site = Site::new(members).monitored("").admin("");
    let bench = bench_of(site, members, eyes);
    let mut clients = Vec::new();
    for (at, count) in counts.iter().enumerate() {
        let only = format!("m{}:21050", at + 1);
        bench.set_states(&only);
        clients.extend((0..*count).map(|_| bench.client()));
    }
    bench.set_states("");
    (bench, clients)
}

impl Bench {
    /// Only this member takes clients; without a name all do.
    #[track_caller]
    fn set_states(&self, only: &str) {
        for number in 1..=self.members.len() {
            let name = format!("m{number}:21050");
            let state = if only.is_empty() || name == only { "enabled" } else { "disabled" };
            let http = Http::tcp(self.site.admin_addr()).by_script();
            let body = format!("{{\"admin_state\": \"{state}\"}}");
            let reply = http.send("PATCH", &format!("/api/v1/pools/p/members/{name}"), &body);
            assert_eq!(reply.status, 200, "{}", reply.body);
        }
    }

    /// Waits until the rows' heads are these, from the top.
    #[track_caller]
    fn wait_rows(&self, wanted: &[&str]) {
        let script = "return [...document.querySelectorAll('tbody th')].map((th) => th.innerText)";
        wait_until(&format!("the rows are {wanted:?}"), || {
            self.browser.script(script) == json!(wanted)
        });
    }

    #[track_caller]
    fn sorted_by(&self, name: &str) -> Value {
        let script = format!(
            "return document.querySelector('a[data-sort=\"{name}\"]').closest('th').ariaSort"
        );
        self.browser.script(&script)
    }
}

fn head(name: &str) -> String {
    format!("a[data-sort=\"{name}\"]")
}

#[test]
fn statistics_are_sorted_by_a_click_and_turned_round_by_another() {
    let (bench, clients) = loaded(&[1, 3, 2], Eyes::DESK);
    let browser = &bench.browser;
    browser.open("/ui/statistics");
    bench.wait_rows(&["p", "-- m1:21050", "-- m2:21050", "-- m3:21050"]);
    assert_eq!(bench.sorted_by("current"), Value::Null);
    browser.click(&head("current"));
    bench.wait_rows(&["p", "-- m2:21050", "-- m3:21050", "-- m1:21050"]);
    assert_eq!(bench.sorted_by("current"), "descending");
    assert!(browser.is_focused(&head("current")), "the focus stays with what was clicked");
    assert_eq!(browser.script("return location.search"), json!("?sort=-current"));
    browser.screenshot("sorted");
    browser.click(&head("current"));
    bench.wait_rows(&["p", "-- m1:21050", "-- m3:21050", "-- m2:21050"]);
    assert_eq!(bench.sorted_by("current"), "ascending");
    // It holds while values change.
    drop(clients);
    browser.wait_text("tr[data-key=\"pool:p\"]", "0 6 6");
    let _more: Vec<_> = (0..2).map(|_| bench.client()).collect();
    browser.wait_text("tr[data-key=\"pool:p\"]", "2 6 8");
    browser.click(&head("name"));
    bench.wait_rows(&["p", "-- m1:21050", "-- m2:21050", "-- m3:21050"]);
    assert_eq!(bench.sorted_by("name"), "ascending");
    assert_eq!(bench.sorted_by("current"), Value::Null);
    // A search keeps it.
    browser.click(&head("name"));
    browser.type_into("#search", "m");
    bench.wait_rows(&["p", "-- m3:21050", "-- m2:21050", "-- m1:21050"]);
}

#[test]
fn connections_are_sorted_with_the_keyboard() {
    let (bench, mut clients) = loaded(&[1, 1, 1], Eyes::DESK);
    let said: Vec<String> =
        clients.iter().map(|client| client.local_addr().unwrap().to_string()).collect();
    for (client, bytes) in clients.iter_mut().zip([500, 1500, 1000]) {
        client.check_echo(&vec![b'x'; bytes]);
    }
    let browser = &bench.browser;
    browser.open("/ui/connections");
    browser.tab_to(&head("in"));
    browser.press(Key::Enter);
    bench.wait_rows(&[&said[1], &said[2], &said[0]]);
    assert_eq!(bench.sorted_by("in"), "descending");
    assert!(browser.is_focused(&head("in")));
    browser.press(Key::Enter);
    bench.wait_rows(&[&said[0], &said[2], &said[1]]);
    browser.screenshot("connections-sorted");
}

#[test]
fn heads_are_links_without_javascript() {
    let (bench, _clients) = loaded(&[1, 3, 2], Eyes { script: false, ..Eyes::DESK });
    bench.browser.open("/ui/statistics?format=exact");
    bench.browser.click(&head("total"));
    let rows = "tbody tr:nth-child";
    bench.browser.wait_text(&format!("{rows}(2)"), "m2:21050");
    bench.browser.wait_text(&format!("{rows}(4)"), "m1:21050");
    bench.browser.wait_text(".switch a[aria-current][data-key=\"format=exact\"]", "Exact");
    bench.browser.click(&head("total"));
    bench.browser.wait_text(&format!("{rows}(2)"), "m1:21050");
}

#[test]
fn a_phone_has_the_heads_as_choices() {
    let (bench, _clients) = loaded(&[1, 3, 2], Eyes::PHONE);
    let browser = &bench.browser;
    for view in ["statistics", "connections"] {
        browser.open(&format!("/ui/{view}"));
        browser.wait_text("#live", "live, ");
        browser.check_width(view);
        browser.screenshot(&format!("{view}-heads"));
    }
    browser.open("/ui/statistics");
    browser.click(&head("current"));
    bench.wait_rows(&["p", "-- m2:21050", "-- m3:21050", "-- m1:21050"]);
}
