//! One measurement: a fresh backend, a fresh proxy, the generator, and the doubts that would make
//! its result worthless.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::certificate::Certificates;
use super::peer::{BACKEND_PORT, Place};
use super::running::Running;
use super::{Options, Peer, Work};
use crate::generate::{Load, Report};
use crate::link::Link;
use crate::wire::{REQUEST_BYTES, Request};

/// From start to the first answered exchange.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const START_RETRY: Duration = Duration::from_millis(20);
/// What the generator may need on top of the measured time: byte check, connecting, warm-up.
const GENERATE_SLACK: Duration = Duration::from_secs(60);
const WARM_UP: Duration = Duration::from_millis(500);
/// Until the record of an ended connection must be in the log.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);
/// In memory, so that no disk is measured.
const TMPFS: &str = "/dev/shm";

pub(super) struct Bench<'o> {
    options: &'o Options,
    directory: PathBuf,
    /// Read only between measurements. While it is full the kernel throws datagrams away, so that
    /// a sender pays for sending and the load's core for nothing.
    syslog: UdpSocket,
    certificates: Certificates,
}

/// One result in the units of its work.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Proxy's CPU per unit, or memory per connection; a direct path has none.
    pub(super) cost: Option<f64>,
    /// CPU of proxy, generator and backend per unit.
    pub(super) whole: f64,
    pub(super) rate: f64,
    /// In microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    /// CPUs kept busy by others.
    pub(super) foreign: f64,
    /// Share of the bytes that went by splice, where the proxy can tell.
    pub(super) spliced: Option<f64>,
}

impl Sample {
    pub(super) fn line(&self, work: Work) -> String {
        let unit = work.unit();
        let cost = self.cost.map_or("-".to_owned(), |cost| format!("{cost:.3}"));
        if work.is_memory() {
            return format!("{cost} {}/{}", unit.time, unit.name);
        }
        format!(
            "{cost} {}/{}, {:.2} {}, p50 {:.1} us, p99 {:.1} us, others {:.2} CPUs",
            unit.time, unit.name, self.rate, unit.rate, self.p50, self.p99, self.foreign
        )
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.directory);
    }
}

impl<'o> Bench<'o> {
    pub(super) fn new(options: &'o Options) -> anyhow::Result<Self> {
        let directory = PathBuf::from(TMPFS).join(format!("oxpecker-bench-{}", std::process::id()));
        fs::create_dir(&directory).with_context(|| format!("create {}", directory.display()))?;
        let syslog = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("open the syslog sink")?;
        syslog.set_nonblocking(true)?;
        let certificates = Certificates::make(&directory).context("make certificates")?;
        Ok(Self { options, directory, syslog, certificates })
    }

    pub(super) fn measure(&self, work: Work, peer: Peer) -> anyhow::Result<Sample> {
        let directory = self.directory.join(format!("{}-{}", work.name(), peer.name()));
        fs::create_dir(&directory).with_context(|| format!("create {}", directory.display()))?;
        let result = self.measure_in(&directory, work, peer);
        fs::remove_dir_all(&directory).context("remove working directory")?;
        result
    }

    fn measure_in(
        &self,
        directory: &std::path::Path,
        work: Work,
        peer: Peer,
    ) -> anyhow::Result<Sample> {
        let place = Place {
            listen: peer.listen(),
            backend: SocketAddr::from((Ipv4Addr::LOCALHOST, BACKEND_PORT)),
            syslog: self.syslog.local_addr()?,
            directory,
            certificate: work.tls().map(|key| self.certificates.of(key)),
        };
        let load_cpu =
            if work == Work::Serial { self.options.proxy_cpu } else { self.options.load_cpu };
        let mut backend = self.start_backend(&place, load_cpu)?;
        if work.is_memory() {
            // What the byte check leaves behind is not the memory of resting connections, so
            // another instance takes it.
            let _checked = self.start_proxy(&place, peer)?;
            self.generate(Load::Check, work, peer, load_cpu, None, backend.pid())?;
        }
        let mut proxy = self.start_proxy(&place, peer)?;
        let pid = proxy.as_ref().map(Running::pid);
        let report = self.generate(work.load(), work, peer, load_cpu, pid, backend.pid())?;
        backend.ensure_alive().context("backend")?;
        if let Some(proxy) = &mut proxy {
            proxy.ensure_alive().context("proxy")?;
            self.ensure_logged(&place, peer)?;
        }
        let mut sample = sample(work, &report, self.options.idle, proxy.is_some());
        if matches!(peer, Peer::Haproxy | Peer::HaproxyTuned) {
            sample.spliced = spliced(&place);
        }
        Ok(sample)
    }

    fn start_backend(&self, place: &Place<'_>, cpu: usize) -> anyhow::Result<Running> {
        let lifetime = (self.options.seconds + 3 * GENERATE_SLACK).as_secs().to_string();
        let listen = place.backend.to_string();
        let command = own(&["serve", "--listen", &listen, "--lifetime", &lifetime])?;
        let output = place.directory.join("backend.out");
        let mut backend = Running::start(&command, &[cpu], &output)?;
        wait_ready(&mut backend, place.backend, false).context("backend")?;
        Ok(backend)
    }

    fn start_proxy(&self, place: &Place<'_>, peer: Peer) -> anyhow::Result<Option<Running>> {
        let (Some(config), Some(command)) = (peer.config(place), peer.command(self.options, place))
        else {
            return Ok(None);
        };
        fs::write(peer.config_file(place), config).context("write the peer's configuration")?;
        self.drain_syslog();
        let output = place.directory.join("proxy.out");
        let mut proxy = Running::start(&command, &[self.options.proxy_cpu], &output)?;
        wait_ready(&mut proxy, place.listen, place.certificate.is_some()).context("start proxy")?;
        Ok(Some(proxy))
    }

    fn generate(
        &self,
        load: Load,
        work: Work,
        peer: Peer,
        cpu: usize,
        proxy: Option<u32>,
        backend: u32,
    ) -> anyhow::Result<Report> {
        let load_name = match load {
            Load::Check => "check",
            Load::Stream => "stream",
            Load::Fetch => "fetch",
            Load::Exchange => "exchange",
            Load::Calls => "calls",
            Load::Rows => "rows",
            Load::Churn => "churn",
            Load::Idle => "idle",
        };
        let to = peer.listen().to_string();
        let connections = work.connections(self.options.idle).to_string();
        let seconds = self.options.seconds.as_secs_f64().to_string();
        let warm_up = WARM_UP.as_secs_f64().to_string();
        let backend = backend.to_string();
        let mut command = own(&["generate", load_name, "--to", &to])?;
        let mut add = |name: &str, value: &str| command.extend([name.to_owned(), value.to_owned()]);
        add("--connections", &connections);
        add("--seconds", &seconds);
        add("--warm-up", &warm_up);
        add("--backend-pid", &backend);
        if let Some(pid) = proxy {
            add("--proxy-pid", &pid.to_string());
        }
        if work.tls().is_some() {
            command.push("--tls".to_owned());
            if !peer.half_closes_tls() {
                command.extend(["--half-close", "client"].map(str::to_owned));
            }
        }
        let output = self.directory.join("generate.out");
        let limit = self.options.seconds + GENERATE_SLACK;
        Running::start(&command, &[cpu], &output)?.finish(limit)?.parse()
    }

    /// A peer that keeps no log does less than the others.
    fn ensure_logged(&self, place: &Place<'_>, peer: Peer) -> anyhow::Result<()> {
        let deadline = Instant::now() + LOG_TIMEOUT;
        loop {
            let logged = if peer.logs_to_syslog() {
                self.drain_syslog() > 0
            } else {
                fs::metadata(place.log_file()).is_ok_and(|metadata| metadata.len() > 0)
            };
            if logged {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "kept no log of its connections");
            std::thread::sleep(START_RETRY);
        }
    }

    fn drain_syslog(&self) -> usize {
        let mut datagram = [0; 2048];
        std::iter::from_fn(|| self.syslog.recv(&mut datagram).ok()).count()
    }
}

fn sample(work: Work, report: &Report, idle: usize, has_proxy: bool) -> Sample {
    let seconds = report.seconds.as_secs_f64();
    let unit = work.unit();
    let (units, rate) = match work.load() {
        Load::Stream => (report.bytes as f64 / 1e9, report.bytes as f64 * 8.0 / 1e9 / seconds),
        Load::Fetch | Load::Rows => (report.bytes as f64 / 1e6, report.done as f64 / seconds),
        _ => (report.done as f64, report.done as f64 / seconds),
    };
    let per_unit = |time: Duration| time.as_secs_f64() * unit.per_second / units;
    let cost = if work.is_memory() {
        report.pss.saturating_sub(report.pss_start) as f64 / idle as f64
    } else {
        per_unit(report.proxy_cpu)
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Sample {
        cost: has_proxy.then_some(cost),
        whole: per_unit(report.proxy_cpu + report.peers_cpu),
        rate,
        p50: micros(report.p50),
        p99: micros(report.p99),
        p999: micros(report.p999),
        foreign: report.foreign_cpu.as_secs_f64() / seconds,
        spliced: None,
    }
}

/// This program with other arguments.
fn own(arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = vec![program.display().to_string()];
    command.extend(arguments.iter().map(|&argument| argument.to_owned()));
    Ok(command)
}

/// Tries one exchange until it works: a listening proxy may not have a usable member yet.
fn wait_ready(process: &mut Running, address: SocketAddr, tls: bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        process.ensure_alive()?;
        match exchange_once(address, tls) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                let tail = process.tail();
                return Err(error).with_context(|| format!("no exchange in time; {tail}"));
            }
            Err(_) => std::thread::sleep(START_RETRY),
        }
    }
}

fn exchange_once(address: SocketAddr, tls: bool) -> std::io::Result<()> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut stream = Link::new(stream, tls)?;
    stream.write_all(&Request::Answer { bytes: REQUEST_BYTES as u64 }.encode())?;
    stream.read_exact(&mut [0; REQUEST_BYTES])
}

/// HAProxy counts what it spliced; a setting that asks for it may yet be idle.
fn spliced(place: &Place<'_>) -> Option<f64> {
    let mut socket = UnixStream::connect(place.control_socket()).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    socket.write_all(b"show info\n").ok()?;
    let mut text = String::new();
    match socket.read_to_string(&mut text) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => return None,
        _ => {}
    }
    let number = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
    };
    // HAProxy 2.6 misspells it.
    let spliced = number("TotalSplicedBytesOut:").or_else(|| number("TotalSplicdedBytesOut:"))?;
    let all = number("TotalBytesOut:")?;
    (all > 0.0).then_some(spliced / all)
}
