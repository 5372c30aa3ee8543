//! What the published samples mean, said without the importer.

use std::time::Duration;

use oxpecker_config::model::{Host, Listen, Method, Scope, ServiceDown};
use oxpecker_import::Verdict;

use crate::{config, haproxy, sample, told};

#[test]
fn the_newer_sample_of_the_documentation() {
    let imported = haproxy(&sample("impala.cfg"));
    let config = config(&imported);
    assert_eq!(config.process.connections_max, Some(4000));
    assert_eq!(config.process.user.as_deref(), Some("haproxy"));
    assert_eq!(config.log.targets.len(), 2);
    assert!(config.log.dontlognull);
    assert_eq!(config.nodes.len(), 4, "one for each host");
    assert_eq!(config.nodes[3].address, Host::Name("impala-host-4.example.com".into()));
    let [shell, jdbc] = &config.virtuals[..] else { panic!("{:?}", config.virtuals) };
    assert_eq!(shell.listen, [Listen::Tcp("0.0.0.0:25003".parse().unwrap())]);
    assert_eq!(jdbc.listen, [Listen::Tcp("0.0.0.0:21051".parse().unwrap())]);
    assert_eq!(shell.connections_max, Some(3000));
    for server in [shell, jdbc] {
        let profile = &server.protocol_profile;
        assert_eq!(profile.idle_timeout, None);
        assert_eq!(profile.client_timeout, Some(Duration::from_secs(3600)));
        assert_eq!(profile.server_timeout, Some(Duration::from_secs(3600)));
        assert_eq!(server.persistence, None);
    }
    let (first, second) = (&config.pools[shell.pool], &config.pools[jdbc.pool]);
    assert_eq!((first.method, first.scope), (Method::LeastConnections, Scope::Member));
    assert_eq!(second.method, Method::SourceHash);
    assert!(first.members.iter().all(|member| member.port == 21_000));
    assert!(second.members.iter().all(|member| member.port == 21_050));
    assert!(first.monitor.is_none(), "no server of it says `check`");
    let monitor = second.monitor.as_ref().unwrap();
    assert_eq!(monitor.interval, Duration::from_secs(2));
    assert_eq!((monitor.fall, monitor.rise), (3, 2));
    for pool in [first, second] {
        assert_eq!((pool.connect_timeout, pool.retries), (Duration::from_secs(5), 3));
        assert!(pool.redispatch);
        assert_eq!(pool.service_down, ServiceDown::None);
    }
    assert_eq!(config.admin.unwrap().listen, "0.0.0.0:25002".parse().ok());
}

#[test]
fn the_older_sample_of_the_documentation() {
    let imported = haproxy(&sample("cdh4.cfg"));
    let config = config(&imported);
    let [shell] = &config.virtuals[..] else { panic!("{:?}", config.virtuals) };
    assert_eq!(shell.protocol_profile.client_timeout, Some(Duration::from_secs(50)));
    assert_eq!(shell.protocol_profile.server_timeout, Some(Duration::from_secs(50)));
    assert_eq!(config.pools[0].connect_timeout, Duration::from_secs(5));
    let told = told(&imported);
    for expected in [
        "26 changed: old word for `timeout connect`, which HAProxy refuses since 2.1",
        "27 warned: a query that takes longer than 50s is cut while its client waits",
        "28 warned: a query that takes longer than 50s is cut while its client waits",
        "31 changed: address on this line, which HAProxy refuses since 1.6, is read as `bind`",
        "32 changed: `balance` without a word, which HAProxy refuses, is roundrobin",
        "35 warned: a password in clear text",
        "38 warned: `impala` listens on every address, and everybody may connect",
        "43 warned: none of these 4 members is probed",
    ] {
        assert!(told.iter().any(|line| line.starts_with(expected)), "{expected}\n{told:#?}");
    }
    assert_eq!(imported.report.count(Verdict::Refused), 0);
}

/// Passwords stay where they are.
#[test]
fn no_password_is_shown() {
    let imported = haproxy(&sample("impala.cfg"));
    let shown = format!("{}{:?}", imported.report, imported.report);
    assert!(!shown.contains("username:password"), "{shown}");
    assert!(shown.contains("stats auth ***"), "{shown}");
    // The user of the page needs it, in one place.
    assert_eq!(imported.text.matches("password").count(), 2, "{}", imported.text);
    assert!(imported.text.contains("password = \"password\"\n"), "{}", imported.text);
}
