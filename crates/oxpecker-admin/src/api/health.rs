//! Whether this gateway lives, and whether clients should be sent to it: for load balancers and
//! supervisors, who get a word and a status and nothing else.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use oxpecker_api::Health;
use oxpecker_proxy::control::{Handle, Silent};
use serde::Deserialize;

use super::convert;
use super::extract::Asked;
use crate::app::App;
use crate::route::{Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/livez", Needs::Nothing, live), Route::get("/readyz", Needs::Nothing, ready)]
}

/// Whoever restarts processes asks this: a member that is down or a drain is no reason.
async fn live(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match stuck(app.control.silent_worker()) {
        None => (StatusCode::OK, "alive\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

fn stuck(silent: Option<Silent>) -> Option<String> {
    silent.map(|Silent { worker, since }| {
        format!("worker-{worker} has not answered for {} s\n", since.as_secs())
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ready {
    /// One virtual server instead of any.
    #[serde(rename = "virtual")]
    virtual_server: Option<String>,
}

async fn ready(
    State(app): State<Arc<App>>,
    Asked(Ready { virtual_server }): Asked<Ready>,
) -> (StatusCode, String) {
    match why_not(&app.control, virtual_server.as_deref()) {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

/// Draining comes first. With several virtual servers one that can serve is enough: who asks has
/// one address for all of them, and the others' clients would lose it too.
fn why_not(control: &Handle, virtual_server: Option<&str>) -> Option<String> {
    if control.status().draining {
        return Some("draining\n".to_owned());
    }
    if let Some(reason) = stuck(control.silent_worker()) {
        return Some(reason);
    }
    let (pools, virtuals) = (control.pools(), control.virtuals());
    let mut asked = virtuals
        .iter()
        .filter(|known| virtual_server.is_none_or(|name| known.name == name))
        .peekable();
    if asked.peek().is_none() {
        return Some("no such virtual server\n".to_owned());
    }
    let serves = |known| {
        let (health, _) = convert::virtual_health(known, &pools);
        matches!(health, Health::Up | Health::Unknown)
    };
    if asked.any(serves) { None } else { Some("no usable member\n".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stuck_worker_is_named() {
        let silent = Silent { worker: 1, since: Duration::from_millis(12_700) };
        let said = stuck(Some(silent));
        assert_eq!(said.as_deref(), Some("worker-1 has not answered for 12 s\n"));
        assert_eq!(stuck(None), None);
    }
}
