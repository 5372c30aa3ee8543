//! What is shown of pools, members and connections, and whether the numbers are true.

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Http, connect, wait_until};

use super::{Console, json};
use crate::site::Site;

#[test]
fn the_map_leads_from_the_virtual_server_to_the_members() {
    let console = Console::of(Site::new(2), 2, "");
    let map = console.get("/api/v1/map");
    assert_eq!(map["virtuals"][0]["name"], "v");
    assert_eq!(map["virtuals"][0]["listen"][0], console.site.front().to_string());
    let pool = &map["virtuals"][0]["pools"][0];
    let names: Vec<&str> =
        pool["members"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!((pool["name"].as_str(), names), (Some("p"), vec!["m1:21050", "m2:21050"]));
}

#[test]
fn traffic_is_counted_in_bits_and_anew_after_a_reset() {
    let console = Console::new("");
    let mut client = connect(console.site.front());
    client.check_echo(&[7; 1000]);
    drop(client);
    console.gateway.wait_record(1);
    let row =
        |of: &str, n: usize| console.get(&format!("/api/v1/statistics?of={of}"))["rows"][n].clone();
    wait_until("all is counted", || row("pools", 1)["bits_out"].as_u64() >= Some(8000));
    for row in [row("pools", 0), row("pools", 1), row("nodes", 0), row("virtuals", 0)] {
        assert_eq!(row["bits_in"], row["bits_out"], "{row:#}");
        assert!(row["bits_in"].as_u64().unwrap() >= 8000, "{row:#}");
        assert_eq!(
            (&row["connections"]["total"], &row["connections"]["current"]),
            (&1.into(), &0.into())
        );
    }
    assert_eq!(row("pools", 0)["key"], "pool:p");
    assert_eq!(row("pools", 1)["key"], "member:p/m1:21050");
    let reset = |keys: &str| {
        let reply = console.http.send("POST", "/api/v1/statistics/reset", keys);
        assert_eq!(reply.status, 200, "{}", reply.body);
        json(&reply)["count"].as_u64().unwrap()
    };
    assert_eq!(reset(r#"{"keys": ["member:p/m1:21050"]}"#), 1);
    assert_eq!(row("pools", 1)["bits_in"], 0);
    assert_ne!(row("virtuals", 0)["bits_in"], 0);
    reset("");
    assert_eq!(row("virtuals", 0)["bits_in"], 0);
    let events = console.get("/api/v1/events");
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["kind"], "statistics-reset", "{events:#}");
}

#[test]
fn the_search_finds_members_below_their_pool() {
    let console = Console::of(Site::new(2), 2, "");
    let names = |search: &str| -> Vec<String> {
        let table = console.get(&format!("/api/v1/statistics?search={search}"));
        let rows = table["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["p", "m1:21050", "m2:21050"]);
    assert_eq!(names("M2"), ["p", "m2:21050"]);
    assert_eq!(names("P"), ["p", "m1:21050", "m2:21050"]);
    assert!(names("nobody").is_empty());
}

#[test]
fn connections_are_found_and_ended_one_and_all() {
    let console = Console::new("");
    let mut clients: Vec<_> = (0..3).map(|_| connect(console.site.front())).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"in"));
    let list = |query: &str| console.get(&format!("/api/v1/connections{query}"))["items"].clone();
    assert_eq!(list("").as_array().unwrap().len(), 3);
    let one = clients[1].local_addr().unwrap().to_string();
    let found = list(&format!("?search={one}"));
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!((&found[0]["client"], &found[0]["pool"]), (&one.as_str().into(), &"p".into()));
    assert_eq!(list("?member=p/m1:21050").as_array().unwrap().len(), 3);
    assert_eq!(list("?virtual=other").as_array().unwrap().len(), 0);
    let page = console.get("/api/v1/connections?limit=2");
    assert_eq!((page["items"].as_array().unwrap().len(), &page["truncated"]), (2, &true.into()));
    let id = &found[0]["id"];
    let kill = console.http.send("DELETE", &format!("/api/v1/connections/{id}"), "");
    assert_eq!((kill.status, &json(&kill)["count"]), (200, &1.into()));
    clients[1].hear_rest();
    clients[0].check_echo(b"still in");
    let kill = console.http.send("DELETE", "/api/v1/connections?member=p/m1:21050", "");
    assert_eq!(json(&kill)["count"], 2);
    clients[0].hear_rest();
    console.gateway.wait_record(3);
    let endings = console.get("/api/v1/endings");
    assert_eq!(endings["items"].as_array().unwrap().len(), 3, "{endings:#}");
    assert_eq!(endings["items"][0]["end_state"], "KD");
    let events = console.get("/api/v1/events")["items"].to_string();
    assert!(events.contains("connections-ended") && events.contains("anonymous:127."), "{events}");
}

#[test]
fn who_sticks_to_what_is_shown_and_forgotten() {
    let console = Console::of(Site::new(2).virtual_server("persistence = \"source_addr\""), 2, "");
    connect(console.site.front()).check_echo(b"in");
    let entries = console.get("/api/v1/persistence?virtual=v");
    let client = entries["items"][0]["client"].as_str().unwrap().to_owned();
    assert!(client.starts_with("127."), "{entries:#}");
    let forget = |query: &str| {
        let reply = console.http.send("DELETE", &format!("/api/v1/persistence?{query}"), "");
        assert_eq!(reply.status, 200, "{}", reply.body);
        json(&reply)["count"].clone()
    };
    assert_eq!(forget("virtual=v&client=127.9.9.9"), 0);
    assert_eq!(forget(&format!("virtual=v&client={client}")), 1);
    assert_eq!(console.get("/api/v1/persistence")["items"].as_array().unwrap().len(), 0);
    assert_eq!(forget("virtual=v"), 0);
}

#[test]
fn readiness_follows_members_and_the_drain() {
    let site = Site::new(1).monitored("").top("[process]\ndrain_delay = \"1h\"");
    let mut console = Console::of(site, 1, "");
    let ready = |path: &str| {
        let reply = Http::tcp(console.site.admin_addr()).get(path);
        (reply.status, reply.body.trim().to_owned())
    };
    assert_eq!(ready("/readyz"), (200, "ready".to_owned()));
    assert_eq!(ready("/readyz?virtual=v").0, 200);
    assert_eq!(ready("/readyz?virtual=x"), (503, "no such virtual server".to_owned()));
    let disable = r#"{"admin_state": "disabled"}"#;
    assert_eq!(console.http.send("PATCH", "/api/v1/nodes/m1", disable).status, 200);
    assert_eq!(ready("/readyz"), (503, "no usable member".to_owned()));
    let enable = r#"{"admin_state": "enabled"}"#;
    assert_eq!(console.http.send("PATCH", "/api/v1/nodes/m1", enable).status, 200);
    wait_until("it is ready again", || ready("/readyz").0 == 200);
    console.gateway.signal(nix::sys::signal::Signal::SIGTERM);
    wait_until("it is not ready", || ready("/readyz") == (503, "draining".to_owned()));
    // Listeners stay for `drain_delay`: whoever was not told yet is served.
    connect(console.site.front()).check_echo(b"in");
    // Or else it would be cut by the second signal.
    console.gateway.wait_record(1);
    assert_eq!(ready("/livez"), (200, "alive".to_owned()));
    assert_eq!(console.get("/api/v1/status")["draining"], true);
    console.gateway.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(console.gateway.wait_exit(), 0);
}
