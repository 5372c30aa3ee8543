//! BIG-IP's language, object by object.

mod details;

use std::net::IpAddr;
use std::time::Duration;

use oxpecker_config::model::{
    AdminState, Certificate, Host, Listen, Method, Probe, Scope, ServiceDown, Verify, VirtualKind,
};
use oxpecker_import::{Format, Import, Verdict};

use crate::{config, read, sample, told};

fn bigip(text: &str) -> Import {
    read(Format::Bigip, "bigip.conf", text)
}

/// A service that is good by itself, with more for its pool and its virtual server.
fn service(pool: &str, server: &str) -> String {
    format!(
        "ltm pool /Common/p {{\n members {{\n /Common/10.0.0.1:21050 {{\n address 10.0.0.1\n }}\n }}\n \
         monitor /Common/tcp\n {pool}\n}}\nltm virtual /Common/v {{\n destination /Common/10.0.0.9:21050\n \
         ip-protocol tcp\n pool /Common/p\n profiles {{\n /Common/fastL4 {{ }}\n }}\n \
         source-address-translation {{\n type automap\n }}\n {server}\n}}\n"
    )
}

#[track_caller]
fn refused(text: &str, words: &str) {
    let imported = bigip(text);
    let told = told(&imported);
    assert!(imported.checked().is_none(), "{text}: {told:?}");
    let found = told.iter().any(|line| line.contains("refused") && line.contains(words));
    assert!(found, "no `{words}` in {told:#?}");
}

#[test]
fn the_objects_of_the_guide() {
    for (name, nodes) in [("bigip.conf", 3), ("tmsh.conf", 3)] {
        let imported = bigip(&sample(name));
        let config = config(&imported);
        assert_eq!(config.nodes.len(), nodes, "{name}");
        let [shell, jdbc] = &config.virtuals[..] else { panic!("{:?}", config.virtuals) };
        assert_eq!(shell.listen, [Listen::Tcp("10.17.84.12:21000".parse().unwrap())]);
        assert_eq!(jdbc.listen, [Listen::Tcp("10.17.84.12:21050".parse().unwrap())]);
        assert_eq!(shell.persistence, None);
        assert_eq!(jdbc.persistence.as_ref().unwrap().timeout, Duration::from_secs(3600));
        for server in [shell, jdbc] {
            assert_eq!(server.kind, VirtualKind::Layer4);
            assert_eq!(server.protocol_profile.name, "fastL4_1h_idle_timeout");
            assert_eq!(server.protocol_profile.idle_timeout, Some(Duration::from_secs(3600)));
            let pool = &config.pools[server.pool];
            // "Least Connections (node)": over all pools.
            assert_eq!((pool.method, pool.scope), (Method::LeastConnections, Scope::Node));
            let monitor = pool.monitor.as_ref().unwrap();
            assert_eq!((monitor.interval.as_secs(), monitor.fall, monitor.rise), (5, 3, 1));
        }
        assert_eq!(imported.report.count(Verdict::Warned), 0, "{:#?}", told(&imported));
    }
    let config = config(&bigip(&sample("bigip.conf")));
    assert_eq!(config.nodes[0].name, "nightly56-2");
    assert_eq!(config.pools[0].name, "pool-nightly56-impala-21000");
    assert_eq!(config.pools[0].description, "impalad frontend - impala-shell, beeswax, v1.2 ODBC");
}

#[test]
fn standard_servers_with_tls_and_inheritance() {
    let config = config(&bigip(&sample("bigip-standard.conf")));
    let [front, ops] = &config.virtuals[..] else { panic!("{:?}", config.virtuals) };
    assert_eq!((front.name.as_str(), ops.name.as_str()), ("front", "Ops-front"));
    assert_eq!(front.kind, VirtualKind::Standard);
    assert_eq!(front.protocol_profile.idle_timeout, None, "indefinite");
    assert_eq!(ops.protocol_profile.idle_timeout, Some(Duration::from_secs(7200)));
    let files: Vec<_> = front
        .tls_client
        .as_ref()
        .unwrap()
        .certificates
        .iter()
        .map(|c| match c {
            Certificate::Files(files) => {
                (files.certificate.to_str().unwrap(), files.chain.is_some())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(files, [("f5-demo-12.crt", true), ("other.crt", false)], "the default one first");
    let verified = front.tls_server.as_ref().unwrap();
    assert_eq!(verified.verify, Verify::Required);
    assert_eq!(verified.server_name.as_deref(), Some("impala.example.com"));
    // BIG-IP's own serverssl looks at nothing.
    assert_eq!(ops.tls_server.as_ref().unwrap().verify, Verify::None);
    assert_eq!(front.allow[0].to_string(), "10.0.0.0/8");
    assert_eq!(front.connections_max, Some(5000));
    let pool = &config.pools[front.pool];
    assert_eq!(pool.source, ["10.0.9.1", "10.0.9.2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    let members: Vec<_> = pool
        .members
        .iter()
        .map(|m| (m.port, m.weight, m.priority, m.connections_max, m.state))
        .collect();
    assert_eq!(
        members,
        [
            (21_050, 3, 20, Some(64), AdminState::Enabled),
            (21_050, 1, 20, None, AdminState::Draining),
            // By the service's name, and down rather than only disabled.
            (21_000, 1, 5, None, AdminState::Disabled),
        ]
    );
    assert_eq!((pool.priority_min_active, pool.retries, pool.queue_max), (2, 2, 100));
    assert_eq!((pool.service_down, pool.queue_timeout.as_secs()), (ServiceDown::Reset, 5));
    assert_eq!(pool.slow_start, Some(Duration::from_secs(60)));
    let monitor = pool.monitor.as_ref().unwrap();
    let Probe::Http { path, host, .. } = &monitor.probe else { panic!("{monitor:?}") };
    assert_eq!(
        (path.as_str(), host.as_deref(), monitor.port),
        ("/healthz", Some("impala"), Some(25_001))
    );
    let other = &config.pools[ops.pool];
    assert_eq!((other.scope, other.slow_start), (Scope::Member, None));
    let slower = other.monitor.as_ref().unwrap();
    // 61 s at every 10 s, of which the interval is inherited.
    assert_eq!((slower.interval.as_secs(), slower.fall), (10, 6));
    let six = config.nodes.iter().filter(|n| matches!(n.address, Host::Ip(IpAddr::V6(_)))).count();
    assert_eq!(six, 2);
}

#[test]
fn what_is_not_possible_is_refused_at_its_place() {
    refused(
        &service("", "rules {\n /Common/irule\n }"),
        "`rules` would treat connections another way",
    );
    refused(&service("", "").replace("ip-protocol tcp", "ip-protocol udp"), "`udp` is not TCP");
    refused(&service("", "").replace("10.0.0.9:", "10.0.0.9%3:"), "route domain 3 is not possible");
    refused(
        &service("", "").replace("address 10.0.0.1\n", "address 10.0.0.1%12\n"),
        "route domain 12",
    );
    refused(
        &service("", "persist {\n /Common/cookie {\n default yes\n }\n }"),
        "no source-addr persistence",
    );
    refused(&service("", "").replace("pool /Common/p\n", ""), "`v` has no pool");
    refused(
        &service("", "").replace("pool /Common/p\n", "pool /Common/q\n"),
        "no pool is called `/Common/q`",
    );
    refused(&service("service-down-action jump", ""), "`jump` is no action");
    refused(
        &service("", "").replace("fastL4", "ftp"),
        "no profile that could be read is called `ftp`",
    );
    refused(
        &service("", "").replace("/Common/tcp", "/Common/icmp"),
        "no tcp, http or https monitor",
    );
    refused(&service("", "").replace("21050 {", "x {"), "`x` is no port");
    refused(&service("load-balancing-mode best", ""), "`best` is no load-balancing mode");
    let key = "ltm profile client-ssl /Common/c {\n cert a.crt\n key a.key\n passphrase $M$xx$secret\n}\n";
    let text =
        service("", "").replace("/Common/fastL4 { }", "/Common/tcp { }\n /Common/c { }") + key;
    refused(&text, "the passphrase is encrypted");
    assert!(!bigip(&text).report.to_string().contains("secret"));
    let twice = service("", "");
    refused(&(twice.clone() + &twice), "there is another pool `/Common/p` above");
}

#[test]
fn rings_of_inheritance_are_cut() {
    let ring = "ltm profile fastl4 /Common/a {\n defaults-from /Common/b\n}\n\
                ltm profile fastl4 /Common/b {\n defaults-from /Common/a\n}\n";
    let text = service("", "").replace("/Common/fastL4", "/Common/a") + ring;
    refused(&text, "inherits from itself");
    let ring = "ltm monitor tcp /Common/m {\n defaults-from /Common/m\n}\n";
    refused(&(service("", "").replace("/Common/tcp", "/Common/m") + ring), "inherits from itself");
    let ring =
        "ltm persistence source-addr /Common/s {\n defaults-from /Common/s\n timeout 60\n}\n";
    refused(&(service("", "persist { /Common/s { default yes } }") + ring), "inherits from itself");
}

#[test]
fn broken_files_are_told_where_they_break() {
    refused("ltm pool /Common/p {\n members {\n", "this brace is never closed");
    refused("ltm pool /Common/p {\n description \"x\n}\n", "this quote is never closed");
    refused("}\n", "this brace closes nothing");
    refused("frontend a\n bind :80\n", "`frontend` begins no object");
    let deep = format!("ltm pool /Common/p {}{}", "{ a ".repeat(1000), "}".repeat(1000));
    refused(&deep, "more than 64 braces within each other");
    // The rest of an appliance is left out, without a word too much.
    let imported = bigip(
        &(service("", "") + "sys ntp {\n servers { 1.1.1.1 }\n}\nauth user admin {\n x y\n}\n"),
    );
    assert!(imported.checked().is_some(), "{:#?}", told(&imported));
}

#[test]
fn warnings_of_an_expert() {
    let says = |text: &str, words: &str| {
        let told = told(&bigip(text));
        assert!(
            told.iter().any(|line| line.contains("warned") && line.contains(words)),
            "{words}: {told:#?}"
        );
    };
    says(&service("", ""), "quiet for 5 minutes is cut");
    says(&service("", "").replace("monitor /Common/tcp\n", ""), "has no monitor");
    says(
        &service("", "").replace("/Common/10.0.0.9:", "/Common/0.0.0.0:"),
        "everybody may connect",
    );
    says(
        &service("", "vlans {\n /Common/x\n }\n vlans-enabled"),
        "only some VLANs reach this server",
    );
}
