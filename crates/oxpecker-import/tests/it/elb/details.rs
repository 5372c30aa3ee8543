//! What belongs to which object, and what is said of the rest.

use std::time::Duration;

use oxpecker_config::model::{ProxyVersion, ServiceDown};
use oxpecker_import::Verdict;

use super::{elb, refused};
use crate::{config, sample, told};

#[track_caller]
fn says(text: &str, words: &str) {
    let told = told(&elb(text));
    assert!(told.iter().any(|line| line.contains(words)), "no `{words}` in {told:#?}");
}

/// Whether the probes of each pool speak TLS.
fn probe_tls(text: &str) -> Vec<bool> {
    let config = config(&elb(text));
    config
        .pools
        .iter()
        .map(|pool| pool.monitor.as_ref().expect("a monitor").tls.is_some())
        .collect()
}

#[test]
fn a_tcp_check_is_in_clear_text_whatever_the_connections_are() {
    let text = sample("elb.json")
        .replace("\"InstanceProtocol\": \"TCP\"", "\"InstanceProtocol\": \"SSL\"");
    assert_eq!(probe_tls(&text), [false, false]);
    assert_eq!(probe_tls(&text.replace("TCP:21000/png", "TCP:35000")), [false, false]);
    assert_eq!(probe_tls(&text.replace("TCP:21000/png", "SSL:35000")), [true, true]);
    let text = sample("nlb.json").replace("\"Protocol\": \"TCP\"", "\"Protocol\": \"TLS\"");
    let tcp = text.replace("\"HealthCheckProtocol\": \"HTTP\"", "\"HealthCheckProtocol\": \"TCP\"");
    assert_eq!([probe_tls(&text), probe_tls(&tcp)], [[false], [false]]);
    assert!(config(&elb(&text)).virtuals[0].tls_server.is_some());
}

/// A second listener with a target group of its own.
fn two_groups() -> String {
    let text = sample("nlb.json");
    let twice = |text: &str, list: &str, changes: &[(&str, &str)]| {
        let start = text.find(&format!("\"{list}\": [")).expect(list) + list.len() + 5;
        let end = start + text[start..].find("\n    ]").expect("an end");
        let mut more = text[start..end].to_owned();
        for (from, to) in changes {
            more = more.replace(from, to);
        }
        format!("{}{},{}{}", &text[..start], &text[start..end], more, &text[end..])
    };
    let text = twice(&text, "Listeners", &[("21050", "21000"), ("hs2/6d0e", "beeswax/7e1f")]);
    let text = twice(
        &text,
        "TargetGroups",
        &[("21050", "21000"), ("hs2/6d0e", "beeswax/7e1f"), ("\"hs2\"", "\"beeswax\"")],
    );
    let targets = "{ \"TargetHealthDescriptions\": [ { \"Target\": { \"Id\": \"10.30.1.1\", \"Port\": 21000 } } ] }";
    format!("{text}{targets}\n")
}

#[test]
fn attributes_are_of_the_group_that_they_name() {
    let text = two_groups();
    refused(&text, "there are several target groups, and attributes do not tell whose they are");
    let named = |arn: &str| {
        let arn = format!(
            "\"TargetGroupArn\": \"arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/{arn}\",\n    \"Attributes\""
        );
        let config = config(&elb(&text.replace("\"Attributes\"", &arn)));
        config.virtuals.iter().map(|server| server.persistence.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(named("hs2/6d0e"), [true, false]);
    assert_eq!(named("beeswax/7e1f"), [false, true]);
    assert_eq!(named("nobody/1"), [false, false]);
}

#[test]
fn a_listeners_own_idle_timeout_counts() {
    let idle = |text: &str| {
        let config = config(&elb(text));
        config.virtuals[0].protocol_profile.idle_timeout.map(|time| time.as_secs())
    };
    let text = sample("nlb.json");
    assert_eq!(idle(&text), Some(350));
    let attributes =
        "{ \"Attributes\": [ { \"Key\": \"tcp.idle_timeout.seconds\", \"Value\": \"6000\" } ] }";
    assert_eq!(idle(&format!("{text}{attributes}")), Some(6000));
    let several = two_groups().replace("\"stickiness", "\"x").replace("deregistration_delay", "y");
    let several = several.replace("proxy_protocol_v2", "z");
    refused(&format!("{several}{attributes}"), "there are several listeners, and attributes");
}

#[test]
fn unhealthy_targets_lose_their_connections_where_aws_ends_them() {
    let text = sample("nlb.json").replace(
        "proxy_protocol_v2.enabled\",\n            \"Value\": \"false\"",
        "target_health_state.unhealthy.connection_termination.enabled\",\n            \"Value\": \"true\"",
    );
    assert_eq!(config(&elb(&text)).pools[0].service_down, ServiceDown::Reset);
}

#[test]
fn headers_and_addresses_that_targets_see() {
    let with = |key: &str| {
        let old = "proxy_protocol_v2.enabled\",\n            \"Value\": \"false\"";
        sample("nlb.json").replace(old, &format!("{key}\", \"Value\": \"true\""))
    };
    let pool = |text: &str| config(&elb(text)).pools[0].clone();
    assert_eq!(pool(&with("proxy_protocol_v2.enabled")).send_proxy, Some(ProxyVersion::V2));
    assert_eq!(pool(&sample("nlb.json")).send_proxy, None);
    says(&with("preserve_client_ip.enabled"), "changed: members see the gateway's address");
}

#[test]
fn a_security_group_that_lets_in_a_group_is_asked_for_its_networks() {
    let pairs = "\"UserIdGroupPairs\": [ { \"GroupId\": \"sg-hue\", \"UserId\": \"1\" } ]";
    let text = sample("nlb.json");
    let start = text.find("\"IpRanges\"").unwrap();
    let end = start + text[start..].find("]").unwrap() + 1;
    let alone = format!("{}{pairs}{}", &text[..start], &text[end..]);
    refused(&alone, "port 21050 is for sg-hue alone, and its addresses are not known here");
    let both = format!("{}{pairs}, {}", &text[..start], &text[start..]);
    config(&elb(&both));
    says(&both, "warned: sg-hue is not let in to port 21050");
}

#[test]
fn a_list_without_a_name_is_refused_once() {
    let text = sample("nlb.json");
    let list = &text[text.find("[").unwrap()..text.find("\n}").unwrap()];
    let imported = elb(list);
    refused(list, "a list by itself does not tell what it is of");
    assert_eq!(imported.report.entries.len(), 1, "{}", imported.report);
}

#[test]
fn what_is_left_out_has_a_reason_of_its_own() {
    let text = sample("nlb.json").replace(
        "\"stickiness.enabled\",\n            \"Value\": \"true\"",
        "\"stickiness.enabled\", \"Value\": \"false\"",
    );
    let text = text.replacen(
        "\"Scheme\"",
        "\"IpAddressType\": \"dualstack\", \"CreatedTime\": \"x\", \"Scheme\"",
        1,
    );
    for words in ["changed: IPv4 only", "dropped: when AWS made it"] {
        says(&text, words);
    }
    let imported = elb(&text);
    let vague = imported.report.entries.iter().find(|entry| {
        entry.verdict == Verdict::Dropped && entry.at.message.contains("belongs to AWS")
    });
    assert_eq!(vague, None);
    assert_eq!(
        config(&imported).virtuals[0].protocol_profile.idle_timeout,
        Some(Duration::from_secs(350))
    );
}
