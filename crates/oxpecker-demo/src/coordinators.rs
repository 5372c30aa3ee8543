//! The demo's coordinators: this program again, as processes that can be killed one by one.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use impala_standin::{Options, Standin};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The address of coordinator 1 to 3 ends in its number: any of 127.0.0.0/8 is this machine.
const NETWORK: [u8; 3] = [127, 0, 11];
const COUNT: u8 = 3;

/// Long enough to see a dead coordinator in the log, short enough to wait for.
const RESTART_AFTER: Duration = Duration::from_secs(15);

const START_PATIENCE: Duration = Duration::from_secs(30);

/// One coordinator's part of the program.
#[derive(Debug, clap::Args)]
pub(crate) struct Coordinator {
    #[arg(long)]
    address: IpAddr,
    #[arg(long)]
    hostname: String,
    #[arg(long)]
    database: PathBuf,
    #[arg(long)]
    sample: bool,
}

impl Coordinator {
    /// Serves until the parent is gone: its end of our standard input closes with it.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let standin = Standin::start(Options {
            address: self.address,
            hostname: Some(self.hostname),
            database: Some(self.database),
            sample: self.sample,
            ..Options::default()
        })?;
        let mut out = io::stdout().lock();
        writeln!(out, "ready")?;
        out.flush()?;
        io::stdin().lock().read_to_end(&mut Vec::new())?;
        drop(standin);
        Ok(())
    }
}

/// The running processes; all end when this is dropped.
pub(crate) struct Coordinators {
    processes: Vec<Process>,
    _database: Database,
}

struct Process {
    number: u8,
    child: Child,
}

impl Coordinators {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let database = Database::new()?;
        let mut processes = Vec::new();
        for number in 1..=COUNT {
            // The first fills the database that all share, as a cluster's coordinators do.
            processes.push(Process::start(number, &database, number == 1).await?);
        }
        Ok(Self { processes, _database: database })
    }

    /// Name, process id, and address of the web page.
    pub(crate) fn list(&self) -> impl Iterator<Item = (String, u32, String)> + '_ {
        self.processes.iter().map(|process| {
            let id = process.child.id().unwrap_or_default();
            (name(process.number), id, format!("{}:25000", address(process.number)))
        })
    }

    /// Starts coordinators again that somebody killed.
    pub(crate) async fn keep_running(mut self) -> anyhow::Result<()> {
        loop {
            let number = self.next_death().await;
            tracing::warn!(coordinator = %name(number), again_in = ?RESTART_AFTER, "a coordinator has ended");
            tokio::time::sleep(RESTART_AFTER).await;
            let process = Process::start(number, &self._database, false).await?;
            tracing::info!(coordinator = %name(number), pid = process.child.id(), "coordinator started again");
            self.processes.push(process);
        }
    }

    async fn next_death(&mut self) -> u8 {
        loop {
            for index in 0..self.processes.len() {
                if !matches!(self.processes[index].child.try_wait(), Ok(None)) {
                    return self.processes.swap_remove(index).number;
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Process {
    async fn start(number: u8, database: &Database, sample: bool) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("coordinator")
            .args(["--address", &address(number).to_string(), "--hostname", &name(number)])
            .arg("--database")
            .arg(&database.file)
            .args(sample.then_some("--sample"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("failed to start a coordinator")?;
        let stdout = child.stdout.take().context("a coordinator without output")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(START_PATIENCE, lines.next_line()).await;
        match ready.context("a coordinator did not start in time")?? {
            Some(_) => Ok(Self { number, child }),
            None => anyhow::bail!(
                "{} did not start; its message is above (are ports 21000, 21050, 25000 or 28000 of {} taken?)",
                name(number),
                address(number)
            ),
        }
    }
}

fn name(number: u8) -> String {
    format!("coord-{number}")
}

fn address(number: u8) -> IpAddr {
    let [a, b, c] = NETWORK;
    IpAddr::from([a, b, c, number])
}

/// A directory that vanishes with the demo.
struct Database {
    directory: PathBuf,
    file: PathBuf,
}

impl Database {
    fn new() -> anyhow::Result<Self> {
        let name = format!("oxpecker-demo-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("failed to create {}", directory.display()))?;
        Ok(Self { file: directory.join("demo.sqlite"), directory })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
