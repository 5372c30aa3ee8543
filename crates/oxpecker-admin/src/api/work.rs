//! Impala's sessions and operations, as virtual servers that read the protocol know them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use oxpecker_api::{Kill, Listing, Operation, Session, Statement};
use oxpecker_config::model::Role;
use oxpecker_proxy::{KillError, Killed};
use serde::Deserialize;

use super::extract::{Asked, At};
use super::{convert, has, limit, path};
use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get(path("/sessions"), viewer, sessions),
        Route::get(path("/operations"), viewer, operations),
        Route::get(path("/statements"), viewer, statements),
        Route::delete(path("/sessions/{id}"), Role::Operator, kill_session),
        Route::delete(path("/operations/{id}"), Role::Operator, kill_operation),
        Route::delete(path("/statements"), Role::Operator, reset_statements),
    ]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// A fragment of an id, a user, an address, a coordinator or a statement.
    search: Option<String>,
    limit: Option<usize>,
}

async fn sessions(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Which>,
) -> Json<Listing<Session>> {
    let all = app.control.sessions().into_iter().map(convert::session);
    Json(cut(all, &asked, |s| {
        has(&asked.search, &[&s.id, &s.user, &s.do_as, &s.client, &s.coordinator])
    }))
}

async fn operations(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Which>,
) -> Json<Listing<Operation>> {
    let all = app.control.operations().into_iter().map(convert::operation);
    Json(cut(all, &asked, |o| {
        let texts = [&o.id, &o.session, &o.user, &o.do_as, &o.client, &o.coordinator, &o.statement];
        has(&asked.search, &texts.map(String::as_str))
    }))
}

/// What cost most first.
async fn statements(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Which>,
) -> Json<Listing<Statement>> {
    let all = app.control.top_statements(usize::MAX).into_iter().map(convert::statement);
    Json(cut(all, &asked, |s| has(&asked.search, &[&s.statement])))
}

async fn reset_statements(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> StatusCode {
    app.control.reset_top_statements(&caller.who);
    StatusCode::NO_CONTENT
}

async fn kill_session(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(id): At<String>,
) -> Answer<Json<Kill>> {
    answer(app.control.kill_session(&caller.who, &id).await)
}

async fn kill_operation(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    At(id): At<String>,
) -> Answer<Json<Kill>> {
    answer(app.control.kill_operation(&caller.who, &id).await)
}

fn answer(killed: Result<Killed, KillError>) -> Answer<Json<Kill>> {
    match killed {
        Ok(Killed::Done) => Ok(Json(Kill { count: 1 })),
        Ok(Killed::Over) => Ok(Json(Kill { count: 0 })),
        Err(error @ KillError::Unknown { .. }) => Err(Refusal::not_found(error.to_string())),
        Err(error) => Err(Refusal::conflict(error.to_string())),
    }
}

fn cut<T>(all: impl Iterator<Item = T>, asked: &Which, fits: impl Fn(&T) -> bool) -> Listing<T> {
    let mut found = all.filter(|item| fits(item));
    let items = found.by_ref().take(limit(asked.limit)).collect();
    Listing { items, truncated: found.next().is_some() }
}
