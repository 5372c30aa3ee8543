//! What keeps other web sites out of the browser of somebody who may use the admin side: the name
//! that is asked for (DNS rebinding), where a change comes from (CSRF), and headers on every answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Peer;
use crate::app::App;
use crate::error::Refusal;

/// A page of another origin cannot make a browser send this without being allowed to.
const BY_SCRIPT: HeaderName = HeaderName::from_static("x-oxpecker-request");

/// Health checks ask for whatever name they like, and learn nothing else.
const FOR_ALL: &[&str] = &["/livez", "/readyz"];

/// On every answer.
static HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; \
             object-src 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        headers.insert(name, value.clone());
    }
    // Handlers of what never changes say so themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

pub(crate) async fn check(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    // No browser speaks over a Unix socket.
    if let Some(Peer::Tcp(_)) = request.extensions().get::<Peer>()
        && !FOR_ALL.contains(&request.uri().path())
    {
        let host = host_of(&request)?;
        if let Some(host) = &host
            && !is_ours(&app, host.host())
        {
            let error = format!("this is not `{}`", host.host());
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, error)
                .help("ask for the address itself, or add the name to `hosts` of [admin]"));
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            from_our_page(&app, request.headers(), host.as_ref())?;
        }
    }
    Ok(next.run(request).await)
}

/// `None`: an old program that names none. Browsers always do.
fn host_of(request: &Request) -> Result<Option<Authority>, Refusal> {
    let bad = || Refusal::bad_request("the `Host` header is missing or bad");
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    let mut all = request.headers().get_all(header::HOST).iter();
    match (all.next(), all.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).map(Some).map_err(|_| bad()),
        (None, _) if request.version() <= Version::HTTP_10 => Ok(None),
        _ => Err(bad()),
    }
}

/// No name server can make an address lead elsewhere; names must be known.
fn is_ours(app: &App, host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let short = app.host.split('.').next().unwrap_or("");
    let own = ["localhost", app.host.as_str(), short];
    let settings = app.settings();
    let mut known = own.into_iter().chain(settings.admin.hosts.iter().map(String::as_str));
    known.any(|known| !known.is_empty() && known.eq_ignore_ascii_case(host))
}

/// A browser tells the origin of the page that makes a change, and sends a name and password that
/// it knows to whatever page asks; a token it does not.
fn from_our_page(app: &App, headers: &HeaderMap, host: Option<&Authority>) -> Result<(), Refusal> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let origin = origin.and_then(|(_, rest)| rest.parse::<Authority>().ok());
        let is_same = match (&origin, host) {
            (Some(origin), Some(host)) => origin == host,
            _ => false,
        };
        // Behind another proxy the page's name may be one of `hosts`, on the usual port: what is on
        // others of that host is not ours.
        let settings = app.settings();
        let is_known = origin.filter(|origin| origin.port().is_none()).is_some_and(|origin| {
            settings.admin.hosts.iter().any(|known| known.eq_ignore_ascii_case(origin.host()))
        });
        if is_same || is_known {
            return Ok(());
        }
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this change comes from another web site")
            .help("changes are made from the page itself, the command line, or with a token"));
    }
    let is_token = headers.get(header::AUTHORIZATION).is_some_and(|value| {
        value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    });
    if is_token || headers.contains_key(BY_SCRIPT) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "a change needs the header `X-Oxpecker-Request: 1`")
        .help("it shows that no other web site makes a browser do this"))
}
