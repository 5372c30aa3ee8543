//! Where logins end: how many each coordinator got, whether a client that must stick does.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use oxpecker_config::model::{AdminState, Host, Member, Method};

use super::Service;
use super::login::{Client, LoggedIn};
use super::tls::Tls;
use crate::finding::Section;

/// Where logins ended, by the coordinator's own words, and how many did.
pub(super) type Reached = BTreeMap<String, u32>;

const PATIENCE: Duration = Duration::from_secs(3);

/// The client to log in with further.
pub(super) fn examine<'a>(
    service: &'a Service<'a>,
    tls: Tls,
    section: &mut Section,
) -> anyhow::Result<Client<'a>> {
    if service.options.password_file.is_some() && tls.is_none() {
        section.note("the password goes over the network in clear text");
    }
    let client = Client::new(service, tls)?;
    let reached = one_after_another(service, section, || log_in(&client));
    if !reached.is_empty() && !reached.contains_key("") && !sticks(service) {
        simultaneous(&client, expected(service).len(), section);
    }
    Ok(client)
}

/// The coordinator's name, or nothing when it does not tell.
pub(super) fn log_in(client: &Client<'_>) -> Result<String, String> {
    client.log_in().map(|login| coordinator(&login)).map_err(|error| error.to_string())
}

/// As many logins as were asked for, and what they tell. `log_in` gives the coordinator's name, or
/// nothing when it does not tell.
pub(super) fn one_after_another(
    service: &Service<'_>,
    section: &mut Section,
    mut log_in: impl FnMut() -> Result<String, String>,
) -> Reached {
    let logins = service.options.logins;
    let mut reached = Reached::new();
    let mut failures = Vec::new();
    for _ in 0..logins {
        match log_in() {
            Ok(name) => *reached.entry(name).or_insert(0) += 1,
            Err(error) => failures.push(error),
        }
    }
    if let Some(first) = failures.first() {
        section.fault(
            format!("{} of {logins} logins failed: {first}", failures.len()),
            "clients meet the same",
            super::explain::remedy(first).unwrap_or(
                "the gateway's log and access records tell what it saw; if the cluster asks for a \
                 login, give --user and --password-file, or --realm",
            ),
        );
    }
    if !reached.is_empty() {
        let good = logins as usize - failures.len();
        section.fine(format!("{good} logins: {}", counts(&reached)));
    }
    // Also when none worked: which members are gone is the first thing to know.
    judge(service, &reached, section);
    reached
}

pub(super) fn counts(reached: &Reached) -> String {
    let one = |(name, count): (&String, &u32)| {
        format!("{} {count}", if name.is_empty() { "(no name)" } else { name })
    };
    reached.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn judge(service: &Service<'_>, reached: &Reached, section: &mut Section) {
    // A coordinator that does not say who it is cannot be told from another.
    if reached.contains_key("") {
        section.note("the coordinators do not tell their names: where logins end is not known");
        return;
    }
    if sticks(service) && !reached.is_empty() {
        if reached.len() == 1 {
            section.fine("one client is always given the same coordinator, as Hue needs it");
        } else {
            section.fault(
                format!(
                    "one client was given {} coordinators, although it should stick to one",
                    reached.len()
                ),
                "Hue loses its sessions: `Invalid session id`",
                "look in the log whether members go up and down, and at the persistence profile's \
                 `timeout`; a balancer between here and the gateway may hide the client's address",
            );
        }
        return;
    }
    let expected = expected(service);
    let logins = service.options.logins as usize;
    if reached.len() >= expected.len() || logins < 2 * expected.len() {
        return;
    }
    let unreachable = unreachable(service, &expected);
    for (what, error) in &unreachable {
        section.fault(
            format!("member {what} cannot be reached from here: {error}"),
            "the others carry its clients",
            "start impalad there; if it runs, `oxpecker doctor` on the gateway's host looks further",
        );
    }
    if unreachable.is_empty() {
        section.warning(
            format!("{} of {} members were reached", reached.len(), expected.len()),
            "the others carry nothing new: down by their probes, full, or busier than the rest",
            "the log has a line for each member that goes down, with the reason",
        );
    }
}

pub(super) fn sticks(service: &Service<'_>) -> bool {
    let pool = &service.config.pools[service.virtual_server.pool];
    service.virtual_server.persistence.is_some() || pool.method == Method::SourceHash
}

/// Members that take new clients while all is well.
fn expected<'a>(service: &Service<'a>) -> Vec<&'a Member> {
    let pool = &service.config.pools[service.virtual_server.pool];
    let members = pool.members.iter();
    let members = members.filter(|m| m.state == AdminState::Enabled && m.weight > 0);
    let first = members.clone().map(|member| member.priority).max();
    members.filter(|member| Some(member.priority) == first).collect()
}

/// Members whose ports do not open, and why.
fn unreachable(service: &Service<'_>, members: &[&Member]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for member in members {
        let node = &service.config.nodes[member.node];
        let host = match &node.address {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.clone(),
        };
        let what = format!("{}:{}", node.name, member.port);
        let addresses = (host.as_str(), member.port).to_socket_addrs();
        let result = addresses.and_then(|mut addresses| {
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            TcpStream::connect_timeout(&address, PATIENCE)
        });
        if let Err(error) = result {
            found.push((what, error.to_string()));
        }
    }
    found
}

/// As many shells at once as there are members.
fn simultaneous(client: &Client<'_>, members: usize, section: &mut Section) {
    let open: Vec<LoggedIn> = (0..members).filter_map(|_| client.log_in().ok()).collect();
    let mut names: Vec<_> = open.iter().map(coordinator).collect();
    names.sort();
    names.dedup();
    if open.len() == members && members > 1 && names.len() == 1 {
        section.warning(
            format!("{members} connections at once are on 1 of {members} members"),
            "they should be spread: the others are down by their probes or full, or the gateway runs \
             with another configuration than this one",
            "`oxpecker status` on the gateway's host tells the members' states, `oxpecker explain` the \
             method that is configured",
        );
    } else if open.len() == members {
        section.fine(format!(
            "{members} connections at once are on {} of {members} members",
            names.len()
        ));
    } else {
        section.fault(
            format!("of {members} connections at once, {} could not log in", members - open.len()),
            "so few should be no load at all",
            "look at `connections_max` of virtual server and members, and at impalad's \
             --fe_service_threads",
        );
    }
}

fn coordinator(login: &LoggedIn) -> String {
    login.verdict.webserver_address.clone().unwrap_or_default()
}
