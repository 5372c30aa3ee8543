//! Who is let in, and what they may do.

use oxpecker_testkit::Http;

use super::{Console, json, refusal};

/// `openssl passwd -6 -salt saltstring swordfish`
const HASH: &str = "$6$saltstring$L2of.QHEyShkEGrKtIsIZ85vN2UxfBB4Fhu2yb0duBAm6qAiljcYaf358n/38bcASFfpU37SW.CynuEXbu5az1";

fn users() -> String {
    format!(
        "[admin.user.alice]\npassword_hash = \"{HASH}\"\nrole = \"admin\"\n\
         [admin.user.olga]\npassword = \"open sesame\"\nrole = \"operator\"\n\
         [admin.token.ci]\ntoken = \"0123456789abcdef\"\nrole = \"viewer\"\n"
    )
}

#[test]
fn names_passwords_and_tokens_tell_who_it_is() {
    let console = Console::new(&users());
    let who = |http: Http| {
        let status = json(&http.get("/api/v1/status"));
        (status["user"].as_str().unwrap().to_owned(), status["role"].as_str().unwrap().to_owned())
    };
    let http = || console.http.clone();
    assert_eq!(who(http().basic("alice", "swordfish")), ("alice".into(), "admin".into()));
    assert_eq!(who(http().basic("olga", "open sesame")), ("olga".into(), "operator".into()));
    assert_eq!(who(http().bearer("0123456789abcdef")), ("ci".into(), "viewer".into()));
    assert_eq!(who(console.socket()), ("root".into(), "admin".into()));
    let reply = http().get("/api/v1/status");
    assert_eq!(refusal(&reply), (401, "it is not known who asks".to_owned()));
    assert!(reply.header("www-authenticate").starts_with("Basic realm="));
    for health in ["/livez", "/readyz"] {
        assert_eq!(http().get(health).status, 200, "{health} needs nobody");
    }
}

#[test]
fn guessing_is_locked_out_and_told() {
    let console = Console::new(&users());
    let wrong = console.http.clone().basic("alice", "guess");
    for n in 0..10 {
        assert_eq!(wrong.get("/api/v1/status").status, 401, "guess {n}");
    }
    let reply = wrong.get("/api/v1/status");
    assert_eq!(reply.status, 429, "{}", reply.body);
    assert!(reply.header("retry-after").parse::<u32>().unwrap() <= 60);
    // The right one does not tell the guesser that it is right.
    assert_eq!(console.http.clone().basic("alice", "swordfish").get("/api/v1/status").status, 429);
    console.gateway.out.wait("locked out");
    assert_eq!(console.http.get("/livez").status, 200);
    assert_eq!(console.socket().get("/api/v1/status").status, 200);
}

#[test]
fn a_reload_changes_who_is_known_at_once() {
    let console = Console::new(&users());
    let (alice, ci) = (
        console.http.clone().basic("alice", "swordfish"),
        console.http.clone().bearer("0123456789abcdef"),
    );
    assert_eq!((alice.get("/api/v1/status").status, ci.get("/api/v1/status").status), (200, 200));
    let config = console.site.config_in(console.gateway.dir.path());
    let config =
        config.replace("user.alice", "user.anna").replace("0123456789abcdef", "fedcba9876543210");
    assert!(console.gateway.reload(&config).contains("reloaded"));
    assert_eq!((alice.get("/api/v1/status").status, ci.get("/api/v1/status").status), (401, 401));
    let anna = console.http.clone().basic("anna", "swordfish");
    assert_eq!(anna.get("/api/v1/status").status, 200);
}

/// DNS rebinding: the browser believes that this address is evil.example.
#[test]
fn other_host_names_are_turned_away() {
    let console = Console::new("hosts = [\"lb.example.com\"]");
    let get = |host: &str| console.http.clone().header("host", host).get("/api/v1/status");
    let own = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let address = console.site.admin_addr().to_string();
    for good in [
        "localhost",
        "LOCALHOST:25002",
        "lb.example.com",
        "Lb.Example.Com:443",
        "10.9.8.7",
        "[::1]:25002",
        &own,
        &address,
    ] {
        assert_eq!(get(good).status, 200, "{good}");
    }
    for bad in
        ["evil.example", "evil.example:25002", "lb.example.com.evil.example", "xlb.example.com"]
    {
        let (status, error) = refusal(&get(bad));
        assert_eq!(status, 421, "{bad}: {error}");
    }
    assert_eq!(console.http.clone().without("host").get("/api/v1/status").status, 400);
    assert_eq!(console.http.clone().header("host", "a b").get("/api/v1/status").status, 400);
    assert_eq!(console.http.clone().header("host", "evil.example").get("/readyz").status, 200);
}

#[test]
fn answers_carry_what_protects_the_browser() {
    let console = Console::new("");
    for path in ["/", "/api/v1/status", "/nothing", "/livez"] {
        let reply = console.http.get(path);
        let csp = reply.header("content-security-policy");
        assert!(
            csp.contains("default-src 'self'") && csp.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
    assert_eq!(console.http.get("/api/v1/status").header("cache-control"), "no-store");
}

#[test]
fn what_is_not_there_is_said_in_json() {
    let console = Console::new("");
    assert_eq!(
        refusal(&console.http.get("/nothing")),
        (404, "there is nothing at `/nothing`".to_owned())
    );
    let reply = console.http.send("PUT", "/api/v1/status", "");
    assert_eq!(refusal(&reply), (405, "`/api/v1/status` does not take PUT".to_owned()));
    assert!(reply.header("allow").contains("GET"), "{:?}", reply.headers);
}
