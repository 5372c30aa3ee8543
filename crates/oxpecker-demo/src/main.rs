//! The demo: three stand-in coordinators with sample data, each a process of its own, behind a
//! real gateway. One command starts it, Ctrl-C ends all of it.

mod coordinators;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::pin::pin;

use anyhow::Context;
use clap::Parser;
use oxpecker_admin::{Admin, Owner};
use oxpecker_config::{Input, Source};
use oxpecker_proxy::control::{CommandError, Request};
use oxpecker_proxy::{Gateway, Log};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use coordinators::{Coordinator, Coordinators};

/// Three stand-in Impala coordinators with real SQL behind an Oxpecker gateway.
#[derive(Debug, Parser)]
#[command(name = "oxpecker-demo", version)]
struct Args {
    /// Address that the gateway listens on; anybody who reaches it can connect.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Runs one coordinator; how the demo starts itself again.
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    #[command(hide = true)]
    Coordinator(Coordinator),
}

const CONFIG: &str = include_str!("demo.toml");

/// Gives the configuration the one thing it asks for.
struct DemoSource(IpAddr);

impl Source for DemoSource {
    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn env(&self, name: &str) -> Option<String> {
        (name == "DEMO_ADDRESS").then(|| match self.0 {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        })
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.part {
        Some(Part::Coordinator(coordinator)) => coordinator.run(),
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(args.address))
        }
    }
}

async fn run(address: IpAddr) -> anyhow::Result<()> {
    let input = Input::new("demo.toml", CONFIG);
    let checked = oxpecker_config::check(&[input], &DemoSource(address)).map_err(|problems| {
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the demo's configuration is broken:\n{}", text.join("\n"))
    })?;
    let coordinators = Coordinators::start().await?;
    let log = Log::start(&checked.config.log)?;
    tracing_subscriber::registry().with(log.layer()).init();
    let mut gateway = Gateway::start(&checked.config, log.clone(), Vec::new())
        .await
        .context("failed to start the gateway")?;
    let (control, mut requests) = gateway.control();
    let mut admin = Admin::new(control);
    let explained = oxpecker_config::explain(&checked);
    let of_admin = checked.config.admin.as_ref();
    let prepared = admin.prepare(of_admin, explained, Owner::default());
    admin.install(prepared.context("failed to start the admin side")?);
    log.flush();
    io::stdout().lock().write_all(banner(address, &coordinators).as_bytes())?;
    let mut end = pin!(async {
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended.map_err(anyhow::Error::from),
            never = coordinators.keep_running() => never,
        }
    });
    loop {
        tokio::select! {
            ended = &mut end => break ended?,
            Some(request) = requests.recv() => {
                if let Some(Request { answer, .. }) = gateway.answer(request).await {
                    let why = "the demo has no file that could be read anew".to_owned();
                    // Whoever asked may have gone meanwhile.
                    let _ = answer.send(Err(CommandError::Refused(why)));
                }
            }
        }
    }
    gateway.cut_all().await;
    admin.stop().await;
    log.flush();
    io::stdout().lock().write_all(b"\nThe demo has ended; nothing of it is left running.\n")?;
    Ok(())
}

fn banner(address: IpAddr, coordinators: &Coordinators) -> String {
    let host = if address.is_loopback() { "localhost".to_owned() } else { address.to_string() };
    let mut text = format!(
        "
Oxpecker balances three stand-in coordinators (SQLite behind Impala's protocols).

  impala-shell -i {host}:21050 -q 'select pid()'                       HiveServer2
  impala-shell -i {host}:21000 --protocol=beeswax -q 'show tables'     Beeswax
  impala-shell -i {host}:28000 --protocol=hs2-http -q 'select version()'
  jdbc:hive2://{host}:21050/;auth=noSasl                               JDBC, beeline
  http://{host}:25002/                                                 page and API
  {host}:25003 and {host}:21051 are the two services of the HAProxy sample:
  least connections, and one coordinator for each client address (Hue).

"
    );
    for (name, pid, web) in coordinators.list() {
        text.push_str(&format!("  {name}  process {pid}  http://{web}/\n"));
    }
    text.push_str(
        "
  kill -9 one of these processes and watch: only its own connections end.
  It is started again after a while. Ctrl-C ends everything.

",
    );
    text
}
