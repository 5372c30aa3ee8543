//! `oxpecker run`: start, then obey signals until told to end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::unistd::{UnlinkatFlags, unlinkat};
use oxpecker_admin::Admin;
use oxpecker_config::model::Config;
use oxpecker_config::{Diagnostic, Severity};
use oxpecker_delivery::Delivery;
use oxpecker_proxy::control::{CommandError, Request, Who};
use oxpecker_proxy::wording::in_words;
use oxpecker_proxy::{Gateway, Log};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::admin;
use crate::check::print_errors;
use crate::delivery;
use crate::exit::Exit;
use crate::load::Files;
use crate::privileges::{self, Identity};
use crate::service::{self, Notifier, Watchdog};

pub(crate) fn run(paths: &[PathBuf], pidfile: Option<PathBuf>) -> anyhow::Result<Exit> {
    let files = Files::new(paths)?;
    let checked = match files.load_all()? {
        Ok(checked) => checked,
        Err(diagnostics) => {
            print_errors(&diagnostics);
            return Ok(Exit::Configuration);
        }
    };
    let config = &checked.config;
    let log = Log::start(&config.log)?;
    tracing_subscriber::registry().with(log.layer()).init();
    // Read the time zone while its file can be found: a chroot would leave UTC.
    let _ = jiff::tz::TimeZone::system();
    report_warnings(&checked.warnings);

    let inherited = service::inherited_sockets();
    let notifier = Notifier::from_environment();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pidfile = pidfile.or_else(|| config.process.pidfile.clone());
    let identity = Identity::of(&config.process)?;
    let mut delivery = delivery::start(config, &log);
    let result = runtime.block_on(async {
        // Signals are caught before anything listens: none may kill a half-started gateway.
        let signals = Signals::new()?;
        let config = &checked.config;
        let state = config.admin.as_ref().and_then(|admin| admin.state_file.as_deref());
        let started = Gateway::start_with(config, log.clone(), inherited, state).await;
        let mut gateway = started.context("failed to start")?;
        let (control, requests) = gateway.control();
        let mut admin = Admin::new(control);
        let prepared = admin::prepare(&admin, &checked, &identity).context("failed to start")?;
        let _pidfile = pidfile.as_deref().map(PidFile::write).transpose()?;
        privileges::drop_to(&config.process, &identity)?;
        gateway.begin_obtaining_certificates();
        // As the user and in the jail that it will live in.
        let of_delivery = delivery.prepare(delivery::settings(config));
        delivery.install(of_delivery.context("failed to start the delivery of access logs")?);
        admin.install(prepared);
        let mut process = Process {
            files,
            config: checked.config,
            identity,
            log: log.clone(),
            gateway,
            admin,
            delivery,
            notifier,
        };
        let exit = process.serve(signals, requests).await?;
        process.admin.stop().await;
        delivery::stop(process.delivery, &log);
        anyhow::Ok(exit)
    });
    log.flush();
    result
}

struct Process {
    files: Files,
    config: Config,
    identity: Identity,
    log: Log,
    gateway: Gateway,
    admin: Admin,
    delivery: Delivery,
    notifier: Notifier,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("failed to catch signals");
        Ok(Self {
            hangup: catch(SignalKind::hangup())?,
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            quit: catch(SignalKind::quit())?,
            user1: catch(SignalKind::user_defined1())?,
            user2: catch(SignalKind::user_defined2())?,
        })
    }

    /// The next signal that asks for an end at once.
    async fn end_now(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

impl Process {
    async fn serve(
        &mut self,
        mut signals: Signals,
        mut requests: mpsc::Receiver<Request>,
    ) -> anyhow::Result<Exit> {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            virtual_servers = self.config.virtuals.len(),
            "started"
        );
        self.notifier.ready(&self.status());
        let mut watchdog = Watchdog::from_environment();
        let drains = loop {
            tokio::select! {
                _ = signals.hangup.recv() => drop(self.reload(&Who::new("signal")).await),
                Some(request) = requests.recv() => {
                    if let Some(Request { who, answer, .. }) = self.gateway.answer(request).await {
                        // Whoever asked may have gone meanwhile.
                        let _ = answer.send(self.reload(&who).await.map_err(CommandError::Refused));
                    }
                }
                _ = signals.user1.recv() => self.log.reopen(),
                _ = signals.user2.recv() => {
                    tracing::warn!("signal USR2 does nothing; HUP reloads, USR1 opens log files anew");
                }
                _ = signals.terminate.recv() => break true,
                _ = signals.quit.recv() => break true,
                _ = signals.interrupt.recv() => break false,
                () = watchdog.due() => watchdog.feed(&self.gateway, &self.notifier).await,
            }
        };
        // From here on nobody is answered: who asks for a change is told that this ends.
        drop(requests);
        Ok(if drains { self.drain(&mut signals).await } else { self.stop_now().await })
    }

    /// All or nothing: whatever is wrong, the running configuration stays.
    async fn reload(&mut self, who: &Who) -> Result<(), String> {
        tracing::info!(who = who.as_str(), "reloading");
        self.notifier.reloading();
        let result =
            self.try_reload(who).await.map_err(|error| in_words(&format_args!("{error:#}")));
        match &result {
            Ok(()) => tracing::info!(virtual_servers = self.config.virtuals.len(), "reloaded"),
            Err(error) => {
                tracing::error!(error, "reload failed, keeping the running configuration");
            }
        }
        self.gateway.reloaded(who, result.as_ref().copied().map_err(String::as_str));
        self.log.reopen();
        self.notifier.ready(&self.status());
        result
    }

    async fn try_reload(&mut self, who: &Who) -> anyhow::Result<()> {
        let checked = match self.files.load_all()? {
            Ok(checked) => checked,
            Err(diagnostics) => {
                for diagnostic in &diagnostics {
                    log_diagnostic(diagnostic);
                }
                let is_error = |known: &&Diagnostic| known.severity == Severity::Error;
                let first = diagnostics.iter().find(is_error).map_or_else(String::new, |first| {
                    format!(": {}:{}: {}", first.file, first.line, first.message)
                });
                anyhow::bail!("the new configuration has errors{first}");
            }
        };
        let delivery = self.delivery.prepare(delivery::settings(&checked.config))?;
        let admin = admin::prepare(&self.admin, &checked, &self.identity)?;
        self.gateway.apply(&checked.config, who).await?;
        self.delivery.install(delivery);
        self.admin.install(admin);
        report_warnings(&checked.warnings);
        for key in needs_restart(&self.config, &checked.config) {
            tracing::warn!(key, "changed, but takes effect at the next start only");
        }
        self.config = checked.config;
        Ok(())
    }

    async fn drain(&mut self, signals: &mut Signals) -> Exit {
        let process = &self.config.process;
        let (delay, timeout) = (process.drain_delay, process.drain_timeout);
        let open = self.gateway.open_connections();
        tracing::info!(connections = open, ?delay, ?timeout, "draining");
        self.gateway.begin_drain(&Who::new("signal"));
        self.notifier.stopping(&format!("draining {open} connections"));
        let cut = tokio::select! {
            drained = async {
                tokio::time::sleep(delay).await;
                self.gateway.stop_listening().await;
                self.gateway.drain(timeout).await
            } => Some(drained.cut),
            () = signals.end_now() => None,
        };
        let cut = match cut {
            Some(cut) => cut,
            None => {
                tracing::warn!("second signal, cutting what is left");
                self.gateway.stop_listening().await;
                self.gateway.cut_all().await.cut
            }
        };
        if cut == 0 {
            tracing::info!("drained, ending");
            return Exit::Fine;
        }
        tracing::warn!(connections = cut, "ended connections that had not finished");
        Exit::DrainCut
    }

    async fn stop_now(&mut self) -> Exit {
        self.notifier.stopping("stopping");
        self.gateway.stop_listening().await;
        let connections = self.gateway.cut_all().await.cut;
        tracing::info!(connections, "stopped");
        Exit::Fine
    }

    fn status(&self) -> String {
        let listeners: usize = self.config.virtuals.iter().map(|v| v.listen.len()).sum();
        format!("{} pools behind {listeners} listeners", self.config.pools.len())
    }
}

fn report_warnings(warnings: &[Diagnostic]) {
    for warning in warnings {
        log_diagnostic(warning);
    }
}

/// One line, so that it survives syslog.
fn log_diagnostic(diagnostic: &Diagnostic) {
    let place = format!("{}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
    let help = diagnostic.help.as_deref().unwrap_or("-");
    match diagnostic.severity {
        Severity::Error => {
            tracing::error!(place, help, "configuration: {}", diagnostic.message);
        }
        Severity::Warning => {
            tracing::warn!(place, help, "configuration: {}", diagnostic.message);
        }
    }
}

/// What a running process cannot change about itself.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let reuses_port = |name: &str| {
        let known = old.virtuals.iter().find(|known| known.name == name);
        known.map(|known| known.reuse_port)
    };
    let reuse_port_stays = new
        .virtuals
        .iter()
        .all(|v| reuses_port(&v.name).is_none_or(|before| before == v.reuse_port));
    let state_file = |config: &Config| config.admin.as_ref().map(|admin| admin.state_file.clone());
    let state_file_stays = state_file(old) == state_file(new);
    let (old, new) = (&old.process, &new.process);
    let mut keys = Vec::new();
    let mut compare = |same: bool, key| {
        if !same {
            keys.push(key);
        }
    };
    compare(old.threads == new.threads, "process.threads");
    compare(old.user == new.user, "process.user");
    compare(old.group == new.group, "process.group");
    compare(old.chroot == new.chroot, "process.chroot");
    compare(old.pidfile == new.pidfile, "process.pidfile");
    compare(reuse_port_stays, "virtual.reuse_port");
    compare(state_file_stays, "admin.state_file");
    keys
}

/// Removed when the process ends in an orderly way, as far as it still may: the directory is kept
/// open, for a chroot hides its name.
struct PidFile {
    directory: File,
    name: OsString,
}

impl PidFile {
    fn write(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("failed to write the pidfile {}", path.display());
        fs::write(path, format!("{}\n", std::process::id())).with_context(failed)?;
        let path = fs::canonicalize(path).with_context(failed)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        Ok(Self {
            directory: File::open(directory).with_context(failed)?,
            name: path.file_name().unwrap_or_default().to_owned(),
        })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = unlinkat(&self.directory, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
}
