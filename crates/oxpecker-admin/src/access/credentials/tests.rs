//! Right and wrong, and what is remembered of it.

use std::time::Instant;

use oxpecker_config::model::Admin;
use oxpecker_config::{Input, Maps, check};

use super::*;

/// `openssl passwd -6 -salt saltstring swordfish`
const HASH: &str = "$6$saltstring$L2of.QHEyShkEGrKtIsIZ85vN2UxfBB4Fhu2yb0duBAm6qAiljcYaf358n/38bcASFfpU37SW.CynuEXbu5az1";

fn admin(tables: &str) -> Admin {
    let text = format!("[admin]\n{tables}");
    check(&[Input::new("x", text)], &Maps::default()).unwrap().config.admin.unwrap()
}

fn credentials() -> (Credentials, Admin) {
    let admin = admin(&format!(
        "[admin.user.alice]\npassword_hash = \"{HASH}\"\nrole = \"admin\"\n\
         [admin.user.bob]\npassword = \"open sesame\"\nrole = \"operator\"\n\
         [admin.token.ci]\ntoken = \"0123456789abcdef\"\nrole = \"viewer\"\n"
    ));
    let credentials = Credentials::new();
    credentials.apply(&admin);
    (credentials, admin)
}

/// Who it is, or `-`.
fn verify(credentials: &Credentials, value: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let presented = Presented::parse(value.as_bytes()).unwrap_or(Presented::Other);
    match runtime.block_on(credentials.verify(presented, || true)) {
        Verdict::Known(caller) => format!("{} {:?}", caller.who.as_str(), caller.role),
        Verdict::Wrong { .. } => "-".to_owned(),
        Verdict::NotLooked => panic!("it was open"),
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn the_right_ones_are_known() {
    let (credentials, _) = credentials();
    let check = |value: &str, expected: &str| {
        assert_eq!(verify(&credentials, value), expected, "{value}");
    };
    check(&basic("alice:swordfish"), "admin:alice Admin");
    check(&basic("bob:open sesame"), "admin:bob Operator");
    check("Bearer 0123456789abcdef", "token:ci Viewer");
    check("bEARER   0123456789abcdef ", "token:ci Viewer");
}

#[test]
fn the_wrong_ones_are_not() {
    let (credentials, _) = credentials();
    let long = format!("alice:{}", "x".repeat(100_000));
    let pairs = [
        "alice:",
        "alice:Swordfish",
        "bob:swordfish",
        "bob:open sesame ",
        "eve:swordfish",
        ":",
        &long,
    ];
    for pair in pairs {
        assert_eq!(verify(&credentials, &basic(pair)), "-", "{pair:.40}");
    }
    let others = [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Bearer",
        "Bearer x",
        "Bearer 0123456789abcdeF",
        "Digest username=\"alice\"",
        "Negotiate YII",
        "\u{e4} \u{e4}",
    ];
    for value in others {
        assert_eq!(verify(&credentials, value), "-", "{value}");
    }
}

#[test]
fn what_was_right_is_remembered_until_the_users_change() {
    let (credentials, admin) = credentials();
    let presented = basic("alice:swordfish");
    verify(&credentials, &presented);
    assert_eq!(credentials.verified.lock().unwrap().tags.len(), 1);
    let began = Instant::now();
    for _ in 0..1000 {
        verify(&credentials, &presented);
    }
    assert!(began.elapsed().as_secs() < 5, "it is hashed each time");
    let before = credentials.verified.lock().unwrap().generation;
    credentials.apply(&Admin { users: Vec::new(), ..admin });
    assert_eq!(verify(&credentials, &presented), "-");
    // A hash that was still computed meanwhile.
    credentials.remember(Tag::default(), before);
    assert!(credentials.verified.lock().unwrap().tags.is_empty());
}

#[test]
fn only_so_many_are_remembered() {
    let (credentials, _) = credentials();
    let generation = credentials.verified.lock().unwrap().generation;
    for n in 0..10_000_u64 {
        credentials.remember(credentials.tag(&[&n.to_be_bytes()]), generation);
    }
    assert!(credentials.verified.lock().unwrap().tags.len() <= VERIFIED_MAX);
}

#[test]
fn nobodys_hash_takes_as_long_as_anybodys() {
    // Malformed, it would be refused at once and tell which names exist.
    let error = ShaCrypt::default().verify_password(b"x", NOBODY).unwrap_err();
    assert_eq!(error.to_string(), sha_crypt::password_hash::Error::PasswordInvalid.to_string());
}
