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
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use oxpecker_config::model::Role;
use oxpecker_proxy::control::Who;
use tokio::net::UnixStream;

pub(crate) use fields::{Field, Kind, Row};
pub(crate) use server::{CHECKS, takes_new};
pub(crate) use stat::{Wanted, rows};
pub(crate) use watch::{Key, Rate, Watched, watch};

use stat::Only;

use crate::access::Caller;
use crate::app::App;
use crate::route::{Needs, Route};
use crate::snapshot::Snapshot;

/// HAProxy's path where a file says nothing else: `/haproxy?stats`.
const DEFAULT_PATH: &str = "/haproxy";

/// Words behind a `;` that go with a format, before or after it.
const OPTIONS: [&str; 3] = ["norefresh", "up", "no-maint"];

/// `path` is `stats_path` of `[admin]`. People are sent to the page, which shows more than HAProxy's.
pub(crate) fn routes(path: &str) -> Vec<Route> {
    let mut routes = below(path);
    if path != DEFAULT_PATH {
        routes.extend(below(DEFAULT_PATH));
    }
    routes
}

/// In HAProxy's URIs what follows the first `;` says how to show it, also behind a `?`.
fn below(path: &str) -> Vec<Route> {
    let mut endings = vec![String::new(), ";norefresh".to_owned()];
    for format in ["csv", "json"] {
        endings.push(format!(";{format}"));
        for option in OPTIONS {
            endings.push(format!(";{format};{option}"));
            endings.push(format!(";{option};{format}"));
        }
    }
    let viewer = Needs::Role(Role::Viewer);
    endings.into_iter().map(|end| Route::get(format!("{path}{end}"), viewer, statistics)).collect()
}

async fn statistics(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let words: Vec<&str> = target.split(';').skip(1).collect();
    let only = match () {
        () if words.contains(&"up") => Only::Up,
        () if words.contains(&"no-maint") => Only::NoMaint,
        () => Only::All,
    };
    let wanted = Wanted { only, ..Wanted::default() };
    if words.contains(&"csv") {
        answer("text/plain", stat::csv(&table(&app, &wanted)))
    } else if words.contains(&"json") {
        answer("application/json", stat::json(&table(&app, &wanted)))
    } else {
        Redirect::to("/").into_response()
    }
}

fn table(app: &App, wanted: &Wanted) -> Vec<Row> {
    let snapshot = Snapshot::take(&app.control);
    app.watched.with(|watch| rows(&snapshot, watch, wanted))
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
