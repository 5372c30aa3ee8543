//! The page's stream: the view as HTML, again whenever it has become another.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::ask::Asked;
use super::data;
use crate::access::Caller;
use crate::app::App;

/// Quick enough to feel live, slow enough to read.
const TICK: Duration = Duration::from_secs(2);

/// After something happened, so that a burst of events is one picture.
const AFTER_EVENT: Duration = Duration::from_millis(150);

/// Then the browser begins anew: who lost the right to look meanwhile is told then.
const STREAM_MAX: Duration = Duration::from_secs(600);

struct Viewer {
    app: Arc<App>,
    caller: Caller,
    asked: Asked,
    ticks: Interval,
    events: watch::Receiver<u64>,
    generation: watch::Receiver<u64>,
    until: Instant,
    shown: Option<String>,
    ended: bool,
    /// One of the places for streams.
    _place: OwnedSemaphorePermit,
}

pub(super) fn stream(
    app: Arc<App>,
    caller: Caller,
    asked: Asked,
    place: OwnedSemaphorePermit,
) -> Response {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let until = Instant::now() + STREAM_MAX;
    let (events, generation) = (app.control.events_changed(), app.hub.generation());
    let viewer = Viewer {
        app,
        caller,
        asked,
        ticks,
        events,
        generation,
        until,
        shown: None,
        ended: false,
        _place: place,
    };
    Sse::new(stream::unfold(viewer, Viewer::next)).into_response()
}

impl Viewer {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        let is_over = tokio::select! {
            _ = self.generation.changed() => true,
            Ok(()) = self.events.changed() => {
                tokio::time::sleep(AFTER_EVENT).await;
                self.events.mark_unchanged();
                false
            }
            _ = self.ticks.tick() => Instant::now() >= self.until,
        };
        if is_over {
            self.ended = true;
            return Some((Ok(sign("again")), self));
        }
        let html = data::changing(&self.app, &self.caller, &self.asked);
        let event = if self.shown.as_ref() == Some(&html) {
            // A sign of life, so that silence means loss.
            sign("same")
        } else {
            let quoted = serde_json::to_string(&html).unwrap_or_default();
            self.shown = Some(html);
            Event::default().event("view").data(quoted)
        };
        Some((Ok(event), self))
    }
}

/// An event that says no more than its name. Browsers tell nobody of an event without data, and axum
/// writes no line for empty data.
fn sign(name: &str) -> Event {
    Event::default().event(name).data("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_hear_of_signs() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let event: Result<_, Infallible> = Ok(sign("same"));
        let body = Sse::new(stream::iter([event])).into_response().into_body();
        let bytes = runtime.block_on(axum::body::to_bytes(body, 1000)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        // What has no data is dropped (HTML, "dispatch the event").
        assert!(text.lines().any(|line| line.starts_with("data:") && line.len() > 6), "{text}");
        assert!(text.contains("event: same\n"), "{text}");
    }
}
