//! `[admin]`: who may do what, and what is doubtful about it.

use oxpecker_config::explain;
use oxpecker_config::model::{Admin, AdminPassword, Role};

use crate::{BASE, HASH, check_text, good, shown};

fn with(admin: &str) -> String {
    format!("{BASE}{admin}\n")
}

fn admin(text: &str) -> Admin {
    good(&with(text)).config.admin.expect("there is one")
}

#[test]
fn a_local_page_is_open_until_somebody_is_named() {
    let user = format!("[admin.user.alice]\npassword_hash = \"{HASH}\"\nrole = \"admin\"\n");
    assert_eq!(admin("[admin]").anonymous, Some(Role::Admin));
    assert_eq!(admin(&user).anonymous, None);
    let token = "[admin.token.ci]\ntoken = { file = \"ci.token\" }\nrole = \"viewer\"\n";
    assert_eq!(admin(token).anonymous, None);
    assert_eq!(admin("[admin]\nlisten = \"10.0.0.9:25002\"\n").anonymous, Some(Role::Viewer));
    assert_eq!(
        admin(&format!("[admin]\nanonymous = \"viewer\"\n{user}")).anonymous,
        Some(Role::Viewer)
    );
    assert_eq!(admin("[admin]\nanonymous = \"none\"\n").anonymous, None);
}

#[test]
fn defaults_are_the_known_ones() {
    let found = admin("[admin]");
    assert_eq!(found.listen, "127.0.0.1:25002".parse().ok());
    assert_eq!(found.socket.unwrap().to_str(), Some("/run/oxpecker/admin.sock"));
    assert_eq!(found.stats_path, "/stats");
    assert_eq!(found.haproxy_socket_level, Role::Operator);
    assert_eq!((found.haproxy_socket, found.state_file, found.tls_client), (None, None, None));
    assert_eq!(admin("[admin]\nsocket = \"off\"").socket, None);
    let local = admin("[admin]\nlisten = \"off\"");
    assert_eq!((local.listen, local.anonymous), (None, Some(Role::Viewer)));
}

#[test]
fn users_and_tokens_come_from_several_tables() {
    let found = admin(&format!(
        "[admin.user.alice]\npassword_hash = \"{HASH}\"\nrole = \"admin\"\n\
         [admin.user.bob]\npassword = {{ file = \"pass\" }}\nrole = \"operator\"\n\
         [admin.token.ci]\ntoken = {{ file = \"ci.token\" }}\nrole = \"viewer\"\n"
    ));
    assert!(matches!(&found.users[0].password, AdminPassword::Hash(hash) if hash.reveal() == HASH));
    assert!(
        matches!(&found.users[1].password, AdminPassword::Clear(p) if p.reveal() == "swordfish")
    );
    assert_eq!(found.users[1].role, Role::Operator);
    assert_eq!(found.tokens[0].token.reveal(), "0123456789abcdef");
}

#[track_caller]
fn check(admin: &str, expected: &[&str]) {
    let text = with(admin);
    let found = shown(&text);
    for part in expected {
        assert!(found.contains(part), "no {part:?} in\n{found}");
    }
    if expected.is_empty() {
        assert_eq!(found, "");
    }
}

#[test]
fn what_is_open_to_others_is_warned_of() {
    let public = "[admin]\nlisten = \"10.0.0.9:25002\"\n";
    check(public, &["warning: the admin page is reachable from other hosts, and shows everything"]);
    check(&format!("{public}anonymous = \"viewer\"\n"), &[]);
    let open = format!("{public}anonymous = \"operator\"\n");
    check(&open, &["warning: whoever reaches the admin address may change things"]);
    let user = format!("{public}[admin.user.a]\npassword_hash = \"{HASH}\"\nrole = \"admin\"\n");
    check(&user, &["warning: passwords and tokens cross the network in clear text"]);
    let clear = "[admin.user.a]\npassword = \"hunter2\"\nrole = \"admin\"\n";
    check(clear, &["warning: `password` stands here in clear text", "password = ***"]);
    check(
        "[admin]\nhaproxy_socket_level = \"admin\"\n",
        &["warning: `haproxy_socket_level` does nothing"],
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let user = |body: &str| format!("[admin.user.a]\n{body}\nrole = \"admin\"\n");
    check(&user("password = \"***\""), &["what stands for a secret"]);
    check(&user(""), &["error: user `a` has no password", "openssl passwd -6"]);
    let both = user(&format!("password = {{ file = \"pass\" }}\npassword_hash = \"{HASH}\""));
    check(&both, &["`password` and `password_hash` both"]);
    for (hash, expected) in [
        ("hunter2", "is no hash"),
        ("$1$abc$def", "another kind"),
        ("$y$j9T$abc$def", "another kind"),
        (&HASH[..50], "cut off"),
        ("$6$rounds=9", "cut off"),
        ("$6$rounds=10$a$b", "bad rounds"),
        ("$6$rounds=999999999$a$b", "too many rounds"),
    ] {
        let text = user(&format!("password_hash = \"{hash}\""));
        check(&text, &["error: `password_hash`", expected]);
        assert!(!shown(&with(&text)).contains(hash));
    }
    check("[admin.token.t]\ntoken = \"short\"\nrole = \"admin\"\n", &["16 to 512 characters"]);
    check("[admin.token.t]\ntoken = \"two words are no token\"\nrole = \"admin\"\n", &["one word"]);
    check(
        "[admin.token.t]\ntoken = { file = \"ci.token\" }\n",
        &["error: `role` is missing in [admin.token.t]"],
    );
    check("[admin]\nsocket = \"run/admin.sock\"\n", &["`socket` must start with `/`"]);
    check("[admin]\nstats_path = \"stats\"\n", &["`stats_path` must be a path"]);
    check("[admin]\nstats_path = \"/api/stats\"\n", &["cannot be below `/api`"]);
    check("[admin]\ntls_client = \"clientssl\"\n", &["`clientssl` has no certificate"]);
    let issued = "[admin]\ntls_client = \"front\"\n[profile.tls_client.front]\ncertificates = \
                  [{ acme = \"le\", names = [\"a.example.com\"] }]\n[acme.le]\ndirectory = \
                  \"https://example.com/d\"\ncontact = \"a@example.com\"\nagree_to_terms = true\n";
    check(issued, &["cannot use certificates that come by themselves"]);
    check("[admin]\nusers = 1\n", &["unknown key `users` in [admin]"]);
    check("[admin.user.a]\npasword = 1\nrole = \"admin\"\n", &["did you mean `password`?"]);
    let twice = "[admin]\nsocket = \"/run/x\"\nhaproxy_socket = \"/run/x\"\n";
    check(twice, &["`/run/x` is already taken by `socket` of [admin]"]);
}

#[test]
fn no_secret_is_explained() {
    let token = "S3cretS3cretS3cret";
    let text = with(&format!(
        "[admin.user.alice]\npassword_hash = \"{HASH}\"\nrole = \"admin\"\n\
         [admin.user.pass]\npassword = \"hunter2\"\nrole = \"operator\"\n\
         [admin.token.token]\ntoken = \"{token}\"\nrole = \"viewer\"\n"
    ));
    let explained = explain(&good(&text));
    for part in [HASH, "hunter2", token] {
        assert!(!explained.contains(part), "{explained}");
        assert!(!shown(&text).contains(part));
    }
    assert!(explained.contains("[admin.user.alice]"), "{explained}");
    assert!(explained.contains("role = \"viewer\""), "{explained}");
    assert!(explained.contains("anonymous = \"none\"  # default"), "{explained}");
    // The name of a table is no key: what stands in it and is no secret is shown.
    let broken = text.replace("role = \"viewer\"", "role = \"wiever\"");
    assert!(check_text(&broken).is_err());
    assert!(shown(&broken).contains("role = \"wiever\""), "{}", shown(&broken));
}
