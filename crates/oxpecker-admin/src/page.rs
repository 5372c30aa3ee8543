//! The web page: views written as HTML here, complete without JavaScript. A stream sends the same
//! HTML again when values change, and a small script puts it in place.

mod ask;
mod assets;
mod chart;
mod data;
mod frame;
mod hour;
mod lists;
mod live;
mod map;
mod needs;
mod settings;
mod sort;
mod statistics;
mod words;
mod work;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::response::Html;
use oxpecker_config::model::Role;

use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};
use ask::{Asked, View};

#[cfg(test)]
mod tests;

pub(crate) fn routes() -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get("/", viewer, front),
        Route::get("/ui/live", viewer, live),
        Route::get("/ui/{view}", viewer, view),
        Route::get("/ui/assets/{name}", viewer, assets::asset),
    ]
}

async fn front(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Answer<Html<String>> {
    show(&app, &caller, Asked { view: View::Map, ..asked(&uri)? })
}

async fn view(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(slug): Path<String>,
    uri: Uri,
) -> Answer<Html<String>> {
    let view = View::from_slug(&slug).ok_or_else(|| {
        Refusal::not_found("the page has no such view").help("its views are listed at /")
    })?;
    show(&app, &caller, Asked { view, ..asked(&uri)? })
}

fn show(app: &App, caller: &Caller, asked: Asked) -> Answer<Html<String>> {
    Ok(Html(data::document(app, caller, &asked)))
}

async fn live(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let asked = asked(&uri)?;
    let place = app.hub.place()?;
    Ok(live::stream(app, caller, asked, place))
}

fn asked(uri: &Uri) -> Answer<Asked> {
    let Query(asked) = Query::<Asked>::try_from_uri(uri)
        .map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
    Ok(asked.bounded())
}
