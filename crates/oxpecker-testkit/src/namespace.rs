//! A network stack of one's own, for tests that would spoil the machine's.

use std::path::Path;
use std::process::Command;
use std::{fs, thread};

use nix::sched::{CloneFlags, unshare};

/// Runs `test` on a thread in a new network namespace with nothing but `lo`. Processes and
/// threads started there are in it too.
///
/// # Panics
/// Without root: then no such test can run.
pub fn in_namespace(test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let run = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root");
            run("ip", &["link", "set", "lo", "up"]);
            test();
        };
        let result = scope.spawn(run).join();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// In a mount namespace of its own: the hosts of a file, and a name server that is not there, so that
/// nothing depends on, or waits for, the machine's.
const NAMES_OF_A_FILE: &str = "mount --bind \"$0\" /etc/hosts \
    && echo nameserver 127.255.255.254 > \"$0.servers\" \
    && mount --bind \"$0.servers\" /etc/resolv.conf && exec \"$@\"";

/// A command that reads this file as `/etc/hosts`, and knows no other names.
///
/// Needs root.
pub fn with_hosts(hosts: &Path, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", NAMES_OF_A_FILE]);
    command.arg(hosts).arg(program);
    command
}

/// # Panics
/// When the command fails.
pub fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("failed to run {program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
}

/// Sets a `net.*` value of the current namespace, such as `ipv4/ip_local_port_range`.
pub fn sysctl(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{name}"), value)
        .unwrap_or_else(|error| panic!("failed to set net/{name}: {error}"));
}
