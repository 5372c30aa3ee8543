//! The stream of events: what it tells, and that a crowd of subscribers costs nothing else.

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Http, connect, wait_until};
use serde_json::Value;

use super::{Console, json};

fn parsed(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))
}

#[test]
fn a_stream_tells_values_again_and_again_and_events_at_once() {
    let console = Console::new("");
    let mut stream = console.http.events("/api/v1/stream");
    assert_eq!(stream.status, 200);
    let status = parsed(&stream.wait("status"));
    assert_eq!((&status["role"], &status["pools"]), (&"admin".into(), &1.into()));
    assert_eq!(parsed(&stream.wait("map"))["virtuals"][0]["name"], "v");
    assert_eq!(parsed(&stream.wait("statistics"))["rows"][0]["name"], "p");
    let drain = r#"{"admin_state": "draining"}"#;
    assert_eq!(console.http.send("PATCH", "/api/v1/nodes/m1", drain).status, 200);
    let event = parsed(&stream.wait("event"));
    assert_eq!((&event["kind"], &event["subject"]), (&"admin-state".into(), &"p/m1:21050".into()));
    loop {
        let map = parsed(&stream.wait("map"));
        if map["virtuals"][0]["pools"][0]["members"][0]["admin_state"] == "draining" {
            break;
        }
    }
    // Whoever comes back hears what it missed.
    let before = (event["id"].as_u64().unwrap() - 1).to_string();
    let mut again = console.http.clone().header("last-event-id", &before).events("/api/v1/stream");
    assert_eq!(parsed(&again.wait("event"))["id"], event["id"]);
}

#[test]
fn only_so_many_look_on_and_their_places_come_back() {
    let console = Console::new("");
    let streams: Vec<_> = (0..64).map(|_| console.http.events("/api/v1/stream")).collect();
    assert!(streams.iter().all(|stream| stream.status == 200));
    let refused = console.http.get("/api/v1/stream");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(json(&refused)["error"].as_str().unwrap().contains("64"));
    connect(console.site.front()).check_echo(b"traffic goes on");
    assert_eq!(console.http.get("/api/v1/status").status, 200);
    drop(streams);
    wait_until("there is room again", || console.http.events("/api/v1/stream").status == 200);
}

#[test]
fn a_reload_ends_the_streams_of_those_who_are_no_longer_known() {
    let token = "[admin.token.ci]\ntoken = \"0123456789abcdef\"\nrole = \"viewer\"\n";
    let console = Console::new(token);
    let mut stream =
        Http::tcp(console.site.admin_addr()).bearer("0123456789abcdef").events("/api/v1/stream");
    stream.wait("status");
    let config = console.site.config_in(console.gateway.dir.path());
    let config = config.replace("0123456789abcdef", "fedcba9876543210");
    assert!(console.gateway.reload(&config).contains("reloaded"));
    while stream.next_event().is_some() {}
}
