//! `oxpecker verify`: what the recipes check by hand, against the running gateway.
//!
//! Logs in through every virtual server as clients do. It needs no access to the gateway itself,
//! except for a failover: whatever balances there is judged by what comes out.

mod explain;
mod failover;
mod kerberos;
mod login;
mod spread;
mod tls;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use oxpecker_config::model::{Config, Listen, Protocol, Virtual};

use crate::ctl::Access;
use crate::exit::Exit;
use crate::finding::{Report, Section};
use crate::load::Files;
use failover::Failover;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Only this virtual server
    #[arg(long = "virtual", value_name = "NAME")]
    virtual_server: Option<String>,
    /// Log-ins through each virtual server
    #[arg(long, value_name = "N", default_value_t = 10)]
    logins: u32,
    /// Where the gateway is, if it is not this machine
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// User to log in as; with --password-file by LDAP (SASL PLAIN), else just named
    #[arg(long, value_name = "USER", default_value = "oxpecker")]
    user: String,
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Authorities to verify the gateway's certificate with; without it the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The name clients use, where the configuration has no `public_name`
    #[arg(long, value_name = "HOST")]
    public_name: Option<String>,
    /// Kerberos realm: log in by impala-shell with the ticket of whoever runs this
    #[arg(long, value_name = "REALM")]
    realm: Option<String>,
    /// The impala-shell to log in with where there is Kerberos
    #[arg(long, value_name = "PROGRAM", default_value = "impala-shell")]
    impala_shell: PathBuf,
    /// First part of Impala's principals
    #[arg(long, value_name = "NAME", default_value = "impala")]
    service: String,
    /// Take this member out for a moment, and see that logins succeed on others
    #[arg(long, value_name = "POOL/MEMBER")]
    failover: Option<String>,
    #[command(flatten)]
    access: Access,
}

pub(crate) fn verify(
    paths: &[PathBuf],
    options: &Options,
    format: crate::Format,
) -> anyhow::Result<Exit> {
    let files = Files::new(paths)?;
    let checked = match files.load()? {
        Ok(checked) => checked,
        Err(diagnostics) => {
            crate::check::print_errors(&diagnostics);
            return Ok(Exit::Configuration);
        }
    };
    let config = &checked.config;
    if let Some(name) = &options.virtual_server
        && !config.virtuals.iter().any(|v| v.name == *name)
    {
        let known: Vec<_> = config.virtuals.iter().map(|v| v.name.as_str()).collect();
        anyhow::bail!("no virtual server is called `{name}`; there are {}", known.join(", "));
    }
    let failover = match &options.failover {
        Some(member) => Some(Failover::new(&options.access, member)?),
        None => None,
    };
    let mut report = Report::default();
    let wanted = |v: &&Virtual| options.virtual_server.as_ref().is_none_or(|name| v.name == *name);
    let mut failed_over = false;
    for virtual_server in config.virtuals.iter().filter(wanted) {
        let Some(address) = address(virtual_server, options) else { continue };
        let service = Service { config, virtual_server, address, options };
        let section = report.section(format!("Virtual server {} ({address})", virtual_server.name));
        let failover = failover.as_ref().filter(|failover| failover.is_about(&service));
        failed_over |= failover.is_some();
        examine(&service, failover, section)?;
    }
    if let (Some(member), false) = (&options.failover, failed_over) {
        anyhow::bail!("no virtual server that was looked at uses the pool of `{member}`");
    }
    report.print(format)?;
    Ok(if report.has_faults() { Exit::CheckFailed } else { Exit::Fine })
}

fn examine(
    service: &Service<'_>,
    failover: Option<&Failover>,
    section: &mut Section,
) -> anyhow::Result<()> {
    let Some(tls) = tls::examine(service, section)? else { return Ok(()) };
    let options = service.options;
    if let Some(realm) = &options.realm {
        let shell = kerberos::examine(service, realm, tls.is_some(), section);
        // Where Kerberos is asked for, a login without it proves nothing.
        if options.password_file.is_none() {
            return match (failover, shell) {
                (Some(failover), Some(shell)) => {
                    failover.examine(service, section, &mut || shell.log_in())
                }
                _ => Ok(()),
            };
        }
    }
    let client = spread::examine(service, tls, section)?;
    match failover {
        Some(failover) => failover.examine(service, section, &mut || spread::log_in(&client)),
        None => Ok(()),
    }
}

/// One virtual server as its clients see it.
struct Service<'a> {
    config: &'a Config,
    virtual_server: &'a Virtual,
    address: SocketAddr,
    options: &'a Options,
}

impl Service<'_> {
    /// Where nothing is written, the member's port tells.
    fn protocol(&self) -> Protocol {
        let pool = &self.config.pools[self.virtual_server.pool];
        let member_port = pool.members.first().map(|member| member.port);
        match (self.virtual_server.protocol, member_port) {
            (Protocol::Tcp, Some(21000)) => Protocol::Beeswax,
            (Protocol::Tcp, Some(28000)) => Protocol::Hs2Http,
            (Protocol::Tcp, _) => Protocol::Hs2,
            (protocol, _) => protocol,
        }
    }

    fn public_name(&self) -> Option<&str> {
        let configured = self.virtual_server.public_name.as_deref();
        configured.or(self.options.public_name.as_deref())
    }
}

/// The first TCP address, made one that can be connected to.
fn address(virtual_server: &Virtual, options: &Options) -> Option<SocketAddr> {
    let tcp = virtual_server.listen.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    })?;
    let ip = match (options.host, tcp.ip()) {
        (Some(host), _) => host,
        (None, IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        (None, IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        (None, ip) => ip,
    };
    Some(SocketAddr::new(ip, tcp.port()))
}
