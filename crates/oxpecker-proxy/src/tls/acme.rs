//! Certificates that come from authorities by themselves (RFC 8555).
//!
//! A task of the control thread for each authority orders and renews; profiles find what was
//! issued in [`Slot`]s. Workers see a slot at a handshake, and an open challenge when an authority
//! looks whether a name is ours; nothing else.

mod challenge;
mod http;
mod http01;
mod keeper;
mod order;
mod schedule;
mod slot;
mod store;

pub(crate) use challenge::Challenges;
pub(crate) use slot::{Slot, Slots};

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use oxpecker_config::model::{Acme, AcmeChallenge, Certificate, Config};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::PROVIDER;
use super::certificates::Pair;
use super::keys::{self, KeyError};
use crate::control::events::Events;
use crate::wording::{self, chain};
use http01::Listener;
use store::Store;

/// Why an authority cannot be asked for certificates.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("failed to read the system's certificate authorities: {0}")]
    SystemRoots(String),
    #[error("failed to set up TLS")]
    Rustls(#[from] rustls::Error),
    #[error("failed to listen on {address} for http-01: {}", wording::in_words(source))]
    Listen { address: SocketAddr, source: io::Error },
}

/// What a keeper is to do.
#[derive(Debug, Clone)]
struct Plan {
    acme: Acme,
    /// Whom to believe when the authority is asked.
    tls: Arc<ClientConfig>,
    slots: Vec<Arc<Slot>>,
}

/// All authorities of the running configuration.
#[derive(Debug)]
pub(crate) struct Authorities {
    challenges: Arc<Challenges>,
    events: Arc<Events>,
    slots: Slots,
    running: HashMap<String, Running>,
    /// Those that answer HTTP-01.
    listeners: HashMap<SocketAddr, Listener>,
    has_begun: bool,
}

#[derive(Debug)]
struct Running {
    plan: watch::Sender<Plan>,
    keeper: Option<AbortHandle>,
}

/// What a new configuration needs; nothing of it is in force yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) slots: Slots,
    plans: Vec<Plan>,
    listeners: HashMap<SocketAddr, Option<TcpListener>>,
}

impl Authorities {
    pub(crate) fn new(challenges: Arc<Challenges>, events: Arc<Events>) -> Self {
        Self {
            challenges,
            events,
            slots: Slots::new(),
            running: HashMap::new(),
            listeners: HashMap::new(),
            has_begun: false,
        }
    }

    /// Reads what is on disk and opens new listeners. The error comes with the authority's name.
    pub(crate) async fn prepare(&self, config: &Config) -> Result<Prepared, (String, AcmeError)> {
        let mut prepared =
            Prepared { slots: Slots::new(), plans: Vec::new(), listeners: HashMap::new() };
        for acme in used(config) {
            let failed = |error| (acme.name.clone(), error);
            let known = self.running.get(&acme.name).map(|running| running.plan.borrow().clone());
            let tls = trust(acme, known.as_ref()).map_err(failed)?;
            if let AcmeChallenge::Http01 { listen } = acme.challenge
                && !prepared.listeners.contains_key(&listen)
            {
                let listener =
                    match self.listeners.contains_key(&listen) {
                        true => None,
                        false => Some(TcpListener::bind(listen).await.map_err(|source| {
                            failed(AcmeError::Listen { address: listen, source })
                        })?),
                    };
                prepared.listeners.insert(listen, listener);
            }
            let slots = self.slots_of(acme, config, &mut prepared.slots);
            prepared.plans.push(Plan { acme: acme.clone(), tls, slots });
        }
        Ok(prepared)
    }

    /// The certificates that are asked of an authority, each once. Those that are known already
    /// stay what they are.
    fn slots_of(&self, acme: &Acme, config: &Config, all: &mut Slots) -> Vec<Arc<Slot>> {
        let store = Store::new(acme);
        let mut slots = Vec::new();
        for (authority, names) in asked(config) {
            let key = (acme.name.clone(), names.clone());
            if authority.name != acme.name || all.contains_key(&key) {
                continue;
            }
            let slot = self.slots.get(&key).cloned().unwrap_or_else(|| {
                let pair = read(&store, names);
                let pair = pair.or_else(|| store.similar(names, SystemTime::now()));
                Arc::new(Slot::new(&acme.name, names, pair))
            });
            slots.push(Arc::clone(&slot));
            all.insert(key, slot);
        }
        slots
    }

    /// Puts what was prepared in force. Orders that run are not broken off.
    pub(crate) fn apply(&mut self, prepared: Prepared) {
        self.slots = prepared.slots;
        let mut before = std::mem::take(&mut self.listeners);
        for (address, listener) in prepared.listeners {
            let listener = match listener {
                Some(new) => Some(Listener::start(new, Arc::clone(&self.challenges))),
                None => before.remove(&address),
            };
            self.listeners.extend(listener.map(|listener| (address, listener)));
        }
        let mut before = std::mem::take(&mut self.running);
        for plan in prepared.plans {
            let name = plan.acme.name.clone();
            let running = match before.remove(&name) {
                Some(running) => {
                    running.plan.send_replace(plan);
                    running
                }
                None => Running { plan: watch::Sender::new(plan), keeper: None },
            };
            self.running.insert(name, running);
        }
        // Without its sender a keeper ends as soon as it has nothing to do.
        drop(before);
        if self.has_begun {
            self.begin();
        }
    }

    /// From now on certificates are ordered, and files written.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
        for running in self.running.values_mut() {
            running.keeper.get_or_insert_with(|| {
                let (challenges, events) = (Arc::clone(&self.challenges), Arc::clone(&self.events));
                let keeper = keeper::keep(running.plan.subscribe(), challenges, events);
                tokio::spawn(keeper).abort_handle()
            });
        }
    }

    /// Closes all listeners and breaks off what runs.
    pub(crate) fn stop(&mut self) {
        self.listeners.clear();
        for running in std::mem::take(&mut self.running).into_values() {
            if let Some(keeper) = running.keeper {
                keeper.abort();
            }
        }
    }
}

impl Drop for Authorities {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Every certificate that is asked of an authority.
fn asked(config: &Config) -> impl Iterator<Item = (&Acme, &Vec<String>)> {
    let profiles = config.virtuals.iter().filter_map(|v| v.tls_client.as_ref());
    profiles.flat_map(|profile| &profile.certificates).filter_map(|certificate| match certificate {
        Certificate::Acme { acme, names } => Some((&config.acmes[*acme], names)),
        Certificate::Files(_) => None,
    })
}

/// The authorities that some virtual server needs.
pub(super) fn used(config: &Config) -> impl Iterator<Item = &Acme> {
    let names: HashSet<&str> = asked(config).map(|(acme, _)| acme.name.as_str()).collect();
    config.acmes.iter().filter(move |acme| names.contains(acme.name.as_str()))
}

/// What is wrong with the directory for an authority's state, as far as can be seen.
pub(super) fn state_problem(acme: &Acme) -> Option<String> {
    Store::new(acme).problem()
}

/// The certificate that is kept for these names.
pub(super) fn stored(acme: &Acme, names: &[String]) -> Option<Pair> {
    Store::new(acme).pair(names)?.ok()
}

/// The same; what cannot be used is spoken of, and asked for again.
fn read(store: &Store, names: &[String]) -> Option<Pair> {
    let pair = store.pair(names)?;
    pair.inspect_err(|error| {
        tracing::warn!(?names, error = chain(error), "a kept certificate cannot be used");
    })
    .ok()
}

fn trust(acme: &Acme, known: Option<&Plan>) -> Result<Arc<ClientConfig>, AcmeError> {
    let mut roots = RootCertStore::empty();
    match &acme.ca_file {
        Some(path) => {
            for certificate in keys::load_certificates(path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                // After a chroot they cannot be found any more.
                if let Some(known) = known.filter(|known| known.acme.ca_file.is_none()) {
                    return Ok(Arc::clone(&known.tls));
                }
                let why = found.errors.first().map_or("there are none".into(), ToString::to_string);
                return Err(AcmeError::SystemRoots(why));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
