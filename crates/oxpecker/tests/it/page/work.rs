//! Impala's work as the page shows it: sessions, operations and statements of impyla at a stand-in
//! coordinator, and the buttons that end them.

use oxpecker_testkit::Standin;
use oxpecker_testkit::clients::Client;

use super::*;
use crate::clients::sessions_at;

/// A gateway that reads the protocol, before one coordinator, with a client.
struct Work {
    site: Site,
    coordinator: Standin,
    client: Client,
    _gateway: Gateway,
}

/// Nobody waits this long: it is ended, or the test fails.
const ENDLESS: &str = "select sleep(600000)";

#[track_caller]
fn work() -> Work {
    let site = Site::new(1)
        .monitored("parent = \"hs2\"")
        .virtual_server("type = \"standard\"\nprotocol = \"hs2\"")
        .admin("");
    let coordinator = Standin::start(site.member_addr(1).ip(), &["--sample"]);
    let gateway = site.start_with_admin();
    gateway.out.wait("to=\"up\"");
    let mut client = sessions_at(site.front());
    client.ask("open a");
    Work { site, coordinator, client, _gateway: gateway }
}

impl Work {
    #[track_caller]
    fn browser(&self, eyes: Eyes) -> Browser {
        Browser::new(&format!("http://{}", self.site.admin_addr()), eyes)
    }

    /// What it has to do, as the coordinator says itself.
    #[track_caller]
    fn wait_executing(&self, count: u64) {
        wait_until("the coordinator has so much to do", || {
            let page: serde_json::Value =
                serde_json::from_str(&self.coordinator.page("/queries?json")).unwrap();
            page["num_executing_queries"] == count
        });
    }
}

#[test]
fn an_operation_is_seen_and_ended_and_its_client_is_told() {
    let mut work = work();
    work.client.ask(&format!("start a {ENDLESS}"));
    work.wait_executing(1);
    let browser = work.browser(Eyes::DESK);
    browser.open("/ui/operations");
    browser.wait_text("tbody tr", "running");
    browser.wait_text("tbody tr", "select sleep(");
    browser.wait_text("tbody tr", &work.coordinator.ip().to_string());
    browser.wait_text("#strip", "operations\n1");
    let id = browser.text("tbody tr .statement .note").unwrap();
    browser.click("button[data-act=\"kill-operation\"]");
    browser.wait_text("#ask", "End the operation");
    browser.wait_text("#ask", "select sleep(");
    browser.wait_text("#ask", "the client gets an error");
    browser.screenshot("operation-asked");
    browser.click("#ask button[type=submit]");
    browser.wait_text("#said", "was cancelled.");
    let told = work.client.ask("finish a");
    assert!(told.starts_with("ERROR") && told.contains("Cancelled"), "{told}");
    work.wait_executing(0);
    let row = format!("tr[data-key^=\"{id}\"]");
    browser.wait_text(&row, "cancelled");
    browser.wait_gone("button[data-act=\"kill-operation\"]");
    // The session lives. impyla closes the operation when it begins the next one.
    assert_eq!(work.client.ask("run a select 1"), "[(1,)]");
    browser.wait_text(&format!("{row}.over"), "cancelled");
    browser.open("/ui/events");
    browser.wait_text("main", "killed");
}

#[test]
fn a_session_is_seen_and_ended_and_its_client_is_told() {
    let mut work = work();
    work.client.ask("open b");
    let browser = work.browser(Eyes::DESK);
    browser.open("/ui/sessions");
    browser.wait_text("tbody tr:nth-child(2)", &work.coordinator.ip().to_string());
    let id = browser.text("tbody tr code").unwrap();
    browser.click("button[data-act=\"kill-session\"]");
    browser.wait_text("#ask", &format!("End the session {id}"));
    browser.wait_text("#ask", "It has");
    browser.wait_text("#ask", "closes it with all its operations");
    browser.click("#ask button[type=submit]");
    browser.wait_text("#said", "was ended.");
    browser.wait_gone("tbody tr:nth-child(2)");
    assert_ne!(browser.text("tbody tr code"), Some(id), "the other one stays");
    let mut told: Vec<_> =
        ["a", "b"].iter().map(|name| work.client.ask(&format!("run {name} select 1"))).collect();
    told.sort_by_key(|answer| answer != "[(1,)]");
    assert_eq!(told[0], "[(1,)]");
    assert!(told[1].contains("Invalid session"), "{told:?}");
}

/// For people to look at, and that none of it is too wide for them.
#[test]
fn work_is_readable_on_a_desk_and_a_phone() {
    let mut work = work();
    let joined = "select c.name, sum(o.amount) as spent from customers c join orders o \
                  on o.customer_id = c.id where c.vip = true and o.amount > 17.5 \
                  group by c.name order by spent desc limit 20";
    for statement in [joined, "select count(*) from orders", "select 'x' from nowhere"] {
        work.client.ask(&format!("run a {statement}"));
    }
    work.client.ask("open b");
    work.client.ask(&format!("start b {ENDLESS}"));
    work.wait_executing(1);
    for eyes in all_eyes() {
        let browser = work.browser(eyes);
        for view in ["sessions", "operations", "statements"] {
            browser.open(&format!("/ui/{view}"));
            browser.wait_text("#live", "live, ");
            let wanted = match view {
                "sessions" => "127.",
                "operations" => "sleep(",
                _ => "customers",
            };
            browser.wait_text("tbody", wanted);
            browser.check_width(view);
            browser.screenshot(&format!("{view}-full"));
        }
    }
}
