//! Every operation, by everybody: the description says who may, and the gateway must agree.

use oxpecker_testkit::Http;

use super::schema::{DOCUMENT, conforms};
use super::{Console, json};

const ROLES: [&str; 4] = ["none", "viewer", "operator", "admin"];

fn users(anonymous: &str) -> String {
    let token = |role: &str| {
        format!("[admin.token.{role}]\ntoken = \"{role}-{}\"\nrole = \"{role}\"\n", "x".repeat(16))
    };
    let tokens: String = ROLES[1..].iter().map(|role| token(role)).collect();
    format!("anonymous = \"{anonymous}\"\n{tokens}")
}

/// As this role, on things that are not there: nothing is changed by it.
fn ask(console: &Console, role: &str, method: &str, path: &str) -> oxpecker_testkit::Reply {
    let mut http = Http::tcp(console.site.admin_addr()).by_script();
    if role != "none" {
        http = http.bearer(&format!("{role}-{}", "x".repeat(16)));
    }
    let path =
        ["{name}", "{pool}", "{node}"].iter().fold(path.to_owned(), |p, n| p.replace(n, "x"));
    let path = path.replace("{member}", "x:1").replace("{id}", "4711");
    let query = if method == "delete" { "?member=x/x:1" } else { "" };
    let path = if path.ends_with("/connections") { format!("{path}{query}") } else { path };
    let path = if path.ends_with("/persistence") && method == "delete" {
        format!("{path}?virtual=x")
    } else {
        path
    };
    http.send(&method.to_uppercase(), &path, "")
}

#[test]
fn everybody_may_do_what_is_described_and_no_more() {
    let console = Console::new(&users("none"));
    let mut checked = 0;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if path.ends_with("/stream") {
                continue;
            }
            let needed = operation["x-role"].as_str().unwrap_or("none");
            let rank = |role: &str| ROLES.iter().position(|known| *known == role).unwrap();
            for role in ROLES {
                let reply = ask(&console, role, method, path);
                let what = format!("{method} {path} as {role}: {} {}", reply.status, reply.body);
                conforms(method, path, &reply);
                match role {
                    _ if rank(role) >= rank(needed) => {
                        assert!(!matches!(reply.status, 401 | 403 | 429), "{what}");
                    }
                    "none" => assert_eq!(reply.status, 401, "{what}"),
                    _ => {
                        assert_eq!(reply.status, 403, "{what}");
                        assert!(json(&reply)["error"].as_str().unwrap().contains(needed), "{what}");
                    }
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 120, "{checked}");
}

#[test]
fn those_who_say_nothing_may_do_what_is_configured() {
    let console = Console::new(&users("viewer"));
    assert_eq!(console.http.get("/api/v1/pools").status, 200);
    let change = |http: &Http| {
        http.send("PATCH", "/api/v1/pools/p/members/m1:21050", r#"{"weight": 2}"#).status
    };
    assert_eq!(change(&console.http), 403);
    let operator = console.http.clone().bearer(&format!("operator-{}", "x".repeat(16)));
    assert_eq!(change(&operator), 200);
    assert_eq!(console.get("/api/v1/pools/p/members/m1:21050")["weight"], 2);
}

/// A page somewhere else makes the browser of an operator send something.
#[test]
fn other_web_sites_change_nothing() {
    let console = Console::new("hosts = [\"lb.example\"]");
    let plain = Http::tcp(console.site.admin_addr());
    let own = format!("http://{}", console.site.admin_addr());
    let drain = |http: Http| {
        http.send("PATCH", "/api/v1/pools/p/members/m1:21050", r#"{"admin_state": "draining"}"#)
    };
    let foreign = ["http://evil.example", "null", "http://localhost:1", "", "x"];
    for foreign in foreign.into_iter().chain(["https://lb.example:8443", "http://xlb.example"]) {
        let reply = drain(plain.clone().by_script().header("origin", foreign));
        assert_eq!(reply.status, 403, "{foreign}: {}", reply.body);
    }
    let reply = drain(plain.clone());
    assert_eq!(reply.status, 403, "a form of another site says nothing");
    assert!(json(&reply)["error"].as_str().unwrap().contains("X-Oxpecker-Request"));
    assert_eq!(console.get("/api/v1/pools/p/members/m1:21050")["admin_state"], "enabled");
    assert_eq!(drain(plain.clone().header("origin", &own)).status, 200);
    assert_eq!(console.get("/api/v1/pools/p/members/m1:21050")["admin_state"], "draining");
    assert_eq!(drain(plain.header("origin", "https://lb.example")).status, 200, "another proxy");
    // No browser speaks over the socket.
    let reply = console.socket().send("PATCH", "/api/v1/nodes/m1", r#"{"admin_state": "enabled"}"#);
    assert_eq!(reply.status, 200, "{}", reply.body);
}
