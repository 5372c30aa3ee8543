//! The process as a whole: status, events, certificates, configuration.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use oxpecker_api::{Certificate, Event, Listing, Saved, Status};
use oxpecker_config::model::Role;
use serde::Deserialize;

use super::extract::Asked;
use super::{convert, limit, path};
use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get(path("/status"), viewer, status),
        Route::get(path("/events"), viewer, events),
        Route::get(path("/certificates"), viewer, certificates),
        Route::get(path("/configuration"), Needs::Role(Role::Admin), configuration),
        Route::post(path("/reload"), Role::Admin, reload),
        Route::post(path("/save"), Role::Admin, save),
        Route::get("/openapi.json", Needs::Nothing, openapi),
    ]
}

async fn status(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Json<Status> {
    Json(convert::for_caller(convert::status(&app), &caller))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    /// Only events that came later than the one with this number.
    after: Option<u64>,
    limit: Option<usize>,
}

async fn events(State(app): State<Arc<App>>, Asked(asked): Asked<Since>) -> Json<Listing<Event>> {
    let limit = limit(asked.limit);
    let mut found = app.control.events(asked.after.unwrap_or(0), limit + 1);
    // The oldest go first.
    let truncated = found.len() > limit;
    if truncated {
        found.remove(0);
    }
    Json(Listing { items: found.into_iter().map(convert::event).collect(), truncated })
}

async fn certificates(State(app): State<Arc<App>>) -> Json<Listing<Certificate>> {
    let mut all = app.control.certificates();
    let of_admin = app.settings().tls.as_ref().map(|tls| tls.status()).unwrap_or_default();
    for status in of_admin {
        if !all.contains(&status) {
            all.push(status);
        }
    }
    let now = Timestamp::now();
    let items = all.into_iter().map(|status| convert::certificate(status, now)).collect();
    Json(Listing { items, truncated: false })
}

async fn configuration(State(app): State<Arc<App>>) -> String {
    explained(&app)
}

/// As the files have it, and what was changed since.
pub(crate) fn explained(app: &App) -> String {
    let mut text = app.settings().explained.clone();
    let changes = app.control.changes();
    if !changes.is_empty() {
        text.push('\n');
        for line in oxpecker_config::edit::write(&changes).lines() {
            text.push_str(&format!("# {line}\n"));
        }
    }
    text
}

async fn reload(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Answer<StatusCode> {
    app.control.reload(caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn save(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Answer<Json<Saved>> {
    let control = app.control.clone();
    let saved = tokio::task::spawn_blocking(move || control.save(&caller.who)).await;
    let saved = saved.map_err(|_| Refusal::conflict("saving was broken off"))?;
    let saved = saved.map_err(|error| Refusal::conflict(error.to_string()))?;
    let changes = convert::count(saved.changes);
    Ok(Json(Saved { file: saved.file.display().to_string(), changes }))
}

async fn openapi() -> ([(axum::http::HeaderName, &'static str); 1], &'static str) {
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    (json, include_str!("../../openapi.json"))
}
