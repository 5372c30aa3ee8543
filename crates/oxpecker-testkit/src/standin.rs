//! `impala-standin` as a process on Impala's own ports: started, killed, stopped, asked how it is.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::try_connect;
use crate::lines::Lines;
use crate::wait::{wait_for, wait_until};

/// Port of the web pages.
const WEB: u16 = 25_000;

/// impalad's signal for a graceful shutdown: glibc's SIGRTMIN, which `nix` does not know.
const SIGRTMIN: &str = "-34";

/// A program that `cargo build --workspace --bins` puts beside the directory of the tests.
///
/// # Panics
/// When it is not there: a test does not build the programs of other packages.
#[track_caller]
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(|deps| deps.parent()).unwrap().join(name);
    let shown = program.display();
    assert!(program.exists(), "{shown} is missing: run `cargo build --workspace --bins`");
    program
}

/// A running stand-in; killed when dropped.
#[derive(Debug)]
pub struct Standin {
    ip: IpAddr,
    args: Vec<String>,
    child: Child,
    /// What it says, with `--verbose` a line for each connection and statement.
    pub err: Lines,
}

impl Standin {
    /// Listens on 21000, 21050, 25000 and 28000 of `ip`.
    #[track_caller]
    pub fn start(ip: IpAddr, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let (child, err) = launch(ip, &args);
        Self { ip, args, child, err }
    }

    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Also its answer to `select pid()`, unless it was told another.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// # Panics
    /// When the process has ended.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        assert!(self.try_ended().is_none(), "the stand-in has ended");
        kill(Pid::from_raw(self.pid() as i32), signal).unwrap();
    }

    /// `kill -9`, and waits until its ports are free.
    #[track_caller]
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait_exit();
    }

    /// Begins a graceful shutdown.
    #[track_caller]
    pub fn shut_down_gracefully(&self) {
        let sent = Command::new("kill").args([SIGRTMIN, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Starts it again, as a new process with the same address and arguments.
    #[track_caller]
    pub fn restart(&mut self) {
        assert!(self.try_ended().is_some(), "the stand-in runs");
        (self.child, self.err) = launch(self.ip, &self.args);
    }

    fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the stand-in ends", || self.try_ended())
    }

    /// The body of a web page such as `/sessions?json`.
    #[track_caller]
    pub fn page(&self, target: &str) -> String {
        page(self.ip, target)
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A web page of whatever coordinator is at this address.
#[track_caller]
pub fn page(ip: IpAddr, target: &str) -> String {
    let mut stream = try_connect(None, SocketAddr::new(ip, WEB)).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {ip}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
    body.to_owned()
}

#[track_caller]
fn launch(ip: IpAddr, args: &[String]) -> (Child, Lines) {
    let mut child = Command::new(built("impala-standin"))
        .args(["--address", &ip.to_string()])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = Lines::read_from(child.stdout.take().unwrap());
    let err = Lines::read_from(child.stderr.take().unwrap());
    wait_until("the stand-in names its ports", || {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the stand-in ended with {status}:\n{}", err.all().join("\n"));
        }
        out.count("\"pid\"") > 0
    });
    (child, err)
}
