//! `/api/v1`: what is shown and changed by programs, as JSON.

mod change;
mod connections;
pub(crate) mod convert;
pub(crate) mod extract;
mod health;
mod objects;
mod process;
pub(crate) mod statistics;
pub(crate) mod stream;
mod work;

use crate::route::Route;
pub(crate) use process::explained;

/// Items of a list when nothing is asked for, and at most.
const LIMIT_DEFAULT: usize = 1000;
const LIMIT_MAX: usize = 10_000;

pub(crate) fn routes() -> Vec<Route> {
    let all = [
        health::routes(),
        process::routes(),
        objects::routes(),
        change::routes(),
        statistics::routes(),
        connections::routes(),
        work::routes(),
        stream::routes(),
    ];
    all.into_iter().flatten().collect()
}

/// `/api/v1/REST`
fn path(rest: &str) -> String {
    format!("{}{rest}", oxpecker_api::PREFIX)
}

/// `limit=` of a request.
fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
}

/// Whether one of the texts has the fragment; upper and lower case are the same.
fn has(fragment: &Option<String>, texts: &[&str]) -> bool {
    let Some(fragment) = fragment else { return true };
    let fragment = fragment.to_lowercase();
    texts.iter().any(|text| text.to_lowercase().contains(&fragment))
}
