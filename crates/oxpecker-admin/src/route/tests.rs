//! The description of the API names the routes there are, each with its role.

use std::collections::BTreeSet;

use oxpecker_config::{Input, Maps, check};
use serde_json::Value;

use super::*;
use crate::access::role_word;

fn settings() -> Settings {
    let checked = check(&[Input::new("x", "[admin]\n")], &Maps::default()).unwrap();
    Settings { admin: checked.config.admin.unwrap(), tls: None, explained: String::new() }
}

#[test]
fn the_description_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap_or("-");
            described.insert(format!("{} {path} {role}", method.to_uppercase()));
        }
    }
    let is_told = |route: &&Route| {
        // The page, metrics and HAProxy's are for people and programs that know them.
        route.path.starts_with(oxpecker_api::PREFIX)
            || ["/livez", "/readyz", "/openapi.json"].contains(&route.path.as_ref())
    };
    let all = all(&settings());
    let served: BTreeSet<String> = all
        .iter()
        .filter(is_told)
        .map(|route| {
            let role = match route.needs {
                Needs::Nothing => "-",
                Needs::Role(role) => role_word(role),
            };
            format!("{} {} {role}", route.method, route.path)
        })
        .collect();
    assert_eq!(served, described);
}

#[test]
fn only_what_changes_nothing_is_for_everybody() {
    for route in all(&settings()) {
        if route.needs == Needs::Nothing {
            assert_eq!(route.method, Method::GET, "{}", route.path);
        }
        if route.method != Method::GET {
            assert!(matches!(route.needs, Needs::Role(role) if role >= Role::Operator));
        }
    }
}

/// axum refuses paths that overlap by panicking: not at somebody's reload.
#[test]
fn every_path_of_statistics_that_is_allowed_can_be_served() {
    for path in ["/stats", "/haproxy_stats", "/a/b/c", "/login2", "/~x/stats.html"] {
        let text = format!("[admin]\nstats_path = \"{path}\"\n");
        let checked = check(&[Input::new("x", text)], &Maps::default()).unwrap();
        let admin = checked.config.admin.unwrap();
        let mut seen = BTreeSet::new();
        for route in all(&Settings { admin, ..settings() }) {
            assert!(seen.insert((route.method.to_string(), route.path.to_string())), "{path}");
        }
    }
}
