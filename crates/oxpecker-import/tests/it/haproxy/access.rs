//! Who gets in: rules of `defaults`, of frontends, of backends, and their order.

use super::{SERVER, listen, refused, says};
use crate::{config, haproxy, told};

const TIMES: &str = " mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n";

/// A frontend with a backend; `{}` in neither.
fn pair(front: &str, back: &str) -> String {
    format!(
        "defaults\n{TIMES}frontend f\n bind 10.0.0.9:21050\n{front}\n default_backend b\n\
         backend b\n{back}\n server a 10.0.0.1:21050 check\n"
    )
}

/// Allowed and denied networks of the virtual servers.
#[track_caller]
fn lists(text: &str) -> Vec<(String, String)> {
    let shown = |nets: &[ipnet::IpNet]| {
        nets.iter().map(|net| net.to_string()).collect::<Vec<_>>().join(" ")
    };
    let config = config(&haproxy(text));
    config.virtuals.iter().map(|server| (shown(&server.allow), shown(&server.deny))).collect()
}

#[track_caller]
fn only(text: &str, allow: &str, deny: &str) {
    assert_eq!(lists(text), [(allow.to_owned(), deny.to_owned())], "{text}");
}

#[track_caller]
fn refuses(text: &str, words: &str) {
    let imported = haproxy(text);
    let told = told(&imported);
    let found = told.iter().any(|line| line.contains("refused") && line.contains(words));
    assert!(imported.checked().is_none() && found, "{text}: no `{words}` in {told:#?}");
}

#[test]
fn rules_of_defaults_come_before_the_heirs_own() {
    let base = "tcp-request connection reject unless { src 10.0.0.0/8 }";
    let text = |own: &str| {
        format!(
            "defaults base\n{TIMES} acl x src 1.1.1.1\n {base}\ndefaults plain\n{TIMES}\
             frontend f from base\n bind 10.0.0.9:21050\n acl x src 10.9.0.0/16\n{own}\n \
             default_backend b\nbackend b from plain\n server a 10.0.0.1:21050 check\n"
        )
    };
    only(&text(""), "10.0.0.0/8", "");
    // The name `x` of the defaults is not the frontend's.
    only(&text(" tcp-request connection reject if x"), "10.0.0.0/8", "10.9.0.0/16");
    only(&text(" tcp-request content reject if x"), "10.0.0.0/8", "10.9.0.0/16");
    // Two lists that would have to be cut with each other.
    refuses(
        &text(" tcp-request content reject unless { src 192.168.0.0/16 }"),
        "only clients in this list and in that of another rule get in",
    );
}

#[test]
fn rules_of_a_backend_hold_for_whoever_comes_to_it() {
    let rule = " tcp-request content reject if { src 10.1.0.0/16 }";
    only(&pair("", rule), "", "10.1.0.0/16");
    only(
        &pair(" tcp-request connection reject unless { src 10.0.0.0/8 }", rule),
        "10.0.0.0/8",
        "10.1.0.0/16",
    );
    // Of two frontends both, by port each its own.
    let two = pair("", rule) + "frontend g\n bind 10.0.0.9:21051\n default_backend b\n";
    let denied = (String::new(), "10.1.0.0/16".to_owned());
    assert_eq!(lists(&two), [denied.clone(), denied.clone()]);
    let front = " bind 10.0.0.9:21051\n use_backend c if { dst_port 21051 }";
    let by_port = pair(front, rule) + "backend c\n server c 10.0.0.2:21050 check\n";
    assert_eq!(lists(&by_port), [denied, (String::new(), String::new())]);
    // Only some of the connections go there.
    let sni = " tcp-request inspect-delay 5s\n use_backend c if { req.ssl_sni c.example.com }";
    let other = "backend c\n server c 10.0.0.2:21050 check\n";
    refuses(&(pair(sni, rule) + other), "only some of its connections go to `b`");
    let other = other.replace(" server", &format!("{rule}\n server"));
    refuses(&(pair(sni, "") + &other), "only some of its connections go to `c`");
}

/// Asked of HAProxy 2.6: the first rule that fits a client decides.
#[test]
fn what_stands_behind_a_rule_for_everybody_is_never_reached() {
    let rule = " tcp-request content reject if { src 10.0.0.0/8 }";
    let text = listen(&format!(" tcp-request content accept\n{rule}\n{SERVER}"));
    only(&text, "", "");
    says(&text, "dropped: never reached: a rule above decides about everybody");
    says(&text, "warned: never reached");
    // Another phase has rules of its own.
    only(&listen(&format!(" tcp-request connection accept\n{rule}\n{SERVER}")), "", "10.0.0.0/8");
    only(
        &listen(&format!(
            " tcp-request content accept if {{ src 10.0.0.0/8 }}\n tcp-request content reject\n{rule}\n{SERVER}"
        )),
        "10.0.0.0/8",
        "",
    );
    // Whom an earlier rule accepts, a later one does not reject.
    for first in ["{ src 10.1.0.0/16 }", "{ req.ssl_hello_type 1 }"] {
        let accept = format!(" tcp-request content accept if {first}");
        refused(&format!("{accept}\n{rule}"), "cannot be said as a list");
    }
    refused(
        &format!(
            " tcp-request content accept if {{ src 10.1.0.0/16 }}\n \
             tcp-request content reject unless {{ src 10.0.0.0/8 }}\n{rule}"
        ),
        "cannot be said as a list",
    );
}

#[test]
fn rules_about_http_are_refused_where_haproxy_follows_them() {
    for rule in [" http-request deny if { src 10.1.0.0/16 }", " cookie SRV insert"] {
        let tcp = pair("", rule);
        only(&tcp, "", "");
        says(&tcp, "dropped: HAProxy, too, ignores this in mode tcp");
        let http = tcp.replace("mode tcp", "mode http");
        refuses(&http, "HTTP is not looked into");
        // Nobody comes there.
        let unused = http.replace("default_backend b", "default_backend c")
            + "backend c\n server c 10.0.0.2:21050 check\n";
        says(&unused, "dropped: no frontend uses `b`, and it is left out");
    }
    let inherited = "defaults base\n mode http\n http-request deny if { src 10.0.0.1 }\n\
                     listen l from base\n bind 10.0.0.9:1\n server a 10.0.0.1:21050 check\n";
    refuses(inherited, "HTTP is not looked into");
}

#[test]
fn a_netmask_is_a_prefix() {
    let rule =
        |mask: &str| format!(" tcp-request connection reject unless {{ src {mask} }}\n{SERVER}");
    only(&listen(&rule("10.0.0.0/255.0.0.0")), "10.0.0.0/8", "");
    only(&listen(&rule("10.0.0.0/255.255.240.0 192.168.1.1")), "10.0.0.0/20 192.168.1.1/32", "");
    refused(&rule("10.0.0.0/255.0.255.0").replace(SERVER, ""), "cannot be said as a list");
}

#[test]
fn who_may_see_the_page_by_address_is_told() {
    let page = "listen s\n mode http\n bind 127.0.0.1:25002\n stats enable\n http-request deny if !{ src 10.0.0.0/8 }\n";
    says(&(pair("", "") + page), "changed: passwords alone say who may see the page");
}
