//! Values as they change, for pages and terminals: one sampler, however many look.
//!
//! A subscriber who reads slowly misses samples and never makes anything grow: there is one
//! newest sample, and events are read from their ring.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use oxpecker_api::Status;
use oxpecker_config::model::Role;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::statistics::{self, Of};
use super::{convert, path};
use crate::access::Caller;
use crate::app::App;
use crate::error::Refusal;
use crate::route::{Answer, Needs, Route};

const SAMPLE_EVERY: Duration = Duration::from_secs(2);

/// Those who look at once.
const SUBSCRIBERS_MAX: usize = 64;

/// Events told at once to somebody who comes back.
const EVENTS_MAX: usize = 100;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(path("/stream"), Needs::Role(Role::Viewer), stream)]
}

/// What the sampler saw, written once for all.
#[derive(Debug)]
struct Sample {
    status: Status,
    map: String,
    statistics: String,
}

/// Where subscribers find the newest sample.
#[derive(Debug)]
pub(crate) struct Hub {
    newest: watch::Sender<Option<Arc<Sample>>>,
    /// Somebody looks who was not there before.
    came: Notify,
    free: Arc<Semaphore>,
    /// Grows when users and roles may have changed: whoever looks has to come again.
    generation: watch::Sender<u64>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            newest: watch::Sender::new(None),
            came: Notify::new(),
            free: Arc::new(Semaphore::new(SUBSCRIBERS_MAX)),
            generation: watch::Sender::new(0),
        }
    }

    /// A place for one more stream, while there are some.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let error = format!("{SUBSCRIBERS_MAX} others look already");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error)
                .help("close a page, or ask for /api/v1/status now and then")
        })
    }

    /// Changes when whoever looks has to come again.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Ends all streams; browsers connect again by themselves.
    pub(crate) fn end_all(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}

/// Runs for as long as the admin side. Rests while nobody looks.
pub(crate) async fn sample(app: Arc<App>) {
    let hub = &app.hub;
    loop {
        if hub.newest.receiver_count() == 0 {
            hub.newest.send_replace(None);
            hub.came.notified().await;
        }
        let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        let (virtuals, pools) = (app.control.virtuals(), app.control.pools());
        let table = statistics::table(&app.control, Of::Pools, &None);
        hub.newest.send_replace(Some(Arc::new(Sample {
            status: convert::status(&app),
            map: json(serde_json::to_string(&convert::map(&virtuals, &pools))),
            statistics: json(serde_json::to_string(&table)),
        })));
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}

/// One who looks.
struct Subscriber {
    app: Arc<App>,
    caller: Caller,
    samples: watch::Receiver<Option<Arc<Sample>>>,
    events: watch::Receiver<u64>,
    generation: watch::Receiver<u64>,
    last_event: u64,
    /// Still to be sent, the last first.
    waiting: Vec<Event>,
    _place: OwnedSemaphorePermit,
}

async fn stream(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let place = app.hub.place()?;
    let events = app.control.events_changed();
    // A browser that was cut off tells what it has seen.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let mut samples = app.hub.newest.subscribe();
    samples.mark_changed();
    let generation = app.hub.generation.subscribe();
    let last_event = seen.unwrap_or(*events.borrow());
    app.hub.came.notify_one();
    let mut subscriber = Subscriber {
        app,
        caller,
        samples,
        events,
        generation,
        last_event,
        waiting: Vec::new(),
        _place: place,
    };
    subscriber.read_events();
    Ok(Sse::new(unfold(subscriber, |mut subscriber| async {
        let event = subscriber.next().await?;
        Some((Ok(event), subscriber))
    })))
}

impl Subscriber {
    /// `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            tokio::select! {
                changed = self.generation.changed() => {
                    let _ = changed;
                    return None;
                }
                changed = self.events.changed() => {
                    changed.ok()?;
                    self.read_events();
                }
                changed = self.samples.changed() => {
                    changed.ok()?;
                    self.read_sample();
                }
            }
        }
    }

    fn read_events(&mut self) {
        self.events.mark_unchanged();
        let events = self.app.control.events(self.last_event, EVENTS_MAX);
        for event in events.into_iter().rev() {
            self.last_event = self.last_event.max(event.id);
            let id = event.id.to_string();
            let json = serde_json::to_string(&convert::event(event)).unwrap_or_default();
            self.waiting.push(Event::default().event("event").id(id).data(json));
        }
    }

    fn read_sample(&mut self) {
        let Some(sample) = self.samples.borrow_and_update().clone() else { return };
        let status = convert::for_caller(sample.status.clone(), &self.caller);
        let status = serde_json::to_string(&status).unwrap_or_default();
        let named = |name: &str, data: &str| Event::default().event(name).data(data);
        self.waiting.push(named("statistics", &sample.statistics));
        self.waiting.push(named("map", &sample.map));
        self.waiting.push(named("status", &status));
    }
}
