//! Cuts a run into warm-up and measured window, and reads the CPU clocks exactly at its edges.

use std::time::{Duration, Instant};

use super::{Options, Report, Tally};
use crate::process::{cpu_of_machine, cpu_of_tree};

/// How far past its end a loop that gets no events may run.
pub(super) const WAIT_MAX: Duration = Duration::from_millis(20);

pub(super) struct Meter<'o> {
    options: &'o Options,
    edge: Instant,
    began: Option<Reading>,
}

struct Reading {
    at: Instant,
    proxy: Duration,
    backend: Duration,
    own: Duration,
    machine: Duration,
}

impl<'o> Meter<'o> {
    pub(super) fn start(options: &'o Options) -> Self {
        Self { options, edge: Instant::now() + options.warm_up, began: None }
    }

    /// To be called often. Clears the tally when the window begins; reports when it is over.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        tally: &mut Tally,
    ) -> anyhow::Result<Option<Report>> {
        if now < self.edge {
            return Ok(None);
        }
        let reading = self.read()?;
        let Some(began) = &self.began else {
            tally.clear();
            self.edge = reading.at + self.options.seconds;
            self.began = Some(reading);
            return Ok(None);
        };
        let report = report(began, &reading, tally);
        let starved = tally.carried.iter().filter(|&&bytes| bytes == 0).count();
        anyhow::ensure!(tally.bytes > 0, "no bytes in the window");
        anyhow::ensure!(
            starved == 0,
            "{starved} of {} connections carried no bytes in the window",
            tally.carried.len(),
        );
        anyhow::ensure!(
            self.options.proxy_pid.is_none() || !report.proxy_cpu.is_zero(),
            "the proxy used no CPU: the work does not go through it",
        );
        Ok(Some(report))
    }

    fn read(&self) -> anyhow::Result<Reading> {
        let tree = |pid: Option<u32>| pid.map_or(Ok(Duration::ZERO), cpu_of_tree);
        Ok(Reading {
            at: Instant::now(),
            proxy: tree(self.options.proxy_pid)?,
            backend: tree(self.options.backend_pid)?,
            own: cpu_of_tree(std::process::id())?,
            machine: cpu_of_machine()?,
        })
    }
}

fn report(began: &Reading, ended: &Reading, tally: &Tally) -> Report {
    let proxy_cpu = ended.proxy.saturating_sub(began.proxy);
    let peers_cpu = (ended.backend + ended.own).saturating_sub(began.backend + began.own);
    let machine = ended.machine.saturating_sub(began.machine);
    Report {
        seconds: ended.at - began.at,
        bytes: tally.bytes,
        done: tally.done,
        proxy_cpu,
        peers_cpu,
        foreign_cpu: machine.saturating_sub(proxy_cpu + peers_cpu),
        p50: tally.latencies.percentile(0.5),
        p99: tally.latencies.percentile(0.99),
        p999: tally.latencies.percentile(0.999),
        pss_start: 0,
        pss: 0,
    }
}
