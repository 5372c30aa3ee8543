//! The web page.

use axum::response::Html;
use oxpecker_config::model::Role;

use crate::route::{Needs, Route};

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/", Needs::Role(Role::Viewer), front)]
}

async fn front() -> Html<&'static str> {
    Html("<!doctype html><html lang=\"en\"><title>Oxpecker</title><h1>Oxpecker</h1></html>")
}
