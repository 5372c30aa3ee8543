//! One value in HAProxy's JSON: where it stands, what it means, and how wide it is.

use serde::Serialize;

use super::fields::{Value, Width};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cell<'a> {
    field: Place,
    process_num: u32,
    tags: Tags,
    value: Typed<'a>,
}

#[derive(Debug, Serialize)]
struct Place {
    pos: usize,
    name: &'static str,
}

#[derive(Debug, Serialize)]
struct Tags {
    origin: &'static str,
    nature: &'static str,
    scope: &'static str,
}

#[derive(Debug, Serialize)]
struct Typed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    value: Plain<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Plain<'a> {
    Number(u64),
    Signed(i32),
    Text(&'a str),
}

impl<'a> Cell<'a> {
    pub(crate) fn new(
        pos: usize,
        name: &'static str,
        tags: &str,
        width: Width,
        value: &'a Value,
    ) -> Self {
        let value = match value {
            Value::Number(number) => Plain::Number(*number),
            Value::Signed(number) => Plain::Signed(*number),
            Value::Text(text) => Plain::Text(text),
        };
        Self {
            field: Place { pos, name },
            process_num: 1,
            tags: words(tags),
            value: Typed { kind: width.word(), value },
        }
    }
}

/// HAProxy's letters, as its manual explains them under "Statistics and monitoring".
fn words(tags: &str) -> Tags {
    let mut letters = tags.chars();
    Tags {
        origin: match letters.next() {
            Some('M') => "Metric",
            Some('S') => "Status",
            Some('K') => "Key",
            Some('C') => "Config",
            _ => "Product",
        },
        nature: match letters.next() {
            Some('A') => "Age",
            Some('a') => "Avg",
            Some('C') => "Counter",
            Some('D') => "Duration",
            Some('G') => "Gauge",
            Some('L') => "Limit",
            Some('M') => "Max",
            Some('m') => "Min",
            Some('N') => "Name",
            Some('R') => "Rate",
            _ => "Output",
        },
        scope: match letters.next() {
            Some('C') => "Cluster",
            Some('S') => "Service",
            _ => "Process",
        },
    }
}
