//! Lines that arrive from somewhere else, kept from the first one on.

use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::{DEADLINE, wait_for};

#[derive(Debug, Clone, Default)]
pub struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicBool>,
}

impl Lines {
    /// Reads on a thread until the other side closes.
    pub fn read_from(from: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        lines.follow(from);
        lines
    }

    /// Reads from one more place.
    pub fn follow(&self, from: impl Read + Send + 'static) {
        let kept = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                kept.push(String::from_utf8_lossy(&line).into_owned());
            }
            kept.closed.store(true, Ordering::Release);
        });
    }

    /// The other side has closed, and all lines are here.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    pub fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How many there are now; lines of interest come behind it.
    pub fn mark(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    pub fn count(&self, part: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }

    /// The first line with this part.
    #[track_caller]
    pub fn wait(&self, part: &str) -> String {
        self.wait_since(0, part)
    }

    /// The first line with this part behind `mark`.
    #[track_caller]
    pub fn wait_since(&self, mark: usize, part: &str) -> String {
        let found = || {
            let lines = self.lines.lock().unwrap();
            lines.iter().skip(mark).find(|line| line.contains(part)).cloned()
        };
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(line) = found() {
                return line;
            }
            assert!(
                Instant::now() < until,
                "no line with `{part}` within {DEADLINE:?}; there are:\n{}",
                self.all().join("\n")
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for `n` lines with this part and returns them all.
    #[track_caller]
    pub fn wait_count(&self, n: usize, part: &str) -> Vec<String> {
        wait_for(&format!("{n} lines with `{part}`"), || {
            let mut lines = self.all();
            lines.retain(|line| line.contains(part));
            (lines.len() >= n).then_some(lines)
        })
    }
}
