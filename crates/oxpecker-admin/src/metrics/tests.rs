//! What the page has, that it is documented, and that dashboard and alerts ask for nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use oxpecker_proxy::{CertificateSource, CertificateStatus, Side};

use super::names::{ALL, Kind};
use super::{Aware, text};
use crate::haproxy::Watched;
use crate::sample;

fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn certificate(name: &str, days: u64, last_error: Option<&str>) -> CertificateStatus {
    CertificateStatus {
        side: Side::Clients,
        profile: "front".to_owned(),
        name: name.to_owned(),
        source: CertificateSource::File(name.into()),
        names: Vec::new(),
        not_before: None,
        not_after: Some(UNIX_EPOCH + Duration::from_secs(days * 86_400)),
        last_error: last_error.map(str::to_owned),
    }
}

/// Everything that can be on the page is on it.
fn page(haproxy: Option<&Watched>) -> String {
    let mut snapshot = sample::snapshot();
    snapshot.virtuals[1].protocol = "hs2";
    snapshot.virtuals[1].persistence_entries = Some(5);
    snapshot.pools[0].members[0].connections_max = Some(7);
    let certificates = vec![
        certificate("a.pem", 30, None),
        certificate("a.pem", 20, Some("gone")),
        certificate("b\"\\\n", 9, None),
    ];
    text(&snapshot, &Aware { certificates, ..Aware::default() }, haproxy)
}

fn families(page: &str) -> Vec<(&str, &str)> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split_once(' ')).collect()
}

#[test]
fn the_page_has_all_metrics_and_no_other() {
    let page = page(None);
    let kind = |kind: Kind| kind.to_string();
    let expected: BTreeSet<(String, String)> =
        ALL.iter().map(|metric| (metric.name.to_owned(), kind(metric.kind))).collect();
    let found: Vec<_> = families(&page);
    assert_eq!(found.len(), ALL.len(), "a family stands once");
    let found = found.iter().map(|(name, kind)| (name.to_string(), kind.to_string())).collect();
    assert_eq!(expected, found);
}

#[test]
fn names_follow_the_rules() {
    for metric in ALL {
        let name = metric.name;
        assert!(name.starts_with("oxpecker_"), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        let odd = ["_ms", "_milliseconds", "_percent", "_bits", "_kb"];
        assert!(!odd.iter().any(|unit| name.contains(unit)), "{name} is not in base units");
        assert!(
            metric.help.ends_with('.') && !metric.help.contains('|'),
            "{name}: {}",
            metric.help
        );
    }
}

#[test]
fn numbers_are_where_they_belong() {
    let page = page(None);
    for line in [
        "oxpecker_connections 3",
        "oxpecker_connections_opened_total 20",
        "oxpecker_connections_closed_total 17",
        "oxpecker_connection_end_total{virtual=\"impala\",end_state=\"--\",reason=\"finished\"} 15",
        "oxpecker_virtual_bytes_total{virtual=\"impala\",direction=\"out\"} 2000",
        "oxpecker_pool_members_usable{pool=\"impala\"} 2",
        "oxpecker_pool_refused_total{pool=\"impala\"} 0",
        "oxpecker_member_health{pool=\"impala\",member=\"c1:21050\",node=\"c1\",state=\"up\"} 1",
        "oxpecker_member_health{pool=\"impala\",member=\"c1:21050\",node=\"c1\",state=\"down\"} 0",
        "oxpecker_member_connect_seconds_bucket{pool=\"impala\",member=\"c1:21050\",node=\"c1\",le=\"0.01\"} 2",
        "oxpecker_member_connect_seconds_bucket{pool=\"impala\",member=\"c1:21050\",node=\"c1\",le=\"1\"} 3",
        "oxpecker_member_connect_seconds_bucket{pool=\"impala\",member=\"c1:21050\",node=\"c1\",le=\"+Inf\"} 4",
        "oxpecker_member_connect_seconds_sum{pool=\"impala\",member=\"c1:21050\",node=\"c1\"} 2.5",
        "oxpecker_member_connect_seconds_count{pool=\"impala\",member=\"c1:21050\",node=\"c1\"} 4",
        // Named twice: the one that expires first, and whether either failed.
        "oxpecker_certificate_expiry_timestamp_seconds{side=\"clients\",profile=\"front\",name=\"a.pem\"} 1728000",
        "oxpecker_certificate_renewal_failed{side=\"clients\",profile=\"front\",name=\"a.pem\"} 1",
        // A file may be called what it likes.
        "oxpecker_certificate_renewal_failed{side=\"clients\",profile=\"front\",name=\"b\\\"\\\\\\n\"} 0",
    ] {
        assert!(page.lines().any(|known| known == line), "{line}\n{page}");
    }
}

#[test]
fn haproxys_names_are_there_when_asked_for() {
    let page = page(Some(&Watched::default()));
    for line in [
        "haproxy_frontend_current_sessions{proxy=\"impala\"} 3",
        "haproxy_backend_status{proxy=\"impala\",state=\"UP\"} 1",
        "haproxy_backend_agg_server_status{proxy=\"impala\",state=\"UP\"} 2",
        "haproxy_server_status{proxy=\"impala\",server=\"c1\",state=\"MAINT\"} 0",
        "haproxy_server_check_status{proxy=\"impala\",server=\"c1\",state=\"L4OK\"} 1",
        "haproxy_server_last_session_seconds{proxy=\"impala\",server=\"c1\"} -1",
        "haproxy_server_check_duration_seconds{proxy=\"impala\",server=\"c1\"} 0.003",
        "haproxy_process_current_connections 3",
        "haproxy_sticktable_used{name=\"front\",type=\"ip\"} 5",
    ] {
        assert!(page.lines().any(|known| known == line), "{line}\n{page}");
    }
    assert!(!self::page(None).contains("haproxy_"));
}

fn reference() -> String {
    let mut table = String::from("| metric | type | labels | |\n|---|---|---|---|\n");
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name, metric.kind, metric.help);
        table.push_str(&format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", ")));
    }
    table
}

/// The table in the manual is written from the one in the code.
#[test]
fn the_reference_is_current() {
    let manual = document("metrics.md");
    let wanted = reference();
    assert!(manual.contains(&wanted), "docs/metrics.md needs this table:\n{wanted}");
    assert_eq!(manual.matches("| `oxpecker_").count(), ALL.len(), "and no other");
}

/// Words in `text` that are names of our metrics, without the endings of histograms.
fn asked_for(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("oxpecker_"));
    let ends = ["_bucket", "_sum", "_count"];
    ours.map(|word| ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word)).collect()
}

#[test]
fn dashboard_alerts_and_guide_ask_for_what_there_is() {
    let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    for path in [
        "grafana/oxpecker.json",
        "prometheus/alerts.yml",
        "prometheus/alerts_test.yml",
        "monitoring.md",
    ] {
        let text = document(path);
        let asked = asked_for(&text);
        assert!(!asked.is_empty(), "{path}");
        let unknown: Vec<_> = asked.difference(&names).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&document("grafana/oxpecker.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array());
    let mut count = 0;
    for target in targets.flatten() {
        assert!(!asked_for(target["expr"].as_str().unwrap()).is_empty(), "{target}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}
