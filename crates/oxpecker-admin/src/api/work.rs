//! Impala's sessions and operations, as virtual servers that read the protocol know them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use oxpecker_api::{Listing, Operation, Session};
use oxpecker_config::model::Role;
use serde::Deserialize;

use super::extract::Asked;
use super::{convert, has, limit, path};
use crate::app::App;
use crate::route::{Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get(path("/sessions"), viewer, sessions),
        Route::get(path("/operations"), viewer, operations),
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

fn cut<T>(all: impl Iterator<Item = T>, asked: &Which, fits: impl Fn(&T) -> bool) -> Listing<T> {
    let mut found = all.filter(|item| fits(item));
    let items = found.by_ref().take(limit(asked.limit)).collect();
    Listing { items, truncated: found.next().is_some() }
}
