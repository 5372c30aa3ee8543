//! Commands that print a secret: run to the end, but not for ever and not at any length.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A secret store across the network answers within a second or two. Certificates are read by one
/// thread after the other: while one command hangs no other is renewed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Far more than any passphrase.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// How often is looked whether a command that has closed its output has ended as well.
const POLL: Duration = Duration::from_millis(10);

/// Exit status and standard output. Its standard input is empty; what it says on standard error is
/// dropped, because a log is no place for what may be a secret.
pub(super) fn output(command: &mut Command) -> io::Result<(ExitStatus, Vec<u8>)> {
    output_within(command, PATIENCE)
}

fn output_within(command: &mut Command, patience: Duration) -> io::Result<(ExitStatus, Vec<u8>)> {
    let until = Instant::now() + patience;
    let mut child = command
        // What it starts in turn shall end with it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (sender, receiver) = sync_channel(1);
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = out.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
            // Nobody waits any more when it took too long.
            let _ = sender.send(read.map(|_| bytes));
        });
    }
    let left = || until.saturating_duration_since(Instant::now());
    let late = |child: &mut Child| {
        let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        let _ = child.wait();
        io::Error::new(io::ErrorKind::TimedOut, format!("it did not end within {patience:?}"))
    };
    let Ok(read) = receiver.recv_timeout(left()) else { return Err(late(&mut child)) };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, read?));
        }
        if left().is_zero() {
            return Err(late(&mut child));
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, patience: Duration) -> io::Result<(ExitStatus, Vec<u8>)> {
        output_within(Command::new("sh").args(["-c", script]), patience)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_prints_and_how_it_ends() {
        let (status, bytes) = run("echo secret; echo loud >&2; exit 3", LONG).unwrap();
        assert_eq!((status.code(), &bytes[..]), (Some(3), &b"secret\n"[..]));
    }

    /// Neither silence, nor a child of its own that holds the output, nor a close before the end.
    #[test]
    fn it_is_not_waited_for_for_ever() {
        for script in ["sleep 1000", "sleep 1000 & exit 0", "exec >&-; sleep 1000"] {
            let error = run(script, Duration::from_millis(200)).unwrap_err();
            assert_eq!(error.to_string(), "it did not end within 200ms", "{script}");
        }
    }

    #[test]
    fn endless_output_is_cut() {
        let (status, bytes) = run("yes", LONG).unwrap();
        assert!(!status.success());
        assert_eq!(bytes.len() as u64, OUTPUT_BYTES_MAX);
    }
}
