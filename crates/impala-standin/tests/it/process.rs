//! A stand-in as a process of its own, and waiting for things to happen.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Process {
    pub(crate) child: Child,
    ports: serde_json::Value,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let any = ["--beeswax-port=0", "--hs2-port=0", "--hs2-http-port=0", "--webserver-port=0"];
        let given = |option: &str| {
            let name = option.trim_end_matches('0');
            arguments.iter().any(|argument| argument.starts_with(name))
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_impala-standin"))
            .args(any.iter().filter(|any| !given(any)))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the stand-in");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in `{line}`"));
        Self { child, ports }
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        self.ports[name].as_u64().and_then(|port| port.try_into().ok()).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent =
            Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// A page of the web server: status and body.
    pub(crate) fn get(&self, target: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port("web"))).unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn json(&self, target: &str) -> serde_json::Value {
        let (status, body) = self.get(target);
        assert_eq!(status, 200, "{target}");
        serde_json::from_str(&body).unwrap()
    }

    /// The exit code, once it has ended.
    pub(crate) fn wait_exit(&mut self) -> Option<i32> {
        wait_until("the process to end", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until there is something; ten seconds are enough for everything here.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
