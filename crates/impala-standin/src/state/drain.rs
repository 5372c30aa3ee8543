//! Graceful shutdown: new work is refused, what runs may finish, then the process ends.

use super::Server;
use crate::clock;
use crate::sync::lock;
use crate::texts::Fault;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often we look whether everything is done.
const POLL: Duration = Duration::from_millis(50);

/// A shutdown that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    since: Instant,
    grace: Duration,
    deadline: Duration,
}

impl Server {
    /// Begins a graceful shutdown, or shortens the deadline of one that has begun.
    pub(crate) fn begin_drain(self: &Arc<Self>, deadline: Option<Duration>) {
        let mut drain = lock(&self.drain);
        if let Some(begun) = drain.as_mut() {
            if let Some(deadline) = deadline {
                begun.deadline = begun.deadline.min(begun.since.elapsed() + deadline);
            }
            return;
        }
        let deadline = deadline.unwrap_or(self.options.shutdown_deadline);
        let grace = self.options.shutdown_grace_period.min(deadline);
        *drain = Some(Drain { since: Instant::now(), grace, deadline });
        drop(drain);
        self.log(|| "graceful shutdown begins".into());
        let server = Arc::clone(self);
        let watch = move || {
            while !server.drain_is_over() && !server.is_ending() {
                std::thread::sleep(POLL);
            }
            server.end();
        };
        if let Err(error) = std::thread::Builder::new().name("shutdown".into()).spawn(watch) {
            self.log(|| format!("no thread for the shutdown: {error}"));
            self.end();
        }
    }

    fn drain_is_over(&self) -> bool {
        let Some(drain) = *lock(&self.drain) else { return false };
        let (time, idle) = (drain.since.elapsed(), self.operation_list().is_empty());
        time >= drain.deadline || (time >= drain.grace && idle)
    }

    /// Impala's description of the shutdown; `None` while there is none.
    pub(crate) fn drain_status(&self) -> Option<String> {
        let drain = (*lock(&self.drain))?;
        let time = drain.since.elapsed();
        let operations = self.operation_list();
        let executing = operations.iter().filter(|o| o.is_executing()).count();
        Some(format!(
            "shutdown grace period left: {}, deadline left: {}, queries registered on coordinator: {}, \
             queries executing: {executing}, fragment instances: {executing}",
            clock::duration(drain.grace.saturating_sub(time)),
            clock::duration(drain.deadline.saturating_sub(time)),
            operations.len(),
        ))
    }

    /// The refusal of new work, while shutting down.
    pub(crate) fn refuse_when_draining(&self) -> Result<(), Fault> {
        match self.drain_status() {
            Some(status) => Err(Fault::shutting_down(&status)),
            None => Ok(()),
        }
    }
}
