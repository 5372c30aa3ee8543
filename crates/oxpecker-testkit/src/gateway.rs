//! The gateway as a process: started, signalled, looked at from outside.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::access::Tcplog;
use crate::lines::Lines;
use crate::temp::TempDir;
use crate::wait::{wait_for, wait_until};

/// How a gateway is to be started.
#[derive(Debug)]
pub struct Launch {
    program: String,
    prefix: Vec<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Stdio,
    dir: TempDir,
    file: String,
}

impl Launch {
    /// `program` is the binary; `config` becomes a file in a directory of its own.
    pub fn new(program: &str, config: &str) -> Self {
        Self::within(TempDir::new(), program, config)
    }

    /// The same in a directory that exists already, for configurations that name files in it.
    pub fn within(dir: TempDir, program: &str, config: &str) -> Self {
        Self::named(dir, program, CONFIG, config)
    }

    /// The same with a file of another name: its extension tells the language.
    pub fn named(dir: TempDir, program: &str, name: &str, config: &str) -> Self {
        let file = dir.write(name, config);
        Self {
            program: program.into(),
            prefix: Vec::new(),
            args: vec!["run".into(), "-f".into(), file.display().to_string()],
            env: Vec::new(),
            stdin: Stdio::null(),
            dir,
            file: name.into(),
        }
    }

    /// Commands in front that end by becoming the gateway, such as `prlimit --nofile=64`.
    pub fn through(mut self, prefix: &[&str]) -> Self {
        self.prefix = prefix.iter().map(ToString::to_string).collect();
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Starts the process without waiting for anything.
    #[track_caller]
    pub fn spawn(self) -> Gateway {
        let mut words = self.prefix;
        words.push(self.program);
        words.extend(self.args);
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .envs(self.env)
            .stdin(self.stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {}: {error}", words[0]));
        let out = Lines::read_from(child.stdout.take().unwrap());
        let err = Lines::read_from(child.stderr.take().unwrap());
        Gateway { child, dir: self.dir, file: self.file, out, err, ended: None }
    }

    /// Starts the process and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Gateway {
        let mut gateway = self.spawn();
        wait_until("the gateway says that it started", || {
            if let Some(status) = gateway.try_ended() {
                let (out, err) = (gateway.out.all().join("\n"), gateway.err.all().join("\n"));
                panic!("the gateway ended with {status}:\n{out}\n{err}");
            }
            gateway.out.count("started") > 0
        });
        gateway
    }
}

const CONFIG: &str = "oxpecker.toml";

/// A running gateway; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    pub dir: TempDir,
    file: String,
    /// Standard output: the log, unless the configuration sends it elsewhere.
    pub out: Lines,
    pub err: Lines,
    ended: Option<ExitStatus>,
}

impl Gateway {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).unwrap();
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir.join(&self.file)
    }

    /// Writes the configuration, sends SIGHUP, and returns the line that tells how it went.
    #[track_caller]
    pub fn reload(&self, config: &str) -> String {
        self.dir.write(&self.file, config);
        self.hangup()
    }

    /// Sends SIGHUP and returns the line that tells how it went.
    #[track_caller]
    pub fn hangup(&self) -> String {
        let mark = self.out.mark();
        self.signal(Signal::SIGHUP);
        // "reloading" comes first; the verdict is "reloaded" or "reload failed".
        wait_for("the reload is over", || {
            let lines = self.out.all();
            let verdict =
                |line: &&String| line.contains("reloaded") || line.contains("reload failed");
            lines.iter().skip(mark).find(verdict).cloned()
        })
    }

    fn try_ended(&mut self) -> Option<ExitStatus> {
        self.ended = self.ended.or_else(|| self.child.try_wait().unwrap());
        self.ended
    }

    pub fn is_running(&mut self) -> bool {
        self.try_ended().is_none()
    }

    /// Waits for the end of the process; its exit status.
    #[track_caller]
    pub fn wait_exit(&mut self) -> i32 {
        let status = wait_for("the gateway ends", || self.try_ended());
        // Whatever it wrote last is on its way through the pipe.
        wait_until("its output is closed", || self.out.is_closed() && self.err.is_closed());
        status.code().unwrap_or_else(|| panic!("the gateway was killed: {status}"))
    }

    /// Access records so far.
    pub fn records(&self) -> Vec<Tcplog> {
        self.out.all().iter().filter_map(|line| Tcplog::parse(line)).collect()
    }

    /// Waits until there are `n` records and returns the last of them.
    #[track_caller]
    pub fn wait_record(&self, n: usize) -> Tcplog {
        wait_for(&format!("{n} access records"), || self.records().get(n - 1).cloned())
    }

    fn status_field(&self, name: &str) -> String {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len() + 1..].trim().to_owned()
    }

    fn proc(&self, what: &str) -> PathBuf {
        Path::new("/proc").join(self.pid().to_string()).join(what)
    }

    /// Resident memory of its own: without the pages of the program file.
    pub fn rss_bytes(&self) -> u64 {
        let text = self.status_field("RssAnon");
        text.trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The effective user id.
    pub fn uid(&self) -> u32 {
        self.status_field("Uid").split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The effective group id.
    pub fn gid(&self) -> u32 {
        self.status_field("Gid").split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    /// The descriptor limit that leaves exactly `free` numbers free; below it there may be gaps.
    pub fn limit_with_free(&self, free: usize) -> usize {
        let names = fs::read_dir(self.proc("fd")).unwrap().map(|entry| entry.unwrap().file_name());
        let taken: Vec<usize> = names.map(|name| name.to_string_lossy().parse().unwrap()).collect();
        (0..).filter(|number| !taken.contains(number)).nth(free).unwrap()
    }

    /// Processor time used so far, of all threads.
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(self.proc("stat")).unwrap();
        // The name may hold anything; what follows its parenthesis is numbers.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let hertz = sysconf(SysconfVar::CLK_TCK).unwrap().unwrap();
        Duration::from_secs_f64(ticks as f64 / hertz as f64)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let panicked = self.err.all().into_iter().find(|line| line.contains("panicked"));
        if let Some(line) = panicked
            && !thread::panicking()
        {
            panic!("the gateway panicked: {line}");
        }
    }
}
