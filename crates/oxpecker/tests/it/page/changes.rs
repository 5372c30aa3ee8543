//! Changes made on the page, and their effect as the API tells it.

use std::fs;

use oxpecker_testkit::http::Http;
use serde_json::Value;

use super::*;

impl Bench {
    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let reply = Http::tcp(self.site.admin_addr()).get(&format!("/api/v1{path}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    #[track_caller]
    fn member(&self, name: &str) -> Value {
        self.get(&format!("/pools/p/members/{name}"))
    }

    /// Agrees to what is asked, and waits for what is said of it.
    #[track_caller]
    fn agree(&self, said: &str) {
        self.browser.click("#ask button[type=submit]");
        self.browser.wait_text("#said", said);
        // Else the next one could be taken for this.
        self.browser.wait_gone("#ask[open]");
    }
}

#[test]
fn a_disabled_member_gets_nobody_until_it_is_enabled() {
    let bench = bench(2, Eyes::DESK);
    let browser = &bench.browser;
    browser.open("/");
    browser.click(&button("disable", "m1:21050"));
    browser.wait_text("#ask", "not even one that persistence kept here");
    browser.type_into("#ask input", "new disk");
    browser.screenshot("disable-asked");
    bench.agree("m1:21050 in p is disabled.");
    assert_eq!(bench.member("m1:21050")["admin_state"], "disabled");
    browser.wait_text(&row("m1:21050"), "disabled (up): by an operator");
    browser.screenshot("disabled");
    let _clients: Vec<_> = (0..4).map(|_| bench.client()).collect();
    let open = |name: &str| bench.member(name)["connections"]["current"].clone();
    assert_eq!((open("m1:21050"), open("m2:21050")), (0.into(), 4.into()));
    let events = bench.get("/events");
    let events = events["items"].as_array().unwrap();
    assert!(events.iter().any(|e| e["text"].as_str().unwrap().contains("new disk")), "{events:?}");
    browser.click(&button("enable", "m1:21050"));
    bench.agree("m1:21050 in p is enabled.");
    assert_eq!(bench.member("m1:21050")["admin_state"], "enabled");
    let _more: Vec<_> = (0..4).map(|_| bench.client()).collect();
    assert_eq!(open("m1:21050"), 4, "it has the fewest");
}

#[test]
fn a_weight_is_changed_by_typing_over_the_old_one() {
    let bench = bench(2, Eyes::DESK);
    let browser = &bench.browser;
    browser.open("/");
    let before = bench.member("m2:21050")["weight"].clone();
    browser.click(&button("weight", "m2:21050"));
    browser.wait_text("#ask", &format!("now {before}"));
    browser.type_into("#ask input[type=number]", "7");
    browser.screenshot("weight-asked");
    bench.agree("The weight of m2:21050 in p is changed.");
    assert_eq!(bench.member("m2:21050")["weight"], 7);
    browser.wait_text(&row("m2:21050"), "weight 7");
    // What the browser itself refuses never leaves it.
    browser.click(&button("weight", "m2:21050"));
    browser.type_into("#ask input[type=number]", "257");
    browser.click("#ask button[type=submit]");
    assert_eq!(browser.script("return document.querySelector('#ask').open"), json!(true));
    assert_eq!(bench.member("m2:21050")["weight"], 7);
}

#[test]
fn changes_are_saved_and_files_reloaded_from_the_page() {
    let site = Site::new(2).monitored("").admin("state_file = \"@DIR@/state.toml\"");
    let bench = bench_of(site, 2, Eyes::DESK);
    let browser = &bench.browser;
    browser.open("/");
    browser.click(&button("drain", "m2:21050"));
    bench.agree("m2:21050 in p is draining.");
    browser.wait_text(".needs", "1 change made at run time would be lost at a restart");
    browser.screenshot("unsaved");
    browser.open("/ui/configuration");
    browser.wait_text(".configuration", "[pool.p]");
    browser.screenshot("configuration-full");
    browser.click("button[data-act=\"save\"]");
    browser.wait_text("#ask", "Save the changes made at run time?");
    bench.agree("The changes are saved.");
    assert_eq!(bench.get("/status")["unsaved_changes"], 0);
    let saved = fs::read_to_string(bench.gateway.dir.join("state.toml")).unwrap();
    assert!(saved.contains("m2"), "{saved}");

    let config = bench.site.config_in(bench.gateway.dir.path());
    let file = bench.gateway.config_file();
    fs::write(&file, config.replace("[pool.p]", "[pool.p]\ndescription = \"read anew\"")).unwrap();
    browser.click("button[data-act=\"reload\"]");
    browser.wait_text("#ask", "All or nothing");
    browser.script(
        "window.lost = 0; new MutationObserver(() => {
            if (document.getElementById('live').className === 'lost') window.lost++;
        }).observe(document.getElementById('live'), { attributes: true });",
    );
    bench.agree("The configuration was reloaded.");
    browser.wait_text(".configuration", "read anew");
    // Its stream is another one now, and that is no reason for alarm.
    browser.wait_text("#live", "live, ");
    assert_eq!(browser.script("return window.lost"), json!(0));
    assert_eq!(bench.member("m2:21050")["admin_state"], "draining", "what was saved stays");

    fs::write(&file, format!("{config}\n[pool.q]\nmembers = 7\n")).unwrap();
    browser.click("button[data-act=\"reload\"]");
    browser.click("#ask button[type=submit]");
    browser.wait_text("#ask [role=alert]", "oxpecker.toml:");
    browser.screenshot("reload-refused");
    browser.press(Key::Escape);
    assert_eq!(bench.get("/status")["last_reload_failed"], true);
    browser.wait_text(".configuration", "read anew");
    browser.open("/");
    browser.wait_text(".needs .urgent", "The last reload failed");
}

#[test]
fn a_client_is_forgotten_and_placed_anew() {
    let site = Site::new(2).monitored("").virtual_server("persistence = \"source_addr\"").admin("");
    let bench = bench_of(site, 2, Eyes::DESK);
    let client = bench.client();
    let own = client.local_addr().unwrap().ip().to_string();
    drop(client);
    let browser = &bench.browser;
    browser.open("/ui/persistence");
    browser.wait_text("tbody tr", &own);
    browser.screenshot("persistence-full");
    let entries = || bench.get("/persistence?virtual=v")["items"].as_array().unwrap().len();
    assert_eq!(entries(), 1);
    browser.click("button[data-act=\"forget\"]");
    browser.wait_text("#ask", &format!("Forget where {own} goes?"));
    bench.agree(&format!("It is forgotten where {own} goes."));
    browser.wait_text("main", "No client is kept on a member");
    assert_eq!(entries(), 0);
}
