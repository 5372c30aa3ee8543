//! What scripts and tools of HAProxy's users know: its statistics as CSV and JSON, and its runtime socket.
//!
//! Names, places and words are those of HAProxy 2.6; `docs/from-haproxy.md` says what is behind them here.

mod change;
mod desk;
mod fields;
mod info;
mod listing;
mod proxies;
mod server;
mod socket;
mod stat;
#[cfg(test)]
mod tests;
mod typed;
mod watch;
mod words;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::Who;
use tokio::net::UnixStream;

pub(crate) use fields::{Field, Kind, Row};
pub(crate) use server::{CHECKS, takes_new};
pub(crate) use stat::{Wanted, rows};
pub(crate) use watch::{Key, Rate, Watched, watch};

use crate::access::Caller;
use crate::app::App;
use crate::route::{Needs, Route};
use crate::snapshot::Snapshot;

/// `path` is `stats_path` of `[admin]`. People are sent to the page, which shows more than HAProxy's.
pub(crate) fn routes(path: &str) -> Vec<Route> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Route::get(format!("{path};csv"), viewer, csv),
        Route::get(format!("{path};csv;norefresh"), viewer, csv),
        Route::get(format!("{path};json"), viewer, json),
        Route::get(path.to_owned(), viewer, async || Redirect::to("/")),
    ]
}

async fn csv(State(app): State<Arc<App>>) -> Response {
    answer("text/plain", stat::csv(&everything(&app)))
}

async fn json(State(app): State<Arc<App>>) -> Response {
    answer("application/json", stat::json(&everything(&app)))
}

fn everything(app: &App) -> Vec<Row> {
    let snapshot = Snapshot::take(&app.control);
    app.watched.with(|watch| rows(&snapshot, watch, &Wanted::default()))
}

/// With HAProxy's headers.
fn answer(kind: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response()
}

/// Somebody opened the runtime socket. The caller's role is `haproxy_socket_level`.
pub(crate) async fn converse(app: Arc<App>, stream: UnixStream, caller: Caller) {
    let desk = desk::Desk {
        handle: app.control.clone(),
        watch: app.watched.clone(),
        host: app.host.clone(),
        who: Who::new(&format!("haproxy-socket:{}", caller.name)),
    };
    // Held by the desk's parts; a reload may replace the rest.
    drop(app);
    socket::talk(stream, &desk, caller.role).await;
}
