//! What the aws command prints.

mod details;

use std::time::Duration;

use oxpecker_config::model::{Certificate, Host, Method, Probe, VirtualKind};
use oxpecker_config::{Input, Maps};
use oxpecker_import::{Format, Import, import};

use crate::{config, read, sample, told};

fn elb(text: &str) -> Import {
    read(Format::Elb, "elb.json", text)
}

#[track_caller]
fn refused(text: &str, words: &str) {
    let imported = elb(text);
    let told = told(&imported);
    assert!(imported.checked().is_none(), "{told:?}");
    let found = told.iter().any(|line| line.contains("refused") && line.contains(words));
    assert!(found, "no `{words}` in {told:#?}");
}

#[test]
fn the_recipe_for_a_classic_load_balancer() {
    let imported = elb(&sample("elb.json"));
    let config = config(&imported);
    let names: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["ip-10-30-1-1", "ip-10-30-1-2", "coord_3"]);
    assert_eq!(config.nodes[2].address, Host::Ip("10.30.1.3".parse().unwrap()));
    let [shell, jdbc] = &config.virtuals[..] else { panic!("{:?}", config.virtuals) };
    assert_eq!(
        (shell.name.as_str(), jdbc.name.as_str()),
        ("elb-impala-Cluster1-21000", "elb-impala-Cluster1-21050")
    );
    let shown = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&shell.allow), ["10.0.0.0/8"]);
    assert_eq!(shown(&jdbc.allow), ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]);
    for (server, port) in [(shell, 21_000), (jdbc, 21_050)] {
        assert_eq!(server.kind, VirtualKind::Layer4);
        assert_eq!(server.protocol_profile.idle_timeout, Some(Duration::from_secs(3600)));
        let pool = &config.pools[server.pool];
        assert_eq!(pool.method, Method::RoundRobin);
        assert!(pool.members.len() == 3 && pool.members.iter().all(|m| m.port == port));
        let monitor = pool.monitor.as_ref().unwrap();
        assert_eq!((monitor.interval.as_secs(), monitor.timeout.as_secs()), (30, 5));
        assert_eq!((monitor.fall, monitor.rise), (2, 5));
        // One check on 21000 decides for both.
        assert_eq!(monitor.port.unwrap_or(port), 21_000);
    }
    let told = told(&imported);
    for words in [
        "a TCP check has no path",
        "one check decides for all ports",
        "nothing is put into buckets",
    ] {
        assert!(told.iter().any(|line| line.contains(words)), "{words}: {told:#?}");
    }
}

#[test]
fn a_network_load_balancer() {
    let config = config(&elb(&sample("nlb.json")));
    let [server] = &config.virtuals[..] else { panic!("{:?}", config.virtuals) };
    assert_eq!((server.name.as_str(), server.kind), ("impala-21050", VirtualKind::Standard));
    let Certificate::Files(files) = &server.tls_client.as_ref().unwrap().certificates[0] else {
        panic!()
    };
    assert_eq!(files.certificate.to_str(), Some("1234-5678.crt"));
    assert!(server.persistence.is_some(), "stickiness by source_ip");
    assert_eq!(server.allow[0].to_string(), "10.0.0.0/8");
    let pool = &config.pools[0];
    let ports: Vec<u16> = pool.members.iter().map(|member| member.port).collect();
    assert_eq!((pool.name.as_str(), ports), ("hs2", vec![21_050, 21_051]));
    let monitor = pool.monitor.as_ref().unwrap();
    let Probe::Http { path, .. } = &monitor.probe else { panic!("{monitor:?}") };
    assert_eq!(
        (path.as_str(), monitor.port, monitor.timeout.as_secs()),
        ("/healthz", Some(25_001), 6)
    );
}

/// As several files, in any order, they mean the same.
#[test]
fn documents_may_be_files() {
    let text = sample("elb.json");
    let documents: Vec<&str> = text.split_inclusive("\n}\n").collect();
    assert_eq!(documents.len(), 5);
    let inputs: Vec<Input> =
        documents.iter().rev().map(|text| Input::new("x.json", *text)).collect();
    let imported = import(Format::Elb, &inputs, &Maps::default());
    assert_eq!(config(&imported), config(&elb(&text)));
}

#[test]
fn tls_is_four_values_apart() {
    let both = |front: &str, back: &str| {
        let text = sample("elb.json")
            .replace("\"InstanceProtocol\": \"TCP\"", &format!("\"InstanceProtocol\": \"{back}\""))
            .replace(
                "\"Protocol\": \"TCP\"",
                &format!("\"Protocol\": \"{front}\", \"SSLCertificateId\": \"arn:x/c1\""),
            );
        let config = config(&elb(&text));
        (config.virtuals[0].tls_client.is_some(), config.virtuals[0].tls_server.is_some())
    };
    assert_eq!(both("TCP", "TCP"), (false, false));
    assert_eq!(both("SSL", "TCP"), (true, false));
    assert_eq!(both("SSL", "SSL"), (true, true));
}

#[test]
fn what_is_missing_or_impossible_is_told() {
    let text = sample("elb.json");
    refused(&text.replace("\"Reservations\"", "\"Reserved\""), "the address of i-0c1 is not known");
    refused(&text.replace("TCP:21000/png", "ICMP:1"), "`ICMP` is no protocol of a health check");
    refused(
        &text.replace("\"Protocol\": \"TCP\"", "\"Protocol\": \"UDP\""),
        "`UDP` is no protocol of a listener",
    );
    refused(
        &text
            .replace("\"FromPort\": 21050", "\"FromPort\": 1")
            .replace("\"ToPort\": 21050", "\"ToPort\": 2"),
        "lets anybody in on port 21050",
    );
    refused(&text[..text.len() / 2], "no JSON: ");
    refused(&text.replacen("\"Scheme\"", "\"VPCId\"", 1), "no JSON: this key is there twice");
    refused("{}", "this is nothing that describes a load balancer");
    refused(&"[".repeat(100_000), "no JSON: too many brackets");
    refused("", "no JSON: the text ends in the middle");
    let text = sample("nlb.json");
    refused(&text.replace("\"TLS\"", "\"UDP\""), "`UDP` is not possible");
    refused(
        &text.replace("\"network\"", "\"application\""),
        "only network load balancers pass connections on",
    );
    refused(
        &text.replace("\"TargetHealthDescriptions\"", "\"Attributes\""),
        "the targets of hs2 are not known",
    );
    let warned = |text: &str, words: &str| {
        let told = told(&elb(text));
        assert!(
            told.iter().any(|line| line.contains("warned") && line.contains(words)),
            "{words}: {told:#?}"
        );
    };
    let text = sample("elb.json");
    warned(&text.replace("\"10.0.0.0/8\"", "\"0.0.0.0/0\""), "everybody may connect to port 21000");
    warned(
        &text.replace("\"sg-front\",", "\"sg-other\","),
        "no rules of security groups are known",
    );
    warned(&text.replace("\"internal\"", "\"internet-facing\""), "reachable from the Internet");
    warned(&text.replace("3600", "60"), "a query that takes longer than 1m is cut");
}
