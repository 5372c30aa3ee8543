//! Changes at run time, and who is said to have made them.

use nix::sys::signal::Signal;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, TempDir, connect, wait_until};

use super::{Console, json, refusal};
use crate::site::Site;

#[test]
fn a_member_is_drained_and_enabled_with_a_reason() {
    let console = Console::new("");
    let one = "/api/v1/pools/p/members/m1:21050";
    let mut client = connect(console.site.front());
    client.check_echo(b"in");
    let body = r#"{"admin_state": "draining", "comment": "new kernel\non rack 1"}"#;
    let reply = console.socket().send("PATCH", one, body);
    assert_eq!(json(&reply)["admin_state"], "draining", "{}", reply.body);
    let left = console.get(&format!("{one}/drain"));
    assert_eq!((&left["connections"], &left["done"]), (&1.into(), &false.into()));
    let remove = console.http.send("DELETE", one, "");
    let (status, error) = refusal(&remove);
    assert_eq!(status, 409, "{error}");
    client.check_echo(b"still in");
    drop(client);
    wait_until("nothing is left", || console.get(&format!("{one}/drain"))["done"] == true);
    let events = console.get("/api/v1/events");
    let found = events["items"].as_array().unwrap().iter().find(|e| e["kind"] == "admin-state");
    let event = found.unwrap();
    assert_eq!((&event["who"], &event["subject"]), (&"socket:root".into(), &"p/m1:21050".into()));
    assert!(event["text"].as_str().unwrap().contains("new kernel on rack 1"), "{event:#}");
    let id = event["id"].as_u64().unwrap();
    let later = console.get(&format!("/api/v1/events?after={id}"));
    let first =
        later["items"].as_array().unwrap().first().map_or(u64::MAX, |e| e["id"].as_u64().unwrap());
    assert!(first > id);
}

#[test]
fn members_and_nodes_come_and_go() {
    let console = Console::of(Site::new(2), 2, "");
    let third = console.site.member_addr(3);
    let _member = Member::named(third, "third");
    let node = format!(r#"{{"name": "m3", "address": "{}"}}"#, third.ip());
    let added = console.http.send("POST", "/api/v1/nodes", &node);
    assert_eq!((added.status, &json(&added)["host"]), (201, &third.ip().to_string().into()));
    let add = r#"{"node": "m3", "port": 21050, "weight": 5}"#;
    let added = console.http.send("POST", "/api/v1/pools/p/members", add);
    assert_eq!((added.status, &json(&added)["weight"]), (201, &5.into()), "{}", added.body);
    assert_eq!(console.http.send("POST", "/api/v1/pools/p/members", add).status, 409);
    for number in 1..=2 {
        let path = format!("/api/v1/pools/p/members/m{number}:21050");
        assert_eq!(console.http.send("DELETE", &path, "").status, 204);
        assert_eq!(console.http.get(&path).status, 404);
    }
    assert_eq!(connect(console.site.front()).hear_line(), "third");
    assert_eq!(console.http.send("DELETE", "/api/v1/nodes/m1", "").status, 204);
    assert_eq!(console.http.send("DELETE", "/api/v1/nodes/m3", "").status, 409, "a member uses it");
    assert_ne!(console.get("/api/v1/status")["unsaved_changes"], 0);
    let text = console.http.get("/api/v1/configuration").body;
    assert!(text.contains("m3"), "{text}");
}

#[test]
fn a_reload_is_asked_for_and_its_errors_come_back() {
    let console = Console::new("");
    assert_eq!(console.http.send("POST", "/api/v1/reload", "").status, 204);
    console.gateway.out.wait("reloaded");
    console.gateway.dir.write("oxpecker.toml", "[pool.p]\nmembers = 7\n");
    let (status, error) = refusal(&console.http.send("POST", "/api/v1/reload", ""));
    assert_eq!(status, 409);
    assert!(error.contains("oxpecker.toml:2:"), "{error}");
    assert_eq!(console.get("/api/v1/status")["last_reload_failed"], true);
    connect(console.site.front()).check_echo(b"as before");
}

#[test]
fn changes_are_saved_and_there_after_a_reload() {
    let state = "state_file = \"@DIR@/state.toml\"";
    let console = Console::new(state);
    let weigh = |weight: u16| {
        let body = format!(r#"{{"weight": {weight}}}"#);
        console.http.send("PATCH", "/api/v1/pools/p/members/m1:21050", &body).status
    };
    assert_eq!(weigh(7), 200);
    assert_eq!(console.get("/api/v1/status")["unsaved_changes"], 1);
    let saved = json(&console.http.send("POST", "/api/v1/save", ""));
    assert_eq!(saved["changes"], 1);
    let text = std::fs::read_to_string(saved["file"].as_str().unwrap()).unwrap();
    assert!(text.contains("to = 7") && text.contains("m1:21050"), "{text}");
    assert_eq!(console.get("/api/v1/status")["unsaved_changes"], 0);
    assert_eq!(console.http.send("POST", "/api/v1/reload", "").status, 204);
    assert_eq!(console.get("/api/v1/pools/p/members/m1:21050")["weight"], 7);
}

#[test]
fn saved_changes_are_there_after_a_restart() {
    let dir = TempDir::new();
    let state = format!("state_file = \"{}\"", dir.join("state.toml").display());
    let mut console = Console::new(&state);
    let spare = console.site.member_addr(2).ip();
    let ask = |console: &Console, method: &str, path: &str, body: &str| {
        let reply = console.http.send(method, path, body);
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.body);
    };
    let node = format!(r#"{{"name": "spare", "address": "{spare}"}}"#);
    ask(&console, "POST", "/api/v1/nodes", &node);
    ask(&console, "POST", "/api/v1/pools/p/members", r#"{"node": "spare", "port": 21050}"#);
    let change = r#"{"admin_state": "draining", "weight": 7}"#;
    ask(&console, "PATCH", "/api/v1/pools/p/members/m1:21050", change);
    ask(&console, "POST", "/api/v1/save", "");
    // After it was saved: this one is forgotten.
    ask(&console, "PATCH", "/api/v1/pools/p/members/spare:21050", r#"{"weight": 9}"#);
    console.gateway.signal(Signal::SIGINT);
    assert_eq!(console.gateway.wait_exit(), 0);
    console.gateway = console.site.start_with_admin();
    let pool = console.get("/api/v1/pools/p");
    let members: Vec<_> = pool["members"].as_array().unwrap().iter().collect();
    let told = |at: usize| {
        let member = members[at];
        (&member["name"], &member["admin_state"], &member["weight"])
    };
    assert_eq!(members.len(), 2);
    assert_eq!(told(0), (&"m1:21050".into(), &"draining".into(), &7.into()));
    assert_eq!(told(1), (&"spare:21050".into(), &"enabled".into(), &1.into()));
    assert_eq!(console.get("/api/v1/status")["unsaved_changes"], 0);
}

#[test]
fn no_secret_is_in_the_configuration_that_is_shown() {
    let secrets = ["hunter2hunter2", "0123456789abcdef"];
    let admin = format!(
        "anonymous = \"admin\"\n[admin.user.a]\npassword = \"{}\"\nrole = \"admin\"\n\
         [admin.token.t]\ntoken = \"{}\"\nrole = \"admin\"\n",
        secrets[0], secrets[1]
    );
    let console = Console::new(&admin);
    let text = console.http.get("/api/v1/configuration").body;
    assert!(text.contains("[pool.p]") && text.contains("[admin.user.a]"), "{text}");
    for secret in secrets {
        assert!(!text.contains(secret), "{text}");
    }
}
