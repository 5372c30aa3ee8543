//! Who asks, and whether they may.
//!
//! Whoever may open the Unix socket is an admin. Over TCP there are names with passwords, tokens,
//! and those who do not say who they are. Guessing is locked out by source address.

mod credentials;
pub(crate) mod guard;
mod lockout;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use oxpecker_config::model::{self, Role};
use oxpecker_proxy::control::Who;

use crate::app::App;
use crate::error::Refusal;
use crate::route::{Needs, Route};
use credentials::{Credentials, Presented, Verdict};
use lockout::Lockouts;

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"Oxpecker\", charset=\"UTF-8\"");

/// Where a request came from; every one has it as an extension.
#[derive(Debug, Clone)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    /// The user's name as the kernel tells it.
    Socket {
        user: String,
    },
}

/// Who makes a request; handlers behind a role have it as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// For events and logs: `admin:alice`, `token:ci`, `socket:root`, `anonymous:10.0.0.7`.
    pub(crate) who: Who,
    /// As configured; empty for those who did not say.
    pub(crate) name: String,
    pub(crate) role: Role,
}

impl Caller {
    fn new(kind: &str, name: &str, role: Role) -> Self {
        Self { who: Who::new(&format!("{kind}:{name}")), name: name.to_owned(), role }
    }

    pub(crate) fn of_socket(user: &str, role: Role) -> Self {
        Self::new("socket", user, role)
    }
}

/// What is known of callers.
#[derive(Debug)]
pub(crate) struct Access {
    credentials: Credentials,
    lockouts: Lockouts,
}

impl Access {
    pub(crate) fn new() -> Self {
        Self { credentials: Credentials::new(), lockouts: Lockouts::default() }
    }

    /// From the next request on.
    pub(crate) fn apply(&self, admin: &model::Admin) {
        self.credentials.apply(admin);
    }
}

/// A page for people's browsers: asks them who they are, and sends them on to the front page.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/login", Needs::Nothing, login)]
}

async fn login(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let caller = identify(&app, Shown::by(&request)).await?;
    if caller.name.is_empty() && app.access.credentials.is_known() {
        return Err(unknown("log in with name and password"));
    }
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response())
}

/// Stands before every handler.
pub(crate) async fn admit(
    State((app, needs)): State<(Arc<App>, Needs)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if let Needs::Role(role) = needs {
        let caller = identify(&app, Shown::by(&request)).await?;
        if caller.role < role {
            return Err(too_little(&app, &caller, role));
        }
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

/// What a request tells of whoever sent it.
struct Shown {
    peer: Option<Peer>,
    presented: Option<Presented>,
}

impl Shown {
    fn by(request: &Request) -> Self {
        Self {
            peer: request.extensions().get().cloned(),
            presented: Presented::of(request.headers()),
        }
    }
}

async fn identify(app: &App, shown: Shown) -> Result<Caller, Refusal> {
    let address = match shown.peer {
        Some(Peer::Socket { user }) => return Ok(Caller::of_socket(&user, Role::Admin)),
        Some(Peer::Tcp(address)) => address,
        // Every connection sets it.
        None => return Err(Refusal::new(StatusCode::FORBIDDEN, "it is not known who asks")),
    };
    let source = address.ip().to_canonical();
    let Some(presented) = shown.presented else {
        return match app.settings().admin.anonymous {
            Some(role) => Ok(Caller {
                who: Who::new(&format!("anonymous:{source}")),
                name: String::new(),
                role,
            }),
            None => Err(unknown("log in with name and password, or show a token")),
        };
    };
    let locked = |left: std::time::Duration| {
        let seconds = left.as_secs() + 1;
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords from this address")
            .help(format!("try again in {seconds} s"))
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    };
    if let Some(left) = app.access.lockouts.left(source, Instant::now()) {
        return Err(locked(left));
    }
    // Those who waited for their turn meanwhile may be locked out by those before them.
    let is_open = || app.access.lockouts.left(source, Instant::now()).is_none();
    match app.access.credentials.verify(presented, is_open).await {
        Verdict::Known(caller) => Ok(caller),
        Verdict::Wrong { name } => {
            let now = Instant::now();
            let began = app.access.lockouts.failed(source, now);
            let name = name.as_deref().unwrap_or("unknown");
            tracing::warn!(%source, name, "wrong password or token for the admin side");
            if began {
                app.note_lockout(source);
            }
            Err(unknown("the password or token is wrong"))
        }
        Verdict::NotLooked => {
            let left = app.access.lockouts.left(source, Instant::now());
            Err(locked(left.unwrap_or_default()))
        }
    }
}

fn unknown(help: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "it is not known who asks")
        .help(help)
        .with_header(header::WWW_AUTHENTICATE, CHALLENGE)
}

fn too_little(app: &App, caller: &Caller, role: Role) -> Refusal {
    let needed = role_word(role);
    // Whoever did not say who they are may be somebody.
    if caller.name.is_empty() && app.access.credentials.is_known() {
        return unknown(&format!("this needs the role `{needed}`"));
    }
    let error = format!("this needs the role `{needed}`, and you are `{}`", role_word(caller.role));
    Refusal::new(StatusCode::FORBIDDEN, error)
        .help("roles are given in [admin.user.NAME] and [admin.token.NAME], or by `anonymous`")
}

pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}
