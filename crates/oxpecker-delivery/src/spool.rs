//! The spool: a directory with one file being written and those that wait for delivery.
//!
//! A file is `STEM.open` while lines are added and `STEM.log` afterwards; whoever finds an `.open`
//! one at the start takes it up. Files always consist of whole lines. The directory never holds
//! more than its bound: the oldest files go first, because whoever looks for the cause of trouble
//! looks at the newest.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::naming::{Stem, interval_end};

/// A file is closed early at this size: it is read into memory as a whole when it is delivered.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// With a small spool files are smaller, so that losing one is not losing all.
const FILES_MIN: u64 = 4;

const OPEN: &str = "open";
const CLOSED: &str = "log";
const LOCK: &str = "lock";

/// Why a directory cannot be used as a spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("failed to use the spool directory `{}`", dir.display())]
    Io {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the spool directory `{}` is used by another process: give each gateway one of its own",
        dir.display()
    )]
    InUse { dir: PathBuf },
}

#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    interval: Duration,
    bytes_max: u64,
    open: Option<OpenFile>,
    /// Oldest first.
    closed: VecDeque<ClosedFile>,
    closed_bytes: u64,
    /// Being delivered: not to be deleted now.
    in_flight: Option<Stem>,
    _lock: Flock<File>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    stem: Stem,
    end: Timestamp,
    bytes: u64,
    records: u64,
}

#[derive(Debug)]
struct ClosedFile {
    stem: Stem,
    path: PathBuf,
    bytes: u64,
    /// `None` = nobody has counted them yet.
    records: Option<u64>,
}

/// A file to deliver.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) stem: Stem,
    pub(crate) path: PathBuf,
}

/// What had to go to make room.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lost {
    pub(crate) files: u64,
    pub(crate) records: u64,
}

impl Spool {
    /// Makes the directory when it is missing, and takes up what an earlier process left there.
    pub(crate) fn open(dir: &Path, interval: Duration, bytes_max: u64) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Io { dir: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o640)
            .open(dir.join(LOCK))
            .map_err(failed)?;
        let lock = match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => return Err(SpoolError::InUse { dir: dir.to_owned() }),
            Err((_, error)) => return Err(failed(error.into())),
        };
        let closed = take_up(dir).map_err(failed)?;
        let closed_bytes = closed.iter().map(|file| file.bytes).sum();
        if !closed.is_empty() {
            tracing::info!(
                spool = %dir.display(), files = closed.len(), bytes = closed_bytes,
                "access logs of an earlier run wait for delivery"
            );
        }
        Ok(Self {
            dir: dir.to_owned(),
            interval,
            bytes_max,
            open: None,
            closed,
            closed_bytes,
            in_flight: None,
            _lock: lock,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn set_limits(&mut self, interval: Duration, bytes_max: u64) {
        (self.interval, self.bytes_max) = (interval, bytes_max);
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Files and bytes, the open file included.
    pub(crate) fn held(&self) -> (u64, u64) {
        let open = self.open.as_ref();
        let files = self.closed.len() as u64 + u64::from(open.is_some());
        (files, self.closed_bytes + open.map_or(0, |open| open.bytes))
    }

    /// Adds whole lines to the file of the interval. Also answers how many bytes were taken; on
    /// an error the caller keeps the rest.
    pub(crate) fn append(&mut self, lines: &[u8], now: Timestamp) -> (usize, Lost, io::Result<()>) {
        let (mut taken, mut lost) = (0, Lost::default());
        self.close_due(now);
        while taken < lines.len() {
            let rest = &lines[taken..];
            let used = self.open.as_ref().map_or(0, |open| open.bytes);
            let piece = first_lines(rest, self.file_bytes_max().saturating_sub(used));
            if piece.is_empty() && used > 0 {
                self.close();
                continue;
            }
            // A line longer than a file may be has a file of its own.
            let piece = if piece.is_empty() { first_line(rest) } else { piece };
            self.make_room(piece.len() as u64, &mut lost);
            if let Err(error) = self.write(piece, now) {
                return (taken, lost, Err(error));
            }
            taken += piece.len();
        }
        (taken, lost, Ok(()))
    }

    fn file_bytes_max(&self) -> u64 {
        FILE_BYTES_MAX.min(self.bytes_max / FILES_MIN)
    }

    fn write(&mut self, lines: &[u8], now: Timestamp) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(begin(&self.dir, self.interval, now)?),
        };
        if let Err(error) = open.file.write_all(lines) {
            // Half a line must not stay.
            open.file.set_len(open.bytes)?;
            return Err(error);
        }
        open.bytes += lines.len() as u64;
        open.records += count_lines(lines);
        Ok(())
    }

    /// How long the file being written may stay open; `None` = there is none.
    pub(crate) fn due_in(&self, now: Timestamp) -> Option<Duration> {
        let left = self.open.as_ref()?.end.duration_since(now);
        Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
    }

    /// Closes the file being written when its interval is over, or the clock was set back.
    pub(crate) fn close_due(&mut self, now: Timestamp) {
        if self.due_in(now).is_some_and(|left| left.is_zero() || left > self.interval) {
            self.close();
        }
    }

    /// Closes the file being written, if there is one: it waits for delivery then.
    pub(crate) fn close(&mut self) {
        let Some(OpenFile { stem, bytes, records, .. }) = self.open.take() else { return };
        let (from, to) = (path(&self.dir, &stem, OPEN), path(&self.dir, &stem, CLOSED));
        let path = match fs::rename(&from, &to) {
            Ok(()) => to,
            Err(error) => {
                tracing::warn!(file = %from.display(), %error, "failed to rename a file in the spool");
                from
            }
        };
        self.closed_bytes += bytes;
        self.closed.push_back(ClosedFile { stem, path, bytes, records: Some(records) });
    }

    fn make_room(&mut self, needed: u64, lost: &mut Lost) {
        while self.held().1 + needed > self.bytes_max {
            let in_flight = self.in_flight.as_ref();
            let Some(at) = self.closed.iter().position(|file| Some(&file.stem) != in_flight) else {
                return;
            };
            let Some(file) = self.closed.remove(at) else { return };
            self.closed_bytes -= file.bytes;
            let records = file.records.or_else(|| count_in(&file.path).ok()).unwrap_or(0);
            if let Err(error) = fs::remove_file(&file.path) {
                tracing::warn!(file = %file.path.display(), %error, "failed to delete a file in the spool");
            }
            tracing::error!(
                file = file.stem.as_str(),
                records,
                bytes = file.bytes,
                "access records lost: the spool is full, deleted its oldest file"
            );
            lost.files += 1;
            lost.records += records;
        }
    }

    /// The file to deliver next. It is not deleted until the answer is told.
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        let file = self.closed.front()?;
        self.in_flight = Some(file.stem.clone());
        Some(Waiting { stem: file.stem.clone(), path: file.path.clone() })
    }

    /// It is in the store: deletes it here.
    pub(crate) fn delivered(&mut self, file: &Waiting) {
        self.in_flight = None;
        if !self.forget(file) {
            return;
        }
        if let Err(error) = fs::remove_file(&file.path) {
            tracing::warn!(file = %file.path.display(), %error, "failed to delete a delivered file");
        }
    }

    pub(crate) fn not_delivered(&mut self) {
        self.in_flight = None;
    }

    /// Takes a file off the list; it stays where it is.
    pub(crate) fn forget(&mut self, file: &Waiting) -> bool {
        let at = self.closed.iter().position(|closed| closed.stem == file.stem);
        let Some(closed) = at.and_then(|at| self.closed.remove(at)) else { return false };
        self.closed_bytes -= closed.bytes;
        true
    }
}

fn path(dir: &Path, stem: &Stem, kind: &str) -> PathBuf {
    dir.join(format!("{}.{kind}", stem.as_str()))
}

fn begin(dir: &Path, interval: Duration, now: Timestamp) -> io::Result<OpenFile> {
    let end = interval_end(now, interval);
    let stem = Stem::new(end, interval, now);
    let file = OpenOptions::new()
        .create_new(true)
        .append(true)
        .mode(0o640)
        .open(path(dir, &stem, OPEN))?;
    Ok(OpenFile { file, stem, end, bytes: 0, records: 0 })
}

/// As many whole lines as fit into `room` bytes.
fn first_lines(lines: &[u8], room: u64) -> &[u8] {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
    let end = lines[..room].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    &lines[..end]
}

fn first_line(lines: &[u8]) -> &[u8] {
    let end = lines.iter().position(|b| *b == b'\n').map_or(lines.len(), |at| at + 1);
    &lines[..end]
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|b| **b == b'\n').count() as u64
}

fn count_in(path: &Path) -> io::Result<u64> {
    let (mut file, mut buffer, mut count) = (File::open(path)?, vec![0; 64 << 10], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(count),
            n => count += count_lines(&buffer[..n]),
        }
    }
}

/// The files of an earlier process, oldest first.
fn take_up(dir: &Path) -> io::Result<VecDeque<ClosedFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| Stem::parse(stem.to_str()?)) else {
            continue;
        };
        let path = match path.extension().and_then(|extension| extension.to_str()) {
            Some(CLOSED) => path,
            Some(OPEN) => match finish(dir, &stem, &path)? {
                Some(path) => path,
                None => continue,
            },
            _ => continue,
        };
        let bytes = fs::metadata(&path)?.len();
        files.push(ClosedFile { stem, path, bytes, records: None });
    }
    files.sort_by(|a, b| a.stem.begun().cmp(b.stem.begun()));
    Ok(files.into())
}

/// Finishes a file whose writer was killed: the part of a line at its end goes. `None` = nothing
/// was left.
fn finish(dir: &Path, stem: &Stem, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    tracing::info!(
        file = stem.as_str(),
        bytes = whole,
        cut_bytes = length - whole,
        "took up an access log that was being written when an earlier run ended"
    );
    if whole == 0 {
        fs::remove_file(path)?;
        return Ok(None);
    }
    let to = self::path(dir, stem, CLOSED);
    fs::rename(path, &to)?;
    Ok(Some(to))
}

/// The end of the last whole line.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const STEP: u64 = 4096;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut buffer = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut buffer)?;
        if let Some(at) = buffer.iter().rposition(|b| *b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
