//! All addresses of the admin side, each with the role that it needs.
//!
//! A module that answers requests lists its [`Route`]s; there is no other way in, so none can
//! forget to ask for a role.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use oxpecker_config::model::Role;

use crate::access::{self, guard};
use crate::app::{App, Settings};
use crate::error::Refusal;
use crate::{api, haproxy, history, metrics, page};

/// A change is a few hundred bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// From a request's head to its answer's, the body included. A reload looks names up.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Anybody who can connect: health checks of other machines.
    Nothing,
    Role(Role),
}

/// One method of one path.
pub(crate) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "the description is compared with it"))]
    pub(crate) method: Method,
    /// In axum's writing: `/pools/{pool}`.
    pub(crate) path: Cow<'static, str>,
    pub(crate) needs: Needs,
    handler: MethodRouter<Arc<App>>,
}

impl Route {
    fn new<H, T>(
        method: Method,
        filter: MethodFilter,
        path: impl Into<Cow<'static, str>>,
        needs: Needs,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self { method, path: path.into(), needs, handler: on(filter, handler) }
    }

    /// For GET and HEAD.
    pub(crate) fn get<H, T>(path: impl Into<Cow<'static, str>>, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self::new(Method::GET, MethodFilter::GET, path, needs, handler)
    }

    pub(crate) fn post<H, T>(path: impl Into<Cow<'static, str>>, role: Role, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self::new(Method::POST, MethodFilter::POST, path, Needs::Role(role), handler)
    }

    pub(crate) fn patch<H, T>(path: impl Into<Cow<'static, str>>, role: Role, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self::new(Method::PATCH, MethodFilter::PATCH, path, Needs::Role(role), handler)
    }

    pub(crate) fn delete<H, T>(path: impl Into<Cow<'static, str>>, role: Role, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self::new(Method::DELETE, MethodFilter::DELETE, path, Needs::Role(role), handler)
    }
}

/// Everything there is under this configuration.
pub(crate) fn all(settings: &Settings) -> Vec<Route> {
    let mut all = api::routes();
    all.extend(access::routes());
    all.extend(page::routes());
    all.extend(history::routes());
    all.extend(metrics::routes());
    all.extend(haproxy::routes(&settings.admin.stats_path));
    all
}

pub(crate) fn router(app: &Arc<App>, settings: &Settings) -> Router {
    let mut router = Router::new();
    for route in all(settings) {
        let asks = from_fn_with_state((Arc::clone(app), route.needs), access::admit);
        router = router.route(&route.path, route.handler.route_layer(asks));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(app), guard::check))
        .layer(from_fn(in_time))
        .layer(from_fn(guard::headers))
        .with_state(Arc::clone(app))
}

/// A stream is answered at once, and goes on after it.
async fn in_time(request: Request, next: Next) -> Result<Response, Refusal> {
    tokio::time::timeout(ANSWER_TIME_MAX, next.run(request)).await.map_err(|_| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "it takes too long")
            .help("what was begun may still be done; /api/v1/events tells")
    })
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at `{}`", shorten(uri.path())))
        .help("the API is described at /openapi.json")
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let error = format!("`{}` does not take {}", shorten(uri.path()), shorten(method.as_str()));
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error)
        .help("the `Allow` header and /openapi.json name the methods")
}

/// What a caller sent, short enough to send back.
fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// So that handlers may end early with either.
pub(crate) type Answer<T = Response> = Result<T, Refusal>;

#[cfg(test)]
mod tests;
