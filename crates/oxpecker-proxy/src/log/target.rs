//! One place that lines are written to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use jiff::Timestamp;
use oxpecker_config::model::{self, Level, Records, Sink, TextFormat};

use super::LogError;
use super::syslog::Syslog;

#[derive(Debug)]
pub(super) struct Target {
    config: model::LogTarget,
    output: Output,
}

#[derive(Debug)]
enum Output {
    Stdout(BufWriter<io::Stdout>),
    Stderr(BufWriter<io::Stderr>),
    File(BufWriter<File>),
    Syslog(Syslog),
}

impl Target {
    pub(super) fn open(config: &model::LogTarget) -> Result<Self, LogError> {
        let output = match &config.sink {
            Sink::Stdout => Output::Stdout(BufWriter::new(io::stdout())),
            Sink::Stderr => Output::Stderr(BufWriter::new(io::stderr())),
            Sink::File(path) => open_file(path)
                .map(Output::File)
                .map_err(|source| LogError::Open { target: path.display().to_string(), source })?,
            Sink::Syslog { transport, protocol, facility } => {
                Syslog::open(transport, *protocol, *facility)
                    .map(Output::Syslog)
                    .map_err(|source| LogError::Open { target: format!("{transport:?}"), source })?
            }
        };
        Ok(Self { config: config.clone(), output })
    }

    pub(super) fn config(&self) -> &model::LogTarget {
        &self.config
    }

    /// The same output with other settings.
    pub(super) fn with(self, config: model::LogTarget) -> Self {
        Self { config, ..self }
    }

    pub(super) fn process(&mut self, level: Level, format: TextFormat, line: &str) {
        if level <= self.config.level && takes_process(&self.config, format) {
            // JSON lines carry their own time and level.
            let bare = format == TextFormat::Json;
            self.write(level, line, bare);
        }
    }

    pub(super) fn access(&mut self, level: Level, line: &str) {
        self.record(level, line, Records::Access);
    }

    pub(super) fn query(&mut self, level: Level, line: &str) {
        self.record(level, line, Records::Queries);
    }

    fn record(&mut self, level: Level, line: &str, kind: Records) {
        let wanted = self.config.records == Records::All || self.config.records == kind;
        if level <= self.config.level && wanted {
            self.write(level, line, true);
        }
    }

    /// A target that cannot be written must not stop the gateway: the line is lost.
    fn write(&mut self, level: Level, line: &str, bare: bool) {
        let _ = match &mut self.output {
            Output::Stdout(out) => write_line(out, level, line, bare),
            Output::Stderr(out) => write_line(out, level, line, bare),
            Output::File(out) => write_line(out, level, line, bare),
            Output::Syslog(syslog) => {
                syslog.send(level, line);
                Ok(())
            }
        };
    }

    pub(super) fn flush(&mut self) {
        let _ = match &mut self.output {
            Output::Stdout(out) => out.flush(),
            Output::Stderr(out) => out.flush(),
            Output::File(out) => out.flush(),
            Output::Syslog(_) => Ok(()),
        };
    }

    /// Opens a file anew; keeps the old one when that fails.
    pub(super) fn reopen(&mut self) {
        self.flush();
        if let (Output::File(out), Sink::File(path)) = (&mut self.output, &self.config.sink) {
            match open_file(path) {
                Ok(file) => *out = file,
                Err(error) => {
                    let line = format!(
                        "failed to reopen the log file, writing to the old one path={} error={error}",
                        path.display()
                    );
                    let _ = write_line(out, Level::Err, &line, false);
                }
            }
        }
    }
}

pub(super) fn takes_process(config: &model::LogTarget, format: TextFormat) -> bool {
    matches!(config.records, Records::All | Records::Process) && config.format == format
}

fn open_file(path: &Path) -> io::Result<BufWriter<File>> {
    OpenOptions::new().create(true).append(true).open(path).map(BufWriter::new)
}

fn write_line(out: &mut impl Write, level: Level, line: &str, bare: bool) -> io::Result<()> {
    if bare {
        writeln!(out, "{line}")
    } else {
        writeln!(out, "{:.3} {:<7} {line}", Timestamp::now(), word(level))
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Emerg => "emerg",
        Level::Alert => "alert",
        Level::Crit => "crit",
        Level::Err => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}
