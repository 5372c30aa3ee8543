//! Where lines go: process events (through `tracing`), access and query records share the targets.
//!
//! One thread writes them all, so that no connection waits for a disk or a syslog server.
//! Between it and the data plane is a bounded channel; what does not fit is counted, and the
//! count is written as soon as there is room.

mod syslog;
mod target;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use oxpecker_config::model::{
    self, AccessFormat, Level, QueryFormat, Sink, Statements, TextFormat,
};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::wording;

use target::Target;

/// Lines that may wait for the writing thread.
const QUEUE_LINES_MAX: usize = 16 * 1024;

/// After a batch the thread sleeps this long instead of waiting for the next line, so that a
/// busy gateway does not pay a wake-up for every connection.
const BATCH_PAUSE: Duration = Duration::from_millis(5);

/// How long the writing thread may take to hear of a command.
const COMMAND_PATIENCE: Duration = Duration::from_secs(1);

/// Why logging could not be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("failed to open log target `{target}`")]
    Open {
        target: String,
        #[source]
        source: io::Error,
    },
    #[error("failed to start the log thread")]
    Thread(#[source] io::Error),
}

/// Takes access records beside the targets. Called by the log's thread: what it does there holds
/// up other lines, but no connection.
pub trait RecordSink: std::fmt::Debug + Send {
    /// A record, without line end.
    fn record(&mut self, line: &str);

    /// There are no more for now.
    fn flush(&mut self);
}

/// A handle to the log; clones share it.
#[derive(Debug, Clone)]
pub struct Log {
    sender: SyncSender<Message>,
    shared: Arc<LogShared>,
}

#[derive(Debug)]
struct LogShared {
    dropped: AtomicU64,
    /// Process events less urgent than this are not made.
    level: AtomicU8,
    text_wanted: AtomicBool,
    json_wanted: AtomicBool,
    records: RwLock<RecordSettings>,
    /// The sinks of the targets in use.
    sinks: Mutex<Vec<Sink>>,
}

/// How records are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordSettings {
    pub(crate) access: AccessFormat,
    pub(crate) dontlognull: bool,
    pub(crate) queries: QueryFormat,
    pub(crate) statements: Statements,
}

impl RecordSettings {
    fn of(config: &model::Log) -> Self {
        Self {
            access: config.access,
            dontlognull: config.dontlognull,
            queries: config.queries,
            statements: config.statements,
        }
    }

    /// Somebody will see statements as they were written.
    pub(crate) fn shows_full_statements(self) -> bool {
        self.queries != QueryFormat::Off && self.statements == Statements::Full
    }
}

/// Targets that are open but not yet in use; see [`Log::install`].
#[derive(Debug)]
pub struct Prepared {
    targets: Vec<Wanted>,
    config: model::Log,
}

#[derive(Debug)]
enum Wanted {
    Opened(Target),
    /// A file that is in use already. Opening it once more could fail: it may lie outside of
    /// the jail, or belong to the user that the process started as.
    Kept(model::LogTarget),
}

impl Wanted {
    fn config(&self) -> &model::LogTarget {
        match self {
            Self::Opened(target) => target.config(),
            Self::Kept(config) => config,
        }
    }
}

#[derive(Debug)]
enum Message {
    Process { level: Level, format: TextFormat, line: String },
    Access { level: Level, line: String },
    Query { level: Level, line: String },
    Install(Vec<Wanted>),
    Sink(Box<dyn RecordSink>),
    Reopen,
    Flush(SyncSender<()>),
}

impl Log {
    /// Opens the targets and starts the writing thread.
    pub fn start(config: &model::Log) -> Result<Self, LogError> {
        let (sender, receiver) = sync_channel(QUEUE_LINES_MAX);
        let shared = Arc::new(LogShared {
            dropped: AtomicU64::new(0),
            level: AtomicU8::new(config.level as u8),
            text_wanted: AtomicBool::new(true),
            json_wanted: AtomicBool::new(true),
            records: RwLock::new(RecordSettings::of(config)),
            sinks: Mutex::default(),
        });
        let log = Self { sender, shared: Arc::clone(&shared) };
        let prepared = log.prepare(config)?;
        thread::Builder::new()
            .name("log".into())
            .spawn(move || Writer { targets: Vec::new(), sink: None, shared }.run(&receiver))
            .map_err(LogError::Thread)?;
        log.install(prepared);
        Ok(log)
    }

    /// Opens the targets of a new configuration without using them yet.
    pub fn prepare(&self, config: &model::Log) -> Result<Prepared, LogError> {
        let mut in_use = self.sinks().clone();
        let targets = config.targets.iter().map(|target| {
            let known = in_use.iter().position(|sink| *sink == target.sink);
            match (&target.sink, known) {
                (Sink::File(_), Some(at)) => {
                    in_use.swap_remove(at);
                    Ok(Wanted::Kept(target.clone()))
                }
                _ => Target::open(target).map(Wanted::Opened),
            }
        });
        let targets = targets.collect::<Result<_, _>>()?;
        Ok(Prepared { targets, config: config.clone() })
    }

    fn sinks(&self) -> MutexGuard<'_, Vec<Sink>> {
        self.shared.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches to prepared targets. Lines already queued still go to the old ones.
    pub fn install(&self, prepared: Prepared) {
        let Prepared { targets, config } = prepared;
        let wants =
            |format| targets.iter().any(|wanted| target::takes_process(wanted.config(), format));
        self.shared.text_wanted.store(wants(TextFormat::Text), Ordering::Relaxed);
        self.shared.json_wanted.store(wants(TextFormat::Json), Ordering::Relaxed);
        self.shared.level.store(config.level as u8, Ordering::Relaxed);
        // Events remember whether anybody wants them.
        tracing::callsite::rebuild_interest_cache();
        let records = RecordSettings::of(&config);
        *self.shared.records.write().unwrap_or_else(PoisonError::into_inner) = records;
        *self.sinks() = targets.iter().map(|wanted| wanted.config().sink.clone()).collect();
        self.send_command(Message::Install(targets));
    }

    /// From now on access records go to `sink`, too.
    pub fn add_record_sink(&self, sink: Box<dyn RecordSink>) {
        self.send_command(Message::Sink(sink));
    }

    /// Opens files anew, for logrotate.
    pub fn reopen(&self) {
        self.send_command(Message::Reopen);
    }

    /// Waits, a second or two at most, until everything queued so far is written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.send_command(Message::Flush(done)) {
            let _ = wait.recv_timeout(COMMAND_PATIENCE);
        }
    }

    /// The layer that brings `tracing` events here.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        use tracing_subscriber::fmt;
        let text = fmt::layer()
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .with_writer(LineMaker { log: self.clone(), format: TextFormat::Text });
        let json = fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_writer(LineMaker { log: self.clone(), format: TextFormat::Json });
        LevelGate(Arc::clone(&self.shared)).and_then(text).and_then(json)
    }

    pub(crate) fn record_settings(&self) -> RecordSettings {
        *self.shared.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Access records have the severity that HAProxy gives them, "info".
    pub(crate) fn access(&self, line: String) {
        self.send(Message::Access { level: Level::Info, line });
    }

    /// Query records have the same.
    pub(crate) fn query(&self, line: String) {
        self.send(Message::Query { level: Level::Info, line });
    }

    /// Commands are worth waiting for, but a target that takes nothing must not hold up a
    /// reload or the end of the process.
    fn send_command(&self, mut message: Message) -> bool {
        let until = Instant::now() + COMMAND_PATIENCE;
        loop {
            match self.sender.try_send(message) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) if Instant::now() < until => message = back,
                Err(_) => return false,
            }
            thread::sleep(BATCH_PAUSE);
        }
    }

    fn send(&self, message: Message) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(message) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Keeps events that nobody wants from being formatted at all.
struct LevelGate(Arc<LogShared>);

impl LevelGate {
    fn wants(&self, meta: &tracing::Metadata<'_>) -> bool {
        // What libraries tell of their inner life is no event of the gateway.
        let is_ours = meta.target().starts_with("oxpecker");
        let is_urgent = *meta.level() <= tracing::Level::WARN;
        (is_ours || is_urgent) && severity(meta) as u8 <= self.0.level.load(Ordering::Relaxed)
    }
}

impl<S: tracing::Subscriber> Layer<S> for LevelGate {
    fn register_callsite(
        &self,
        meta: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        if self.wants(meta) {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn enabled(
        &self,
        meta: &tracing::Metadata<'_>,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) -> bool {
        self.wants(meta)
    }
}

/// What an operator wants to read of a healthy gateway is "notice"; access records are "info",
/// as HAProxy has it, and single steps of connections are "debug".
fn severity(meta: &tracing::Metadata<'_>) -> Level {
    match *meta.level() {
        tracing::Level::ERROR => Level::Err,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Notice,
        tracing::Level::DEBUG => Level::Info,
        tracing::Level::TRACE => Level::Debug,
    }
}

/// Turns an event that `tracing_subscriber` formatted into a message.
struct LineMaker {
    log: Log,
    format: TextFormat,
}

enum LineWriter<'a> {
    Nobody,
    Line { log: &'a Log, level: Level, format: TextFormat, line: Vec<u8> },
}

impl<'a> MakeWriter<'a> for LineMaker {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter::Nobody
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        let level = severity(meta);
        let wanted = match self.format {
            TextFormat::Text => &self.log.shared.text_wanted,
            TextFormat::Json => &self.log.shared.json_wanted,
        };
        if !wanted.load(Ordering::Relaxed) {
            return LineWriter::Nobody;
        }
        LineWriter::Line { log: &self.log, level, format: self.format, line: Vec::new() }
    }
}

impl io::Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Self::Line { line, .. } = self {
            line.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        if let Self::Line { log, level, format, line } = self {
            let line = String::from_utf8_lossy(line);
            let line = wording::without_codes(line.trim_end()).into_owned();
            log.send(Message::Process { level: *level, format: *format, line });
        }
    }
}

/// The thread that writes.
struct Writer {
    targets: Vec<Target>,
    sink: Option<Box<dyn RecordSink>>,
    shared: Arc<LogShared>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        while let Ok(first) = receiver.recv() {
            self.handle(first);
            let mut busy = true;
            while busy {
                busy = false;
                while let Ok(message) = receiver.try_recv() {
                    busy = true;
                    self.handle(message);
                }
                self.report_dropped();
                self.flush();
                if busy {
                    thread::sleep(BATCH_PAUSE);
                }
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Process { level, format, line } => {
                for target in &mut self.targets {
                    target.process(level, format, &line);
                }
            }
            Message::Access { level, line } => {
                for target in &mut self.targets {
                    target.access(level, &line);
                }
                if let Some(sink) = &mut self.sink {
                    sink.record(&line);
                }
            }
            Message::Query { level, line } => {
                for target in &mut self.targets {
                    target.query(level, &line);
                }
            }
            Message::Install(wanted) => {
                self.flush();
                let mut old = std::mem::take(&mut self.targets);
                let mut get = |wanted| match wanted {
                    Wanted::Opened(target) => Some(target),
                    Wanted::Kept(config) => {
                        let at = old.iter().position(|t| t.config().sink == config.sink)?;
                        Some(old.swap_remove(at).with(config))
                    }
                };
                self.targets = wanted.into_iter().filter_map(&mut get).collect();
            }
            Message::Sink(sink) => self.sink = Some(sink),
            Message::Reopen => self.targets.iter_mut().for_each(Target::reopen),
            Message::Flush(done) => {
                self.flush();
                let _ = done.try_send(());
            }
        }
    }

    fn report_dropped(&mut self) {
        let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text =
                format!("log lines dropped because the targets were too slow lines={dropped}");
            let json = serde_json::json!({
                "level": "WARN",
                "message": "log lines dropped because the targets were too slow",
                "lines": dropped,
            })
            .to_string();
            for target in &mut self.targets {
                target.process(Level::Warning, TextFormat::Text, &text);
                target.process(Level::Warning, TextFormat::Json, &json);
            }
        }
    }

    fn flush(&mut self) {
        self.targets.iter_mut().for_each(Target::flush);
        if let Some(sink) = &mut self.sink {
            sink.flush();
        }
    }
}
