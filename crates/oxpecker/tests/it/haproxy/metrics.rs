//! `/metrics`, judged by promtool and beside the exporter in HAProxy.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use oxpecker_testkit::TempDir;

use super::{Both, Side};

/// What promtool says, and whether it was content.
fn promtool(args: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new("promtool");
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prometheus");
    command.args(args).current_dir(dir).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool (scripts/test-clients.sh installs it)");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn promtool_finds_nothing_wrong_with_the_page() {
    let both = Both::start("admin");
    both.each(Side::traffic);
    let (head, page) = both.ours().get("/metrics");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    // HAProxy's names do not follow the rules, so ours are judged alone.
    let ours = |line: &&str| line.contains("oxpecker_");
    let ours: Vec<&str> = page.lines().filter(ours).collect();
    let (good, said) = promtool(&["check", "metrics"], &(ours.join("\n") + "\n"));
    assert!(good && said.is_empty(), "{said}");
    // It reads the whole page, and complains of names at most.
    let (_, said) = promtool(&["check", "metrics"], &page);
    assert!(!said.contains("error while linting") && !said.contains("oxpecker_"), "{said}");
}

#[test]
fn alert_rules_hold_what_they_promise() {
    for args in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let (good, said) = promtool(&args, "");
        assert!(good && said.contains("SUCCESS"), "{said}");
    }
}

/// Its expressions as rules, with something in the place of Grafana's variables.
#[test]
fn the_dashboard_asks_in_promql() {
    let text = include_str!("../../../../../docs/grafana/oxpecker.json");
    let dashboard: serde_json::Value = serde_json::from_str(text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let rules: Vec<_> = targets
        .enumerate()
        .map(|(number, target)| {
            let mut ask = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            for variable in ["$instance", "$virtual", "$pool", "$member"] {
                ask = ask.replace(variable, ".*");
            }
            serde_json::json!({ "record": format!("panel:{number}"), "expr": ask })
        })
        .collect();
    let home = TempDir::new();
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    // JSON is YAML.
    let file = home.write("rules.yml", &groups.to_string());
    let (good, said) = promtool(&["check", "rules", file.to_str().unwrap()], "");
    assert!(good, "{said}");
}

/// Name with labels, and the value.
fn series(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter(|line| line.starts_with("haproxy_"));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[test]
fn haproxys_names_labels_and_types_are_haproxys() {
    let both = Both::start("admin");
    both.each(Side::traffic);
    let (ours, theirs) = (both.ours().get("/metrics").1, both.theirs().get("/metrics").1);
    let types = |page: &str| -> BTreeSet<String> {
        page.lines().filter(|line| line.starts_with("# TYPE haproxy_")).map(str::to_owned).collect()
    };
    let unknown: Vec<_> = types(&ours).difference(&types(&theirs)).cloned().collect();
    assert!(unknown.is_empty(), "HAProxy has none of these: {unknown:?}");
    let (ours, theirs) = (series(&ours), series(&theirs));
    for name in
        ours.keys().filter(|name| !name.contains("build_info") && !name.contains("sticktable"))
    {
        assert!(theirs.contains_key(name), "HAProxy has no {name}");
    }
    // What the boards draw first.
    for name in [
        "haproxy_frontend_bytes_in_total{proxy=\"impala\"}",
        "haproxy_frontend_sessions_total{proxy=\"impala\"}",
        "haproxy_frontend_connections_total{proxy=\"impala\"}",
        "haproxy_frontend_status{proxy=\"impala\",state=\"UP\"}",
        "haproxy_backend_active_servers{proxy=\"impala\"}",
        "haproxy_backend_bytes_out_total{proxy=\"impala\"}",
        "haproxy_backend_status{proxy=\"dead\",state=\"UP\"}",
        "haproxy_backend_connection_attempts_total{proxy=\"impala\"}",
        "haproxy_server_status{proxy=\"impala\",server=\"c2\",state=\"UP\"}",
        "haproxy_server_status{proxy=\"impala\",server=\"c2\",state=\"DRAIN\"}",
        "haproxy_server_check_status{proxy=\"impala\",server=\"c3\",state=\"L4OK\"}",
        "haproxy_server_max_sessions{proxy=\"impala\",server=\"c1\"}",
        "haproxy_server_limit_sessions{proxy=\"impala\",server=\"c3\"}",
        "haproxy_server_weight{proxy=\"impala\",server=\"c2\"}",
        "haproxy_process_max_connections",
    ] {
        let value = |page: &BTreeMap<String, String>| page.get(name).cloned();
        let (ours, theirs) = (value(&ours), value(&theirs));
        if !name.starts_with("haproxy_process") {
            assert_eq!(ours, theirs, "{name}");
        }
        assert!(ours.is_some(), "{name}");
    }
}
