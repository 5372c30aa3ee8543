//! The process as a whole.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use oxpecker_api::Status;
use oxpecker_config::model::Role;

use super::convert;
use super::path;
use crate::access::Caller;
use crate::app::App;
use crate::route::{Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(path("/status"), Needs::Role(Role::Viewer), status)]
}

async fn status(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Json<Status> {
    Json(convert::status(&app, &caller))
}
