//! Looks after the certificates of one authority: when they are due, one after the other.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Plan;
use super::challenge::Challenges;
use super::http::Client;
use super::order::{Applicant, Failure};
use super::schedule::{self, Kind};
use super::slot::Slot;
use super::store::{Record, Store};
use crate::control::events::{EventKind, Events};
use crate::tls::certificates::Pair;
use crate::tls::keys;
use crate::wording::chain;

/// A whole order, with all waiting for the authority.
const ORDER_PATIENCE: Duration = Duration::from_secs(600);

/// Clocks are set: nobody sleeps for longer without looking at it again.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Least time between two tries, however often there is a reload.
const RELOAD_PAUSE: Duration = Duration::from_secs(60);

/// Runs until nobody holds the other end of `plans`. A new plan waits for a running order: to
/// break one off may cost a certificate that the authority counts.
pub(super) async fn keep(
    mut plans: watch::Receiver<Plan>,
    challenges: Arc<Challenges>,
    events: Arc<Events>,
) {
    let mut is_reload = false;
    loop {
        let plan = plans.borrow_and_update().clone();
        let store = Store::new(&plan.acme);
        let client = Client::new(Arc::clone(&plan.tls));
        let mut jobs: Vec<Job> = Vec::new();
        for slot in &plan.slots {
            jobs.push(Job::new(Arc::clone(slot), &plan, &store, is_reload));
        }
        loop {
            let Some(job) = jobs.iter_mut().min_by_key(|job| job.due) else { return };
            tokio::select! {
                biased;
                changed = plans.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = until(job.due) => {}
            }
            let applicant =
                Applicant { plan: &plan, store: &store, client: &client, challenges: &challenges };
            job.run(&applicant, &events).await;
        }
        is_reload = true;
    }
}

async fn until(due: SystemTime) {
    while let Ok(left) = due.duration_since(SystemTime::now()) {
        sleep(left.min(SLEEP_MAX)).await;
    }
}

/// One certificate and when to do something about it.
struct Job {
    slot: Arc<Slot>,
    record: Record,
    due: SystemTime,
}

impl Job {
    /// Takes up what is on disk.
    fn new(slot: Arc<Slot>, plan: &Plan, store: &Store, is_reload: bool) -> Self {
        let now = SystemTime::now();
        let record = store.record(&slot.names);
        let stored = super::read(store, &slot.names);
        let mut due = match &stored {
            Some(pair) if is_right(pair, &slot, &record, plan) => renewal(pair, plan),
            _ => now,
        };
        if let Some(pair) = stored {
            // What is in use may be newer than what could be written.
            if slot.pair().is_none_or(|known| ends(&known) < ends(&pair)) {
                slot.install(pair);
            }
        }
        if let Some(pause_ends) = record.retry_at {
            // Whoever reloads has perhaps mended what was wrong.
            let earlier = record.tried_at.map(|at| at + RELOAD_PAUSE);
            due = due.max(match earlier {
                Some(earlier) if is_reload && !record.is_told => earlier.min(pause_ends),
                _ => pause_ends,
            });
        }
        slot.set_error(record.error.clone());
        let (authority, names) = (&slot.authority, &slot.names);
        match slot.pair() {
            None => tracing::warn!(
                authority,
                ?names,
                first_try = shown(due),
                "no certificate yet: handshakes for these names are refused until there is one"
            ),
            Some(pair) if due > now => tracing::info!(
                authority,
                ?names,
                not_after = shown(ends(&pair)),
                renewal = shown(due),
                "certificate in use"
            ),
            Some(_) => {}
        }
        Self { slot, record, due }
    }

    async fn run(&mut self, applicant: &Applicant<'_>, events: &Events) {
        let (authority, names) = (&self.slot.authority, &self.slot.names);
        tracing::info!(authority, ?names, "asking for a certificate");
        let told = applicant.client.told();
        let _ = told.take();
        let result = match timeout(ORDER_PATIENCE, self.try_once(applicant)).await {
            Ok(result) => result,
            Err(_) => Err(Failure {
                kind: Kind::Passing,
                text: format!("no certificate within {ORDER_PATIENCE:?}"),
                help: "-".to_owned(),
            }),
        };
        let text = match result {
            Ok(()) => {
                let until =
                    self.slot.pair().map_or_else(|| "-".to_owned(), |pair| shown(ends(&pair)));
                format!("issued and in use, until {until}")
            }
            Err(failure) => {
                self.failed(&failure, told.take(), applicant.store);
                let next = shown(self.due);
                format!("could not be obtained: {}; next try at {next}", failure.text)
            }
        };
        let (authority, names) = (&self.slot.authority, self.slot.names.join(", "));
        let subject = format!("acme:{authority} ({names})");
        events.note(&format!("acme:{authority}"), EventKind::Certificate, &subject, &text);
    }

    async fn try_once(&mut self, applicant: &Applicant<'_>) -> Result<(), Failure> {
        let Applicant { plan, store, .. } = applicant;
        let names = self.slot.names.clone();
        self.record.tried_at = Some(SystemTime::now());
        // What cannot be kept must not be asked for: the next start would ask again.
        store.prepare()?;
        store.set_record(&names, &self.record)?;
        let pem = applicant.obtain(&names).await?;
        let path = store.pair_file(&names);
        let pair = keys::from_text(&path, &pem).map(Pair::new).map_err(|error| Failure {
            kind: Kind::Refused,
            text: format!("the certificate that was issued cannot be used: {}", chain(&error)),
            help: "-".to_owned(),
        })?;
        let kept = store.set_pair(&names, &pem);
        self.record = Record {
            issued_by: Some(plan.acme.directory.clone()),
            tried_at: self.record.tried_at,
            ..Record::default()
        };
        let kept = kept.and_then(|()| store.set_record(&names, &self.record));
        self.due = renewal(&pair, plan);
        tracing::info!(
            authority = self.slot.authority,
            ?names,
            not_after = shown(ends(&pair)),
            renewal = shown(self.due),
            "certificate issued and in use"
        );
        self.slot.install(pair);
        if let Err(error) = kept {
            tracing::error!(
                authority = self.slot.authority,
                ?names,
                error = chain(&error),
                help = error.help(),
                "failed to keep a certificate: the next start has to ask for it again"
            );
        }
        Ok(())
    }

    fn failed(&mut self, failure: &Failure, told: Option<SystemTime>, store: &Store) {
        let now = SystemTime::now();
        self.record.failures = self.record.failures.saturating_add(1);
        let wanted = told.and_then(|until| until.duration_since(now).ok());
        let pause = schedule::pause(failure.kind, self.record.failures, wanted, schedule::random());
        self.due = now + pause;
        self.record.retry_at = Some(self.due);
        self.record.is_told = wanted.is_some();
        self.record.error = Some(failure.text.clone());
        // If this fails, the failure was perhaps just that. Before the log: whoever reads there of
        // the next try finds it on disk.
        let _ = store.set_record(&self.slot.names, &self.record);
        let pair = self.slot.pair();
        tracing::error!(
            authority = self.slot.authority, names = ?self.slot.names, error = failure.text,
            help = failure.help, failures = self.record.failures, next_try = shown(self.due),
            in_use_until = pair.map_or_else(|| "-".to_owned(), |pair| shown(ends(&pair))),
            "failed to obtain a certificate"
        );
        self.slot.set_error(self.record.error.clone());
    }
}

/// Whether a certificate is what the configuration asks for.
fn is_right(pair: &Pair, slot: &Slot, record: &Record, plan: &Plan) -> bool {
    slot.names.iter().all(|name| pair.names.contains(name))
        && record.issued_by.as_ref().is_none_or(|by| *by == plan.acme.directory)
}

fn renewal(pair: &Pair, plan: &Plan) -> SystemTime {
    let Some(validity) = pair.validity else { return SystemTime::now() };
    let at = schedule::renew_at(validity, plan.acme.renew_before);
    schedule::spread(at, validity, schedule::random())
}

fn ends(pair: &Pair) -> SystemTime {
    pair.validity.map_or(SystemTime::UNIX_EPOCH, |validity| validity.not_after)
}

fn shown(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let at = Timestamp::from_second(seconds.try_into().unwrap_or(i64::MAX));
    at.map_or_else(|_| "-".to_owned(), |at| at.to_string())
}
