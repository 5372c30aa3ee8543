//! HAProxy's language, directive by directive.

mod access;
mod probes;
mod routes;
mod words;

use std::time::Duration;

use oxpecker_config::model::{
    AdminState, Host, Listen, Method, Probe, ProxyVersion, ServiceDown, Verify,
};
use oxpecker_config::{Input, Maps};
use oxpecker_import::{Format, Verdict, import};

use crate::{config, haproxy, told};

/// A proxy that is good by itself, with more lines for it.
fn listen(lines: &str) -> String {
    format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n \
         option redispatch\nlisten l\n bind 10.0.0.9:21050\n{lines}\n"
    )
}

const SERVER: &str = " server a 10.0.0.1:21050 check\n";

/// That a directive is refused, with these words.
#[track_caller]
fn refused(lines: &str, words: &str) {
    let imported = haproxy(&listen(&format!("{lines}\n{SERVER}")));
    let told = told(&imported);
    assert!(imported.checked().is_none(), "{lines}: {told:?}");
    let found = told.iter().any(|line| line.contains("refused") && line.contains(words));
    assert!(found, "{lines}: no `{words}` in {told:#?}");
}

#[track_caller]
fn says(text: &str, words: &str) {
    let told = told(&haproxy(text));
    assert!(told.iter().any(|line| line.contains(words)), "no `{words}` in {told:#?}");
}

#[test]
fn times_are_milliseconds_unless_they_say_otherwise() {
    for (text, expected) in
        [("5000", 5000), ("50s", 50_000), ("2h", 7_200_000), ("7000000us", 7000)]
    {
        let text = listen(&format!(" timeout client {text}\n{SERVER}"));
        let config = config(&haproxy(&text));
        let timeout = config.virtuals[0].protocol_profile.client_timeout;
        assert_eq!(timeout, Some(Duration::from_millis(expected)), "{text}");
    }
    let endless = config(&haproxy(&listen(&format!(" timeout client 0\n{SERVER}"))));
    assert_eq!(endless.virtuals[0].protocol_profile.client_timeout, None);
    refused(" timeout client 1x", "unit `x` is none of");
    refused(" timeout client 30d", "longer than HAProxy's 24.8 days");
    refused(" timeout clint 1h", "`timeout clint` is not known");
}

#[test]
fn words_are_quoted_and_escaped_as_haproxy_does() {
    let mut maps = Maps::default();
    maps.env.insert("HOST".into(), "10.0.0.7".into());
    let read = |address: &str| {
        let text = listen(&format!(" server a {address} check"));
        let imported = import(Format::Haproxy, &[Input::new("x.cfg", text)], &maps);
        config(&imported).nodes[0].address.clone()
    };
    let seven = Host::Ip("10.0.0.7".parse().unwrap());
    for address in [
        "10.0.0.7:21050",
        "\"10.0.0.7:21050\"",
        "'10.0.0.7':21050",
        "10.0.0.7:21050#comment",
        "\"$HOST\":21050",
        "\"${HOST}:21050\"",
        "\"${NONE-10.0.0.7}:21050\"",
        // Addresses need no quotes for it.
        "$HOST:21050",
        "${HOST}:21050",
        "10.0\\x2e0.7:21050",
        "ipv4@10.0.0.7:21050",
    ] {
        assert_eq!(read(address), seven, "{address}");
    }
    assert_eq!(read("a.b:21050"), Host::Name("a.b".into()));
    assert_eq!(read("::1:21050"), Host::Ip("::1".parse().unwrap()));
    refused(" server b \"10.0.0.7:21050 check", "this quote is never closed");
    refused(" server b ${NONE}:21050", "environment variable `NONE` is not set");
    // Between single quotes a dollar is a dollar, and the native text keeps it so.
    let text = listen(&format!(" description 'costs ${{5}}'\n{SERVER}"));
    assert_eq!(config(&haproxy(&text)).virtuals[0].description, "costs ${5}");
}

#[test]
fn variables_and_conditions_of_the_file_itself() {
    let text = format!(
        "global\n setenv A 10.0.0.1\n presetenv A 10.0.0.2\n presetenv B 21050\n unsetenv C\n{}",
        listen(
            " .if defined(A)\n server a \"$A:$B\" check\n .else\n nonsense\n .endif\n \
             .if streq(x,y)\n nonsense\n .elif !true\n nonsense\n .endif"
        )
    );
    let config = config(&haproxy(&text));
    assert_eq!(config.nodes[0].address, Host::Ip("10.0.0.1".parse().unwrap()));
    refused(" .if feature(X)\n .endif", "is not understood");
    refused(" .if true", "this `.if` is never closed");
    refused(" .endif", "`.endif` without `.if`");
}

#[test]
fn defaults_are_inherited_by_order_and_by_name() {
    let text = "defaults a\n mode tcp\n retries 1\n timeout connect 1s\n\
                defaults b from a\n retries 2\n\
                listen one\n bind 10.0.0.9:1\n server a 10.0.0.1:21050 check\n\
                listen two from a\n bind 10.0.0.9:2\n server a 10.0.0.1:21050 check\n\
                defaults\n mode tcp\n\
                listen three\n bind 10.0.0.9:3\n server a 10.0.0.1:21050 check\n";
    let config = config(&haproxy(text));
    let of = |n: usize| (config.pools[n].retries, config.pools[n].connect_timeout.as_secs());
    assert_eq!([of(0), of(1), of(2)], [(2, 1), (1, 1), (3, 5)]);
    // A name is known only below its section, so nothing can inherit from itself.
    says("defaults a from a\n mode tcp\n", "no `defaults a` stands before this line");
    says("defaults a from b\ndefaults b from a\n", "no `defaults b` stands before this line");
}

#[test]
fn listeners_are_the_addresses_that_haproxy_opens() {
    let text = listen(&format!(
        " bind :1000-1002,*:1003\n bind [fd00::1]:1004\n bind unix@/run/x\n{SERVER}"
    ));
    let config = config(&haproxy(&text));
    let shown: Vec<String> = config.virtuals[0]
        .listen
        .iter()
        .map(|listen| match listen {
            Listen::Tcp(address) => address.to_string(),
            Listen::Unix(path) => path.display().to_string(),
        })
        .collect();
    // `:port` is IPv4 only.
    let expected = [
        "10.0.0.9:21050",
        "0.0.0.0:1000",
        "0.0.0.0:1001",
        "0.0.0.0:1002",
        "0.0.0.0:1003",
        "[fd00::1]:1004",
        "/run/x",
    ];
    assert_eq!(shown, expected);
    refused(" bind 10.0.0.8", "is no address to listen on");
    refused(" bind example.com:80", "is no address to listen on");
    refused(" bind :1-65535", "is no address to listen on");
    refused(" bind quic4@:443 ssl crt x.pem", "`quic4@` addresses are not possible");
    refused(" bind 10.0.0.9:21050", "is already taken by virtual server `l`");
}

#[test]
fn members_have_what_their_lines_say() {
    let text = listen(
        " default-server inter 4s rise 5 fall 6 check\n balance leastconn\n \
         server a 10.0.0.1:21050 weight 5 maxconn 7\n server b 10.0.0.2:21050 backup disabled weight 0\n \
         server c 10.0.0.3 send-proxy",
    );
    says(&text, "some members get a PROXY header and others do not");
    let text = text.replace(" send-proxy", "");
    let config = config(&haproxy(&text));
    let pool = &config.pools[0];
    let members: Vec<_> = pool
        .members
        .iter()
        .map(|m| (m.weight, m.priority, m.connections_max, m.state, m.port))
        .collect();
    let enabled = AdminState::Enabled;
    assert_eq!(
        members,
        [
            (5, 10, Some(7), enabled, 21_050),
            (0, 0, None, AdminState::Disabled, 21_050),
            // Without a port it is the client's.
            (1, 10, None, enabled, 21_050),
        ]
    );
    let monitor = pool.monitor.as_ref().unwrap();
    assert_eq!((monitor.interval.as_secs(), monitor.rise, monitor.fall), (4, 5, 6));
    assert_eq!(monitor.timeout.as_secs(), 4);
    // HAProxy's queue waits as long as a connect may take.
    assert_eq!(pool.queue_timeout.as_secs(), 5);
}

#[test]
fn more_of_servers() {
    let text = listen(
        " option httpchk GET /healthz HTTP/1.1\\r\\nHost:\\ x\n http-check expect status 200-299,401\n \
         server a 10.0.0.1:21050 check port 25001 send-proxy-v2 source 10.0.0.9 on-marked-down shutdown-sessions \
         slowstart 30s observe layer4",
    );
    let config = config(&haproxy(&text));
    let pool = &config.pools[0];
    assert_eq!(pool.send_proxy, Some(ProxyVersion::V2));
    assert_eq!(pool.source, ["10.0.0.9".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(pool.service_down, ServiceDown::Reset);
    assert_eq!(pool.slow_start, Some(Duration::from_secs(30)));
    assert_eq!(pool.connect_failures_max, 10);
    let monitor = pool.monitor.as_ref().unwrap();
    assert_eq!(monitor.port, Some(25_001));
    let Probe::Http { path, host, status } = &monitor.probe else { panic!("{monitor:?}") };
    assert_eq!((path.as_str(), host.as_deref(), status.len()), ("/healthz", Some("x"), 2));
    refused(" option mysql-check", "asks what a coordinator does not know");
    refused(" server b unix@/run/x", "is no address of a coordinator");
    refused(" server b 10.0.0.2:+1", "ports cannot be counted from the client's");
    refused(" server b 10.0.0.2:21050 addr 10.0.0.3", "`server` option `addr` is not possible");
    refused(" server-template c 3 h.example.com:21050", "members are written one by one");
}

#[test]
fn one_address_twice_in_a_backend_is_told() {
    says(
        &listen(&format!("{SERVER} server b 10.0.0.1:21050 check\n")),
        "warned: the same address and port as `a`",
    );
}

#[test]
fn members_tls_is_the_virtual_servers() {
    let servers = |options: &str| {
        listen(&format!(
            " server a a.example.com:21050 check ssl {options}\n server b b.example.com:21050 check ssl {options}"
        ))
    };
    let tls = |text: &str| config(&haproxy(text)).virtuals[0].tls_server.clone().unwrap();
    assert_eq!(tls(&servers("verify none")).verify, Verify::None);
    let verified = tls(&servers("verify required ca-file /ca.pem verifyhost x.example.com"));
    assert_eq!(verified.verify, Verify::Required);
    assert_eq!(verified.server_name.as_deref(), Some("x.example.com"));
    assert_eq!(verified.ca_file.as_deref(), Some("/ca.pem".as_ref()));
    says(&servers("ca-file /ca.pem"), "the member's certificate must also be for its address");
    // Each its own name, which is the address anyway.
    let own = servers("verifyhost x").replacen("verifyhost x", "verifyhost a.example.com", 1);
    let own = own.replacen("verifyhost x", "verifyhost b.example.com", 1);
    assert_eq!(tls(&own).server_name, None);
    says(
        &own.replace("verifyhost a.", "verifyhost z."),
        "each member has another name in its certificate",
    );
    says(&servers("").replacen(" ssl ", " ", 1), "clear text to this member, and TLS to others");
    let global = format!("global\n ssl-server-verify none\n{}", servers(""));
    assert_eq!(tls(&global).verify, Verify::None);
}

#[test]
fn clients_are_let_in_by_address() {
    let lists = |lines: &str| {
        let config = config(&haproxy(&listen(&format!("{lines}\n{SERVER}"))));
        let shown = |nets: &[ipnet::IpNet]| {
            nets.iter().map(|net| net.to_string()).collect::<Vec<_>>().join(" ")
        };
        (shown(&config.virtuals[0].allow), shown(&config.virtuals[0].deny))
    };
    let ten = || ("10.0.0.0/8".to_owned(), String::new());
    assert_eq!(lists(" tcp-request connection reject unless { src 10.0.0.0/8 }"), ten());
    assert_eq!(lists(" tcp-request connection reject if !{ src 10.0.0.0/8 }"), ten());
    assert_eq!(lists(" acl a src 10.0.0.0/8\n tcp-request connection reject if !a"), ten());
    assert_eq!(
        lists(
            " tcp-request connection accept if { src 10.0.0.0/8 }\n tcp-request connection reject"
        ),
        ten()
    );
    assert_eq!(lists(" tcp-request content reject if { src 10.1.0.0/16 }").1, "10.1.0.0/16");
    // Here order matters, and two lists have none.
    refused(
        " tcp-request connection accept if { src 10.1.0.0/16 }\n tcp-request connection reject if { src 10.0.0.0/8 }",
        "cannot be said as a list",
    );
    refused(
        " tcp-request connection reject if { src_conn_rate gt 10 }",
        "cannot be said as a list",
    );
    refused(" tcp-request connection reject", "cannot be said as a list");
    refused(" tcp-request content use-service lua.x", "is not possible here");
}

#[test]
fn clients_stick_by_address() {
    let text =
        listen(&format!(" stick-table type ip size 10k expire 30m\n stick on src\n{SERVER}"));
    let persistence = config(&haproxy(&text)).virtuals[0].persistence.clone().unwrap();
    assert_eq!((persistence.timeout.as_secs(), persistence.entries_max), (1800, 10_240));
    refused(" stick on req.cookie(x)", "clients can stick by their address only");
    refused(" balance url_param userid", "balancing by `url_param` is not possible");
    let methods = [
        ("roundrobin", Method::RoundRobin),
        ("static-rr", Method::RoundRobin),
        ("leastconn", Method::LeastConnections),
        ("source", Method::SourceHash),
        ("random", Method::RandomTwo),
    ];
    for (word, method) in methods {
        let config = config(&haproxy(&listen(&format!(" balance {word}\n{SERVER}"))));
        assert_eq!(config.pools[0].method, method, "{word}");
    }
}

/// Other people's files: what matters is refused at its place, nothing panics.
#[test]
fn a_configuration_for_a_web_site() {
    let text = "global\n maxconn 100\ndefaults\n mode http\n timeout connect 5s\n timeout client 50s\n timeout server 50s\n\
        frontend web\n bind :80\n bind :443 ssl crt /etc/ssl/site.pem\n http-request redirect scheme https unless { ssl_fc }\n\
        acl static path_beg /static\n use_backend static if static\n default_backend app\n\
        backend static\n server s1 10.0.0.1:80 check\n\
        backend app\n cookie SRV insert\n balance uri\n option httpchk\n server a1 10.0.0.2:8080 cookie a1 check\n";
    let imported = haproxy(text);
    assert!(imported.checked().is_none());
    let lines: Vec<usize> = imported
        .report
        .entries
        .iter()
        .filter(|entry| entry.verdict == Verdict::Refused)
        .map(|entry| entry.at.line)
        .collect();
    assert_eq!(lines, [11, 13, 18, 19], "{:#?}", told(&imported));
}

#[test]
fn what_nobody_knows_is_refused_with_the_nearest_word() {
    refused(" retry 3", "`retry` is no keyword of proxies");
    refused(" option redispach", "`option redispach` is not known");
    refused(" server b 10.0.0.2:21050 chek", "`server` option `chek` is not possible");
    says("nonsense\n", "`nonsense` stands before any section");
    says("listen\n", "`listen` needs a name");
    says("listen a\n bind :1\n", "`a` has no server");
    says("frontend a\n bind :1\n default_backend b\n", "no backend is called `b`");
    says("listen a\n server x 10.0.0.1:1\n", "`a` listens nowhere");
    let twice = listen(SERVER) + "listen l\n bind 10.0.0.8:21050\n server a 10.0.0.1:21050\n";
    says(&twice, "there is another `l` above");
    refused(" server a 10.0.0.4:21050", "there is another server `a` above");
}
