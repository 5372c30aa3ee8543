//! Where logins end: how many each coordinator got, whether a client that must stick does.

use std::collections::BTreeMap;

use oxpecker_config::model::{AdminState, Method};

use super::Service;
use super::login::{Client, LoggedIn};
use super::tls;
use crate::finding::Section;

pub(super) fn examine(service: &Service<'_>, section: &mut Section) -> anyhow::Result<()> {
    let client = Client::new(service, tls::client(service)?)?;
    let Some(reached) = one_after_another(service, &client, section) else { return Ok(()) };
    let pool = &service.config.pools[service.virtual_server.pool];
    let enabled = pool.members.iter().filter(|member| member.state == AdminState::Enabled).count();
    let sticks = service.virtual_server.persistence.is_some() || pool.method == Method::SourceHash;
    // A coordinator that does not say who it is cannot be told from another.
    if reached.contains_key("") {
        section.note("the coordinators do not tell their names: where logins end is not known");
        return Ok(());
    }
    if sticks {
        if reached.len() == 1 {
            section.fine("one client is always given the same coordinator, as Hue needs it");
        } else {
            section.fault(
                format!(
                    "one client was given {} coordinators, although it should stick to one",
                    reached.len()
                ),
                "Hue loses its sessions: `Invalid session id`",
                "look with `oxpecker members` whether members go up and down, and at the \
                 persistence profile's `timeout`",
            );
        }
        return Ok(());
    }
    if reached.len() < enabled && service.options.logins as usize >= 2 * enabled {
        section.warning(
            format!("{} of {enabled} members were reached", reached.len()),
            "the others carry nothing: down, weight 0, or full",
            "`oxpecker members` tells which and why",
        );
    }
    simultaneous(&client, enabled, section);
    Ok(())
}

/// N logins, each on a connection of its own, and a count for each coordinator.
fn one_after_another(
    service: &Service<'_>,
    client: &Client<'_>,
    section: &mut Section,
) -> Option<BTreeMap<String, u32>> {
    let mut reached = BTreeMap::new();
    let mut failures = Vec::new();
    for _ in 0..service.options.logins {
        match client.log_in() {
            Ok(login) => *reached.entry(coordinator(&login)).or_insert(0) += 1,
            Err(error) => failures.push(error.to_string()),
        }
    }
    let logins = service.options.logins;
    if let Some(first) = failures.first() {
        section.fault(
            format!("{} of {logins} logins failed: {first}", failures.len()),
            "clients meet the same",
            "`oxpecker members` and the access log tell what the gateway saw; if the cluster asks \
             for a login, give --user and --password-file, or --realm",
        );
    }
    if reached.is_empty() {
        return None;
    }
    let counts: Vec<_> = reached
        .iter()
        .map(|(name, count)| {
            format!("{} {count}", if name.is_empty() { "(no name)" } else { name })
        })
        .collect();
    let good = logins as usize - failures.len();
    section.fine(format!("{good} logins: {}", counts.join(", ")));
    Some(reached)
}

/// As many shells at once as there are members.
fn simultaneous(client: &Client<'_>, members: usize, section: &mut Section) {
    let open: Vec<LoggedIn> = (0..members).filter_map(|_| client.log_in().ok()).collect();
    let mut names: Vec<_> = open.iter().map(coordinator).collect();
    names.sort();
    names.dedup();
    if open.len() == members && members > 0 {
        section.fine(format!(
            "{members} connections at once are on {} of {members} members",
            names.len()
        ));
    }
}

fn coordinator(login: &LoggedIn) -> String {
    login.verdict.webserver_address.clone().unwrap_or_default()
}
