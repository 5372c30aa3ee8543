//! What the kernel knows about a process tree: CPU time and proportional memory; and pinning.
//! Reads /proc only.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// /proc counts in this unit on every Linux we run on.
const TICK: Duration = Duration::from_millis(10);

/// The process and all its descendants.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

/// User and system time of all threads of the tree, ended threads and awaited children included.
pub(crate) fn cpu_of_tree(pid: u32) -> anyhow::Result<Duration> {
    tree(pid).into_iter().map(cpu_of).sum()
}

fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name, in brackets, may hold anything; the state after it is field 3.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let times: Vec<u32> =
        fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    anyhow::ensure!(times.len() == 4, "no times in {path}");
    Ok(TICK * times.iter().sum::<u32>())
}

/// Time all CPUs together spent on anything at all.
pub(crate) fn cpu_of_machine() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    // cpu user nice system idle iowait irq softirq
    let fields: Vec<u32> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    anyhow::ensure!(fields.len() >= 7, "no times in /proc/stat");
    Ok(TICK * (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]))
}

/// Proportional set size of the tree in bytes.
pub(crate) fn pss_of_tree(pid: u32) -> anyhow::Result<u64> {
    let mut kib = 0;
    for pid in tree(pid) {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        kib += line.trim().trim_end_matches(" kB").parse::<u64>().context("odd Pss")?;
    }
    Ok(kib * 1024)
}

/// Pins the calling thread, and what it starts from now on, to these CPUs.
pub(crate) fn pin(cpus: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("pin to CPUs {cpus:?}"))
}

/// As many descriptors as allowed, for us and our children.
pub(crate) fn raise_descriptor_limit() -> anyhow::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raise the descriptor limit")?;
    Ok(hard)
}
