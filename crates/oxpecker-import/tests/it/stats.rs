//! HAProxy's page and socket, as `[admin]`.

use oxpecker_config::model::{Admin, AdminPassword, Role};

use crate::{config, haproxy, told};

/// A proxy that carries clients, beside what is looked at.
const PROXY: &str = "listen l\n mode tcp\n bind 10.0.0.9:21050\n timeout client 1h\n timeout server 1h\n \
                     timeout connect 5s\n server a 10.0.0.1:21050 check\n";

fn text(global: &str, bind: &str, lines: &str) -> String {
    let page = match bind {
        "" => String::new(),
        bind => format!("listen page\n mode http\n bind {bind}\n stats enable\n{lines}\n"),
    };
    format!("global\n maxconn 100\n{global}\n{PROXY}{page}")
}

#[track_caller]
fn admin(global: &str, bind: &str, lines: &str) -> (Admin, Vec<String>) {
    let imported = haproxy(&text(global, bind, lines));
    (config(&imported).admin.expect("there is a page"), told(&imported))
}

#[track_caller]
fn says(told: &[String], words: &str) {
    assert!(told.iter().any(|line| line.contains(words)), "no `{words}` in {told:#?}");
}

#[test]
fn a_page_with_a_password_keeps_its_address() {
    let lines = " stats auth ann:s3:cret\n stats auth bob:other\n stats uri /haproxy?stats";
    let (admin, told) = admin("", "*:25002", lines);
    assert_eq!(admin.listen, "0.0.0.0:25002".parse().ok());
    assert_eq!(admin.anonymous, None);
    assert_eq!(admin.stats_path, "/haproxy");
    let users: Vec<_> = admin.users.iter().map(|user| (user.name.as_str(), user.role)).collect();
    assert_eq!(users, [("ann", Role::Viewer), ("bob", Role::Viewer)]);
    let AdminPassword::Clear(password) = &admin.users[0].password else { panic!("a hash") };
    assert_eq!(password.reveal(), "s3:cret");
    says(&told, "warned: a password in clear text");
    says(&told, "warned: passwords of the page cross the network in clear text");
    // The check's words for the same are not said a second time.
    assert!(!told.iter().any(|line| line.contains("passwords and tokens cross")), "{told:#?}");
}

#[test]
fn without_a_password_it_is_for_this_machine() {
    let (admin, told) = admin("", "*:25002", "");
    assert_eq!(admin.listen, "127.0.0.1:25002".parse().ok());
    assert_eq!(admin.anonymous, Some(Role::Viewer));
    says(&told, "changed: on the loopback address only, for nobody is asked for a password");
}

#[test]
fn rights_are_those_of_the_page_or_fewer() {
    for (bind, rule, role) in [
        ("127.0.0.1:9000", "if TRUE", Role::Operator),
        ("127.0.0.1:9000", "if LOCALHOST", Role::Operator),
        ("10.0.0.9:9000", "if TRUE", Role::Operator),
        ("10.0.0.9:9000", "if LOCALHOST", Role::Viewer),
        ("127.0.0.1:9000", "if { src 10.0.0.1 }", Role::Viewer),
    ] {
        let lines = format!(" stats auth ann:pw\n stats admin {rule}");
        let (with_user, told) = admin("", bind, &lines);
        assert_eq!(with_user.users[0].role, role, "{bind} {rule}");
        let is_said = told.iter().any(|line| line.contains("users of the page only look"));
        assert_eq!(is_said, role == Role::Viewer, "{bind} {rule}: {told:#?}");
        if bind.starts_with("127.") {
            let (open, _) = admin("", bind, &format!(" stats admin {rule}"));
            assert_eq!(open.anonymous, Some(role), "{bind} {rule}");
        }
    }
}

#[test]
fn the_socket_for_commands_stays_where_it_is() {
    let socket = " stats socket /run/haproxy/admin.sock mode 660 level admin";
    let (with_page, told) = admin(socket, "127.0.0.1:9000", "");
    assert_eq!(with_page.haproxy_socket.unwrap().to_str(), Some("/run/haproxy/admin.sock"));
    assert_eq!(with_page.haproxy_socket_level, Role::Admin);
    assert!(!told.iter().any(|line| line.contains("mode")), "{told:#?}");
    // HAProxy has no address for it, so none is opened.
    let plain =
        " stats socket unix@/run/h.sock mode 600\n stats socket /run/2.sock\n stats timeout 1m";
    let (alone, told) = admin(plain, "", "");
    assert_eq!((alone.listen, alone.haproxy_socket_level), (None, Role::Operator));
    assert_eq!(alone.haproxy_socket.unwrap().to_str(), Some("/run/h.sock"));
    says(&told, "changed: its mode is 0660");
    says(&told, "changed: there is one such socket, the first");
    says(&told, "dropped: the socket has limits of its own");
    let over_tcp = haproxy(&text(" stats socket ipv4@127.0.0.1:9999 level admin", "", ""));
    says(&crate::told(&over_tcp), "changed: commands are not taken over TCP");
    assert_eq!(config(&over_tcp).admin, None);
    let bad = haproxy(&text(" stats socket /run/h.sock level root", "", ""));
    says(&crate::told(&bad), "refused: `level` is one of user, operator and admin");
}

#[test]
fn what_the_page_cannot_be_is_said() {
    let (page, told) =
        admin("", "127.0.0.1:9000,127.0.0.1:9001", " stats uri /\n stats refresh 5s");
    assert_eq!(page.stats_path, "/stats");
    says(&told, "changed: the page is at `/`, and HAProxy's statistics are at `/stats`");
    says(&told, "changed: the page has one address, the first");
    says(&told, "dropped: the page looks as it looks, and refreshes itself");
    let lines = " stats auth a@b:x\n stats auth a@b:y";
    let (renamed, told) = admin("", "127.0.0.1:9000", lines);
    assert_eq!(renamed.users.len(), 1);
    says(&told, "changed: this user logs in as `a_b`");
    says(&told, "changed: this user has a password already, the first");
    for bad in ["stats auth nobody", "stats auth nobody:", "stats uri", "stats sockett"] {
        let told = crate::told(&haproxy(&text("", "127.0.0.1:9000", &format!(" {bad}"))));
        assert!(told.iter().any(|line| line.contains("refused")), "{bad}: {told:#?}");
    }
}

#[test]
fn a_page_inside_tls_stays_inside() {
    let lines = " stats auth ann:pw";
    let (admin, told) = admin("", "10.0.0.9:9000 ssl crt /etc/page.pem", lines);
    assert!(admin.tls_client.is_some());
    assert!(!told.iter().any(|line| line.contains("cross the network")), "{told:#?}");
}
