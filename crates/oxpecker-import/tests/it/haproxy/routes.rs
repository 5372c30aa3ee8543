//! Backends that a frontend chooses from, and those that are left out.

use std::time::Duration;

use super::says;
use crate::{config, haproxy, told};

const FRONT: &str = "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
    frontend f\n bind 10.0.0.9:21050\n tcp-request inspect-delay 5s\n \
    use_backend b if { req.ssl_sni b.example.com }\n default_backend a\n";

/// Connections to `b` by server name, and to `a` otherwise.
fn routed(a: &str, b: &str) -> String {
    format!(
        "{FRONT}backend a\n{a} server a 10.0.0.1:21050 check\nbackend b\n{b} server b 10.0.0.2:21050 check\n"
    )
}

#[track_caller]
fn refuses(text: &str, words: &str) {
    says(text, words);
    assert!(haproxy(text).checked().is_none(), "{text}");
}

#[test]
fn backends_that_differ_cannot_be_chosen_by_server_name() {
    config(&haproxy(&routed("", "")));
    let longer = routed(" timeout server 2h\n", "");
    says(&longer, "changed: connections to `b` have the timeouts of `a`");
    config(&haproxy(&longer));
    refuses(&routed("", " timeout tunnel 2h\n"), "have the timeouts of `a`, which are shorter");
    refuses(&routed(" timeout tunnel 2h\n", " timeout server 0\n"), "which are shorter");
    let stick = " stick-table type ip size 10k expire 30m\n stick on src\n";
    refuses(&routed("", stick), "clients of `b` would stick as those of `a` do");
    says(&routed(stick, ""), "changed: clients of `b` stick as well");
    config(&haproxy(&routed(stick, "")));
    config(&haproxy(&routed(stick, stick)));
    refuses(&routed(stick, &stick.replace("30m", "1h")), "would stick as those of `a` do");
    let text =
        routed("", "").replace("b 10.0.0.2:21050 check", "b 10.0.0.2:21050 check ssl verify none");
    refuses(&text, "where TLS is begun");
    let text =
        routed("", "").replace("b 10.0.0.2:21050 check", "b 10.0.0.2:21050 check tcp-ut 10s");
    says(&text, "changed: keep-alive and `tcp-ut` toward `b` are those of `a`");
}

/// Asked of HAProxy 2.6: a frontend that inherits one has no use for it.
#[test]
fn a_tunnel_timeout_is_the_backends() {
    let text = "defaults long\n mode tcp\n timeout client 1h\n timeout server 2h\n timeout tunnel 3h\n\
                defaults short\n mode tcp\n timeout server 1h\n\
                frontend f from long\n bind 10.0.0.9:1\n default_backend b\n\
                backend b from short\n server a 10.0.0.1:1 check\n";
    let profile = &config(&haproxy(text)).virtuals[0].protocol_profile.clone();
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(
        (profile.idle_timeout, profile.client_timeout, profile.server_timeout),
        (None, hour, hour)
    );
}

#[test]
fn a_table_may_be_another_proxys() {
    let table = "backend tables\n stick-table type ip size 10k expire 30m\n";
    let text = routed(" stick on src table tables\n", " stick on src table tables\n") + table;
    let server = config(&haproxy(&text)).virtuals[0].clone();
    let persistence = server.persistence.expect("clients stick");
    assert_eq!(persistence.timeout, Duration::from_secs(1800));
    let told = told(&haproxy(&text));
    assert!(!told.iter().any(|line| line.contains("no `stick on src` uses")), "{told:#?}");
    refuses(&routed(" stick on src table none\n", ""), "no proxy `none` has a `stick-table`");
}

#[test]
fn an_end_of_a_name_is_one_label_here() {
    let text = routed("", "").replace("req.ssl_sni b", "req.ssl_sni -m end .b");
    says(&text, "changed: `*.b.example.com`: one label stands for the star here");
}

/// Asked of HAProxy 2.6: it takes such connections, and ends them.
#[test]
fn a_disabled_backend_serves_nobody() {
    let text = routed(" disabled\n", "");
    refuses(&text, "backend `a` is disabled, and connections to it end at once");
    refuses(&routed("", " disabled\n"), "backend `b` is disabled");
    // In `defaults` it is for all below.
    let text = "defaults\n mode tcp\n disabled\nlisten l\n bind 10.0.0.9:1\n server a 10.0.0.1:1 check\n\
                listen m\n enabled\n bind 10.0.0.9:2\n server a 10.0.0.1:1 check\n";
    let names: Vec<_> = config(&haproxy(text)).virtuals.into_iter().map(|v| v.name).collect();
    assert_eq!(names, ["m"]);
    says(text, "5 dropped: `l` is disabled, and left out");
}

/// Asked of HAProxy 2.6, which warns: "the servers will never be used".
#[test]
fn a_default_backend_comes_before_servers() {
    let text = "defaults\n mode tcp\n timeout client 1h\n timeout server 1h\nlisten l\n bind 10.0.0.9:1\n \
                server own 10.0.0.1:1 check\n default_backend b\nbackend b\n server other 10.0.0.2:1 check\n";
    let config = config(&haproxy(text));
    let pool = &config.pools[config.virtuals[0].pool];
    assert_eq!((config.pools.len(), pool.name.as_str()), (1, "b"));
    says(text, "warned: never used: `default_backend b` comes first");
}

#[test]
fn a_page_that_is_not_made_is_told() {
    let text = routed(" stats enable\n", " stats uri /x\n");
    says(&text, "dropped: HAProxy, too, ignores this in mode tcp, and no page is made");
    says(&text.replace("mode tcp", "mode http"), "changed: no page is made here");
    // What the page has inherited is the page's.
    let page = "defaults\n mode http\n stats uri /x\nlisten l\n bind 10.0.0.9:1\n server a 10.0.0.1:1 check\n\
                listen s\n bind 127.0.0.1:2\n stats enable\n";
    let told = told(&haproxy(page));
    assert!(!told.iter().any(|line| line.contains("no page is made")), "{told:#?}");
}
