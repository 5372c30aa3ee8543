//! Real clients: impala-shell, Python with impyla and PyHive, Java with Hive's JDBC driver.
//!
//! Not optional: without them the tests that use them fail.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::lines::Lines;
use crate::temp::TempDir;
use crate::wait::{DEADLINE, wait_for, wait_until};

/// Starting a client takes a second or two of processor time, and tests run side by side.
const PATIENCE: u32 = 3;

/// A file of the installed clients.
///
/// # Panics
/// When it is not there.
#[track_caller]
pub fn installed(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let file = root.join(".tools/venv").join(path);
    assert!(file.exists(), "{} is missing: run scripts/test-clients.sh", file.display());
    file
}

/// impala-shell.
#[track_caller]
pub fn impala_shell() -> Command {
    let mut command = Command::new(installed("shell/bin/python"));
    command.arg(installed("shell/bin/impala-shell"));
    command
}

/// Python with impyla and PyHive.
#[track_caller]
pub fn python(script: &Path) -> Command {
    let mut command = Command::new(installed("cli/bin/python"));
    command.arg("-u").arg(script);
    command
}

/// beeline: the command line of Hive's JDBC driver.
#[track_caller]
pub fn beeline() -> Command {
    let jars = installed("jdbc").join("*");
    let mut command = Command::new("java");
    command
        // Starts faster, and leaves the processors to others.
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp"])
        .arg(jars)
        .arg("org.apache.hive.beeline.BeeLine");
    command
}

/// What a client printed, and how it ended.
#[derive(Debug)]
pub struct Printed {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Printed {
    /// Standard output of a client that must not fail.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{}:\n{}\n{}", self.status, self.out, self.err);
        self.out
    }

    /// Standard error of a client that must fail.
    #[track_caller]
    pub fn fails(self) -> String {
        assert!(!self.status.success(), "it worked:\n{}\n{}", self.out, self.err);
        self.err
    }
}

/// Runs a client to its end.
#[track_caller]
pub fn run(command: Command) -> Printed {
    Client::start(command).wait()
}

/// A running client; its whole process group is killed when this is dropped.
#[derive(Debug)]
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    pub out: Lines,
    pub err: Lines,
    _home: TempDir,
}

impl Client {
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let home = prepare(&mut command);
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        let out = Lines::read_from(child.stdout.take().unwrap());
        let err = Lines::read_from(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Self { child, stdin, out, err, _home: home }
    }

    /// Sends a line to its standard input.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is closed only at the end");
        writeln!(stdin, "{line}").unwrap_or_else(|error| {
            panic!("failed to say `{line}`: {error}\n{}", self.err.all().join("\n"))
        });
    }

    /// Sends a line and returns the line that it prints then.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        let mark = self.out.mark();
        self.say(line);
        wait_for(&format!("an answer to `{line}`"), || {
            let error = || self.err.all().join("\n");
            assert!(!self.out.is_closed(), "it ended when asked `{line}`:\n{}", error());
            self.out.all().get(mark).cloned()
        })
    }

    /// What Ctrl-C sends, but only to the client: what it started has to end by its doing.
    #[track_caller]
    pub fn interrupt(&self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).unwrap();
    }

    /// Closes its standard input and waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Printed {
        drop(self.stdin.take());
        let until = Instant::now() + DEADLINE * PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < until, "it does not end; so far: {self:#?}"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        wait_until("its output is closed", || self.out.is_closed() && self.err.is_closed());
        let text = |lines: &Lines| lines.all().iter().map(|line| format!("{line}\n")).collect();
        Printed { status, out: text(&self.out), err: text(&self.err) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A client in a terminal of its own, where it is interactive and Ctrl-C is a signal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
    /// Text before this was looked for already.
    seen: usize,
    _home: TempDir,
}

impl Terminal {
    #[track_caller]
    pub fn start(command: Command) -> Self {
        let (keyboard, client_side) = terminal();
        // It makes the terminal the controlling one of a new session, then becomes the client.
        let mut inner = Command::new("setsid");
        inner.arg("--ctty").arg(command.get_program()).args(command.get_args());
        inner.env("TERM", "dumb");
        let home = prepare(&mut inner);
        let child = inner
            .stdin(client_side.try_clone().unwrap())
            .stdout(client_side.try_clone().unwrap())
            .stderr(client_side)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        // Its copies of the terminal's other side would keep the screen open for ever.
        drop(inner);
        let screen = Arc::<Mutex<String>>::default();
        let (mut from, written) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux says EIO when the last process has closed the other side.
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        Self { child, keyboard, screen, seen: 0, _home: home }
    }

    #[track_caller]
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a text behind the last one waited for; what came before it.
    #[track_caller]
    pub fn wait(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen.lock().unwrap().clone();
            if let Some(at) = screen[self.seen..].find(text) {
                let before = screen[self.seen..self.seen + at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            assert!(Instant::now() < until, "`{text}` does not come; the screen:\n{screen}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the client in the terminal ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Both sides of a new terminal. Neither is inherited by processes that other tests start.
#[track_caller]
pub fn terminal() -> (File, File) {
    let ours = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let mut theirs = File::options();
    theirs.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let theirs = theirs.open(ptsname_r(&ours).unwrap()).unwrap();
    (File::from(OwnedFd::from(ours)), theirs)
}

/// The client leads a process group, so that what it started ends with it.
fn end(child: &mut Child) {
    // Once it was waited for, its number may be somebody else's.
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    let _ = child.kill();
    let _ = child.wait();
}

/// A home directory of its own, for configuration and history; and no tickets: with one,
/// impala-shell tries Kerberos by itself when a connection fails.
fn prepare(command: &mut Command) -> TempDir {
    let home = TempDir::new();
    command.env("HOME", home.path());
    // Tickets of whoever runs the tests are for no client; those that a test names are.
    if command.get_envs().all(|(name, _)| name != "KRB5CCNAME") {
        command.env_remove("KRB5CCNAME");
    }
    home
}
