//! The description of the API against what a gateway really answers.

mod judge;

use std::sync::LazyLock;

use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Reply, connect, wait_until};
use serde_json::{Value, json};

use super::Console;
use crate::site::Site;

/// What is served at /openapi.json.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../oxpecker-admin/openapi.json")).unwrap()
});

/// The answer must be one that the description has for this operation, in every field.
#[track_caller]
pub(super) fn conforms(method: &str, path: &str, reply: &Reply) {
    let operation = &DOCUMENT["paths"][path][method.to_ascii_lowercase()];
    let response = &operation["responses"][reply.status.to_string()];
    assert!(
        response.is_object(),
        "{method} {path} may not answer {}: {}",
        reply.status,
        reply.body
    );
    let Some(content) = response["content"].as_object() else {
        assert_eq!(reply.body, "", "{method} {path}");
        return;
    };
    let kind = reply.header("content-type").split(';').next().unwrap();
    let schema = &content.get(kind).unwrap_or_else(|| panic!("{method} {path}: {kind}"))["schema"];
    if kind != "application/json" {
        return;
    }
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let problems = judge::problems(&DOCUMENT, schema, &body, "");
    assert!(problems.is_empty(), "{method} {path}: {problems:#?}\n{body:#}");
}

#[test]
fn answers_are_as_described() {
    let site = Site::new(3)
        .monitored("")
        .virtual_server("persistence = \"source_addr\"")
        .top("[node.spare]\naddress = \"127.0.0.9\"");
    // The third has nobody: its probes fail.
    let console = Console::of(site, 2, "");
    let mut client = connect(console.site.front());
    client.check_echo(b"hello");
    let member = |n: usize| console.get("/api/v1/pools/p")["members"][n].clone();
    wait_until("the third is down", || member(2)["health"] == "down");
    // One that was refused, for the endings.
    let one = "/api/v1/pools/p/members/m1:21050";
    let reply = console.http.send("PATCH", one, r#"{"weight": 3, "admin_state": "draining"}"#);
    conforms("PATCH", "/api/v1/pools/{pool}/members/{member}", &reply);
    let mut seen = 0;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        if methods.get("get").is_none() || path.ends_with("/stream") {
            continue;
        }
        let real = path
            .replace("{name}", "v")
            .replace("{pool}", "p")
            .replace("{member}", "m1:21050")
            .replace("{node}", "m1");
        let reply = console.http.get(&real);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        conforms("GET", path, &reply);
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
    for path in ["/api/v1/statistics?of=nodes", "/api/v1/statistics?of=virtuals"] {
        conforms("GET", "/api/v1/statistics", &console.http.get(path));
    }
    // Lists that must not be empty for this to say something.
    for list in ["connections", "events", "persistence", "pools", "nodes", "virtuals"] {
        let items = console.get(&format!("/api/v1/{list}"));
        assert!(!items["items"].as_array().unwrap().is_empty(), "{list}");
    }
    drop(client);
}

#[test]
fn refusals_are_as_described() {
    let console = Console::new("");
    let check = |method: &str, path: &str, template: &str, body: &str, status: u16| {
        let reply = console.http.send(method, path, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        conforms(method, template, &reply);
    };
    let member = "/api/v1/pools/{pool}/members/{member}";
    check("GET", "/api/v1/pools/nobody", "/api/v1/pools/{pool}", "", 404);
    check("GET", "/api/v1/pools/p/members/x:1", member, "", 404);
    check("GET", "/api/v1/nodes/x", "/api/v1/nodes/{node}", "", 404);
    check("GET", "/api/v1/events?after=x", "/api/v1/events", "", 400);
    check("GET", "/api/v1/connections?limit=-1", "/api/v1/connections", "", 400);
    check("GET", "/api/v1/connections?member=x", "/api/v1/connections", "", 400);
    check("GET", "/api/v1/persistence?virtual=x", "/api/v1/persistence", "", 404);
    check("GET", "/api/v1/statistics?of=x", "/api/v1/statistics", "", 400);
    let one = "/api/v1/pools/p/members/m1:21050";
    for body in [
        "{",
        "[]",
        "1",
        "\"x\"",
        r#"{"weight": -1}"#,
        r#"{"weight": 70000}"#,
        r#"{"wieght": 1}"#,
        r#"{"admin_state": "gone"}"#,
        "\u{0}\u{ff}",
    ] {
        check("PATCH", one, member, body, 400);
    }
    check("PATCH", one, member, r#"{"weight": 60000}"#, 409);
    let long = json!({ "comment": "x".repeat(501) }).to_string();
    check("PATCH", one, member, &long, 400);
    let huge = json!({ "comment": "x".repeat(70_000) }).to_string();
    check("PATCH", one, member, &huge, 413);
    check("POST", "/api/v1/nodes", "/api/v1/nodes", "", 400);
    check(
        "POST",
        "/api/v1/nodes",
        "/api/v1/nodes",
        r#"{"name": "m1", "address": "127.0.0.1"}"#,
        409,
    );
    check("DELETE", "/api/v1/nodes/m1", "/api/v1/nodes/{node}", "", 409);
    check("DELETE", "/api/v1/connections/4711", "/api/v1/connections/{id}", "", 404);
    check("DELETE", "/api/v1/connections/x", "/api/v1/connections/{id}", "", 400);
    check("POST", "/api/v1/save", "/api/v1/save", "", 409);
    check(
        "POST",
        "/api/v1/statistics/reset",
        "/api/v1/statistics/reset",
        r#"{"keys": ["pool:x"]}"#,
        404,
    );
    check(
        "POST",
        "/api/v1/statistics/reset",
        "/api/v1/statistics/reset",
        r#"{"keys": ["what:x"]}"#,
        400,
    );
}
