//! Whether this gateway lives, and whether clients should be sent to it: for load balancers and
//! supervisors, who get a word and a status and nothing else.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use oxpecker_api::Health;
use oxpecker_proxy::control::Handle;
use serde::Deserialize;

use super::convert;
use super::extract::Asked;
use crate::app::App;
use crate::route::{Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/livez", Needs::Nothing, async || "alive\n"),
        Route::get("/readyz", Needs::Nothing, ready),
    ]
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
) -> (StatusCode, &'static str) {
    match why_not(&app.control, virtual_server.as_deref()) {
        None => (StatusCode::OK, "ready\n"),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

/// Draining comes first. With several virtual servers one that can serve is enough: who asks has
/// one address for all of them, and the others' clients would lose it too.
fn why_not(control: &Handle, virtual_server: Option<&str>) -> Option<&'static str> {
    if control.status().draining {
        return Some("draining\n");
    }
    let (pools, virtuals) = (control.pools(), control.virtuals());
    let mut asked = virtuals
        .iter()
        .filter(|known| virtual_server.is_none_or(|name| known.name == name))
        .peekable();
    if asked.peek().is_none() {
        return Some("no such virtual server\n");
    }
    let serves = |known| {
        let (health, _) = convert::virtual_health(known, &pools);
        matches!(health, Health::Up | Health::Unknown)
    };
    if asked.any(serves) { None } else { Some("no usable member\n") }
}
