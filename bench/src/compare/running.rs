//! Child processes that end with us: pinned, with their output in a file, and gone on drop,
//! descendants included.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process;

/// Between two looks at a child.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After the first polite signal; a second one makes some programs stop draining.
const FIRST_SIGNAL_WAIT: Duration = Duration::from_millis(300);
const SECOND_SIGNAL_WAIT: Duration = Duration::from_secs(2);
/// Lines of output shown when a child fails.
const TAIL_LINES: usize = 6;

pub(super) struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// Starts `command` on these CPUs.
    pub(super) fn start(command: &[String], cpus: &[usize], output: &Path) -> anyhow::Result<Self> {
        let file = File::create(output).with_context(|| format!("create {}", output.display()))?;
        let list = cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let child = Command::new(std::env::current_exe().context("find this program")?)
            .args(["hold", "--cpus", &list, "--"])
            .args(command)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {}", command.join(" ")))?;
        Ok(Self { child, output: output.to_owned() })
    }

    /// The program itself: the holder has become it.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a child that ends by itself; gives its output.
    pub(super) fn finish(mut self, limit: Duration) -> anyhow::Result<String> {
        let Some(status) = self.wait(limit) else {
            anyhow::bail!("not done after {limit:?}; {}", self.tail());
        };
        anyhow::ensure!(status.success(), "{}", self.tail());
        fs::read_to_string(&self.output).context("read output")
    }

    /// Fails if it has ended although it should run.
    pub(super) fn ensure_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("ended with {status}: {}", self.tail());
        }
        Ok(())
    }

    pub(super) fn tail(&self) -> String {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join(" / ");
        tail.trim_start_matches("error: ").to_owned()
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_EVERY),
                _ => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // Known before it goes, since orphans cannot be found afterwards.
        let tree = process::tree(self.pid());
        for limit in [FIRST_SIGNAL_WAIT, SECOND_SIGNAL_WAIT] {
            signal(self.pid(), Signal::SIGTERM);
            if self.wait(limit).is_some() {
                return;
            }
        }
        for pid in tree {
            signal(pid, Signal::SIGKILL);
        }
        _ = self.child.wait();
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        _ = kill(Pid::from_raw(pid), signal);
    }
}
