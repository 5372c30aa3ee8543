//! What every request handler may use: the door to the data plane, and what is configured.

use std::sync::{Arc, RwLock};

use axum::Router;
use oxpecker_config::model;
use oxpecker_proxy::FrontTls;
use oxpecker_proxy::control::{EventKind, Handle, Who};

use crate::access::Access;
use crate::api::stream::Hub;
use crate::haproxy::Watched;
use crate::history::History;
use crate::route;

/// One for the process; handlers get it as `State<Arc<App>>`.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) control: Handle,
    pub(crate) version: &'static str,
    /// This host's name, as `hostname` prints it.
    pub(crate) host: String,
    pub(crate) history: History,
    /// Looks every second, for rates of HAProxy's statistics.
    pub(crate) watched: Watched,
    pub(crate) hub: Hub,
    /// Lock-outs and known credentials: they outlive a reload.
    pub(crate) access: Access,
    current: RwLock<Current>,
}

/// What a reload replaces.
#[derive(Debug, Clone)]
struct Current {
    settings: Arc<Settings>,
    router: Router,
}

/// The configuration, as far as handlers need it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) admin: model::Admin,
    /// In use for every new connection over TCP.
    pub(crate) tls: Option<Arc<FrontTls>>,
    /// The effective configuration as `explain` prints it; secrets are masked.
    pub(crate) explained: String,
}

impl App {
    pub(crate) fn new(control: Handle, settings: Settings) -> Arc<Self> {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let settings = Arc::new(settings);
        let app = Arc::new(Self {
            control,
            version: env!("CARGO_PKG_VERSION"),
            host: host.unwrap_or_default(),
            history: History::default(),
            watched: Watched::default(),
            hub: Hub::new(),
            access: Access::new(),
            current: RwLock::new(Current {
                settings: Arc::clone(&settings),
                router: Router::new(),
            }),
        });
        app.apply_shared(settings);
        app
    }

    /// From the next request on.
    pub(crate) fn apply(self: &Arc<Self>, settings: Settings) {
        self.apply_shared(Arc::new(settings));
    }

    fn apply_shared(self: &Arc<Self>, settings: Arc<Settings>) {
        let router = route::router(self, &settings);
        self.access.apply(&settings.admin);
        let mut current = self.current.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        *current = Current { settings, router };
        drop(current);
        // Those who look on may not be known any more.
        self.hub.end_all();
    }

    /// Lets go of the routes, which hold on to this.
    pub(crate) fn retire(&self) {
        let mut current = self.current.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        current.router = Router::new();
    }

    /// Tells that a source guessed too often.
    pub(crate) fn note_lockout(&self, source: std::net::IpAddr) {
        let who = Who::new(&format!("anonymous:{source}"));
        let text = "too many wrong passwords for the admin side, locked out for a minute";
        tracing::warn!(%source, "{text}");
        self.control.note(&who, EventKind::Access, &source.to_string(), text);
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.current().settings
    }

    pub(crate) fn router(&self) -> Router {
        self.current().router
    }
}
