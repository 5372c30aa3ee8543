//! `oxpecker doctor`: the checks that balancers' recipes have people do by hand, each with what was
//! found, why it matters and how to mend it.
//!
//! Looks and connects, but changes nothing.

mod certificates;
mod configuration;
mod coordinators;
mod files;
mod kerberos;
mod limits;
mod names;
mod paste;
mod ports;

use std::net::IpAddr;
use std::path::PathBuf;
use std::thread;

use oxpecker_config::model::{Config, Host, Node, Virtual};

use crate::exit::Exit;
use crate::finding::Report;
use crate::load::Files;

/// What only the person at the keyboard can know.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The name clients use for the gateway, where the configuration has no `public_name`
    #[arg(long, value_name = "HOST")]
    pub(crate) public_name: Option<String>,
    /// Kerberos realm of the cluster: principals and keytabs are looked at
    #[arg(long, value_name = "REALM")]
    pub(crate) realm: Option<String>,
    /// First part of Impala's principals
    #[arg(long, value_name = "NAME", default_value = "impala")]
    pub(crate) service: String,
    /// The keytab that a coordinator uses (--keytab_file), with its own key and the gateway's; may
    /// be given several times
    #[arg(long = "keytab", value_name = "FILE")]
    pub(crate) keytabs: Vec<PathBuf>,
    /// The user that impalad runs as, who has to read the keytabs
    #[arg(long, value_name = "USER", default_value = "impala")]
    pub(crate) impala_user: String,
    /// Clients log in with a name and password; known by itself where /varz or a monitor tells
    #[arg(long)]
    pub(crate) ldap: bool,
    /// Port of the coordinators' web pages
    #[arg(long, value_name = "PORT", default_value_t = 25000)]
    pub(crate) web_port: u16,
}

pub(crate) fn doctor(
    paths: &[PathBuf],
    options: &Options,
    format: crate::Format,
) -> anyhow::Result<Exit> {
    let files = Files::new(paths)?;
    let checked = match files.load_all()? {
        Ok(checked) => checked,
        Err(diagnostics) => {
            crate::check::print_errors(&diagnostics);
            return Ok(Exit::Configuration);
        }
    };
    let mut patient = Patient {
        config: &checked.config,
        options,
        has_tls: vec![false; checked.config.virtuals.len()],
        has_ldap: options.ldap,
    };
    let mut report = Report::default();
    configuration::examine(&checked.config, &checked.warnings, &mut report);
    names::examine(&patient, &mut report);
    ports::examine(&patient, &mut report);
    patient.has_ldap |= coordinators::examine(&patient, &mut report);
    patient.has_tls = certificates::examine(&patient, &mut report);
    files::examine(&patient, &mut report);
    kerberos::examine(&patient, &mut report);
    limits::examine(&patient, &mut report);
    paste::write(&patient, &mut report);
    report.print(format)?;
    Ok(if report.has_faults() { Exit::CheckFailed } else { Exit::Fine })
}

/// What is looked at.
struct Patient<'a> {
    config: &'a Config,
    options: &'a Options,
    /// Of each virtual server: its clients have to speak TLS. Known once certificates were seen.
    has_tls: Vec<bool>,
    /// Names and passwords are taken. Known once the coordinators' pages were seen.
    has_ldap: bool,
}

impl Patient<'_> {
    /// Names under which clients reach virtual servers, each once.
    fn public_names(&self) -> Vec<&str> {
        let configured = self.config.virtuals.iter().filter_map(|v| v.public_name.as_deref());
        let mut names: Vec<_> = self.options.public_name.as_deref().into_iter().collect();
        for name in configured {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn public_name_of<'v>(&'v self, virtual_server: &'v Virtual) -> Option<&'v str> {
        virtual_server.public_name.as_deref().or(self.options.public_name.as_deref())
    }
}

/// At once and not one after another: each may take as long as our patience lasts.
fn side_by_side<T: Sync, R: Send>(items: &[T], look: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const AT_ONCE: usize = 64;
    let look = &look;
    let mut results = Vec::with_capacity(items.len());
    for items in items.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let threads: Vec<_> =
                items.iter().map(|item| scope.spawn(move || look(item))).collect();
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            results.extend(
                joined
                    .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
            );
        });
    }
    results
}

/// Where a node is; `None` if its name leads nowhere, which is reported with the names.
fn ip_of(node: &Node) -> Option<IpAddr> {
    match &node.address {
        Host::Ip(ip) => Some(*ip),
        Host::Name(name) => names::lookup(name).ok()?.first().copied(),
    }
}

/// The text of a node's address.
fn host(node: &Node) -> String {
    match &node.address {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    }
}
