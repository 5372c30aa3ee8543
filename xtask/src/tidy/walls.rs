//! Which crate may depend on which. A new edge is its own commit and a line in ARCHITECTURE.md.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Problem;

/// A crate's place in the architecture.
struct Wall {
    name: &'static str,
    normal: &'static [&'static str],
    dev: &'static [&'static str],
}

/// Tests of crates that do I/O may use these; the pure crates test themselves.
const TEST_CRATES: &[&str] = &["impala-standin", "oxpecker-testkit"];

/// Every member of the workspace. Dev-dependencies may repeat what is normal.
const WALLS: &[Wall] = &[
    Wall {
        name: "oxpecker",
        normal: &[
            "oxpecker-admin",
            "oxpecker-api",
            "oxpecker-balance",
            "oxpecker-config",
            "oxpecker-delivery",
            "oxpecker-import",
            "oxpecker-proxy",
            "oxpecker-wire",
        ],
        dev: TEST_CRATES,
    },
    Wall {
        name: "oxpecker-admin",
        normal: &["oxpecker-api", "oxpecker-config", "oxpecker-proxy"],
        dev: TEST_CRATES,
    },
    Wall {
        name: "oxpecker-proxy",
        normal: &["oxpecker-balance", "oxpecker-config", "oxpecker-wire"],
        dev: TEST_CRATES,
    },
    Wall { name: "oxpecker-import", normal: &["oxpecker-config"], dev: &[] },
    Wall { name: "oxpecker-api", normal: &[], dev: &[] },
    Wall { name: "oxpecker-balance", normal: &[], dev: &[] },
    Wall { name: "oxpecker-config", normal: &[], dev: &[] },
    Wall { name: "oxpecker-delivery", normal: &[], dev: &[] },
    Wall { name: "oxpecker-wire", normal: &[], dev: &[] },
    // Speaks Thrift through another library, so that it judges oxpecker-wire independently.
    Wall { name: "impala-standin", normal: &[], dev: &["oxpecker-testkit"] },
    Wall {
        name: "oxpecker-demo",
        normal: &[
            "impala-standin",
            "oxpecker",
            "oxpecker-admin",
            "oxpecker-config",
            "oxpecker-proxy",
        ],
        dev: &["oxpecker-testkit"],
    },
    Wall { name: "oxpecker-testkit", normal: &["impala-standin"], dev: &[] },
    // The messages that it makes are what our scanner is measured on: the scanner says that they are some.
    Wall { name: "oxpecker-bench", normal: &[], dev: &["oxpecker-testkit", "oxpecker-wire"] },
    Wall { name: "xtask", normal: &[], dev: &[] },
];

/// What must not be reachable from a package by normal dependencies, near or far.
pub(super) struct Reach {
    pub(super) from: &'static str,
    forbidden: &'static [&'static str],
    reason: &'static str,
}

/// Sockets, files, clocks and random numbers, or what brings them.
const IMPURE: &[&str] = &[
    "async-std",
    "chrono",
    "getrandom",
    "hyper",
    "jiff",
    "libc",
    "mio",
    "nix",
    "rand",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
];
const PURE_REASON: &str = "pure crates get bytes, times and seeds as arguments";

pub(super) const REACH: &[Reach] = &[
    Reach {
        from: "oxpecker",
        forbidden: &[
            "impala-standin",
            "libsqlite3-sys",
            "oxpecker-demo",
            "oxpecker-testkit",
            "rusqlite",
        ],
        reason: "SQLite, the stand-in and test code never enter the binary",
    },
    Reach {
        from: "oxpecker",
        forbidden: &["native-tls", "openssl-sys", "ring"],
        reason: "one TLS library, rustls, with one provider of cryptography, aws-lc-rs",
    },
    Reach {
        from: "oxpecker-proxy",
        forbidden: &["object_store"],
        reason: "shipping logs is not the data plane's business: see oxpecker-delivery",
    },
    Reach { from: "oxpecker-balance", forbidden: IMPURE, reason: PURE_REASON },
    Reach { from: "oxpecker-config", forbidden: IMPURE, reason: PURE_REASON },
    Reach { from: "oxpecker-import", forbidden: IMPURE, reason: PURE_REASON },
    Reach { from: "oxpecker-wire", forbidden: IMPURE, reason: PURE_REASON },
];

#[derive(Debug, PartialEq)]
pub(super) struct Package {
    pub(super) name: String,
    /// Build-dependencies count as normal ones.
    normal: Vec<String>,
    dev: Vec<String>,
}

/// The packages of `cargo metadata --no-deps` with the edges among themselves.
pub(super) fn packages(metadata: &Value) -> Vec<Package> {
    let listed = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<&str> =
        listed.iter().filter_map(|package| package["name"].as_str()).collect();
    let edges = |package: &Value, dev: bool| {
        let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
        dependencies
            .iter()
            .filter(|dependency| (dependency["kind"] == "dev") == dev)
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| names.contains(name))
            .map(str::to_owned)
            .collect()
    };
    listed
        .iter()
        .filter_map(|package| {
            let name = package["name"].as_str()?.to_owned();
            Some(Package { name, normal: edges(package, false), dev: edges(package, true) })
        })
        .collect()
}

pub(super) fn check_edges(packages: &[Package]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in packages {
        let place = format!("package `{}`", package.name);
        let Some(wall) = WALLS.iter().find(|wall| wall.name == package.name) else {
            let what = "has no place in the architecture";
            let remedy = "add it to WALLS in xtask/src/tidy/walls.rs and to ARCHITECTURE.md";
            problems.push(Problem::new(place, what, remedy));
            continue;
        };
        for name in &package.normal {
            if wall.normal.contains(&name.as_str()) {
                continue;
            }
            let remedy = if TEST_CRATES.contains(&name.as_str()) {
                "make it a dev-dependency: test code never enters a product".to_owned()
            } else {
                allowed(wall.normal)
            };
            let what = format!("must not depend on `{name}`");
            problems.push(Problem::new(place.as_str(), what, remedy));
        }
        for name in &package.dev {
            if !wall.dev.contains(&name.as_str()) && !wall.normal.contains(&name.as_str()) {
                let what = format!("must not depend on `{name}` in its tests");
                problems.push(Problem::new(place.as_str(), what, allowed(wall.dev)));
            }
        }
    }
    problems
}

fn allowed(names: &[&str]) -> String {
    let allowed = if names.is_empty() { "nothing of ours".to_owned() } else { names.join(", ") };
    format!(
        "allowed: {allowed}; a new edge belongs into WALLS in xtask/src/tidy/walls.rs \
         and into ARCHITECTURE.md"
    )
}

pub(super) fn check_reach(rule: &Reach, reachable: &BTreeSet<&str>) -> Vec<Problem> {
    let found = rule.forbidden.iter().filter(|name| reachable.contains(*name));
    found
        .map(|name| {
            let what = format!("reaches `{name}`: {}", rule.reason);
            let remedy = format!("see `cargo tree -p {} -e normal -i {name}`", rule.from);
            Problem::new(format!("package `{}`", rule.from), what, remedy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Edges as `from -> to` or `from ~> to` for a dev-dependency; the complaints as `from: what`.
    #[track_caller]
    fn check(edges: &[&str], expected: &[&str]) {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let parsed: Vec<(&str, &str, &str)> = edges
            .iter()
            .map(|edge| match edge.split(' ').collect::<Vec<_>>()[..] {
                [from, arrow, to] => (from, arrow, to),
                _ => panic!("{edge}"),
            })
            .collect();
        for (from, _, to) in &parsed {
            names.extend([from, to]);
        }
        let packages_json: Vec<Value> = names
            .iter()
            .map(|name| {
                let mut dependencies = vec![json!({ "name": "serde", "kind": null })];
                for (_, arrow, to) in parsed.iter().filter(|(from, ..)| from == name) {
                    let kind = match *arrow {
                        "~>" => json!("dev"),
                        "b>" => json!("build"),
                        _ => Value::Null,
                    };
                    dependencies.push(json!({ "name": to, "kind": kind }));
                }
                json!({ "name": name, "dependencies": dependencies })
            })
            .collect();
        let problems = check_edges(&packages(&json!({ "packages": packages_json })));
        let found: Vec<String> =
            problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_designs_edges_pass() {
        check(
            &[
                "oxpecker -> oxpecker-admin",
                "oxpecker -> oxpecker-proxy",
                "oxpecker-admin -> oxpecker-proxy",
                "oxpecker-proxy -> oxpecker-wire",
                "oxpecker-import -> oxpecker-config",
                "oxpecker-demo -> impala-standin",
                "oxpecker-proxy ~> oxpecker-testkit",
                "oxpecker ~> impala-standin",
                "oxpecker ~> oxpecker-config",
            ],
            &[],
        );
    }

    #[test]
    fn edges_against_the_grain_are_named() {
        check(
            &["oxpecker-proxy -> oxpecker-admin"],
            &["package `oxpecker-proxy`: must not depend on `oxpecker-admin`"],
        );
        check(
            &["oxpecker-wire b> oxpecker-config"],
            &["package `oxpecker-wire`: must not depend on `oxpecker-config`"],
        );
        check(
            &["impala-standin ~> oxpecker-wire"],
            &["package `impala-standin`: must not depend on `oxpecker-wire` in its tests"],
        );
        check(
            &["oxpecker -> oxpecker-testkit"],
            &["package `oxpecker`: must not depend on `oxpecker-testkit`"],
        );
        check(
            &["oxpecker-balance ~> oxpecker-testkit"],
            &["package `oxpecker-balance`: must not depend on `oxpecker-testkit` in its tests"],
        );
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        check(
            &["oxpecker-new -> oxpecker-wire"],
            &["package `oxpecker-new`: has no place in the architecture"],
        );
    }

    #[test]
    fn the_binary_is_free_of_sqlite_and_pure_crates_of_io() {
        let found = |from: &str, names: &[&str]| {
            let rule = REACH.iter().find(|rule| rule.from == from).unwrap();
            check_reach(rule, &names.iter().copied().collect()).len()
        };
        assert_eq!(found("oxpecker", &["oxpecker", "tokio", "oxpecker-wire"]), 0);
        assert_eq!(found("oxpecker", &["oxpecker", "rusqlite", "libsqlite3-sys"]), 2);
        assert_eq!(found("oxpecker-wire", &["oxpecker-wire"]), 0);
        assert_eq!(found("oxpecker-config", &["toml", "tokio", "mio"]), 2);
    }

    #[test]
    fn the_remedy_for_test_code_is_a_dev_dependency() {
        let metadata = json!({ "packages": [
            { "name": "oxpecker", "dependencies": [{ "name": "oxpecker-testkit", "kind": null }] },
            { "name": "oxpecker-testkit", "dependencies": [] },
        ]});
        let problems = check_edges(&packages(&metadata));
        assert!(problems[0].remedy.contains("dev-dependency"), "{}", problems[0]);
    }
}
