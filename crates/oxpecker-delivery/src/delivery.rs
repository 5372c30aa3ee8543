//! The two ends of a delivery: whoever writes lines has a [`Recorder`], whoever decides what is
//! delivered has the [`Delivery`]. Between them is the spool; behind it the shipping thread.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::settings::Settings;
use crate::ship::{self, Target};
use crate::spool::{Spool, SpoolError};
use crate::status::{Counts, Watch};
use crate::store::{Store, StoreError};

/// Lines are handed to the spool at the latest when they are this many bytes.
const BATCH_BYTES: usize = 64 << 10;

/// Lines that wait while the spool is not open yet or its disk refuses them.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// Why a delivery cannot work as it is configured. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to start the delivery thread")]
    Thread(#[source] io::Error),
}

/// What the ends of a delivery share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Lines are wanted; also before the spool is open.
    enabled: AtomicBool,
    spool: Mutex<Option<Spool>>,
    pub(crate) counts: Counts,
    /// A file was begun or closed.
    pub(crate) changed: Notify,
}

impl Shared {
    /// Held for a write to a local file at most, and never across an await.
    pub(crate) fn spool(&self) -> MutexGuard<'_, Option<Spool>> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides what is delivered. Idle until settings are installed.
#[derive(Debug)]
pub struct Delivery {
    shared: Arc<Shared>,
    settings: Option<Settings>,
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    target: watch::Sender<Option<Arc<Target>>>,
    stop: Arc<Notify>,
    ended: Receiver<()>,
}

/// Settings whose files and directory were found good, not in use yet.
#[derive(Debug)]
pub struct Prepared(Option<Ready>);

#[derive(Debug)]
struct Ready {
    settings: Settings,
    target: Target,
    /// `None` = the one in use.
    spool: Option<Spool>,
}

impl Delivery {
    /// `wanted`: settings will be installed soon, and lines are kept until then.
    pub fn new(wanted: bool) -> (Self, Recorder) {
        let shared = Arc::new(Shared {
            enabled: AtomicBool::new(wanted),
            spool: Mutex::default(),
            counts: Counts::default(),
            changed: Notify::new(),
        });
        let recorder = Recorder { shared: Arc::clone(&shared), buffer: Vec::new(), refused: None };
        (Self { shared, settings: None, thread: None }, recorder)
    }

    /// Opens what new settings need. `None` = no delivery.
    pub fn prepare(&mut self, settings: Option<Settings>) -> Result<Prepared, DeliveryError> {
        let Some(settings) = settings else { return Ok(Prepared(None)) };
        let store = Store::new(&settings.store)?;
        let target = Target { store, naming: settings.naming.clone() };
        let in_use = self.shared.spool().as_ref().map(|spool| spool.dir() == settings.spool);
        let spool = match in_use {
            Some(true) => None,
            _ => Some(Spool::open(&settings.spool, settings.interval, settings.spool_bytes_max)?),
        };
        if self.thread.is_none() {
            self.thread = Some(Thread::start(&self.shared).map_err(DeliveryError::Thread)?);
        }
        Ok(Prepared(Some(Ready { settings, target, spool })))
    }

    /// From now on new settings hold; what waits in the same spool goes to their store.
    pub fn install(&mut self, Prepared(ready): Prepared) {
        let mut spool = self.shared.spool();
        let (settings, target) = match ready {
            Some(Ready { settings, target, spool: new }) => {
                if let Some(new) = new {
                    leave(spool.take());
                    *spool = Some(new);
                } else if let Some(spool) = &mut *spool {
                    if self.settings.as_ref() != Some(&settings) {
                        spool.close();
                    }
                    spool.not_delivered();
                    spool.set_limits(settings.interval, settings.spool_bytes_max);
                }
                (Some(settings), Some(Arc::new(target)))
            }
            None => {
                leave(spool.take());
                (None, None)
            }
        };
        drop(spool);
        if let Some(settings) = settings.as_ref().filter(|new| self.settings.as_ref() != Some(new))
        {
            let Settings { store, interval, spool, .. } = settings;
            tracing::info!(to = %store, ?interval, spool = %spool.display(), "delivering access logs");
        }
        self.shared.enabled.store(settings.is_some(), Ordering::Relaxed);
        self.settings = settings;
        if let Some(thread) = &self.thread {
            thread.target.send_replace(target);
        }
    }

    /// A view of what it does.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Closes the file being written, and tries for at most `patience` to deliver what is left.
    /// What then remains waits in the spool for the next start.
    pub fn stop(self, patience: Duration) {
        if let Some(spool) = &mut *self.shared.spool() {
            spool.close();
        }
        if let Some(thread) = self.thread {
            thread.stop.notify_one();
            let _ = thread.ended.recv_timeout(patience);
        }
        leave(self.shared.spool().take());
    }
}

/// A spool that is no longer used keeps its files: says so.
fn leave(spool: Option<Spool>) {
    let Some(mut spool) = spool else { return };
    spool.close();
    let (files, bytes) = spool.held();
    if files > 0 {
        tracing::warn!(
            spool = %spool.dir().display(), files, bytes,
            "access logs stay in the spool until a gateway delivers from this directory"
        );
    }
}

impl Thread {
    fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (target, targets) = watch::channel(None);
        let stop = Arc::new(Notify::new());
        let (end, ended) = sync_channel(1);
        let (shared, stopped) = (Arc::clone(shared), Arc::clone(&stop));
        thread::Builder::new().name("delivery".into()).spawn(move || {
            // Relaying comes first. It is not worth an error where it is not allowed.
            let _ = rustix::process::nice(10);
            runtime.block_on(ship::run(&shared, targets, &stopped));
            // Whatever still hangs in a name look-up is of no interest any more.
            runtime.shutdown_background();
            let _ = end.send(());
        })?;
        Ok(Self { target, stop, ended })
    }
}

/// Takes lines. Meant for one thread, which calls [`Recorder::flush`] when it has no more.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    /// Whole lines.
    buffer: Vec<u8>,
    /// The spool could not be written; lines lost since then.
    refused: Option<u64>,
}

impl Recorder {
    /// Adds a line, given without its line end.
    pub fn record(&mut self, line: &str) {
        if !self.shared.enabled.load(Ordering::Relaxed) {
            return;
        }
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands all lines to the spool: they are in a file then.
    pub fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if !self.shared.enabled.load(Ordering::Relaxed) {
            self.buffer.clear();
            return;
        }
        let mut spool = self.shared.spool();
        let Some(open) = &mut *spool else {
            drop(spool);
            self.bound_buffer();
            return;
        };
        let before = open.held().0;
        let (taken, lost, result) = open.append(&self.buffer, Timestamp::now());
        let changed = open.held().0 != before || lost.files > 0;
        let dir = result.is_err().then(|| open.dir().to_owned());
        drop(spool);
        if changed {
            self.shared.changed.notify_waiters();
        }
        if lost.files > 0 {
            self.shared.counts.lost(lost.files, lost.records);
        }
        self.buffer.drain(..taken);
        match (result, dir) {
            (Err(error), Some(dir)) => {
                if self.refused.is_none() {
                    self.refused = Some(0);
                    tracing::error!(
                        spool = %dir.display(), %error,
                        "failed to write access records into the spool, keeping the newest in memory"
                    );
                }
                self.bound_buffer();
            }
            _ => {
                if let Some(records) = self.refused.take() {
                    tracing::warn!(
                        records_lost = records,
                        "access records go into the spool again"
                    );
                }
            }
        }
    }

    /// Without a place to write to the oldest lines go.
    fn bound_buffer(&mut self) {
        if self.buffer.len() <= BUFFER_BYTES_MAX {
            return;
        }
        let half = BUFFER_BYTES_MAX / 2;
        let cut = self.buffer[half..].iter().position(|b| *b == b'\n').map(|at| half + at + 1);
        let cut = cut.unwrap_or(self.buffer.len());
        let records = self.buffer[..cut].iter().filter(|b| **b == b'\n').count() as u64;
        self.buffer.drain(..cut);
        self.shared.counts.lost(0, records);
        *self.refused.get_or_insert(0) += records;
    }
}

#[cfg(test)]
mod tests;
