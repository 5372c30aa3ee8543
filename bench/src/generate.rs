//! The load generator: checks the path byte for byte, then puts one kind of work on it and
//! reports what went through and what CPU that took. One thread, one epoll loop, bounded time.

mod bulk;
mod check;
mod churn;
mod exchange;
mod idle;
mod meter;
mod report;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

use crate::histogram::Histogram;
use crate::link::Link;
pub(crate) use check::{HalfClose, check};
pub(crate) use report::Report;

/// How long a connection may take to be made and to carry its first exchange before the run fails.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Load {
    /// Only the byte check that comes before everything else.
    Check,
    /// The backend writes without end.
    Stream,
    /// 100 bytes asked, 1 MB answered, again and again.
    Fetch,
    /// 100 bytes asked, 100 answered, closed loop.
    Exchange,
    /// A small call of Beeswax and its reply, closed loop.
    Calls,
    /// Replies of Beeswax with rows, 1 MB each, again and again.
    Rows,
    /// Connect, one small exchange, close.
    Churn,
    /// Open connections that rest after one exchange.
    Idle,
}

impl Load {
    /// Messages of Beeswax, not just bytes.
    pub(crate) fn speaks(self) -> bool {
        matches!(self, Self::Calls | Self::Rows)
    }
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// What to do.
    pub(crate) load: Load,
    /// The proxy's address, or the backend's.
    #[arg(long)]
    pub(crate) to: SocketAddr,
    /// Speak TLS 1.3 with it.
    #[arg(long)]
    pub(crate) tls: bool,
    /// What the byte check demands.
    #[arg(long, default_value = "both")]
    pub(crate) half_close: HalfClose,
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: usize,
    /// Measured time.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Time under load before that.
    #[arg(long, default_value = "0.5", value_parser = seconds)]
    pub(crate) warm_up: Duration,
    /// Process whose tree is charged for the work.
    #[arg(long)]
    pub(crate) proxy_pid: Option<u32>,
    #[arg(long)]
    pub(crate) backend_pid: Option<u32>,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(value).map_err(|error| error.to_string())
}

/// What one measured window saw.
struct Tally {
    bytes: u64,
    done: u64,
    latencies: Histogram,
    /// Bytes per connection: one that carried none was starved or hangs.
    carried: Vec<u64>,
}

impl Tally {
    fn new(connections: usize) -> Self {
        Self { bytes: 0, done: 0, latencies: Histogram::new(), carried: vec![0; connections] }
    }

    fn clear(&mut self) {
        self.bytes = 0;
        self.done = 0;
        self.latencies.clear();
        self.carried.fill(0);
    }

    fn carry(&mut self, connection: usize, bytes: usize) {
        self.bytes += bytes as u64;
        self.carried[connection] += bytes as u64;
    }
}

pub(crate) fn generate(options: &Options) -> anyhow::Result<Report> {
    // What a check leaves behind would be taken for what is there before the first connection.
    if options.load != Load::Idle {
        check(options.to, options.tls, options.half_close).context("byte check")?;
    }
    match options.load {
        Load::Check => Ok(Report::default()),
        Load::Stream => bulk::stream(options),
        Load::Fetch | Load::Rows => bulk::fetch(options),
        Load::Exchange | Load::Calls => exchange::exchange(options),
        Load::Churn => churn::churn(options),
        Load::Idle => idle::idle(options),
    }
}

/// One after the other and with an exchange each: no listen queue overflows, and every connection
/// reaches through to the backend before anything is measured.
fn connect_all(options: &Options) -> anyhow::Result<Vec<Link>> {
    (0..options.connections)
        .map(|number| connect(options).with_context(|| format!("open connection {number}")))
        .collect()
}

fn connect(options: &Options) -> anyhow::Result<Link> {
    let stream = TcpStream::connect_timeout(&options.to, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    let mut link = Link::new(stream, options.tls)?;
    match options.load.speaks() {
        false => exchange::exchange_once(&mut link)?,
        // A proxy that reads the protocol must not see anything else.
        true => exchange::call_once(&mut link)?,
    }
    Ok(link)
}

#[cfg(test)]
mod tests;
