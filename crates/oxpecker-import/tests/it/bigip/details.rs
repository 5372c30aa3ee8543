//! Monitors behind TLS, pools that are written twice, and words of the shell.

use oxpecker_config::model::{Monitor, Probe, TlsVersion};

use super::{bigip, refused, service};
use crate::{config, told};

#[track_caller]
fn says(text: &str, words: &str) {
    let told = told(&bigip(text));
    assert!(told.iter().any(|line| line.contains(words)), "no `{words}` in {told:#?}");
}

/// A service whose members are spoken to by TLS, with this monitor.
fn encrypted(monitor: &str, more: &str) -> String {
    let text =
        service("", "").replace("/Common/fastL4 { }", "/Common/tcp { }\n /Common/serverssl { }");
    format!("{}{more}", text.replace("monitor /Common/tcp", &format!("monitor {monitor}")))
}

#[track_caller]
fn monitor(text: &str) -> Monitor {
    config(&bigip(text)).pools[0].monitor.clone().expect("a monitor")
}

#[test]
fn monitors_speak_tls_only_where_they_say_so() {
    let own = |kind: &str, destination: &str| {
        format!(
            "ltm monitor {kind} /Common/m {{\n defaults-from /Common/{kind}\n destination {destination}\n}}\n"
        )
    };
    let cases = [
        ("/Common/tcp", String::new(), false),
        ("/Common/m", own("tcp", "*:*"), false),
        ("/Common/m", own("tcp", "*:35000"), false),
        ("/Common/http", String::new(), false),
        ("/Common/m", own("http", "*:*"), false),
        ("/Common/m", own("http", "*:21050"), false),
        ("/Common/m", own("http", "*:25000"), false),
        ("/Common/https", String::new(), true),
        ("/Common/m", own("https", "*:25000"), true),
    ];
    for (name, more, expected) in cases {
        let text = encrypted(name, &more);
        assert!(config(&bigip(&text)).virtuals[0].tls_server.is_some());
        assert_eq!(monitor(&text).tls.is_some(), expected, "{name} {more}");
    }
}

#[test]
fn without_recv_any_answer_counts() {
    for name in ["http", "https"] {
        let text = service("", "").replace("monitor /Common/tcp", &format!("monitor {name}"));
        let Probe::Http { status, .. } = monitor(&text).probe else { panic!("{name}") };
        let ranges: Vec<_> = status.iter().map(|range| (range.first, range.last)).collect();
        assert_eq!(ranges, [(100, 599)], "{name}");
    }
}

#[test]
fn of_several_monitors_the_possible_one_is_kept() {
    let text =
        |names: &str| service("", "").replace("monitor /Common/tcp", &format!("monitor {names}"));
    for names in
        ["/Common/tcp_half_open and /Common/gateway_icmp", "/Common/gateway_icmp and tcp_half_open"]
    {
        assert!(matches!(monitor(&text(names)).probe, Probe::Tcp));
        says(&text(names), "only `tcp_half_open` is asked, not `gateway_icmp`");
    }
    let three = text("/Common/gateway_icmp and /Common/tcp and /Common/http");
    says(&three, "only `http` is asked, not `tcp`, `gateway_icmp`");
    refused(
        &text("/Common/gateway_icmp"),
        "no tcp, http or https monitor is called `gateway_icmp`",
    );
}

#[test]
fn a_pool_behind_two_sources_is_written_twice_and_told() {
    let second = "ltm snatpool /Common/s {\n members {\n /Common/10.0.0.7\n }\n}\n\
        ltm virtual /Common/w {\n destination /Common/10.0.0.9:21051\n ip-protocol tcp\n pool /Common/p\n \
        profiles {\n /Common/fastL4 { }\n }\n source-address-translation {\n type snat\n pool /Common/s\n }\n}\n";
    let text = service("", "") + second;
    assert_eq!(config(&bigip(&text)).pools.len(), 2);
    says(&text, "changed: `/Common/p` is written twice");
}

#[test]
fn one_address_twice_in_a_pool_is_told() {
    let twice = "/Common/a:21050 {\n address 10.0.0.1\n }\n /Common/10.0.0.1:21050 {";
    let text = service("", "").replace("/Common/10.0.0.1:21050 {", twice);
    says(&text, "warned: the same address and port as `a:21050`");
}

#[test]
fn words_of_the_shell() {
    let create = "create /ltm pool p members add { 10.0.0.1:21050 } monitor tcp\n\
        tmsh create ltm virtual v destination 10.0.0.9:21050 ip-protocol tcp pool p profiles add { fastL4 }\n\
        tmsh save sys config\nsave /sys config\nquit\nexit\n";
    assert_eq!(config(&bigip(create)).virtuals[0].name, "v");
    for words in ["3 dropped: of the shell", "4 dropped: of the shell", "6 dropped: of the shell"] {
        says(create, words);
    }
    for line in
        ["modify ltm pool p monitor http", "/ltm pool p", "tmsh delete ltm pool q", "show ltm pool"]
    {
        refused(
            &format!("{create}{line}\n"),
            "only `create` commands and what `list` prints are read",
        );
    }
}

#[test]
fn options_may_leave_tls_1_3_alone() {
    let profile = |options: &str| {
        let more = format!(
            "ltm profile client-ssl /Common/c {{\n cert /Common/c.crt\n key /Common/c.key\n \
             defaults-from /Common/clientssl\n options {options}\n}}\n"
        );
        let text = service("", "").replace("/Common/fastL4 { }", "/Common/tcp { }\n /Common/c { }");
        config(&bigip(&(text + &more))).virtuals[0]
            .tls_client
            .clone()
            .expect("a profile")
            .versions
            .min
    };
    assert_eq!(profile("{ dont-insert-empty-fragments no-tlsv1.1 no-tlsv1.2 }"), TlsVersion::V1_3);
    assert_eq!(profile("{ no-tlsv1.2 }"), TlsVersion::V1_3);
    assert_eq!(profile("{ dont-insert-empty-fragments no-tlsv1.1 }"), TlsVersion::V1_2);
}
